//! Stateless requests of 2026-07-28.

use crossway_proto::Message;
use crossway_service::{Ask, Call, CallError, Connection, Link, Reason, Reply, Scope, Upstream};
use crossway_streamable_http::ParamHeaders;
use crossway_streamable_http::server::{Config, SessionOwner, StreamableHttp};
use http::{Method, StatusCode};

use crate::support::{Client, echo, initialize, progress, scripted};

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn request(id: &str, method: &str, params: &str) -> String {
    let comma = if params.is_empty() { "" } else { "," };
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}{comma}{META}}}}}"#)
}

fn call_tool(id: &str) -> String {
    request(id, "tools/call", r#""name":"t","arguments":{}"#)
}

#[tokio::test]
async fn a_stateless_request_is_answered_without_a_session() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::modern(&service, "tools/call").with("mcp-name", "t");
    let body = call_tool("1");
    let (answer, server) = tokio::join!(client.post(&body), async {
        let (scope, server) = connections.recv().await.unwrap();
        assert_eq!(scope, Scope::Shared);
        let id = server.expect("tools/call").await;
        server.answer(&id, r#"{"resultType":"complete"}"#);
        server
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.headers.contains_key("mcp-session-id"));
    assert_eq!(answer.json().await["result"]["resultType"], "complete");

    // The link is kept, and a session id is ignored, be it what it may.
    let client = client.with("mcp-session-id", "0123");
    let (answer, ()) = tokio::join!(client.post(&body), async {
        let id = server.expect("tools/call").await;
        server.answer(&id, "{}");
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn the_first_stateless_request_after_the_end_connects_to_nothing() {
    let (service, mut connections) = scripted(Config::new());
    service.close().await;
    let request = request("1", "tools/list", "");
    let refused = Client::modern(&service, "tools/list").post(&request).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(connections.try_recv().is_err());
}

#[tokio::test]
async fn calls_in_flight_at_the_end_fail_with_an_unknown_outcome() {
    let (service, mut connections) = scripted(Config::new());
    let (body, client) = (request("1", "tools/call", ""), Client::modern(&service, "tools/call"));
    let (answer, server) = tokio::join!(client.post(&body), async {
        let (_, server) = connections.recv().await.unwrap();
        server.expect("tools/call").await;
        service.close().await;
        server
    });
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    // It may have run, and nobody is told to make it again.
    assert!(!answer.headers.contains_key("retry-after"));
    assert_eq!(answer.json().await["error"]["data"]["outcome"], "sent, unknown");
    // The server's connection is over, and the call with it.
    assert!(server.receive().await.is_none());
}

#[tokio::test]
async fn a_stream_that_has_begun_ends_with_the_failure_of_its_call() {
    let (service, mut connections) = scripted(Config::new());
    let (body, client) = (request("1", "tools/call", ""), Client::modern(&service, "tools/call"));
    let (answer, _server) = tokio::join!(client.post(&body), async {
        let (_, server) = connections.recv().await.unwrap();
        server.expect("tools/call").await;
        server
            .send(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#);
        server
    });
    let mut events = answer.events();
    events.data().await;
    service.close().await;
    let error = events.data().await;
    assert!(error.contains(r#""code":-31002"#) && error.contains("sent, unknown"), "{error}");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn interim_messages_come_as_events_without_ids() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::modern(&service, "tools/call").with("mcp-name", "t");
    let body = call_tool("1");
    let (answer, _server) = tokio::join!(client.post(&body), async {
        let (_, server) = connections.recv().await.unwrap();
        let id = server.expect("tools/call").await;
        server.send(&progress(1));
        server.answer(&id, "{}");
        server
    });
    let mut events = answer.events();
    let event = events.next().await.unwrap();
    assert_eq!((event.data, event.id), (progress(1).into(), None));
    assert!(events.data().await.contains("result"));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn closing_the_response_cancels_the_call() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::modern(&service, "tools/call").with("mcp-name", "t");
    let body = call_tool("1");
    // Before there is a response.
    let (server, id) = tokio::select! {
        _ = client.post(&body) => panic!("answered"),
        called = async {
            let (_, server) = connections.recv().await.unwrap();
            let id = server.expect("tools/call").await;
            (server, id)
        } => called,
    };
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
    // Within a stream.
    let (answer, id) = tokio::join!(client.post(&body), async {
        let id = server.expect("tools/call").await;
        server.send(&progress(1));
        id
    });
    drop(answer);
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
}

#[tokio::test]
async fn a_request_of_the_server_is_not_sent_to_a_stateless_client() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::modern(&service, "tools/call").with("mcp-name", "t");
    let body = call_tool("1");
    let (answer, ()) = tokio::join!(client.post(&body), async {
        let (_, server) = connections.recv().await.unwrap();
        let id = server.expect("tools/call").await;
        server.send(r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#);
        let refusal = server.receive().await.unwrap();
        assert_eq!((refusal.kind(), refusal.id()), (crossway_proto::Kind::Error, Some("q".into())));
        server.answer(&id, "{}");
    });
    assert_eq!(answer.json().await["id"], 1);
}

#[tokio::test]
async fn a_subscription_is_a_stream_until_one_side_has_enough() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::modern(&service, "subscriptions/listen");
    let acknowledged = r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged"}"#;
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    let body =
        request("1700000000000", "subscriptions/listen", r#""notifications":{"toolsListChanged":true}"#);
    let (answer, (server, id)) = tokio::join!(client.post(&body), async {
        let (_, server) = connections.recv().await.unwrap();
        let id = server.expect("subscriptions/listen").await;
        let subscription =
            format!(r#""params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}"#);
        server.send(&acknowledged.replace('}', &format!(",{subscription}}}")));
        server.send(&changed.replace('}', &format!(",{subscription}}}")));
        (server, id)
    });
    let mut events = answer.events();
    for method in ["notifications/subscriptions/acknowledged", "notifications/tools/list_changed"] {
        let message = Message::parse(events.data().await.into(), &Default::default()).unwrap();
        assert!(message.is_method(method));
        assert_eq!(message.subscription_id(), Some(1_700_000_000_000.into()));
    }
    assert!(events.is_silent().await);

    // A drained endpoint answers it, as a server that ends a subscription should.
    service.drain();
    let last: serde_json::Value = serde_json::from_str(&events.data().await).unwrap();
    assert_eq!(last["id"], 1_700_000_000_000_u64);
    assert_eq!(last["result"]["resultType"], "complete");
    assert_eq!(
        last["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"].as_u64(),
        Some(1_700_000_000_000)
    );
    assert!(events.next().await.is_none());
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
    assert_eq!(client.post(&body).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn errors_of_the_protocol_have_a_status_of_their_own() {
    for (code, status) in
        [(-32601, 404), (-32020, 400), (-32021, 400), (-32022, 400), (-32602, 200), (-32000, 200), (7, 200)]
    {
        let (service, mut connections) = scripted(Config::new());
        let client = Client::modern(&service, "tools/call").with("mcp-name", "t");
        let body = call_tool("1");
        let (answer, ()) = tokio::join!(client.post(&body), async {
            let (_, server) = connections.recv().await.unwrap();
            let id = server.expect("tools/call").await;
            server.send(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"m","data":{{"code":1}}}}}}"#
            ));
        });
        assert_eq!(answer.status.as_u16(), status, "{code}");
        let json = answer.json().await;
        assert_eq!((json["id"].as_u64(), json["error"]["code"].as_i64()), (Some(1), Some(code)));
    }
}

#[tokio::test]
async fn a_stateless_request_has_to_say_what_it_is() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let good = Client::modern(&service, "tools/call").with("mcp-name", "t");
    let body = call_tool("5");
    assert_eq!(good.post(&body).await.status, StatusCode::OK);
    assert_eq!(good.with("mcp-name", " t ").post(&body).await.status, StatusCode::OK);
    assert_eq!(good.with("mcp-name", "=?base64?dA==?=").post(&body).await.status, StatusCode::OK);
    for (client, code) in [
        (good.without("mcp-method"), -32020),
        (good.with("mcp-method", "prompts/list"), -32020),
        (good.with("mcp-method", "TOOLS/CALL"), -32020),
        (good.without("mcp-name"), -32020),
        (good.with("mcp-name", "other"), -32020),
        (good.with("mcp-name", "=?base64?dA?="), -32020),
        (good.without("mcp-protocol-version"), -32020),
        (good.with("mcp-protocol-version", "2025-11-25"), -32020),
        (good.with("mcp-protocol-version", "v999.0.0"), -32020),
    ] {
        let answer = client.post(&body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{:?}", client.headers);
        let json = answer.json().await;
        assert_eq!((json["id"].as_u64(), json["error"]["code"].as_i64()), (Some(5), Some(code)));
    }
}

#[tokio::test]
async fn a_version_that_is_not_served_is_refused_with_those_that_are() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let client =
        Client::modern(&service, "tools/call").with("mcp-name", "t").with("mcp-protocol-version", "v999.0.0");
    let answer = client.post(&call_tool("5").replace("2026-07-28", "v999.0.0")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let json = answer.json().await;
    assert_eq!(json["error"]["code"], -32022);
    assert_eq!(json["error"]["data"]["supported"], serde_json::json!(["2026-07-28"]));
    assert_eq!(json["error"]["data"]["requested"], "v999.0.0");
}

#[tokio::test]
async fn a_stateless_request_without_its_metadata_is_refused() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let client = Client::modern(&service, "server/discover");
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    for params in [
        "{}".to_owned(),
        r#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#.to_owned(),
        format!(r#"{{"_meta":{{{version}}}}}"#),
        format!(r#"{{"_meta":{{{version},"x":{{"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#),
        format!(r#"{{"_meta":{{{version},"x":["io.modelcontextprotocol/clientCapabilities"]}}}}"#),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":5,"method":"server/discover","params":{params}}}"#);
        let answer = client.post(&body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{params}");
        let json = answer.json().await;
        assert_eq!((json["id"].as_u64(), json["error"]["code"].as_i64()), (Some(5), Some(-32602)));
    }
}

#[tokio::test]
async fn methods_that_the_revision_has_no_more_never_reach_the_upstream() {
    let (service, mut connections) = scripted(Config::new());
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"] {
        let answer = Client::modern(&service, method).post(&request("5", method, "")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method}");
        let json = answer.json().await;
        assert_eq!((json["id"].as_u64(), json["error"]["code"].as_i64()), (Some(5), Some(-32601)));
    }
    assert!(connections.try_recv().is_err());
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn capabilities_that_are_no_object_are_refused_as_those_that_are_absent() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::modern(&service, "tools/list");
    for said in ["null", "5", "\"x\"", "[]", "true"] {
        let capabilities = format!(r#"clientCapabilities":{said}"#);
        let asked = request("5", "tools/list", "").replace(r#"clientCapabilities":{}"#, &capabilities);
        let answer = client.post(&asked).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{said}");
        assert_eq!(answer.json().await["error"]["code"], -32602, "{said}");
    }
    assert!(connections.try_recv().is_err());
}

#[tokio::test]
async fn what_a_modern_server_refuses_initialize_by_is_a_bad_request() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::new(&service);
    for (code, status) in [(-32022, StatusCode::BAD_REQUEST), (-32601, StatusCode::OK)] {
        let opening = initialize("2025-11-25");
        let (answer, _server) = tokio::join!(client.post(&opening), async {
            let (_, server) = connections.recv().await.unwrap();
            let id = server.expect("initialize").await;
            let error = format!(r#"{{"code":{code},"message":"no"}}"#);
            server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#));
            server
        });
        assert_eq!(answer.status, status);
        assert_eq!(answer.json().await["error"]["code"], code);
    }
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn get_and_delete_are_not_allowed_where_all_is_modern() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new().modern_only(true));
    for method in [Method::GET, Method::DELETE] {
        let answer = Client::new(&service).send(method, "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), "POST");
    }
}

#[tokio::test]
async fn a_stateless_client_sends_no_responses_and_neither_get_nor_delete() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let client = Client::modern(&service, "tools/call");
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert_eq!(client.post(response).await.status, StatusCode::BAD_REQUEST);
    for method in [Method::GET, Method::DELETE] {
        let answer = client.send(method, "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), "POST");
    }
}

#[tokio::test]
async fn a_notification_of_a_stateless_client_is_handed_on() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::modern(&service, "notifications/x").without("mcp-method");
    let answer = client.post(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let (_, server) = connections.recv().await.unwrap();
    assert!(server.receive().await.unwrap().is_method("notifications/x"));
}

#[tokio::test]
async fn mirrored_arguments_are_checked_once_a_list_has_told_of_them() {
    let (service, mut connections) = scripted(Config::new());
    let list = Client::modern(&service, "tools/list");
    let schema = r#"{"type":"object","properties":{"city":{"type":"string","x-mcp-header":"City"}}}"#;
    let body = request("1", "tools/list", "");
    let (_, server) = tokio::join!(list.post(&body), async {
        let (_, server) = connections.recv().await.unwrap();
        let id = server.expect("tools/list").await;
        server.answer(&id, &format!(r#"{{"tools":[{{"name":"t","inputSchema":{schema}}}]}}"#));
        server
    });
    let client = Client::modern(&service, "tools/call").with("mcp-name", "t");
    let body = request("2", "tools/call", r#""name":"t","arguments":{"city":"Hello"}"#);
    for bad in [
        client.clone(),
        client.with("mcp-param-city", "Bonn"),
        client.with("mcp-param-city", "=?base64?SGVsbG8?="),
        client.with("mcp-param-city", "=?base64?SGVs!!!bG8=?="),
    ] {
        let answer = bad.post(&body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json().await["error"]["code"], -32020);
    }
    // Which of them the server takes, no header can match.
    let arguments = r#""arguments":{"city":"Hello"}"#;
    let twice = request("2", "tools/call", &format!(r#""name":"t",{arguments},{arguments}"#));
    let answer = client.post(&twice).await;
    assert_eq!(
        (answer.status, answer.json().await["error"]["code"].as_i64()),
        (StatusCode::BAD_REQUEST, Some(-32020))
    );
    let good = client.with("mcp-param-city", "=?base64?SGVsbG8=?=");
    let (answer, ()) = tokio::join!(good.post(&body), async {
        let id = server.expect("tools/call").await;
        server.answer(&id, "{}");
    });
    assert_eq!(answer.status, StatusCode::OK);
    // Somebody else's list may have another tool of the name, or none.
    let mut of_another = http::Request::post("/mcp").body(http_body_util::Full::from(body)).unwrap();
    *of_another.headers_mut() = client.headers.clone();
    of_another.extensions_mut().insert(SessionOwner::new("another"));
    let (answer, ()) = tokio::join!(client.send_request(of_another), async {
        let id = server.expect("tools/call").await;
        server.answer(&id, "{}");
    });
    assert_eq!(answer.status, StatusCode::OK);
}

/// An upstream that answers with what it finds in the call's context, or fails.
struct Inspecting(Option<CallError>);

impl Upstream for Inspecting {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Self(self.0.clone()))
    }
}

impl Connection for Inspecting {
    fn call(&self, call: Call) -> Reply {
        if let Some(error) = &self.0 {
            return Reply::failed(error.clone());
        }
        let params = call.context.extensions.get::<ParamHeaders>().expect("always there").0.clone();
        let params: Vec<_> =
            params.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        let Ask::Message(message) = call.ask else { return Reply::silent() };
        let result = serde_json::json!({ "params": params, "owner": call.context.extensions.get::<u8>() });
        Reply::once(Message::result_of(&message.id().unwrap(), result.to_string().as_bytes()).unwrap())
    }
}

#[tokio::test]
async fn mirrored_arguments_and_extensions_are_handed_on() {
    let service = StreamableHttp::new(Inspecting(None), Config::new());
    let client =
        Client::modern(&service, "tools/call").with("mcp-name", "t").with("mcp-param-x-y", "=?base64?dA==?=");
    let mut request = http::Request::post("/mcp").body(http_body_util::Full::from(call_tool("1"))).unwrap();
    *request.headers_mut() = client.headers.clone();
    request.extensions_mut().insert(7_u8);
    let json = client.send_request(request).await.json().await;
    assert_eq!(json["result"]["params"], serde_json::json!(["mcp-param-x-y==?base64?dA==?="]));
    assert_eq!(json["result"]["owner"], 7);
}

#[tokio::test]
async fn a_modern_request_to_a_legacy_server_is_refused_so_that_clients_fall_back() {
    let service =
        StreamableHttp::new(Inspecting(Some(CallError::not_sent(Reason::LegacyOnly))), Config::new());
    let answer = Client::modern(&service, "server/discover").post(&request("1", "server/discover", "")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let json = answer.json().await;
    assert_eq!((json["id"].as_u64(), json["error"]["code"].as_i64()), (Some(1), Some(-32600)));
}

#[tokio::test]
async fn a_failed_stateless_call_has_the_status_of_its_reason() {
    let seconds = std::time::Duration::from_secs;
    for (reason, status, retry_after) in [
        (Reason::Unavailable("x".into()), 502, None),
        (Reason::Ended("x".into()), 502, None),
        (Reason::InvalidAnswer("x".into()), 502, None),
        (Reason::Refused { status: 401, retry_after: None, said: None }, 502, None),
        (Reason::Refused { status: 403, retry_after: None, said: None }, 502, None),
        (Reason::Refused { status: 500, retry_after: None, said: None }, 502, None),
        (Reason::Refused { status: 429, retry_after: Some(seconds(7)), said: None }, 429, Some("7")),
        (Reason::Refused { status: 503, retry_after: Some(seconds(8)), said: None }, 503, Some("8")),
        (Reason::TimedOut(seconds(60)), 504, None),
        (Reason::OverLimit("x".into()), 503, Some("5")),
        (Reason::OverQuota("x".into()), 429, Some("5")),
        (Reason::Closing, 503, None),
    ] {
        let error = CallError::unknown(reason.clone());
        let service = StreamableHttp::new(Inspecting(Some(error)), Config::new());
        let client = Client::modern(&service, "tools/call").with("mcp-name", "t");
        let answer = client.post(&call_tool("1")).await;
        assert_eq!(answer.status.as_u16(), status, "{reason:?}");
        let after = answer.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(after.as_deref(), retry_after, "{reason:?}");
        let json = answer.json().await;
        assert_eq!(json["id"], 1);
        assert!(json["error"]["code"].is_i64() && json["error"]["data"]["outcome"].is_string());
    }
}
