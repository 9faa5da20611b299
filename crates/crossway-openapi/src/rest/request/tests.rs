//! Whatever arguments are, each goes where its parameter says, and nowhere else.

use http::Uri;
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::json;

use super::super::api::{Api, ApiOptions};
use super::super::document::Document;
use super::*;

const BASE: &str = "https://api.example/v1";

fn api(operation: Value) -> Api {
    let document = json!({ "openapi": "3.1.0", "servers": [{ "url": BASE }], "paths": { "/a/{id}/b": { "put": operation } } });
    Api::new(&Document::parse(document.to_string().as_bytes()).unwrap(), &ApiOptions::new()).unwrap()
}

/// An API with a parameter in each place, and a body.
fn each_place() -> Api {
    let parameter =
        |name: &str, place: &str| json!({ "name": name, "in": place, "required": place == "path" });
    let schema = json!({ "type": "object", "properties": { "text": {} } });
    api(json!({
        "operationId": "it",
        "parameters": [parameter("id", "path"), parameter("q", "query"), parameter("r", "query"), parameter("X-H", "header")],
        "requestBody": { "content": { "application/json": { "schema": schema } } },
    }))
}

fn made(api: &Api, arguments: Value) -> Result<Outgoing, BadArguments> {
    let Value::Object(arguments) = arguments else { panic!("no object") };
    request(&api.0.operations[0], &api.0.base, &Attached::new(), arguments)
}

/// What a server reads in a URL: the parts of its path and the members of its query, decoded.
fn read(uri: &Uri) -> (Vec<String>, Vec<(String, String)>) {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let path = uri.path().split('/').skip(1).map(decoded).collect();
    let query =
        uri.query().unwrap_or_default().split('&').filter(|member| !member.is_empty()).map(|member| {
            let (name, value) = member.split_once('=').unwrap();
            (decoded(name), decoded(value))
        });
    (path, query.collect())
}

#[test]
fn what_is_attached_is_not_an_arguments_to_set() {
    let parameters = json!([
        { "name": "id", "in": "path", "required": true },
        { "name": "more", "in": "query", "schema": { "type": "object" } },
        { "name": "X-Key", "in": "header" },
    ]);
    let api = api(json!({ "parameters": parameters }));
    let attached = Attached::new().query("token", "theirs").header("X-Key", "theirs").unwrap();
    let made = |arguments: Value| {
        let Value::Object(arguments) = arguments else { panic!("no object") };
        request(&api.0.operations[0], BASE, &attached, arguments)
    };
    let taken = made(json!({ "id": "1", "more": { "token": "mine" } })).unwrap_err();
    assert_eq!(taken, BadArguments::Taken("token".to_owned()));
    let outgoing = made(json!({ "id": "1", "more": { "a": "b" }, "X-Key": "mine" })).unwrap();
    assert_eq!(outgoing.uri.query(), Some("a=b&token=theirs"));
    assert_eq!(outgoing.headers.get_all("x-key").iter().collect::<Vec<_>>(), ["theirs"]);
    assert!(!format!("{outgoing:?}").contains("theirs"));
}

#[test]
fn styles_are_those_of_the_specification() {
    // OpenAPI 3.1.1, Style Examples.
    let (list, object) = (json!(["blue", "black", "brown"]), json!({ "R": 100, "G": 200, "B": 150 }));
    for (style, explode, value, wanted) in [
        ("form", false, json!("blue"), "color=blue"),
        ("form", false, list.clone(), "color=blue,black,brown"),
        ("form", true, list.clone(), "color=blue&color=black&color=brown"),
        ("form", false, object.clone(), "color=B,150,G,200,R,100"),
        ("form", true, object.clone(), "B=150&G=200&R=100"),
        ("form", true, json!(""), "color="),
        ("spaceDelimited", false, list.clone(), "color=blue%20black%20brown"),
        ("pipeDelimited", false, list.clone(), "color=blue%7Cblack%7Cbrown"),
        ("spaceDelimited", false, object.clone(), "color=B%20150%20G%20200%20R%20100"),
        ("deepObject", true, object.clone(), "color%5BB%5D=150&color%5BG%5D=200&color%5BR%5D=100"),
    ] {
        let color = json!({ "name": "color", "in": "query", "style": style, "explode": explode });
        let api = api(json!({ "parameters": [{ "name": "id", "in": "path", "required": true }, color] }));
        let outgoing = made(&api, json!({ "id": "1", "color": value })).unwrap();
        assert_eq!(outgoing.uri.query(), Some(wanted), "{style} {explode} {value}");
    }
    for (explode, value, wanted) in [
        (false, json!("a,b"), "a%2Cb"),
        (false, list, "blue,black,brown"),
        (false, object.clone(), "B,150,G,200,R,100"),
        (true, object, "B=150,G=200,R=100"),
    ] {
        let id = json!({ "name": "id", "in": "path", "required": true, "explode": explode });
        let outgoing = made(&api(json!({ "parameters": [id] })), json!({ "id": value })).unwrap();
        assert_eq!(outgoing.uri.path(), format!("/v1/a/{wanted}/b"));
    }
}

