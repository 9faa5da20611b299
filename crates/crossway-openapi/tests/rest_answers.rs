//! Results of REST APIs' tools, over sockets.

#![cfg(feature = "rest")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]

mod support;

use bytes::Bytes;
use crossway_openapi::rest::{Api, ApiOptions, Document, RestUpstream};
use crossway_openapi::{Attached, CallOptions, limits};
use http::{Request, Response};
use serde_json::{Value, json};

use support::{Fake, answer, ask, call, json_answer, text};

const DOCUMENT: &str = r##"
openapi: 3.1.0
paths:
  /things/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
    get: { operationId: thing, responses: { "200": { $ref: "#/components/responses/Thing" } } }
    head: { operationId: isThere, responses: { "200": { $ref: "#/components/responses/Thing" } } }
    post: { operationId: change, responses: { "201": { description: Done. } } }
    put: { operationId: replace, responses: { "200": { $ref: "#/components/responses/Thing" } } }
components:
  responses:
    Thing: { description: It., content: { application/json: { schema: { type: object } } } }
"##;

async fn things(
    answer: impl Fn(&Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
) -> (Fake, RestUpstream) {
    let fake = Fake::start(answer).await;
    let document = Document::parse(DOCUMENT.as_bytes()).unwrap();
    let api = Api::new(&document, &ApiOptions::new().server(fake.url.as_str())).unwrap();
    (fake, RestUpstream::new(api, CallOptions::new()))
}

/// The last segment of the request's path.
fn wanted(request: &Request<Bytes>) -> &str {
    request.uri().path().rsplit('/').next().unwrap()
}

fn located(status: u16, location: &str) -> Response<Bytes> {
    let mut answer = answer(status, "text/html", "");
    answer.headers_mut().insert("location", location.parse().unwrap());
    answer
}

#[tokio::test]
async fn an_answer_that_is_not_as_the_tool_says_is_an_error_that_says_that_it_was_done() {
    let (_fake, upstream) = things(|request| match wanted(request) {
        "none" => answer(204, "text/plain", ""),
        "empty" => answer(200, "application/json", ""),
        "text" => answer(200, "text/plain", "hi \"you\""),
        "image" => answer(200, "image/png", &b"\x89PNG"[..]),
        _ => json_answer(200, json!({ "a": 1 })),
    })
    .await;
    let listed = ask(&upstream, "tools/list", json!({})).await.unwrap();
    for tool in listed["result"]["tools"].as_array().unwrap() {
        let is_told = ["thing", "replace"].contains(&tool["name"].as_str().unwrap());
        assert_eq!(tool.get("outputSchema").is_some(), is_told, "{tool}");
    }
    let told = async |id: &str| call(&upstream, "thing", json!({ "id": id })).await;
    assert_eq!(told("json").await["structuredContent"], json!({ "a": 1 }));
    for (id, status) in [("none", "HTTP 204 No Content"), ("empty", "HTTP 200 OK")] {
        let result = told(id).await;
        assert_eq!(result["isError"], true);
        let wanted = "without a body; it was done, though the document says that there is an answer";
        assert_eq!(text(&result), format!("{status}, {wanted}"));
    }
    for (id, what, content) in [
        ("text", "text/plain", json!({ "type": "text", "text": "hi \"you\"" })),
        ("image", "image/png", json!({ "type": "image", "mimeType": "image/png", "data": "iVBORw==" })),
    ] {
        let result = told(id).await;
        let note = format!(
            "HTTP 200 OK; it was done, and the answer is {what}, though the document says that it is JSON"
        );
        assert_eq!(result["content"], json!([{ "type": "text", "text": note }, content]));
        assert_eq!(result["isError"], true);
    }
    let there = call(&upstream, "isThere", json!({ "id": "json" })).await;
    assert!(there.get("isError").is_none(), "{there}");
}

#[tokio::test]
async fn a_text_is_told_whatever_it_is_called_and_however_it_is_written() {
    let (_fake, upstream) = things(|request| match wanted(request) {
        "latin" => answer(200, "text/html; charset=ISO-8859-1", &b"caf\xe9 \x80 \xff"[..]),
        "quoted" => answer(200, "text/plain; a=b; Charset=\"windows-1252\"", &b"\x93\xe9\x94"[..]),
        "lying" => answer(200, "text/plain; charset=latin1", "café"),
        "broken" => answer(200, "text/plain", &b"caf\xe9!"[..]),
        "toml" => answer(200, "application/toml", "a = 'é'"),
        "stream" => answer(200, "application/octet-stream", "a,b"),
        "bytes" => answer(200, "application/octet-stream", "a\0b"),
        "marked" => answer(200, "application/json", "\u{feff}{\"a\":1}"),
        "refused" => answer(400, "text/plain; charset=iso-8859-1", &b"caf\xe9"[..]),
        _ => answer(200, "text/csv", "\u{feff}a;b"),
    })
    .await;
    for (id, wanted) in [
        ("latin", "café € ÿ"),
        ("quoted", "“é”"),
        ("lying", "café"),
        ("broken", "caf\u{fffd}!"),
        ("toml", "a = 'é'"),
        ("stream", "a,b"),
        ("bytes", "the answer is application/octet-stream, 3 bytes, which can't be shown here"),
        ("marked", "{\"a\":1}"),
        ("refused", "HTTP 400 Bad Request: café"),
        ("csv", "a;b"),
    ] {
        let result: Value = call(&upstream, "change", json!({ "id": id })).await;
        assert_eq!(text(&result), wanted, "{id}");
    }
}

#[tokio::test]
async fn where_something_was_made_is_told_and_what_was_done_is_no_failure() {
    let (fake, upstream) = things(|request| match wanted(request) {
        "made" => located(201, "/things/7?token=s3cr3t#x"),
        "taken" => located(202, "7"),
        "elsewhere" => located(201, "https://other.example/things/7"),
        "see" => located(303, "/things/7?token=s3cr3t"),
        "far" => located(303, "https://other.example/things/7"),
        "long" => located(201, &format!("/{}", "x".repeat(2000))),
        _ => located(302, "/things/7"),
    })
    .await;
    for (id, wanted) in [
        ("made", "HTTP 201 Created, without a body; it is at /things/7"),
        ("taken", "HTTP 202 Accepted, without a body; it is at /things/7"),
        ("elsewhere", "HTTP 201 Created, without a body"),
        ("see", "HTTP 303 See Other: what came of it is at /things/7"),
        ("far", "HTTP 303 See Other: what came of it is at another server, which is not asked"),
        ("long", "HTTP 201 Created, without a body"),
    ] {
        let result = call(&upstream, "change", json!({ "id": id })).await;
        assert_eq!(text(&result), wanted, "{id}");
        assert!(result.get("isError").is_none(), "{result}");
        assert_eq!(fake.asked_once().method(), "POST");
    }
    let result = call(&upstream, "replace", json!({ "id": "see" })).await;
    assert_eq!(result["isError"], true);
    assert!(text(&result).starts_with("HTTP 303 See Other: what came of it is at /things/7; it was done"));
    let result = call(&upstream, "change", json!({ "id": "other" })).await;
    assert_eq!((&result["isError"], fake.asked().len()), (&json!(true), 2), "{result}");
}

#[tokio::test]
async fn of_an_answer_that_is_too_long_it_is_told_that_it_was_done() {
    let (_fake, upstream) = things(|_| answer(201, "text/plain", "x".repeat(limits::ANSWER_BYTES + 1))).await;
    let done = "HTTP 201 Created; it was done, and the answer, of more than 1048576 bytes, is left out";
    for (tool, wanted) in [
        ("change", done),
        ("replace", done),
        ("thing", "the answer has more than 1048576 bytes, and is left out; ask for less"),
    ] {
        let result = call(&upstream, tool, json!({ "id": "long" })).await;
        assert_eq!((&result["isError"], text(&result)), (&json!(true), wanted), "{tool}");
    }
}

#[tokio::test]
async fn an_error_that_repeats_the_callers_credentials_does_not_tell_them() {
    let fake = Fake::start(|request| {
        let key = request.headers()["x-key"].to_str().unwrap();
        let said = format!("got {} with {key}", request.uri());
        match wanted(request) {
            "bad" => answer(400, "text/plain", said),
            "broken" => answer(500, "application/json", json!({ "error": said }).to_string()),
            "long" => answer(400, "text/plain", "x".repeat(limits::ERROR_BYTES - 10) + key),
            "elsewhere" => located(201, &format!("/things/{key}?key=of-tenant-2")),
            "picture" => answer(200, &format!("image/{key}"), "bytes"),
            _ => answer(200, "text/plain", said),
        }
    })
    .await;
    let document = Document::parse(DOCUMENT.as_bytes()).unwrap();
    let api = Api::new(&document, &ApiOptions::new().server(fake.url.as_str())).unwrap();
    let attached = Attached::new().header("X-Key", "s3cr3t-of-tenant").unwrap().query("key", "of+tenant 2");
    let upstream = RestUpstream::new(api, CallOptions::new().attached(attached));
    let said = async |id: &str| text(&call(&upstream, "change", json!({ "id": id })).await).to_owned();
    let told = |id: &str| format!("got /things/{id}?key=[secret] with [secret]");
    assert_eq!(said("bad").await, format!("HTTP 400 Bad Request: {}", told("bad")));
    let told = json!({ "error": told("broken") });
    assert_eq!(said("broken").await, format!("HTTP 500 Internal Server Error: {told}"));
    assert!(said("long").await.ends_with("x[secret] [cut]"));
    let elsewhere = said("elsewhere").await;
    assert_eq!(elsewhere, "HTTP 201 Created, without a body; it is at /things/[secret]");
    assert_eq!(said("picture").await, "bytes");
    // What an API answers in success is the tool's result.
    assert_eq!(said("fine").await, "got /things/fine?key=of%2Btenant%202 with s3cr3t-of-tenant");
}
