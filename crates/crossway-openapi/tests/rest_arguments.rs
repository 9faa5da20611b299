//! Arguments of REST APIs' tools, over sockets.

#![cfg(feature = "rest")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]

mod support;

use crossway_openapi::rest::{Api, ApiOptions, Document, RestUpstream, SecurityPlace};
use crossway_openapi::{Attached, CallOptions};
use crossway_service::Context;
use serde_json::{Value, json};

use support::{Fake, ask, ask_as, call, json_answer, text};

const DOCUMENT: &str = r##"
openapi: 3.0.3
info: { title: Orders, version: "1" }
paths:
  /orders:
    get:
      operationId: orders
      parameters:
        - { name: limit, in: query, schema: { type: integer, minimum: 1, maximum: 100 } }
        - { name: state, in: query, schema: { type: string, enum: [open, done] } }
        - { name: filter, in: query, style: deepObject, schema: { type: object, properties: { range: { type: array, items: { type: integer } } } } }
        - { name: code, in: query, schema: { type: string, pattern: "^[A-Z]{3}$" } }
    post:
      operationId: order
      requestBody: { required: true, content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } } }
    put:
      operationId: file
      requestBody:
        content:
          multipart/form-data: { schema: { type: object, properties: { file: { type: string, format: binary, maxLength: 3 } } } }
    patch: { operationId: tree, requestBody: { content: { application/json: { schema: { $ref: "#/components/schemas/Tree" } } } } }
  /odd: { get: { operationId: odd, parameters: [{ name: odd, in: query, schema: { type: string, pattern: "(" } }] } }
  /cart:
    get:
      operationId: cart
      parameters:
        - { name: sid, in: cookie, required: true, schema: { type: string } }
        - { name: lang, in: cookie, schema: { type: string, maxLength: 9 } }
        - { name: "a b", in: cookie, schema: { type: string } }
components:
  securitySchemes:
    Session: { type: apiKey, in: cookie, name: sid }
  schemas:
    Order:
      type: object
      required: [what]
      properties:
        what: { type: string, nullable: true }
        count: { type: integer }
        parts: { type: array, items: { type: object, required: [what], properties: { what: {}, count: {} } } }
    Tree: { type: object, properties: { below: { $ref: "#/components/schemas/Tree" } }, additionalProperties: false }
"##;

async fn orders(attached: Attached) -> (Fake, RestUpstream) {
    let fake = Fake::start(|_| json_answer(200, json!({}))).await;
    let document = Document::parse(DOCUMENT.as_bytes()).unwrap();
    let api = Api::new(&document, &ApiOptions::new().server(fake.url.as_str())).unwrap();
    assert!(api.left_out().is_empty(), "{:?}", api.left_out());
    (fake, RestUpstream::new(api, CallOptions::new().attached(attached)))
}

fn is_refused(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result}");
    text(result)
}

