use bytes::Bytes;
use crossway_testkit::Scripted;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower_service::Service;

use crate::face::{Config, OpenApi};

/// A face of a server with one list of tools for all, and these introductions, one after the other.
fn face(said: &[Option<&'static str>]) -> OpenApi {
    let (upstream, mut servers) = Scripted::new();
    let said = said.to_vec();
    tokio::spawn(async move {
        let (_, server) = servers.recv().await.unwrap();
        let mut said = said.into_iter();
        while let Some(message) = server.receive().await {
            let id = message.id().unwrap();
            if message.method().as_deref() == Some("tools/list") {
                server.answer(&id, r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#);
                continue;
            }
            assert_eq!(message.method().as_deref(), Some("server/discover"));
            match said.next().unwrap() {
                Some(said) => {
                    let server_info = json!({ "name": said, "version": "7" });
                    let meta = json!({ "io.modelcontextprotocol/serverInfo": server_info });
                    let said = json!({ "instructions": format!("for {said}"), "_meta": meta });
                    server.answer(&id, &said.to_string());
                }
                None => {
                    let error = json!({ "code": -32603, "message": "away" });
                    server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#));
                }
            }
        }
    });
    OpenApi::new(upstream, Config::new())
}

/// The title and the description of the document.
async fn told(face: &mut OpenApi) -> (String, String) {
    let request = Request::get("/openapi.json").header("host", "localhost").body(Full::<Bytes>::default());
    let answer = face.call(request.unwrap()).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert!(document["paths"]["/echo"].is_object());
    let of = |what: &str| document["info"][what].as_str().unwrap().to_owned();
    (of("title"), of("description"))
}

#[tokio::test]
async fn a_document_says_what_the_server_said_to_its_caller_and_not_to_another_one_with_the_same_tools() {
    let mut face = face(&[Some("alice"), Some("bob"), Some("alice")]);
    for who in ["alice", "bob", "alice"] {
        assert_eq!(told(&mut face).await, (who.to_owned(), format!("for {who}")));
    }
}

#[tokio::test]
async fn what_a_server_did_not_say_once_is_asked_again() {
    let mut face = face(&[None, Some("alice")]);
    assert_eq!(told(&mut face).await.0, "MCP OpenAPI Proxy");
    assert_eq!(told(&mut face).await.0, "alice");
}

/// A face whose server answers calls with this error.
fn failing(error: Value) -> OpenApi {
    let (upstream, mut servers) = Scripted::new();
    tokio::spawn(async move {
        let (_, server) = servers.recv().await.unwrap();
        while let Some(message) = server.receive().await {
            let id = message.id().unwrap();
            match message.method().as_deref() {
                Some("tools/list") => {
                    server.answer(&id, r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#);
                }
                _ => server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)),
            }
        }
    });
    OpenApi::new(upstream, Config::new())
}

#[tokio::test]
async fn an_error_of_ours_says_itself_whether_the_call_was_sent_and_an_unknown_tool_is_not_found() {
    let missing = json!({ "credential": "missing", "outcome": "not sent" });
    let with =
        |code: i64, message: &str, data: Value| json!({ "code": code, "message": message, "data": data });
    for (error, status, outcome) in [
        (with(-31001, "wiki needs a credential of yours", missing.clone()), 424, Some("not sent")),
        (with(-31002, "away", json!({ "outcome": "sent, unknown" })), 424, Some("sent, unknown")),
        (with(-31003, "too much", json!({ "outcome": "not sent" })), 429, Some("not sent")),
        (with(-31001, "who knows", json!({ "outcome": 7 })), 424, Some("answered with an error")),
        (with(-32000, "no", missing.clone()), 424, Some("answered with an error")),
        (with(-32602, "no such owner", Value::Null), 422, Some("answered with an error")),
        (with(-32602, "Unknown tool: echo", Value::Null), 404, None),
    ] {
        let request =
            Request::post("/echo").header("host", "localhost").header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from_static(b"{}"))).unwrap();
        let answer = failing(error.clone()).call(request).await.unwrap();
        assert_eq!(answer.status(), status, "{error}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let told: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(told["detail"]["outcome"].as_str(), outcome, "{told}");
    }
}

#[tokio::test]
async fn calls_in_flight_at_the_end_fail_with_an_unknown_outcome() {
    let (upstream, mut servers) = Scripted::new();
    let mut face = OpenApi::new(upstream, Config::new());
    let request = Request::post("/echo").header("host", "localhost").body(Full::<Bytes>::default());
    let (answer, _server) = tokio::join!(face.call(request.unwrap()), async {
        let (_, server) = servers.recv().await.unwrap();
        let id = server.expect("tools/list").await;
        server.answer(&id, r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#);
        server.expect("tools/call").await;
        face.clone().close().await;
        server
    });
    let (head, body) = answer.unwrap().into_parts();
    assert_eq!(head.status, 503);
    // It may have run, and nobody is told to make it again.
    assert!(!head.headers.contains_key("retry-after"));
    let told: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(told["detail"]["outcome"], "sent, unknown");
}
