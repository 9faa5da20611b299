//! Webhooks as upstreams, over sockets.

#![cfg(feature = "webhook")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use crossway_openapi::webhook::{BadTool, Chat, WebhookTool, WebhookUpstream};
use crossway_openapi::{Attached, CallOptions};
use crossway_service::{Context, Outcome, Reason};
use serde_json::{Value, json};

use support::{Fake, answer, ask, ask_in, call, json_answer, text};

/// A tool as n8n's chat trigger wants it.
fn chat(url: &str) -> WebhookTool {
    let input = json!({ "type": "object", "properties": { "question": { "type": "string" } }, "required": ["question"] });
    WebhookTool::new("ask", &format!("{url}/webhook/1/chat"))
        .and_then(|tool| tool.description("Asks.").input(&input))
        .and_then(|tool| tool.body(&json!({ "sessionId": "{session}", "chatInput": "{args.question}" })))
        .unwrap()
        .output("output".parse().unwrap())
}

fn upstream(tool: WebhookTool, options: CallOptions) -> WebhookUpstream {
    WebhookUpstream::new("n8n", Arc::new([tool]), options)
}

fn body(request: &http::Request<bytes::Bytes>) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

#[tokio::test]
async fn a_chat_trigger_is_a_tool() {
    let fake = Fake::start(|_| json_answer(200, json!({ "output": "42" }))).await;
    let attached = Attached::new().header("X-N8N-Key", "s3cr3t").unwrap().query("k", "v w");
    let upstream = upstream(chat(&fake.url), CallOptions::new().attached(attached));
    let list = ask(&upstream, "tools/list", json!({})).await.unwrap();
    assert_eq!(list["result"]["tools"][0]["name"], "ask");
    assert_eq!(list["result"]["tools"][0]["annotations"]["readOnlyHint"], false);

    let mut context = Context::default();
    context.extensions.insert(Chat::new("chat-7").unwrap());
    let params = json!({ "name": "ask", "arguments": { "question": "6 * 7?" } });
    let answer = ask_in(&upstream, "tools/call", params, context).await.unwrap();
    assert_eq!(text(&answer["result"]), "42");
    let asked = fake.asked_once();
    assert_eq!(
        (asked.method().as_str(), asked.uri().to_string().as_str()),
        ("POST", "/webhook/1/chat?k=v+w")
    );
    assert_eq!(asked.headers()["x-n8n-key"], "s3cr3t");
    assert_eq!(body(&asked), json!({ "sessionId": "chat-7", "chatInput": "6 * 7?" }));
}

