//! Faulty servers, one test per fault.

use crossway_proto::Revision;
use crossway_service::{CallError, Outcome, Reason, Scope, Upstream};
use crossway_testkit::corpus;
use tokio::net::TcpListener;

use super::peer::{Exchange, Peer, ask, call, initialize, initialized, message, next, result, tool_call};
use crate::client::{Limits, Options, StreamableHttpUpstream};

const LEGACY: Revision = Revision::V2025_11_25;

/// Returns the result of a call whose request a script answers, and checks that the next call is served.
async fn answered_by(script: impl AsyncFn(Exchange)) -> Result<String, CallError> {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async { script(peer.next().await).await });
    let (next, ()) = tokio::join!(ask(&link, tool_call(2)), async {
        peer.expect("POST", "tools/call").await.answer(&result(2)).await;
    });
    assert_eq!(next, Ok(result(2)), "the next call is served");
    answer
}

fn invalid(answer: Result<String, CallError>) -> String {
    let error = answer.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    match error.reason() {
        Reason::InvalidAnswer(what) => what.to_string(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn garbage_instead_of_a_message_is_an_invalid_answer() {
    for (what, bytes) in corpus::NOT_MESSAGES {
        let answer = answered_by(async |mut exchange: Exchange| {
            let length = bytes.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            );
            exchange.send([head.as_bytes(), bytes].concat()).await;
            exchange.keep();
        });
        let error = answer.await.unwrap_err();
        assert!(matches!(error.reason(), Reason::InvalidAnswer(_)), "{what}: {error}");
    }
}

#[tokio::test]
async fn garbage_in_a_stream_is_skipped_and_counted() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        let mut exchange = peer.next().await;
        exchange.open_stream().await;
        for garbage in ["not json", "[1,2]", "{}", "null", r#"{"jsonrpc":"1.0","id":2,"result":{}}"#] {
            exchange.event(garbage).await;
        }
        exchange.event(&result(1)).await;
        exchange.end_stream().await;
    });
    assert_eq!(answer, Ok(result(1)));
    assert_eq!(peer.upstream.strays(), 5);
}

#[tokio::test]
async fn an_answer_in_an_open_stream_that_is_not_valid_fails_its_call() {
    for answer in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[}}"#,
        r#"{"result":{"a":01},"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"1.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
    ] {
        let mut peer = Peer::new().await;
        let link = peer.session(LEGACY).await;
        // The stream stays open for as long as the call waits.
        let (failed, _open) = tokio::join!(ask(&link, tool_call(1)), async {
            let mut exchange = peer.next().await;
            exchange.open_stream().await;
            exchange.event(answer).await;
            exchange
        });
        assert!(!invalid(failed).is_empty(), "{answer}");
    }
}

#[tokio::test]
async fn garbage_instead_of_http_is_an_invalid_answer() {
    let answer = answered_by(async |mut exchange: Exchange| {
        exchange.send("SSH-2.0-OpenSSH_9.6\r\n\r\n\0\0\0").await;
    });
    assert!(invalid(answer.await).contains("not valid HTTP"));
}

#[tokio::test]
async fn an_answer_to_another_request_is_no_answer() {
    let answer = answered_by(async |exchange: Exchange| exchange.answer(&result(99)).await).await;
    assert!(invalid(answer).contains("another request"));
}

#[tokio::test]
async fn an_answer_to_no_question_in_a_stream_is_dropped_and_counted() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        let mut exchange = peer.next().await;
        exchange.open_stream().await;
        exchange.event(&result(99)).await;
        exchange.event(&result(1)).await;
        exchange.end_stream().await;
    });
    assert_eq!(answer, Ok(result(1)));
    assert_eq!(peer.upstream.strays(), 1);
}

#[tokio::test]
async fn the_same_answer_twice_is_given_once_and_counted() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        let mut exchange = peer.next().await;
        exchange.open_stream().await;
        exchange.chunk(&format!("data: {0}\n\ndata: {0}\n\n", result(1))).await;
        exchange.end_stream().await;
    });
    assert_eq!(answer, Ok(result(1)));
    assert_eq!(peer.upstream.strays(), 1);
}

