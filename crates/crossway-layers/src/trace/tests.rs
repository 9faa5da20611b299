use crossway_proto::Part;
use crossway_service::{Context, TraceContext};
use http::{HeaderMap, HeaderValue};
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::script::{around, call_of, message, recorded, response, settle};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The `_meta` of the request that arrives upstream for a call.
async fn arrives(layer: TraceLayer, params: &str, told: Option<TraceContext>) -> (String, TraceContext) {
    let (link, server) = around(&layer).await;
    let mut call = call_of("alice", 1, "tools/call", params);
    if let Some(told) = told {
        call.context.extensions.insert(ClientTrace(told));
    }
    let reply = link.call(call);
    let request = message(std::str::from_utf8(&server.receive().await.unwrap().to_bytes()).unwrap());
    drop(reply);
    let parent: String = serde_json::from_slice(request.member(Part::Meta, "traceparent").unwrap()).unwrap();
    (String::from_utf8(request.params().unwrap().to_vec()).unwrap(), parent.parse().unwrap())
}

#[tokio::test]
async fn a_call_goes_on_as_a_span_of_the_trace_in_its_meta() {
    let params = format!(
        r#"{{"name":"n","arguments":{{"x":1.50}},"_meta":{{"progressToken":7,"traceparent":"{PARENT}","tracestate":"a=1"}}}}"#
    );
    let header: TraceContext = PARENT.replace("4bf9", "ffff").parse().unwrap();
    let (sent, context) = arrives(TraceLayer::new(), &params, Some(header)).await;
    assert_eq!(context.trace(), PARENT.parse::<TraceContext>().unwrap().trace());
    assert_ne!(context.span(), PARENT.parse::<TraceContext>().unwrap().span());
    assert!(context.is_sampled());
    assert!(sent.contains(r#""tracestate":"a=1""#) && sent.contains(r#""arguments":{"x":1.50}"#), "{sent}");
    assert_eq!(sent.matches("traceparent").count(), 1);
}

#[tokio::test]
async fn without_meta_the_header_counts() {
    let header = PARENT.parse::<TraceContext>().unwrap().with_state("v=\"2");
    let (sent, context) = arrives(TraceLayer::new(), r#"{"name":"n"}"#, Some(header)).await;
    assert_eq!(context.trace(), PARENT.parse::<TraceContext>().unwrap().trace());
    assert!(sent.contains(r#""tracestate":"v=\"2""#), "{sent}");
}

#[tokio::test]
async fn a_trace_begins_where_none_is_told_or_it_can_not_be_read() {
    for meta in [
        r#"{}"#,
        r#"{"traceparent":"00-00000000000000000000000000000000-00f067aa0ba902b7-01","tracestate":"a=1"}"#,
        r#"{"traceparent":7,"tracestate":"a=1"}"#,
        r#"{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","traceparent":"x"}"#,
    ] {
        let params = format!(r#"{{"name":"n","_meta":{meta}}}"#);
        let (sent, context) = arrives(TraceLayer::new(), &params, None).await;
        assert_ne!(context.trace(), PARENT.parse::<TraceContext>().unwrap().trace());
        assert!(!sent.contains("tracestate"), "a state belongs to its parent: {sent}");
    }
}

#[tokio::test]
async fn a_client_that_is_not_trusted_names_no_trace() {
    let params = format!(r#"{{"name":"n","_meta":{{"traceparent":"{PARENT}","tracestate":"a=1"}}}}"#);
    let told = PARENT.parse().ok();
    let (sent, context) = arrives(TraceLayer::new().anew(), &params, told).await;
    assert_ne!(context.trace(), PARENT.parse::<TraceContext>().unwrap().trace());
    assert!(!sent.contains("tracestate"), "{sent}");
}

#[tokio::test]
async fn what_was_put_into_meta_on_the_way_stays_there() {
    let (link, server) = around(&TraceLayer::new()).await;
    let mut call = call_of("alice", 1, "tools/call", r#"{"name":"n"}"#);
    if let crossway_service::Ask::Message(request) = &mut call.ask {
        request.edit(Part::Meta, &[], &[("k", b"1")]).unwrap();
    }
    let _reply = link.call(call);
    let sent = server.receive().await.unwrap();
    assert_eq!(sent.member(Part::Meta, "k"), Some(&b"1"[..]));
}

#[tokio::test]
async fn params_that_are_no_object_pass_as_they_are() {
    let (link, server) = around(&TraceLayer::new()).await;
    let _reply = link.call(call_of("alice", 1, "m", "[1]"));
    assert_eq!(server.receive().await.unwrap().params(), Some(&b"[1]"[..]));
}

#[test]
fn headers_tell_a_trace_once_or_not_at_all() {
    let mut headers = HeaderMap::new();
    assert_eq!(from_headers(&headers), Err(NoTrace::Absent));
    headers.insert("traceparent", HeaderValue::from_static(PARENT));
    headers.append("tracestate", HeaderValue::from_static("a=1"));
    headers.append("tracestate", HeaderValue::from_static("b=2"));
    let context = from_headers(&headers).unwrap();
    assert_eq!((context.to_string().as_str(), context.state()), (PARENT, Some("a=1,b=2")));
    headers.append("traceparent", HeaderValue::from_static(PARENT));
    assert_eq!(from_headers(&headers), Err(NoTrace::NotOneText));
}

#[tokio::test]
async fn a_span_tells_how_its_call_ended_and_never_what_it_held() {
    let (text, subscriber) = recorded(tracing::Level::INFO);
    let _guard = tracing::subscriber::set_default(subscriber);
    let (link, server) = around(&TraceLayer::new()).await;
    let told =
        format!(r#"{{"name":"n","arguments":{{"k":"planted"}},"_meta":{{"traceparent":"{PARENT}"}}}}"#);
    let reply = link.call(call_of("alice", 1, "tools/call", &told));
    let id = server.expect("tools/call").await;
    server.answer(&id, r#"{"content":"planted"}"#);
    response(reply).await.unwrap();
    drop(link.call(call_of("alice", 2, "prompts/get", "{}")));
    settle().await;
    let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
    assert!(
        text.contains(r#"mcp.method.name="tools/call" trace_id=4bf92f3577b34da6a3ce929d0e0e4736"#),
        "{text}"
    );
    assert!(text.contains(r#"parent_span_id=00f067aa0ba902b7 outcome="result""#), "{text}");
    assert!(text.contains(r#"outcome="dropped""#), "{text}");
    assert!(!text.contains("planted") && !text.contains("alice"), "{text}");
}

#[tokio::test]
async fn a_call_of_a_trace_that_nobody_records_has_no_span_and_says_so_to_its_server() {
    let (text, subscriber) = recorded(tracing::Level::INFO);
    let _guard = tracing::subscriber::set_default(subscriber);
    let params = format!(r#"{{"name":"n","_meta":{{"traceparent":"{}"}}}}"#, PARENT.replace("-01", "-00"));
    let (_, context) = arrives(TraceLayer::new(), &params, None).await;
    settle().await;
    assert_eq!(context.trace(), PARENT.parse::<TraceContext>().unwrap().trace());
    assert!(!context.is_sampled());
    let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("mcp.call"), "{text}");
}

#[tokio::test]
async fn it_is_a_tower_service_too() {
    let (upstream, mut servers) = crossway_testkit::Scripted::new();
    let link = crossway_service::Upstream::connect(&upstream, crossway_service::Scope::Shared);
    let (_, server) = servers.recv().await.unwrap();
    let mut service = TraceLayer::new().layer(link);
    let request = message(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let call = crossway_service::Call::message(request, Context::default());
    let Ok(reply) = Service::call(&mut service, call).await;
    let id = server.expect("tools/list").await;
    server.answer(&id, "{}");
    response(reply).await.unwrap();
}
