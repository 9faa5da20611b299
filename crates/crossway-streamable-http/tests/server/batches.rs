//! Batches, which revision 2025-03-26 alone has.

use crossway_proto::Kind;
use crossway_streamable_http::server::Config;
use http::StatusCode;

use crate::support::{Client, call, initialize, progress, scripted};

#[tokio::test]
async fn a_batch_is_answered_as_one_array() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-03-26").await;
    let batch =
        format!(r#"[{},{},{{"jsonrpc":"2.0","method":"notifications/x"}}]"#, call("1"), call("\"b\""));
    let (answer, ()) = tokio::join!(client.post(&batch), async {
        let one = server.expect("tools/call").await;
        let two = server.expect("tools/call").await;
        assert!(server.receive().await.unwrap().is_method("notifications/x"));
        server.answer(&two, r#"{"n":2}"#);
        server.answer(&one, r#"{"n":1}"#);
    });
    assert_eq!(answer.status, StatusCode::OK);
    let json = answer.json().await;
    let mut ids: Vec<_> =
        json.as_array().unwrap().iter().map(|response| response["id"].to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["\"b\"", "1"]);
}

#[tokio::test]
async fn a_batch_with_interim_messages_is_answered_as_a_stream() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-03-26").await;
    let batch = format!("[{},{}]", call("1"), call("2"));
    let (answer, two) = tokio::join!(client.post(&batch), async {
        let one = server.expect("tools/call").await;
        let two = server.expect("tools/call").await;
        server.answer(&one, "{}");
        crate::support::settle().await;
        server.send(&progress(1));
        two
    });
    let mut events = answer.events();
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!(events.data().await, progress(1));
    server.answer(&two, "{}");
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_batch_of_responses_is_accepted() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-03-26").await;
    let batch =
        r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"m"}}]"#;
    let answer = client.post(batch).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.text().await, "");
    assert_eq!(server.receive().await.unwrap().kind(), Kind::Result);
    assert_eq!(server.receive().await.unwrap().kind(), Kind::Error);
}

#[tokio::test]
async fn batches_are_refused_where_there_are_none() {
    let (service, mut connections) = scripted(Config::new());
    let batch = format!("[{}]", call("1"));
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let (client, _server) = Client::open(&service, &mut connections, version).await;
        let answer = client.post(&batch).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{version}");
        assert_eq!(answer.json().await["error"]["code"], -32600);
    }
    for client in [Client::new(&service), Client::modern(&service, "tools/call")] {
        assert_eq!(client.post(&batch).await.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_batch_that_is_no_batch_is_refused_whole() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-03-26").await;
    let too_many = format!("[{}]", vec![call("1"); 129].join(","));
    let with_initialize = format!("[{},{}]", call("1"), initialize("2025-03-26"));
    for batch in ["[]", "[1]", "[[]]", "[{}]", &format!("[{},]", call("1")), &with_initialize, &too_many] {
        let answer = client.post(batch).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{batch}");
    }
    client.delete().await;
    assert!(server.receive().await.is_none(), "nothing was handed on");
}