#[tokio::test]
async fn accepted_is_no_answer_to_a_request() {
    let answer = answered_by(async |exchange: Exchange| exchange.accept().await).await;
    assert!(invalid(answer).contains("202"));
}

#[tokio::test]
async fn an_empty_answer_is_never_a_success() {
    let answer = answered_by(async |exchange: Exchange| exchange.answer("").await).await;
    assert!(!invalid(answer).is_empty());
}

#[tokio::test]
async fn html_instead_of_json_is_named_as_such() {
    let answer = answered_by(async |exchange: Exchange| {
        exchange
            .respond("200 OK", "Content-Type: text/html; charset=utf-8\r\n", "<html>sign in</html>")
            .await;
    });
    let what = invalid(answer.await);
    assert!(what.contains("text/html") && !what.contains("sign in"), "{what}");
}

#[tokio::test]
async fn an_answer_without_a_content_type_is_invalid() {
    let answer =
        answered_by(async |exchange: Exchange| exchange.respond("200 OK", "", &result(1)).await).await;
    assert!(invalid(answer).contains("content type"));
}

#[tokio::test]
async fn callers_may_see_what_is_wrong_unless_it_quotes_the_server() {
    const JSON: &str = "Content-Type: application/json\r\n";
    for (head, body, is_public) in [
        ("", result(1), true),
        (JSON, result(7), true),
        (JSON, "{".to_owned(), true),
        ("Content-Type: text/html\r\n", "<html>".to_owned(), false),
    ] {
        let answer =
            answered_by(async |exchange: Exchange| exchange.respond("200 OK", head, &body).await).await;
        let error = answer.unwrap_err();
        let Reason::InvalidAnswer(what) = error.reason() else { panic!("{error}") };
        assert_eq!(what.is_public(), is_public, "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_is_encoded_is_named_as_such() {
    for kind in ["application/json", "text/event-stream"] {
        let head = format!("Content-Type: {kind}\r\nContent-Encoding: gzip\r\n");
        let answer = answered_by(async |exchange: Exchange| {
            exchange.respond("200 OK", &head, "\u{1f}").await;
        });
        let what = invalid(answer.await);
        assert!(what.contains("encoded as gzip, which was not asked for"), "{what}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_encoded_is_told_by_its_status() {
    let answer = answered_by(async |exchange: Exchange| {
        let head = "Content-Type: application/json\r\nContent-Encoding: br\r\n";
        exchange.respond("400 Bad Request", head, &result(1)).await;
    });
    let error = answer.await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Refused { status: 400, .. }), "{error}");
}

#[tokio::test]
async fn what_a_server_may_encode_is_what_is_configured() {
    let options = Options::default().header("Accept-Encoding", "br;q=0").unwrap();
    let mut peer = Peer::with(options).await;
    let link = peer.link();
    let (answer, ()) = tokio::join!(ask(&link, initialize(LEGACY)), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("accept-encoding"), Some("br;q=0"));
        exchange.answer_with("Mcp-Session-Id: s1\r\n", &initialized(LEGACY)).await;
    });
    answer.unwrap();
}

#[tokio::test]
async fn a_stream_that_ends_without_the_answer_leaves_the_outcome_unknown() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let mut reply = call(&link, &tool_call(1));
    let client = async {
        assert!(next(&mut reply).await.unwrap().is_ok());
        next(&mut reply).await.unwrap().unwrap_err()
    };
    let (error, ()) = tokio::join!(client, async {
        let mut exchange = peer.next().await;
        exchange.open_stream().await;
        exchange.event(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#).await;
        exchange.end_stream().await;
    });
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(error.to_string().contains("the stream ended without the answer"), "{error}");
    assert!(matches!(error.reason(), Reason::Ended(what) if what.is_public()), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_the_outcome_unknown() {
    let answer = answered_by(async |mut exchange: Exchange| {
        exchange
            .send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"json")
            .await;
    });
    let error = answer.await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Ended(_)), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn hanging_up_after_the_request_leaves_the_outcome_unknown() {
    let answer = answered_by(async |exchange: Exchange| drop(exchange.stream));
    let error = answer.await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Ended(_)), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn a_refused_connection_means_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    drop(listener);
    let link = StreamableHttpUpstream::new(&url, Options::default()).unwrap().connect(Scope::Session);
    let error = ask(&link, tool_call(1)).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Unavailable(_)));
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_means_not_sent() {
    let upstream =
        StreamableHttpUpstream::new("http://no-such-host.invalid/mcp", Options::default()).unwrap();
    let error = ask(&upstream.connect(Scope::Session), &tool_call(1)).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Unavailable(_)));
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused_however_it_comes() {
    let mut limits = Limits::default();
    limits.message.message_bytes = 1000;
    let long = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"text":"{}"}}}}"#, "x".repeat(1000));
    let scripts: [&dyn Fn(&str) -> String; 3] = [
        &|long| {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{long}",
                long.len()
            )
        },
        &|long| {
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{long}")
        },
        &|long| {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: {long}\n\n"
            )
        },
    ];
    for script in scripts {
        let mut peer = Peer::with(Options::default().limits(limits)).await;
        let link = peer.session(LEGACY).await;
        let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
            peer.next().await.send(script(&long)).await;
        });
        assert!(invalid(answer).contains("1000 bytes"));
    }
}

