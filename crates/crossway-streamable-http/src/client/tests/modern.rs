//! Stateless requests (2026-07-28).

use crossway_proto::{Era, Revision};
use crossway_service::{Call, Context, Origin, Outcome, Reason, Scope, TraceContext, Upstream};

use super::peer::{Peer, ask, call, message, modern, next, result};
use crate::ParamHeaders;
use crate::client::Options;

#[tokio::test]
async fn a_request_is_mirrored_in_its_headers_and_belongs_to_no_session() {
    let mut peer = Peer::new().await;
    // Also on a link that has a session.
    let link = peer.session(Revision::V2025_11_25).await;
    for (request, method, name) in [
        (modern(1, "tools/list", ""), "tools/list", None),
        (modern(1, "tools/call", r#""name":"echo","arguments":{},"#), "tools/call", Some("echo")),
        (modern(1, "prompts/get", r#""name":"Größe","#), "prompts/get", Some("=?base64?R3LDtsOfZQ==?=")),
        (modern(1, "resources/read", r#""uri":"file:///a%20b","#), "resources/read", Some("file:///a%20b")),
        (modern(1, "tasks/get", r#""taskId":"t-1","#), "tasks/get", Some("t-1")),
        (modern(1, "resources/list", r#""name":"x","uri":"y","#), "resources/list", None),
    ] {
        let (answer, ()) = tokio::join!(ask(&link, &request), async {
            let exchange = peer.expect("POST", method).await;
            assert_eq!(exchange.body, request);
            assert_eq!(exchange.header("mcp-protocol-version"), Some("2026-07-28"));
            assert_eq!(exchange.header("mcp-method"), Some(method));
            assert_eq!(exchange.header("mcp-name"), name);
            assert_eq!(exchange.header("mcp-session-id"), None);
            exchange.answer(&result(1)).await;
        });
        assert_eq!(answer, Ok(result(1)));
    }
}

#[tokio::test]
async fn the_version_header_says_what_the_body_says() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let request = modern(71, "server/discover", "").replace("2026-07-28", "v999.0.0");
    let refusal = r#"{"jsonrpc":"2.0","id":71,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}}"#;
    let (answer, ()) = tokio::join!(ask(&link, &request), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("mcp-protocol-version"), Some("v999.0.0"));
        let refusal = exchange.under_its_id(refusal);
        exchange.refuse("400 Bad Request", &refusal).await;
    });
    assert_eq!(answer.unwrap(), refusal);
}

#[tokio::test]
async fn a_request_without_meta_is_as_modern_as_its_client() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let text = r#"{"jsonrpc":"2.0","id":71,"method":"server/discover","params":{}}"#;
    let context = Context::new(Origin::unique(), Some(Revision::V2026_07_28));
    let mut reply = link.call(Call::message(message(text), context));
    let (answer, ()) = tokio::join!(next(&mut reply), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(exchange.header("mcp-method"), Some("server/discover"));
        exchange.succeed().await;
    });
    assert_eq!(answer, Some(Ok(result(71))));
}

#[tokio::test]
async fn a_legacy_upstream_refuses_modern_requests_without_being_asked() {
    let mut peer = Peer::with(Options::default().era(Era::Legacy)).await;
    let link = peer.upstream.connect(Scope::Shared);
    let error = ask(&link, modern(71, "server/discover", "")).await.unwrap_err();
    assert_eq!((error.reason(), error.outcome()), (&Reason::LegacyOnly, Outcome::NotSent));
    assert!(peer.is_silent());
    peer.session(Revision::V2025_11_25).await;
}

#[tokio::test]
async fn where_the_era_is_not_known_the_server_says_it() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let error = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Server not initialized"}}"#;
    let (answer, ()) = tokio::join!(ask(&link, modern(71, "server/discover", "")), async {
        peer.next().await.refuse("400 Bad Request", error).await;
    });
    assert_eq!(answer.unwrap(), error.replace("null", "71"));
}

#[tokio::test]
async fn a_subscription_gives_its_notifications_for_as_long_as_it_is_read() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let mut reply =
        call(&link, &modern(71, "subscriptions/listen", r#""notifications":{"toolsListChanged":true},"#));
    let changed = |id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
        )
    };
    let client = async {
        for _ in 0..3 {
            assert_eq!(next(&mut reply).await, Some(Ok(changed("71"))));
        }
        assert_eq!(next(&mut reply).await, Some(Ok(result(71))));
        assert_eq!(next(&mut reply).await, None);
    };
    tokio::join!(client, async {
        let mut exchange = peer.expect("POST", "subscriptions/listen").await;
        let (id, end) = (exchange.id().to_string(), exchange.under_its_id(&result(71)));
        exchange.open_stream().await;
        for _ in 0..3 {
            exchange.chunk(":\r\n").await;
            exchange.event(&changed(&id)).await;
        }
        exchange.event(&end).await;
        exchange.end_stream().await;
    });
}

#[tokio::test]
async fn a_server_request_in_a_modern_stream_is_dropped_and_counted() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let (answer, ()) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
        let mut exchange = peer.next().await;
        exchange.open_stream().await;
        exchange.event(r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#).await;
        let end = exchange.under_its_id(&result(71));
        exchange.event(&end).await;
        exchange.end_stream().await;
    });
    assert_eq!(answer, Ok(result(71)));
    assert_eq!(peer.upstream.strays(), 1);
}

#[tokio::test]
async fn a_modern_stream_that_breaks_is_not_resumed() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let (answer, ()) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
        let mut exchange = peer.next().await;
        exchange.open_stream().await;
        exchange.chunk("id: 7\nretry: 1\ndata:\n\n").await;
        exchange.end_stream().await;
    });
    let error = answer.unwrap_err();
    assert!(matches!(error.reason(), Reason::Ended(_)));
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(peer.is_silent());
}