#[tokio::test]
async fn calls_that_belong_to_no_chat_share_none() {
    let fake = Fake::start(|_| json_answer(200, json!([{ "output": { "a": 1 } }]))).await;
    let upstream = upstream(chat(&fake.url), CallOptions::new());
    for _ in 0..2 {
        assert_eq!(text(&call(&upstream, "ask", json!({ "question": "?" })).await), r#"{"a":1}"#);
    }
    let sessions: Vec<Value> = fake.asked().iter().map(|asked| body(asked)["sessionId"].clone()).collect();
    assert_ne!(sessions[0], sessions[1]);
    assert!(Chat::new("").is_none() && Chat::new("a b").is_none() && Chat::new(&"x".repeat(257)).is_none());
}

#[tokio::test]
async fn without_a_template_the_arguments_are_the_body_and_the_answer_the_result() {
    let fake = Fake::start(|_| answer(200, "text/plain", "done")).await;
    let tool = WebhookTool::new("start", &format!("{}/hook?a=b#c", fake.url)).unwrap().method("put").unwrap();
    let upstream = upstream(tool.read_only(true), CallOptions::new());
    assert_eq!(text(&call(&upstream, "start", json!({ "any": ["thing"] })).await), "done");
    let asked = fake.asked_once();
    assert_eq!((asked.method().as_str(), asked.uri().to_string().as_str()), ("PUT", "/hook?a=b"));
    assert_eq!(body(&asked), json!({ "any": ["thing"] }));
}

#[tokio::test]
async fn what_goes_wrong_is_told_by_what_it_is() {
    let fake = Fake::start(|request| match body(request)["chatInput"].as_str().unwrap() {
        "empty" => answer(200, "application/json", ""),
        "other" => json_answer(200, json!({ "message": "Workflow was started" })),
        "wrong" => json_answer(404, json!({ "message": "webhook is not registered" })),
        "busy" => {
            let mut answer = answer(429, "text/plain", "");
            answer.headers_mut().insert("retry-after", "3".parse().unwrap());
            answer
        }
        "broken" => answer(200, "application/json", "{"),
        _ => json_answer(401, json!({})),
    })
    .await;
    let upstream = upstream(chat(&fake.url), CallOptions::new());
    for (question, wanted) in [
        (
            "other",
            "HTTP 200 OK; it was done, and the answer has nothing at output, where its result should be",
        ),
        ("wrong", "HTTP 404 Not Found: {\"message\":\"webhook is not registered\"}"),
    ] {
        let result = call(&upstream, "ask", json!({ "question": question })).await;
        assert_eq!((&result["isError"], text(&result)), (&json!(true), wanted));
    }
    let empty = call(&upstream, "ask", json!({ "question": "empty" })).await;
    assert_eq!(text(&empty), "HTTP 200 OK, without a body");
    for question in ["busy", "broken", "denied"] {
        let params = json!({ "name": "ask", "arguments": { "question": question } });
        let error = ask(&upstream, "tools/call", params).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Answered, "{question}");
        assert_eq!(error.retry_after_seconds(), (question == "busy").then_some(3));
    }
    assert_eq!(fake.asked().len(), 6);
    for (arguments, wanted) in [
        (json!({}), "the argument \"question\" is missing"),
        (json!({ "question": "?", "more": 1 }), "there is no argument \"more\"; there are: question"),
    ] {
        assert_eq!(text(&call(&upstream, "ask", arguments).await), wanted);
    }
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn arguments_that_do_not_fit_the_input_are_refused_and_nothing_is_sent() {
    let fake = Fake::start(|_| answer(200, "text/plain", "done")).await;
    let input = json!({
        "type": "object",
        "properties": {
            "count": { "type": "integer", "minimum": 1 },
            "order": { "$ref": "#/$defs/Order" },
            "kind": { "enum": ["new", "old"] },
        },
        "patternProperties": { "^x-": { "type": "string" } },
        "dependentRequired": { "kind": ["count"] },
        "$defs": { "Order": { "type": "object", "properties": { "ids": { "prefixItems": [{ "type": "integer" }] } } } },
    });
    let tool = WebhookTool::new("order", &fake.url).and_then(|tool| tool.input(&input)).unwrap();
    let upstream = upstream(tool, CallOptions::new());
    for (arguments, wanted) in [
        (json!({ "count": "s3cr3t" }), "the argument \"count\": the value is not of type \"integer\""),
        (json!({ "count": 0 }), "the argument \"count\": the value is less than the minimum of 1"),
        (
            json!({ "order": { "ids": ["s3cr3t"] } }),
            "the argument \"order\" at /ids/0: the value is not of type \"integer\"",
        ),
        (json!({ "kind": "new" }), "the arguments: \"count\" is a required property"),
        (json!({ "x-a": 1 }), "the argument \"x-a\": the value is not of type \"string\""),
    ] {
        let result = call(&upstream, "order", arguments).await;
        assert_eq!((&result["isError"], text(&result)), (&json!(true), wanted));
    }
    let both = call(&upstream, "order", json!({ "count": 0, "kind": "s3cr3t" })).await;
    assert!(text(&both).matches("the argument ").count() == 2 && !text(&both).contains("s3cr3t"), "{both}");
    assert!(fake.asked().is_empty());
    let fits = json!({ "count": 2.0, "order": { "ids": [1, "a"] }, "kind": "old", "x-a": "b" });
    assert_eq!(text(&call(&upstream, "order", fits.clone()).await), "done");
    assert_eq!(body(&fake.asked_once()), fits);
}

#[tokio::test]
async fn a_workflow_that_takes_too_long_is_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let upstream = upstream(chat(&url), CallOptions::new().timeout(Duration::from_millis(20)));
    let params = json!({ "name": "ask", "arguments": { "question": "?" } });
    let error = ask(&upstream, "tools/call", params).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::TimedOut(_)), "{error}");
}

#[test]
fn what_can_be_no_tool_is_refused_with_its_reason() {
    let new = |name: &str, url: &str| WebhookTool::new(name, url).map(drop);
    for (made, wanted) in [
        (new("a b", "http://h/"), "can't be the name of a tool"),
        (new("", "http://h/"), "can't be the name of a tool"),
        (new("a", "h"), "it is no URL"),
        (new("a", "ftp://h/"), "it has to begin with http"),
        (new("a", "http://u:s3cr3t@h/"), "has a user or a password in it"),
        (chat("http://h").input(&json!({ "type": "string" })).map(drop), "JSON Schema of an object"),
        (
            chat("http://h").input(&json!({ "type": "object", "minProperties": "x" })).map(drop),
            "its input can't be used",
        ),
        (
            chat("http://h")
                .input(&json!({ "type": "object", "$ref": "http://127.0.0.1:1/schema.json" }))
                .map(drop),
            "its input can't be used",
        ),
        (chat("http://h").body(&json!("{args.other}")).map(drop), "its input has no such property"),
        (
            WebhookTool::new("ask", "http://h")
                .and_then(|tool| tool.body(&json!("{args.other}")))
                .and_then(|tool| tool.input(&json!({ "type": "object", "properties": { "question": {} } })))
                .map(drop),
            "its input has no such property",
        ),
        (chat("http://h").body(&json!("{")).map(drop), "a brace has no partner"),
        (chat("http://h").method("GET").map(drop), "there are POST, PUT and PATCH"),
    ] {
        let error: BadTool = made.unwrap_err();
        assert!(error.to_string().contains(wanted) && !error.to_string().contains("s3cr3t"), "{error}");
    }
}

#[tokio::test]
async fn of_two_tools_of_one_name_the_first_is_there_alone() {
    let tool = |about: &str| WebhookTool::new("ask", "http://127.0.0.1:1").unwrap().description(about);
    let other = WebhookTool::new("other", "http://127.0.0.1:1").unwrap();
    let tools = Arc::new([tool("first"), other, tool("second")]);
    let upstream = WebhookUpstream::new("n8n", tools, CallOptions::new());
    let list = ask(&upstream, "tools/list", json!({})).await.unwrap();
    let told: Vec<_> =
        list["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["description"]).collect();
    assert_eq!(told, ["first", ""]);
}