#[tokio::test]
async fn an_error_in_a_refusal_is_the_answer_under_the_clients_id() {
    for (status, id) in [
        ("400 Bad Request", "1"),
        ("401 Unauthorized", "null"),
        ("403 Forbidden", "\"server-error\""),
        ("404 Not Found", "1"),
        ("429 Too Many Requests", "1"),
        ("500 Internal Server Error", "null"),
        ("503 Service Unavailable", "1"),
    ] {
        let error = r#"{"code":-32601,"message":"no, thank you","data":{"n":1.50}}"#;
        let answer = answered_by(async |exchange: Exchange| {
            exchange.refuse(status, &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)).await;
        });
        assert_eq!(answer.await, Ok(format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#)), "{status}");
    }
}

#[tokio::test]
async fn a_refusal_without_an_error_tells_its_status_and_when_to_try_again() {
    for (status, outcome) in [
        ("400 Bad Request", Outcome::Answered),
        ("401 Unauthorized", Outcome::Answered),
        ("403 Forbidden", Outcome::Answered),
        ("429 Too Many Requests", Outcome::Answered),
        ("500 Internal Server Error", Outcome::Answered),
        ("502 Bad Gateway", Outcome::Unknown),
        ("503 Service Unavailable", Outcome::Answered),
        ("504 Gateway Timeout", Outcome::Unknown),
    ] {
        let answer = answered_by(async |exchange: Exchange| {
            exchange
                .respond(status, "Retry-After: 7\r\nContent-Type: text/html\r\n", "<html>no</html>")
                .await;
        });
        let error = answer.await.unwrap_err();
        let number = status[..3].parse().unwrap();
        let after = Some(std::time::Duration::from_secs(7));
        assert_eq!(*error.reason(), Reason::Refused { status: number, retry_after: after, said: None });
        assert_eq!(error.outcome(), outcome, "{status}");
    }
}

#[tokio::test]
async fn an_answer_after_cancel_reaches_nobody() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let mut reply = call(&link, &tool_call(1));
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let (item, ()) = tokio::join!(next(&mut reply), async {
        let call_exchange = peer.expect("POST", "tools/call").await;
        let mut cancelling = call(&link, cancel);
        let (cancelled, ()) = tokio::join!(cancelling.next(), async {
            peer.expect("POST", "notifications/cancelled").await.accept().await;
        });
        assert_eq!(cancelled, None);
        call_exchange.answer(&result(1)).await;
    });
    assert_eq!(item, None);
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        peer.expect("POST", "tools/call").await.answer(&result(1)).await;
    });
    assert_eq!(answer, Ok(result(1)), "the id can be used again");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_holds_up_nobody_else() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut silent = call(&link, &tool_call(1));
    let (answer, _held) = tokio::join!(
        async {
            tokio::select! {
                biased;
                item = next(&mut silent) => panic!("{item:?}"),
                answer = ask(&link, tool_call(2)) => answer,
            }
        },
        async {
            let held = peer.expect("POST", "tools/call").await;
            assert_eq!(message(&held.body).id(), Some(1.into()));
            peer.next().await.answer(&result(2)).await;
            held
        }
    );
    assert_eq!(answer, Ok(result(2)));
}