#[tokio::test]
async fn parameter_headers_that_came_over_http_are_sent_on_as_they_came() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let mut context = Context::new(Origin::unique(), None);
    let mut params = ParamHeaders::default();
    params.0.insert("mcp-param-region", "=?base64?S8O2bG4=?=".parse().unwrap());
    params.0.insert("mcp-param-unknown", "x".parse().unwrap());
    context.extensions.insert(params);
    let request = message(modern(71, "tools/call", r#""name":"sql","arguments":{"region":"Köln"},"#));
    let mut reply = link.call(Call::message(request, context));
    let (_, ()) = tokio::join!(next(&mut reply), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("mcp-param-region"), Some("=?base64?S8O2bG4=?="));
        assert_eq!(exchange.header("mcp-param-unknown"), Some("x"));
        exchange.succeed().await;
    });
}

#[tokio::test]
async fn a_calls_place_in_its_trace_is_sent_as_headers() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    for (state, sent) in [("a=1", Some("a=1")), ("", None)] {
        let mut context = Context::new(Origin::unique(), None);
        context.extensions.insert(PARENT.parse::<TraceContext>().unwrap().with_state(state));
        let mut reply = link.call(Call::message(message(modern(71, "tools/list", "")), context));
        let (_, ()) = tokio::join!(next(&mut reply), async {
            let exchange = peer.next().await;
            assert_eq!(exchange.header("traceparent"), Some(PARENT));
            assert_eq!(exchange.header("tracestate"), sent);
            exchange.succeed().await;
        });
    }
}

const TOOLS: &str = r#"{"jsonrpc":"2.0","id":71,"result":{"ttlMs":0, "tools":[ {"name":"plain","inputSchema":{"type":"object"}} , {"name":"bad","inputSchema":{"type":"object","properties":{"x":{"type":"object","x-mcp-header":"X"}}}}, {"name":"sql","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"}}}}],"resultType":"complete"}}"#;