#[test]
fn what_is_json_in_a_parameter_is_one_text() {
    let content = json!({ "application/json": { "schema": { "type": "object" } } });
    let filter = json!({ "name": "filter", "in": "query", "content": content });
    let api = api(json!({ "parameters": [{ "name": "id", "in": "path", "required": true }, filter] }));
    let outgoing = made(&api, json!({ "id": "1", "filter": { "a": [1, "&"] } })).unwrap();
    assert_eq!(read(&outgoing.uri).1, [("filter".to_owned(), r#"{"a":[1,"&"]}"#.to_owned())]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_server_reads_what_was_meant(id in "\\PC{1,12}|[a./\\\\%?#&=;:@ ]{1,8}", q in "\\PC{0,12}|[a&=%+#; ]{0,8}", r in "[a&=]{0,4}") {
        let arguments = json!({ "id": id, "q": q, "r": r, "text": q });
        match made(&each_place(), arguments) {
            Ok(outgoing) => {
                prop_assert_eq!(outgoing.uri.host(), Some("api.example"));
                let (path, query) = read(&outgoing.uri);
                prop_assert_eq!(path, ["v1", "a", &id, "b"]);
                prop_assert_eq!(query, [("q".to_owned(), q.clone()), ("r".to_owned(), r)]);
                let body: Value = serde_json::from_slice(&outgoing.body).unwrap();
                prop_assert_eq!(body, json!({ "text": q }));
            }
            Err(error) => {
                let is_dotted = id.split(['/', '\\']).any(|part| part == "." || part == "..");
                prop_assert!(is_dotted && matches!(error, BadArguments::Dots(_)), "{}", error);
            }
        }
    }

    #[test]
    fn two_calls_that_differ_make_two_requests(one in "[a,/&=%. ]{1,4}", other in "[a,/&=%. ]{1,4}", lists in any::<bool>()) {
        prop_assume!(one != other);
        let value = |text: &str| if lists { json!([text, "z"]) } else { json!(text) };
        let made = |text: &str| made(&each_place(), json!({ "id": value(text), "q": value(text) }));
        if let (Ok(one), Ok(other)) = (made(&one), made(&other)) {
            prop_assert_ne!(one.uri.path(), other.uri.path());
            prop_assert_ne!(one.uri.query(), other.uri.query());
        }
    }

    #[test]
    fn no_header_is_more_than_itself(text in "\\PC{0,8}|[a \\r\\n\\t\\x00:]{0,8}") {
        let before = made(&each_place(), json!({ "id": "1" })).unwrap().headers.len();
        match made(&each_place(), json!({ "id": "1", "X-H": text })) {
            Ok(outgoing) => {
                prop_assert_eq!(outgoing.headers.len(), before + 1);
                prop_assert_eq!(outgoing.headers["x-h"].as_bytes(), text.as_bytes());
            }
            Err(error) => prop_assert_eq!(error, BadArguments::Header("X-H".to_owned())),
        }
    }

    #[test]
    fn no_part_ends_another(name in "\\PC{1,8}|[a\"\\r\\n]{1,6}", value in "\\PC{0,8}|[-\\r\\n]{0,8}") {
        let schema = json!({ "type": "object", "additionalProperties": true });
        let body = json!({ "content": { "multipart/form-data": { "schema": schema } } });
        let id = json!({ "name": "id", "in": "path", "required": true });
        let api = api(json!({ "parameters": [id], "requestBody": body }));
        let outgoing = made(&api, json!({ "id": "1", "body": { name: value.clone() } })).unwrap();
        let kind = outgoing.headers["content-type"].to_str().unwrap();
        let boundary = kind.split_once("boundary=").unwrap().1;
        let text = std::str::from_utf8(&outgoing.body).unwrap();
        prop_assert_eq!(text.matches(&format!("--{boundary}")).count(), 2);
        let (head, rest) = text.split_once("\r\n\r\n").unwrap();
        prop_assert_eq!(head.lines().count(), 2);
        prop_assert_eq!(rest.strip_suffix(&format!("\r\n--{boundary}--\r\n")), Some(value.as_str()));
    }
}
