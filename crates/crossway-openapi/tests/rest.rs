//! REST APIs as upstreams, over sockets.

#![cfg(feature = "rest")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use crossway_openapi::rest::{
    Api, ApiOptions, CurrentApi, Document, Filter, RestUpstream, Validators, fetch,
};
use crossway_openapi::{Attached, CallOptions, HttpClient};
use crossway_proto::{Message, RequestId};
use crossway_service::{Call, Context, Outcome, Reason, Scope, Upstream};
use http::{Request, Response};
use serde_json::{Value, json};

use support::{Fake, answer, ask, call, json_answer, text};

const DOCUMENT: &str = r##"
openapi: 3.0.3
info: { title: Notes, version: "7", description: Notes of people. }
servers: [{ url: https://notes.example/v1 }]
paths:
  /notes:
    get:
      operationId: listNotes
      tags: [notes]
      parameters:
        - { name: filter, in: query, style: deepObject, schema: { type: object } }
        - { name: tag, in: query, schema: { type: array, items: { type: string } } }
        - { name: ids, in: query, explode: false, schema: { type: array, items: { type: string } } }
        - { name: X-Mode, in: header, schema: { type: string } }
        - { name: api_key, in: query, schema: { type: string } }
        - { name: Authorization, in: header, schema: { type: string } }
      responses:
        "200": { description: All., content: { application/json: { schema: { type: array, items: { $ref: "#/components/schemas/Note" } } } } }
    post:
      operationId: addNote
      tags: [notes]
      summary: Adds a note.
      requestBody: { required: true, content: { application/json: { schema: { $ref: "#/components/schemas/Note" } } } }
      responses:
        "201": { description: It., content: { application/json: { schema: { $ref: "#/components/schemas/Note" } } } }
  /notes/{id}:
    parameters: [{ $ref: "#/components/parameters/Id" }]
    get: { operationId: note, responses: { "200": { description: It. } } }
    put:
      operationId: changeNote
      requestBody: { content: { application/json: { schema: { type: object, properties: { id: { type: string }, text: { type: string } } } } } }
      responses: { "204": { description: Done. } }
    delete: { deprecated: true, responses: { "204": { description: Done. } } }
  /notes/{id}/files:
    parameters: [{ $ref: "#/components/parameters/Id" }]
    post:
      operationId: addFile
      requestBody:
        content:
          multipart/form-data:
            schema: { type: object, required: [file], properties: { file: { type: string, format: binary }, about: { type: object }, name: { type: string } } }
      responses: { "201": { description: It. } }
  /search:
    post:
      operationId: search
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema: { type: object, properties: { q: { type: string }, in: { type: array, items: { type: string } }, range: { type: object } } }
            encoding: { range: { style: deepObject, explode: true } }
      responses: { "200": { description: Found. } }
  /far: { get: { operationId: far, parameters: [{ $ref: "https://evil.example/p.json" }], responses: {} } }
components:
  parameters:
    Id: { name: id, in: path, required: true, schema: { type: string } }
  schemas:
    Note: { type: object, required: [id, text], properties: { id: { type: string, readOnly: true }, text: { type: string } } }
  securitySchemes:
    Key: { type: apiKey, in: query, name: api_key }
"##;

fn api(options: ApiOptions) -> Api {
    Api::new(&Document::parse(DOCUMENT.as_bytes()).unwrap(), &options).unwrap()
}

fn upstream(fake: &Fake, attached: Attached) -> RestUpstream {
    let api = api(ApiOptions::new().server(format!("{}/v1", fake.url)));
    RestUpstream::new(api, CallOptions::new().attached(attached))
}

async fn notes(
    answer: impl Fn(&Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
) -> (Fake, RestUpstream) {
    let fake = Fake::start(answer).await;
    let upstream = upstream(&fake, Attached::new());
    (fake, upstream)
}

#[tokio::test]
async fn who_listens_is_told_when_the_tools_are_others() {
    let first = api(ApiOptions::new().include(Filter::new().method("get")));
    let current = CurrentApi::new(first.clone());
    let upstream = RestUpstream::current(current.clone(), CallOptions::new());
    let said = ask(&upstream, "server/discover", json!({})).await.unwrap();
    assert_eq!(said["result"]["capabilities"], json!({ "tools": { "listChanged": true } }));
    let link = upstream.connect(Scope::Shared);
    let listen = |params: &str| {
        let id = RequestId::from("l");
        let request = Message::request_of(&id, "subscriptions/listen", Some(params.as_bytes())).unwrap();
        link.call(Call::message(request, Context::default()))
    };
    let mut heard = listen(r#"{"notifications":{"toolsListChanged":true}}"#);
    let mut silent = listen(r#"{"notifications":{"promptsListChanged":true}}"#);
    let meta = r#""_meta":{"io.modelcontextprotocol/subscriptionId":"l"}"#;
    for (reply, taken) in [(&mut heard, r#"{"toolsListChanged":true}"#), (&mut silent, "{}")] {
        let acknowledged = reply.next().await.unwrap().unwrap();
        let wanted = format!(r#""params":{{{meta},"notifications":{taken}}}}}"#);
        assert!(acknowledged.to_bytes().ends_with(wanted.as_bytes()), "{acknowledged:?}");
    }
    // A new base URL with the same tools notifies nobody.
    assert!(!current.replace(api(ApiOptions::new().server("http://b").include(Filter::new().method("get")))));
    assert!(current.replace(api(ApiOptions::new().include(Filter::new().method("put")))));
    let changed = heard.next().await.unwrap().unwrap();
    assert!(changed.is_method("notifications/tools/list_changed"), "{changed:?}");
    assert!(changed.to_bytes().ends_with(format!(r#""params":{{{meta}}}}}"#).as_bytes()), "{changed:?}");
    let list = ask(&upstream, "tools/list", json!({})).await.unwrap();
    let tools = list["result"]["tools"].as_array().unwrap();
    assert!(tools.len() == 1 && tools[0]["name"] == "changeNote", "{list}");
    assert!(current.replace(first));
    assert!(heard.next().await.unwrap().is_ok());
    assert!(futures_util::FutureExt::now_or_never(silent.next()).is_none());
}

#[tokio::test]
async fn a_document_that_has_not_changed_is_not_sent_again() {
    let fake = Fake::start(|request| {
        let is_known = request.headers().get("if-none-match").is_some_and(|etag| etag == "\"7\"");
        let mut answer =
            answer(if is_known { 304 } else { 200 }, "application/json", if is_known { "" } else { "{}" });
        answer.headers_mut().insert("etag", "\"7\"".parse().unwrap());
        answer.headers_mut().insert("last-modified", "Thu, 26 Nov 2026 10:00:00 GMT".parse().unwrap());
        answer
    })
    .await;
    let (client, url) = (HttpClient::default(), fake.url.parse().unwrap());
    let again = async |before: &Validators| {
        fetch(&client, &url, &Attached::new(), before, Duration::from_secs(60)).await.unwrap()
    };
    let (text, known) = again(&Validators::default()).await.unwrap();
    assert_eq!(text, "{}");
    assert!(fake.asked_once().headers().get("if-none-match").is_none());
    assert!(again(&known).await.is_none());
    assert_eq!(fake.asked_once().headers()["if-modified-since"], "Thu, 26 Nov 2026 10:00:00 GMT");
}

#[tokio::test]
async fn a_document_that_is_encoded_is_named_as_such() {
    let fake = Fake::start(|request| {
        assert_eq!(request.headers()["accept-encoding"], "identity");
        let mut answer = answer(200, "application/json", "{}");
        answer.headers_mut().insert("content-encoding", "br".parse().unwrap());
        answer
    })
    .await;
    let url = fake.url.parse().unwrap();
    let (client, time) = (HttpClient::default(), Duration::from_secs(60));
    let error = fetch(&client, &url, &Attached::new(), &Validators::default(), time).await.unwrap_err();
    assert!(error.to_string().contains("encoded as br"), "{error}");
}

#[tokio::test]
async fn it_says_what_it_is_and_which_tools_it_has() {
    let (_fake, upstream) = notes(|_| json_answer(200, json!({}))).await;
    let said = ask(&upstream, "server/discover", json!({})).await.unwrap();
    assert_eq!(said["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(said["result"]["instructions"], "Notes of people.");
    let info = &said["result"]["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(*info, json!({ "name": "Notes", "version": "7" }));
    let list = ask(&upstream, "tools/list", json!({})).await.unwrap();
    let tools = list["result"]["tools"].as_array().unwrap();
    let named = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    let list_notes = named("listNotes");
    assert_eq!(list_notes["annotations"]["readOnlyHint"], true);
    assert_eq!(list_notes["outputSchema"]["type"], "array");
    let arguments: Vec<&String> =
        list_notes["inputSchema"]["properties"].as_object().unwrap().keys().collect();
    assert_eq!(arguments, ["X-Mode", "filter", "ids", "tag"]);
    let add = named("addNote");
    assert_eq!(add["description"], "Adds a note.");
    let wanted = json!({
        "type": "object", "properties": { "text": { "type": "string" } }, "required": ["text"], "additionalProperties": false,
    });
    assert_eq!(add["inputSchema"], wanted);
    assert_eq!(add["outputSchema"]["required"], json!(["id", "text"]));
    let change = named("changeNote");
    assert_eq!(change["annotations"]["idempotentHint"], true);
    let arguments: Vec<&String> = change["inputSchema"]["properties"].as_object().unwrap().keys().collect();
    assert_eq!(arguments, ["body_id", "id", "text"]);
    assert!(named("note").get("outputSchema").is_none());
}

#[tokio::test]
async fn what_is_left_out_is_told_with_its_reason() {
    let api = api(ApiOptions::new().deprecated(true));
    let left: Vec<String> =
        api.left_out().iter().map(|left| format!("{}: {}", left.operation, left.why)).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(
        left[0].starts_with("GET /far: it refers to \"https://evil.example/p.json\", outside"),
        "{left:?}"
    );
    assert!(api.tools().any(|tool| tool == "delete_notes_id"));
}

#[tokio::test]
async fn filters_choose() {
    let options = ApiOptions::new()
        .include(Filter::new().tag("notes"))
        .exclude(Filter::new().operation("add*").unwrap());
    assert_eq!(api(options).tools().collect::<Vec<_>>(), ["listNotes"]);
    let none = ApiOptions::new().include(Filter::new().tag("none"));
    let error = Api::new(&Document::parse(DOCUMENT.as_bytes()).unwrap(), &none).unwrap_err();
    assert_eq!(error.to_string(), "none of its operations is a tool");
}

#[tokio::test]
async fn arguments_go_where_their_parameters_say() {
    let fake = Fake::start(|_| json_answer(200, json!([]))).await;
    let attached = Attached::new().header("Authorization", "Bearer t").unwrap().query("api_key", "k&v");
    let upstream = upstream(&fake, attached);
    let arguments = json!({
        "filter": { "a": "x y", "b": { "c": 1 } }, "tag": ["1", "2&3"], "ids": ["a,b", "c"], "X-Mode": "fast",
    });
    let result = call(&upstream, "listNotes", arguments).await;
    assert_eq!((text(&result), &result["structuredContent"]), ("[]", &json!([])));
    let asked = fake.asked_once();
    assert_eq!(asked.method(), "GET");
    let wanted = "filter%5Ba%5D=x%20y&filter%5Bb%5D%5Bc%5D=1&ids=a%2Cb,c&tag=1&tag=2%263&api_key=k%26v";
    assert_eq!((asked.uri().path(), asked.uri().query().unwrap()), ("/v1/notes", wanted));
    assert_eq!(asked.headers()["authorization"], "Bearer t");
    assert_eq!(asked.headers()["x-mode"], "fast");
    assert!(asked.headers().get("content-type").is_none());

    call(&upstream, "changeNote", json!({ "id": "a/b ü", "body_id": "c", "text": "d" })).await;
    let asked = fake.asked_once();
    assert_eq!((asked.method().as_str(), asked.uri().path()), ("PUT", "/v1/notes/a%2Fb%20%C3%BC"));
    assert_eq!(asked.headers()["content-type"], "application/json");
    assert_eq!(asked.body(), r#"{"id":"c","text":"d"}"#);
}

#[tokio::test]
async fn forms_and_parts_are_made() {
    let (fake, upstream) = notes(|_| json_answer(200, json!({}))).await;
    call(&upstream, "search", json!({ "q": "a=b&c", "in": ["x", "y"], "range": { "from": 1 } })).await;
    let asked = fake.asked_once();
    assert_eq!(asked.headers()["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(asked.body(), "in=x&in=y&q=a%3Db%26c&range%5Bfrom%5D=1");

    call(&upstream, "addFile", json!({ "id": "1", "file": "AAEC", "about": { "a": 1 }, "name": "n" })).await;
    let asked = fake.asked_once();
    let kind = asked.headers()["content-type"].to_str().unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let wanted = [
        "--B\r\nContent-Disposition: form-data; name=\"about\"\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n",
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\nContent-Type: application/octet-stream\r\n\r\n\0\u{1}\u{2}\r\n",
        "--B\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nn\r\n--B--\r\n",
    ];
    assert_eq!(asked.body(), &wanted.concat().replace("--B", &format!("--{boundary}")));
}

#[tokio::test]
async fn arguments_that_lead_elsewhere_are_refused_and_nothing_is_sent() {
    let (fake, upstream) = notes(|_| json_answer(200, json!({}))).await;
    for (tool, arguments, wanted) in [
        ("note", json!({}), "the argument \"id\" is missing"),
        ("note", json!({ "id": null }), "the argument \"id\" is missing"),
        ("note", json!({ "id": "" }), "is empty, and a part of the path"),
        ("note", json!({ "id": ".." }), "has . or .."),
        ("note", json!({ "id": "../admin" }), "has . or .."),
        ("note", json!({ "id": "a\\..\\b" }), "has . or .."),
        ("note", json!({ "id": "1", "other": 2 }), "there is no argument \"other\"; there are: id"),
        ("listNotes", json!({ "X-Mode": "a\r\nHost: evil" }), "can't stand in a header"),
        ("listNotes", json!({ "filter": { "a][b": 1 } }), "has brackets in it"),
        ("listNotes", json!({ "api_key": "mine" }), "there is no argument \"api_key\""),
        ("listNotes", json!({ "ids": ["x".repeat(40_000)] }), "a URL that is too long"),
        ("addFile", json!({ "id": "1", "file": "?" }), "has to be base64"),
    ] {
        let result = call(&upstream, tool, arguments.clone()).await;
        assert_eq!(result["isError"], true, "{arguments}");
        assert!(text(&result).contains(wanted), "{arguments}: {result}");
    }
    assert!(fake.asked().is_empty());
    for params in [json!({ "name": "none" }), json!({}), json!({ "name": "note", "arguments": [1] })] {
        let refused = ask(&upstream, "tools/call", params.clone()).await.unwrap();
        assert_eq!(refused["error"]["code"], -32602, "{params}");
        assert_eq!(refused["error"]["data"]["outcome"], "not sent", "{params}");
    }
}

#[tokio::test]
async fn answers_are_what_they_say_that_they_are() {
    let (_fake, upstream) = notes(|request| match request.uri().path().rsplit('/').next().unwrap() {
        "text" => answer(200, "text/plain", "hi"),
        "image" => answer(200, "image/png", &b"\x89PNG"[..]),
        "sound" => answer(200, "audio/wav", &b"RIFF"[..]),
        "pdf" => answer(200, "application/pdf", &b"%PDF-\xff"[..]),
        "nothing" => answer(204, "text/plain", ""),
        "long" => answer(200, "text/plain", "x".repeat((1 << 20) + 1)),
        "broken" => answer(200, "application/json", "{"),
        id @ ("gzip" | "refused") => {
            assert_eq!(request.headers()["accept-encoding"], "identity");
            let (status, coding) = if id == "gzip" { (200, "gzip") } else { (404, "br") };
            let mut answer = answer(status, "text/plain", "x");
            answer.headers_mut().insert("content-encoding", coding.parse().unwrap());
            answer
        }
        _ => json_answer(200, json!({ "a": 1 })),
    })
    .await;
    let content = async |id: &str| call(&upstream, "note", json!({ "id": id })).await["content"][0].clone();
    assert_eq!(content("text").await, json!({ "type": "text", "text": "hi" }));
    assert_eq!(content("json").await, json!({ "type": "text", "text": r#"{"a":1}"# }));
    assert_eq!(
        content("image").await,
        json!({ "type": "image", "mimeType": "image/png", "data": "iVBORw==" })
    );
    assert_eq!(content("sound").await["type"], "audio");
    assert_eq!(
        content("pdf").await["text"],
        "the answer is application/pdf, 6 bytes, which can't be shown here"
    );
    assert_eq!(content("nothing").await["text"], "HTTP 204 No Content, without a body");
    let long = call(&upstream, "note", json!({ "id": "long" })).await;
    assert_eq!(long["isError"], true);
    assert!(text(&long).contains("more than 1048576 bytes"));
    for id in ["broken", "gzip"] {
        let params = json!({ "name": "note", "arguments": { "id": id } });
        let error = ask(&upstream, "tools/call", params).await.unwrap_err();
        assert!(matches!(error.reason(), Reason::InvalidAnswer(_)), "{error}");
        assert_eq!(error.outcome(), Outcome::Answered);
        assert_eq!(id == "gzip", error.to_string().contains("encoded as gzip"), "{error}");
    }
    let refused = call(&upstream, "note", json!({ "id": "refused" })).await;
    assert!(text(&refused).starts_with("HTTP 404 Not Found: its text is encoded as br"), "{refused}");
}

#[tokio::test]
async fn refusals_are_results_or_failed_calls_as_who_can_do_something_about_them() {
    let (_fake, upstream) = notes(|request| {
        let status = request.uri().path().rsplit('/').next().unwrap();
        let (status, after) = status.split_once('-').unwrap_or((status, ""));
        let mut answer = answer(status.parse().unwrap(), "text/plain", "x".repeat(9000));
        if !after.is_empty() {
            answer.headers_mut().insert("retry-after", after.parse().unwrap());
        }
        answer
    })
    .await;
    for status in ["400", "404", "500", "403"] {
        let result = call(&upstream, "note", json!({ "id": status })).await;
        assert_eq!(result["isError"], true);
        assert!(text(&result).starts_with(&format!("HTTP {status}")) && text(&result).ends_with("xx [cut]"));
        assert!(text(&result).len() < 9000);
    }
    for (status, outcome, after) in [
        ("401", Outcome::Answered, None),
        ("429-7", Outcome::Answered, Some(7)),
        ("403-9", Outcome::Answered, Some(9)),
        ("503-5", Outcome::Answered, Some(5)),
        ("502", Outcome::Unknown, None),
        ("504", Outcome::Unknown, None),
    ] {
        let params = json!({ "name": "note", "arguments": { "id": status } });
        let error = ask(&upstream, "tools/call", params).await.unwrap_err();
        assert_eq!((error.outcome(), error.retry_after_seconds()), (outcome, after), "{status}");
        assert!(matches!(error.reason(), Reason::Refused { .. }), "{status}");
    }
}

#[tokio::test]
async fn redirects_lead_no_credential_to_another_origin() {
    let other = Fake::start(|_| json_answer(200, json!({}))).await;
    let elsewhere = format!("{}/v1/notes/there", other.url);
    let fake = Fake::start(move |request| {
        let location = match request.uri().path() {
            "/v1/notes/near" => "/v1/notes/there".to_owned(),
            "/v1/notes/far" | "/v1/notes" => elsewhere.clone(),
            "/v1/notes/round" => "/v1/notes/round".to_owned(),
            _ => return json_answer(200, json!("here")),
        };
        Response::builder().status(307).header("location", location).body(Bytes::new()).unwrap()
    })
    .await;
    let attached = Attached::new().header("Authorization", "Bearer t").unwrap();
    let upstream = upstream(&fake, attached);
    assert_eq!(text(&call(&upstream, "note", json!({ "id": "near" })).await), "\"here\"");
    for (tool, arguments) in [
        ("note", json!({ "id": "far" })),
        ("note", json!({ "id": "round" })),
        ("addNote", json!({ "text": "a" })),
    ] {
        let result = call(&upstream, tool, arguments).await;
        assert_eq!(result["isError"], true);
        assert!(text(&result).contains("which is not followed"), "{result}");
    }
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_call_that_reaches_nobody_was_not_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let upstream = RestUpstream::new(api(ApiOptions::new().server(url)), CallOptions::new());
    let params = json!({ "name": "note", "arguments": { "id": "1" } });
    let error = ask(&upstream, "tools/call", params).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    assert!(!error.to_string().contains("/notes"), "{error}");
}

#[tokio::test]
async fn an_api_that_says_nothing_is_waited_for_as_long_as_was_said() {
    // Connections are accepted, but never answered.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let options = CallOptions::new().timeout(std::time::Duration::from_millis(20));
    let upstream = RestUpstream::new(api(ApiOptions::new().server(url)), options);
    let params = json!({ "name": "note", "arguments": { "id": "1" } });
    let error = ask(&upstream, "tools/call", params).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::TimedOut(_)), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn a_tool_that_a_router_has_renamed_is_called_by_its_own_name() {
    let (fake, upstream) = notes(|_| json_answer(200, json!({}))).await;
    let params = json!({ "name": "theirs__note", "arguments": { "id": "1" } }).to_string();
    let id = crossway_proto::RequestId::from("a");
    let mut request =
        crossway_proto::Message::request_of(&id, "tools/call", Some(params.as_bytes())).unwrap();
    request.set_name("note");
    let link = upstream.connect(Scope::Shared);
    let answer = link.call(Call::message(request, Context::default())).next().await.unwrap().unwrap();
    assert!(answer.result().is_some());
    assert_eq!(fake.asked_once().uri().path(), "/v1/notes/1");
}

#[tokio::test]
async fn long_lists_come_in_pages_and_each_tool_once() {
    let mut paths = serde_json::Map::new();
    for number in 0..400 {
        paths.insert(format!("/p{number:03}"), json!({ "get": { "operationId": format!("p{number:03}") } }));
    }
    let text = json!({ "openapi": "3.1.0", "paths": paths, "servers": [{ "url": "http://h" }] }).to_string();
    let api = Api::new(&Document::parse(text.as_bytes()).unwrap(), &ApiOptions::new()).unwrap();
    let upstream = RestUpstream::new(api, CallOptions::new());
    let (mut names, mut params) = (Vec::new(), json!({}));
    loop {
        let page = ask(&upstream, "tools/list", params).await.unwrap();
        let tools = page["result"]["tools"].as_array().unwrap();
        names.extend(tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["result"]["nextCursor"].as_str() else { break };
        params = json!({ "cursor": next });
    }
    let wanted: Vec<String> = (0..400).map(|number| format!("p{number:03}")).collect();
    assert_eq!(names, wanted);
    for cursor in [json!("401"), json!("x"), json!(1)] {
        let refused: Value = ask(&upstream, "tools/list", json!({ "cursor": cursor })).await.unwrap();
        assert_eq!(refused["error"]["code"], -32602);
    }
    let first: Value = ask(&upstream, "tools/list", json!({ "cursor": null })).await.unwrap();
    assert_eq!(first["result"]["tools"][0]["name"], "p000");
}