#[tokio::test]
async fn parameter_headers_are_made_from_the_tools_that_were_listed() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let (list, ()) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
        let exchange = peer.next().await;
        let tools = exchange.under_its_id(TOOLS);
        exchange.answer(&tools).await;
    });
    // The tool whose annotation is not valid is left out, and nothing else is touched.
    let bad = r#"{"name":"bad","inputSchema":{"type":"object","properties":{"x":{"type":"object","x-mcp-header":"X"}}}}"#;
    let expected = TOOLS.replace(&format!(" , {bad}, "), ",");
    assert_eq!(list.unwrap(), expected);

    for (name, arguments, region, number) in [
        ("sql", r#"{"region":"Köln","n":42.0,"query":"x"}"#, Some("=?base64?S8O2bG4=?="), Some("42")),
        ("sql", r#"{"region":null}"#, None, None),
        ("plain", r#"{"region":"a"}"#, None, None),
    ] {
        let request = modern(72, "tools/call", &format!(r#""name":"{name}","arguments":{arguments},"#));
        let (answer, ()) = tokio::join!(ask(&link, &request), async {
            let exchange = peer.next().await;
            assert_eq!(exchange.header("mcp-param-region"), region);
            assert_eq!(exchange.header("mcp-param-n"), number);
            exchange.succeed().await;
        });
        assert_eq!(answer, Ok(result(72)));
    }
}

/// A router asks with the context of whatever request it needs to know for: no other request is like that one.
#[tokio::test]
async fn headers_of_a_clients_arguments_go_with_its_call_alone() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let mut context = Context::new(Origin::unique(), None);
    let region = (http::HeaderName::from_static("mcp-param-region"), http::HeaderValue::from_static("eu"));
    context.extensions.insert(ParamHeaders([region].into_iter().collect()));
    let call = |request: String| link.call(Call::message(message(&request), context.clone()));
    let mut reply = call(modern(71, "tools/list", ""));
    let (list, ()) = tokio::join!(next(&mut reply), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("mcp-param-region"), None);
        let tools = exchange.under_its_id(TOOLS);
        exchange.answer(&tools).await;
    });
    assert!(!list.unwrap().unwrap().contains(r#""name":"bad""#));
    let mut reply = call(modern(72, "tools/call", r#""name":"plain","arguments":{},"#));
    let (answer, ()) = tokio::join!(next(&mut reply), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("mcp-param-region"), Some("eu"));
        exchange.succeed().await;
    });
    assert_eq!(answer, Some(Ok(result(72))));
}

#[tokio::test]
async fn a_call_refused_for_its_headers_is_made_again_with_what_the_tools_say_now() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let request = modern(75, "tools/call", r#""name":"sql","arguments":{"region":"eu"},"#);
    let mismatch =
        r#"{"jsonrpc":"2.0","id":75,"error":{"code":-32020,"message":"Mcp-Param-Region is missing"}}"#;
    let (answer, ()) = tokio::join!(ask(&link, &request), async {
        let exchange = peer.expect("POST", "tools/call").await;
        assert_eq!(exchange.header("mcp-param-region"), None);
        let refusal = exchange.under_its_id(mismatch);
        exchange.refuse("400 Bad Request", &refusal).await;
        let list = peer.expect("POST", "tools/list").await;
        assert_eq!(list.header("mcp-protocol-version"), Some("2026-07-28"));
        let tools = list.under_its_id(TOOLS);
        list.answer(&tools).await;
        let exchange = peer.expect("POST", "tools/call").await;
        assert_eq!(exchange.header("mcp-param-region"), Some("eu"));
        exchange.succeed().await;
    });
    assert_eq!(answer, Ok(result(75)));
    // Once only.
    let (answer, ()) = tokio::join!(ask(&link, &request), async {
        let exchange = peer.expect("POST", "tools/call").await;
        let refusal = exchange.under_its_id(mismatch);
        exchange.refuse("400 Bad Request", &refusal).await;
        let list = peer.expect("POST", "tools/list").await;
        let tools = list.under_its_id(TOOLS);
        list.answer(&tools).await;
        let exchange = peer.expect("POST", "tools/call").await;
        let refusal = exchange.under_its_id(mismatch);
        exchange.refuse("400 Bad Request", &refusal).await;
    });
    assert_eq!(answer.unwrap(), mismatch);
}
