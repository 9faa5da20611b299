//! Bodies that are no message, or no good one, over sockets.

use crossway_streamable_http::server::{Config, Limits};
use crossway_testkit::corpus;
use serde_json::json;

use crate::support::{ACCEPT, Served, call, initialize};

#[tokio::test]
async fn what_is_no_message_is_a_bad_request() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    for (what, bytes) in corpus::NOT_MESSAGES {
        for headers in ["", &session] {
            let answer = served.post(headers, bytes).await;
            assert_eq!(answer.status, 400, "{what}");
            let error = answer.json();
            assert!(matches!(error["error"]["code"].as_i64(), Some(-32700 | -32600)), "{what}: {error}");
            assert_eq!(error["id"], json!(null), "{what}");
        }
    }
    served.assert_serves().await;
}

#[tokio::test]
async fn what_is_not_json_is_a_parse_error() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    let bodies: [&[u8]; 6] = [b"", b"{", b"{\"jsonrpc\":\"2.0\",\"id\":1", b"\xff\xfe", b"{\0}", b"{} {}"];
    for body in bodies {
        served.post(&session, body).await.assert_refused(400, -32700);
    }
    served.post(&session, corpus::nested(129).as_bytes()).await.assert_refused(400, -32700);
    served.post(&session, "[".repeat(1 << 20).as_bytes()).await.assert_refused(400, -32700);
    assert_eq!(served.post(&session, corpus::nested(128).as_bytes()).await.status, 200);
    served.assert_serves().await;
}

#[tokio::test]
async fn odd_but_valid_bodies_are_served() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    for request in corpus::ODD_REQUESTS {
        let answer = served.post(&session, request.as_bytes()).await;
        assert_eq!(answer.status, 200, "{request}");
    }
    let bom = format!("\u{feff}{}", call("1"));
    assert_eq!(served.post(&session, bom.as_bytes()).await.status, 200);
    let huge = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"n":1e999}}"#;
    assert_eq!(served.post(&session, huge.as_bytes()).await.status, 200);
    served.assert_serves().await;
}

#[tokio::test]
async fn members_that_decide_a_messages_way_may_not_occur_twice() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
    ] {
        served.post(&session, body.as_bytes()).await.assert_refused(400, -32600);
    }
    served.assert_serves().await;
}

#[tokio::test]
async fn ids_are_strings_or_numbers_of_any_form() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    let long = format!("\"{}\"", "i".repeat(16 * 1024 - 2));
    for id in ["1.5", "9223372036854775808", "1e400", "-0", "\"\"", "\"\\u0000\"", &long] {
        let answer = served.post(&session, call(id).as_bytes()).await;
        assert_eq!(answer.status, 200, "{id}");
        assert!(answer.body.contains(&format!("\"id\":{id}")), "{id} comes back as it was");
    }
    let too_long = format!("\"{}\"", "i".repeat(64 * 1024));
    for id in ["null", "{}", "[1]", "true", &too_long] {
        served.post(&session, call(id).as_bytes()).await.assert_refused(400, -32600);
    }
    served.assert_serves().await;
}

#[tokio::test]
async fn what_is_unknown_or_has_no_answer_is_handed_on() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    let unknown = served.post(&session, br#"{"jsonrpc":"2.0","id":1,"method":"unknown/method"}"#).await;
    assert_eq!((unknown.status, unknown.json()["error"]["code"].as_i64()), (200, Some(-32601)));
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/unknown"}"#,
        r#"{"jsonrpc":"2.0","id":99,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":99,"error":{"code":1,"message":"m"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
    ] {
        let answer = served.post(&session, body.as_bytes()).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, ""), "{body}");
    }
    served.assert_serves().await;
}

#[tokio::test]
async fn a_batch_is_refused_where_there_are_none() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    let batch = format!("[{}]", call("1"));
    served.post(&session, batch.as_bytes()).await.assert_refused(400, -32600);
    served.post("", format!("[{}]", initialize("2025-03-26")).as_bytes()).await.assert_refused(400, -32600);
    served.assert_serves().await;
}

#[tokio::test]
async fn a_batch_is_served_where_there_are_batches() {
    let served = Served::echo("2025-03-26", Config::new()).await;
    let session = served.session().await;
    let answer = served.post(&session, format!("[{}]", call("1")).as_bytes()).await;
    assert_eq!((answer.status, answer.json()[0]["id"].as_u64()), (200, Some(1)));
    served.post(&session, b"[]").await.assert_refused(400, -32600);
}

#[tokio::test]
async fn a_body_over_the_limit_is_too_large() {
    let message = crossway_proto::Limits::default().with(|limits| limits.message_bytes = 1 << 20);
    let config = Config::new().limits(Limits::default().with(|limits| limits.message = message));
    let served = Served::echo("2025-11-25", config).await;
    let session = served.session().await;
    let text = "x".repeat(1 << 20);
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"x":"{text}"}}}}"#);
    served.post(&session, body.as_bytes()).await.assert_refused(413, -32600);
    let short = &body.as_bytes()[..body.len() - (1 << 19)];
    assert_eq!(served.post(&session, short).await.status, 400, "what fits is read");
    served.assert_serves().await;
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_too_large() {
    let message = crossway_proto::Limits::default().with(|limits| limits.message_bytes = 1 << 16);
    let config = Config::new().limits(Limits::default().with(|limits| limits.message = message));
    let served = Served::echo("2025-11-25", config).await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n{ACCEPT}transfer-encoding: chunked\r\n\r\n"
    );
    let whole = format!("{head}{}0\r\n\r\n", chunk.repeat(40));
    served.raw(whole.as_bytes()).await.assert_refused(413, -32600);
    served.assert_serves().await;
}

#[tokio::test]
async fn a_chunked_body_is_read_like_any_other() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    let body = call("1");
    let (one, two) = body.split_at(20);
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n{ACCEPT}{session}transfer-encoding: chunked\r\n\r\n"
    );
    let request = format!("{head}{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    let answer = served.raw(request.as_bytes()).await;
    assert_eq!((answer.status, answer.json()["id"].as_u64()), (200, Some(1)));
    let broken = format!("{head}{:x}\r\n{one}\r\nnonsense\r\n", one.len());
    assert_eq!(served.raw(broken.as_bytes()).await.status, 400);
    served.assert_serves().await;
}