#[tokio::test]
async fn arguments_that_do_not_fit_their_schema_are_refused_and_nothing_is_sent() {
    let (fake, upstream) = orders(Attached::new()).await;
    for (tool, arguments, wanted) in [
        (
            "orders",
            json!({ "limit": "s3cr3t" }),
            "the argument \"limit\": the value is not of type \"integer\"",
        ),
        (
            "orders",
            json!({ "limit": 101 }),
            "the argument \"limit\": the value is greater than the maximum of 100",
        ),
        (
            "orders",
            json!({ "state": "s3cr3t" }),
            "the argument \"state\": the value is not one of \"open\" or \"done\"",
        ),
        (
            "orders",
            json!({ "filter": { "range": [1, "s3cr3t"] } }),
            "the argument \"filter\" at /range/1: the value is not of type",
        ),
        (
            "order",
            json!({ "what": "a", "parts": [{ "count": 1 }] }),
            "the argument \"parts\" at /0: \"what\" is a required property",
        ),
        ("order", json!({ "what": "a", "count": null }), "the argument \"count\": the value is not of type"),
        (
            "tree",
            json!({ "body": { "below": { "below": { "beside": 1 } } } }),
            "the argument \"body\" at /below/below: Additional properties are not allowed ('beside' was unexpected)",
        ),
        ("order", json!({ "count": 1 }), "the argument \"what\" is missing"),
    ] {
        let result = call(&upstream, tool, arguments.clone()).await;
        let told = is_refused(&result);
        assert!(told.contains(wanted) && !told.contains("s3cr3t"), "{arguments}: {told}");
    }
    let result = call(&upstream, "order", json!({ "what": 1, "count": "x" })).await;
    assert_eq!(is_refused(&result).matches("the argument").count(), 2, "{result}");
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn arguments_that_fit_are_sent() {
    let (fake, upstream) = orders(Attached::new()).await;
    // A schema with an invalid pattern can't be used, so the API has to reject bad arguments.
    for (tool, arguments, wanted) in
        [("odd", json!({ "odd": 5 }), "/odd?odd=5"), ("odd", json!({ "odd": null }), "/odd")]
    {
        let result = call(&upstream, tool, arguments).await;
        assert!(result.get("isError").is_none(), "{result}");
        assert_eq!(fake.asked_once().uri().path_and_query().unwrap().as_str(), wanted);
    }
    call(&upstream, "order", json!({ "what": null, "parts": [{ "what": "a", "count": 2.0 }] })).await;
    assert_eq!(fake.asked_once().body(), r#"{"parts":[{"count":2,"what":"a"}],"what":null}"#);
    // An integer by the schema is sent as an integer.
    call(&upstream, "orders", json!({ "limit": 5.0, "filter": { "range": [1.0, -2.0] } })).await;
    let asked = fake.asked_once();
    assert_eq!(asked.uri().query(), Some("filter%5Brange%5D=1&filter%5Brange%5D=-2&limit=5"));
    call(&upstream, "order", json!({ "what": "a", "parts": [{ "what": 0.5, "count": 1e300 }] })).await;
    assert_eq!(fake.asked_once().body(), r#"{"parts":[{"count":1e+300,"what":0.5}],"what":"a"}"#);
    // Length limits of the file do not apply to its base64.
    call(&upstream, "file", json!({ "file": "AAEC" })).await;
    assert!(fake.asked_once().headers()["content-type"].to_str().unwrap().starts_with("multipart/form-data"));
}

#[tokio::test]
async fn cookies_are_arguments_but_for_what_credentials_fill() {
    let attached = Attached::new().header("Cookie", "sid=theirs").unwrap();
    let (fake, upstream) = orders(attached).await;
    call(&upstream, "cart", json!({ "lang": "de; sid=" })).await;
    let asked = fake.asked_once();
    assert_eq!(
        asked.headers().get_all("cookie").iter().collect::<Vec<_>>(),
        ["sid=theirs; lang=de%3B%20sid%3D"]
    );
    for mine in ["sid", "a b"] {
        let result = call(&upstream, "cart", json!({ mine: "mine" })).await;
        assert_eq!(is_refused(&result), format!("there is no argument {mine:?}; there are: lang"));
    }
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn what_credentials_fill_is_no_argument_also_where_no_scheme_says_so() {
    let document = r##"
openapi: 3.0.3
paths:
  /boards:
    get:
      operationId: boards
      parameters:
        - { name: key, in: query, required: true, schema: { type: string } }
        - { name: X-Team, in: header, required: true, schema: { type: string } }
        - { name: sid, in: cookie, required: true, schema: { type: string } }
        - { name: limit, in: query, schema: { type: integer } }
"##;
    let fake = Fake::start(|_| json_answer(200, json!({}))).await;
    let filled = [
        SecurityPlace::Query("key".to_owned()),
        SecurityPlace::Header("x-team".to_owned()),
        SecurityPlace::Cookie("sid".to_owned()),
    ];
    let options = ApiOptions::new().server(fake.url.as_str()).filled(filled);
    let api = Api::new(&Document::parse(document.as_bytes()).unwrap(), &options).unwrap();
    let attached = Attached::new().query("key", "k").header("X-Team", "t").unwrap();
    let attached = attached.header("Cookie", "sid=s").unwrap();
    let upstream = RestUpstream::new(api, CallOptions::new().attached(attached));
    let result = call(&upstream, "boards", json!({ "limit": 5 })).await;
    assert!(result.get("isError").is_none(), "{result}");
    let asked = fake.asked_once();
    assert_eq!(asked.uri().query(), Some("limit=5&key=k"));
    assert_eq!(
        (&asked.headers()["x-team"], &asked.headers()["cookie"]),
        (&"t".parse().unwrap(), &"sid=s".parse().unwrap())
    );
    let result = call(&upstream, "boards", json!({ "key": "mine" })).await;
    assert_eq!(is_refused(&result), "there is no argument \"key\"; there are: limit");
}

const BODIES: &str = r##"
openapi: 3.0.3
paths:
  /xml:
    post:
      operationId: xml
      requestBody: { required: true, description: An order., content: { application/xml: { schema: { $ref: "#/components/schemas/Base" } } } }
    put: { operationId: yaml, requestBody: { content: { application/yaml: { schema: { $ref: "#/components/schemas/Base" } } } } }
    patch: { operationId: plain, requestBody: { content: { text/plain: { schema: { type: string, maxLength: 5 } } } } }
  /form:
    post:
      operationId: open
      requestBody:
        content: { application/x-www-form-urlencoded: { schema: { type: object, properties: { a: { type: string } }, additionalProperties: true } } }
    put:
      operationId: parts
      requestBody:
        required: true
        content:
          multipart/form-data:
            schema:
              allOf: [{ $ref: "#/components/schemas/Base" }]
              properties: { file: { type: string, format: binary, maxLength: 3 }, more: { type: array, items: { type: string, format: binary } } }
    patch:
      operationId: several
      requestBody:
        content: { multipart/form-data: { schema: { type: object, properties: { more: { type: array, items: { type: string, format: binary } } } } } }
components:
  schemas:
    Base: { type: object, required: [name], properties: { name: { type: string }, photo: { type: string, format: binary } } }
"##;

/// The input schema of each tool, by name.
async fn bodies() -> (Fake, RestUpstream, impl Fn(&str) -> Value) {
    described(BODIES).await
}

async fn described(document: &str) -> (Fake, RestUpstream, impl Fn(&str) -> Value + use<>) {
    let fake = Fake::start(|_| json_answer(200, json!({}))).await;
    let document = Document::parse(document.as_bytes()).unwrap();
    let api = Api::new(&document, &ApiOptions::new().server(fake.url.as_str())).unwrap();
    let upstream = RestUpstream::new(api, CallOptions::new());
    let listed = ask(&upstream, "tools/list", json!({})).await.unwrap();
    let input = move |tool: &str| {
        let tools = listed["result"]["tools"].as_array().unwrap();
        tools.iter().find(|of| of["name"] == tool).unwrap()["inputSchema"]["properties"].clone()
    };
    (fake, upstream, input)
}

#[tokio::test]
async fn a_body_that_is_a_text_and_no_json_is_written_by_the_caller() {
    let (fake, upstream, input) = bodies().await;
    let description = "An order.\n\nThe text of the body, in application/xml.";
    assert_eq!(input("xml"), json!({ "body": { "type": "string", "description": description } }));
    assert_eq!(input("plain"), json!({ "body": { "type": "string", "maxLength": 5 } }));
    assert_eq!(input("yaml")["body"]["type"], "object");
    call(&upstream, "xml", json!({ "body": "<order/>" })).await;
    let asked = fake.asked_once();
    assert_eq!(
        (&asked.headers()["content-type"], &asked.body()[..]),
        (&"application/xml".parse().unwrap(), &b"<order/>"[..])
    );
    is_refused(&call(&upstream, "xml", json!({ "body": { "name": "a" } })).await);
    call(&upstream, "yaml", json!({ "body": { "name": "a" } })).await;
    assert_eq!(fake.asked_once().body(), r#"{"name":"a"}"#);
}

#[tokio::test]
async fn members_of_a_form_that_are_not_all_named_are_one_argument() {
    let (fake, upstream, input) = bodies().await;
    assert_eq!(input("open")["body"]["additionalProperties"], true);
    call(&upstream, "open", json!({ "body": { "a": "1", "b": "2" } })).await;
    assert_eq!(fake.asked_once().body(), "a=1&b=2");

    let (parts, bytes) = (input("parts"), json!({ "type": "string", "contentEncoding": "base64" }));
    assert_eq!(parts["body"]["properties"]["file"], bytes);
    assert_eq!(parts["body"]["properties"]["more"]["items"], bytes);
    assert_eq!(parts["body"]["allOf"][0]["properties"]["photo"], bytes);
    let body = json!({ "name": "n", "file": "AAEC", "photo": "AwQF", "more": ["Bg==", "Bw=="] });
    call(&upstream, "parts", json!({ "body": body })).await;
    let asked = fake.asked_once();
    let sent = asked.body();
    for (name, value) in
        [("file", &b"\x00\x01\x02"[..]), ("photo", b"\x03\x04\x05"), ("more", b"\x06"), ("more", b"\x07")]
    {
        let head = format!("; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n");
        let part = [head.as_bytes(), value, b"\r\n"].concat();
        assert!(sent.windows(part.len()).any(|of| of == part), "{name}: {sent:?}");
    }
    assert_eq!(is_refused(&call(&upstream, "parts", json!({})).await), "the argument \"body\" is missing");
    assert_eq!(input("several")["more"]["items"], bytes);
}

const BASE64: &str = r##"
openapi: 3.1.0
paths:
  /upload:
    post:
      operationId: parts
      requestBody:
        content:
          multipart/form-data:
            schema:
              type: object
              properties:
                text: { type: string, contentMediaType: application/json }
                encoded: { type: string, contentEncoding: base64 }
                typed: { type: string, contentMediaType: application/octet-stream }
                untyped: { contentMediaType: image/png }
    put:
      operationId: whole
      requestBody: { content: { image/png: { schema: { type: string, contentMediaType: image/png, contentEncoding: base64 } } } }
    patch: { operationId: raw, requestBody: { content: { image/png: {} } } }
"##;

#[tokio::test]
async fn what_is_said_to_be_base64_is_sent_as_base64_and_bytes_as_bytes() {
    let (fake, upstream, input) = described(BASE64).await;
    let names = ["text", "encoded", "typed", "untyped"];
    let told = names.map(|name| input("parts")[name].get("contentEncoding").is_some());
    assert_eq!(told, [false, true, true, true]);
    let arguments = names.map(|name| (name.to_owned(), json!("AAEC")));
    call(&upstream, "parts", Value::Object(arguments.into_iter().collect())).await;
    let asked = fake.asked_once();
    let octets = "Content-Type: application/octet-stream\r\n";
    for (name, head, value) in [
        ("text", "\r\n\r\n".to_owned(), &b"AAEC"[..]),
        (
            "encoded",
            format!("; filename=\"encoded\"\r\n{octets}Content-Transfer-Encoding: base64\r\n\r\n"),
            b"AAEC",
        ),
        ("typed", format!("; filename=\"typed\"\r\n{octets}\r\n"), b"\x00\x01\x02"),
        ("untyped", format!("; filename=\"untyped\"\r\n{octets}\r\n"), b"\x00\x01\x02"),
    ] {
        let part = [format!("name=\"{name}\"{head}").as_bytes(), value, b"\r\n--"].concat();
        assert!(asked.body().windows(part.len()).any(|of| of == part), "{name}: {:?}", asked.body());
    }
    for (tool, wanted) in [("whole", &b"AAEC"[..]), ("raw", b"\x00\x01\x02")] {
        assert_eq!(input(tool)["body"]["contentEncoding"], "base64");
        call(&upstream, tool, json!({ "body": "AAEC" })).await;
        let asked = fake.asked_once();
        assert_eq!(
            (&asked.headers()["content-type"], &asked.body()[..]),
            (&"image/png".parse().unwrap(), wanted)
        );
    }
}

#[tokio::test]
async fn an_integer_that_could_not_be_sent_as_it_is_is_refused() {
    let (fake, upstream) = orders(Attached::new()).await;
    let ask = async |count: &str| {
        let params = format!(r#"{{"name":"order","arguments":{{"what":"x","count":{count}}}}}"#);
        ask_as(&upstream, "tools/call", &params, Context::default()).await.unwrap()
    };
    let refused = ask("12345678901234567890123").await;
    assert!(is_refused(&refused["result"]).contains("an integer of more than 64 bits"), "{refused}");
    assert!(fake.asked().is_empty());
    ask("18446744073709551615").await;
    assert_eq!(fake.asked_once().body(), r#"{"count":18446744073709551615,"what":"x"}"#);
}
