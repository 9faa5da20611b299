//! Properties: every argument goes where its parameter says, and nowhere else.

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

/// Reads a URL like a server: the segments of its path and the members of its query, decoded.
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
fn no_name_that_an_argument_makes_is_one_that_is_attached() {
    let parameters = json!([
        { "name": "id", "in": "path", "required": true },
        { "name": "filter", "in": "query", "style": "deepObject", "schema": { "type": "object" } },
        { "name": "more", "in": "query", "schema": { "type": "object" } },
        { "name": "TOKEN", "in": "query" },
        { "name": "SID", "in": "cookie" },
    ]);
    let api = api(json!({ "parameters": parameters }));
    let attached = Attached::new().query("filter[tenant]", "theirs").query("token", "theirs");
    let attached = attached.header("Cookie", "sid=theirs").unwrap();
    let made = |mut arguments: Value| {
        arguments["id"] = "1".into();
        let Value::Object(arguments) = arguments else { panic!("no object") };
        request(&api.0.operations[0], BASE, &attached, arguments)
    };
    for (arguments, taken) in [
        (json!({ "filter": { "tenant": "mine" } }), "filter[tenant]"),
        (json!({ "filter": { "Tenant": ["mine"] } }), "filter[Tenant]"),
        (json!({ "more": { "filter[tenant]": "mine" } }), "filter[tenant]"),
        (json!({ "more": { "Token": "mine" } }), "Token"),
    ] {
        assert_eq!(made(arguments).unwrap_err(), BadArguments::Taken(taken.to_owned()));
    }
    let outgoing = made(json!({ "filter": { "a": 1 }, "TOKEN": "mine", "SID": "mine" })).unwrap();
    let query = "filter%5Ba%5D=1&filter%5Btenant%5D=theirs&token=theirs";
    assert_eq!(outgoing.uri.query(), Some(query));
    assert_eq!(outgoing.headers["cookie"], "sid=theirs");
}

#[test]
fn what_is_attached_is_there_once() {
    let parameters = json!([
        { "name": "id", "in": "path", "required": true },
        { "name": "token", "in": "query", "required": true },
        { "name": "sid", "in": "cookie" },
        { "name": "lang", "in": "cookie" },
        { "name": "more", "in": "cookie", "schema": { "type": "object" } },
    ]);
    let api = api(json!({ "parameters": parameters }));
    let attached = Attached::new().query("token", "theirs").header("Cookie", "sid=theirs; other=1").unwrap();
    let made = |arguments: Value| {
        let Value::Object(arguments) = arguments else { panic!("no object") };
        request(&api.0.operations[0], BASE, &attached, arguments)
    };
    let outgoing = made(json!({ "id": "1", "token": "mine", "sid": "mine", "lang": "de" })).unwrap();
    assert_eq!(outgoing.uri.query(), Some("token=theirs"));
    let cookies: Vec<_> = outgoing.headers.get_all("cookie").iter().collect();
    assert_eq!(cookies, ["sid=theirs; other=1; lang=de"]);
    assert!(cookies[0].is_sensitive());
    assert_eq!(made(json!({ "id": "1" })).unwrap().headers["cookie"], "sid=theirs; other=1");
    let taken = made(json!({ "id": "1", "more": { "sid": "mine" } })).unwrap_err();
    assert_eq!(taken, BadArguments::Taken("sid".to_owned()));
}

/// The cookies made of a parameter `color`.
fn cookies_of(explode: Option<bool>, value: Value) -> Result<String, BadArguments> {
    let mut color = json!({ "name": "color", "in": "cookie" });
    if let Some(explode) = explode {
        color["explode"] = explode.into();
    }
    let api = api(json!({ "parameters": [{ "name": "id", "in": "path", "required": true }, color] }));
    let outgoing = made(&api, json!({ "id": "1", "color": value }))?;
    assert!(outgoing.headers.get_all("cookie").iter().count() <= 1);
    Ok(outgoing.headers.get("cookie").map_or("", |value| value.to_str().unwrap()).to_owned())
}

#[test]
fn cookies_are_written_as_forms_are() {
    let (list, object) = (json!(["blue", "black"]), json!({ "R": 100, "G": null }));
    for (explode, value, wanted) in [
        (None, json!("blue"), "color=blue"),
        (None, json!(5), "color=5"),
        (None, json!(""), "color="),
        (None, json!(null), ""),
        (None, list.clone(), "color=blue; color=black"),
        (Some(false), list, "color=blue,black"),
        (Some(true), object, "R=100"),
        (Some(false), json!({ "R": 100, "G": "," }), "color=G,%2C,R,100"),
        (None, json!("a; sid=b, c\r\nX: y\0\"é"), "color=a%3B%20sid%3Db%2C%20c%0D%0AX%3A%20y%00%22%C3%A9"),
        (None, json!(["a; b=c"]), "color=a%3B%20b%3Dc"),
        (None, json!({ "a=b; c": ";" }), "a%3Db%3B%20c=%3B"),
    ] {
        assert_eq!(cookies_of(explode, value.clone()).unwrap(), wanted, "{explode:?} {value}");
    }
    let long = cookies_of(None, json!("x".repeat(limits::HEADER_BYTES))).unwrap_err();
    assert_eq!(long, BadArguments::LongHeader("Cookie".to_owned()));
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
}

#[test]
fn what_has_nothing_in_it_is_not_in_a_query() {
    // RFC 6570, section 2.3: undefined values, and lists and associative arrays that have none other.
    for (style, explode, value, wanted) in [
        ("form", false, json!([]), None),
        ("form", true, json!([]), None),
        ("form", false, json!({}), None),
        ("form", true, json!({ "a": null }), None),
        ("form", false, json!({ "a": null }), None),
        ("spaceDelimited", false, json!([null]), None),
        ("pipeDelimited", false, json!([]), None),
        ("deepObject", true, json!({ "a": [] }), None),
        ("form", false, json!([null, "a", null, ""]), Some("color=a,")),
        ("form", true, json!([null, "a", null, ""]), Some("color=a&color=")),
        ("form", false, json!({ "a": null, "b": 1 }), Some("color=b,1")),
    ] {
        let color = json!({ "name": "color", "in": "query", "style": style, "explode": explode });
        let api = api(json!({ "parameters": [{ "name": "id", "in": "path", "required": true }, color] }));
        let outgoing = made(&api, json!({ "id": "1", "color": value })).unwrap();
        assert_eq!(outgoing.uri.query(), wanted, "{style} {explode} {value}");
    }
}

/// The path made of a parameter `id` of this style, without the text around it.
fn path_of(style: &str, explode: bool, value: Value) -> Result<String, BadArguments> {
    let id = json!({ "name": "id", "in": "path", "required": true, "style": style, "explode": explode });
    let outgoing = made(&api(json!({ "parameters": [id] })), json!({ "id": value }))?;
    let path = outgoing.uri.path().strip_prefix("/v1/a/").unwrap();
    Ok(path.strip_suffix("/b").unwrap().to_owned())
}

#[test]
fn styles_of_paths_are_those_of_the_specification() {
    // OpenAPI 3.1.1, Style Examples; RFC 6570, sections 3.2.2, 3.2.5 and 3.2.7. Members stand in the order of their names.
    let (list, object) = (json!(["blue", "black", "brown"]), json!({ "R": 100, "G": 200, "B": 150 }));
    let keys = json!({ "semi": ";", "dot": ".", "comma": "," });
    for (style, explode, value, wanted) in [
        ("simple", false, json!("a,b"), "a%2Cb"),
        ("simple", false, list.clone(), "blue,black,brown"),
        ("simple", true, list.clone(), "blue,black,brown"),
        ("simple", false, object.clone(), "B,150,G,200,R,100"),
        ("simple", true, object.clone(), "B=150,G=200,R=100"),
        ("simple", false, keys.clone(), "comma,%2C,dot,.,semi,%3B"),
        ("simple", true, keys.clone(), "comma=%2C,dot=.,semi=%3B"),
        ("label", false, json!("blue"), ".blue"),
        ("label", true, json!("blue"), ".blue"),
        ("label", false, json!("50%"), ".50%25"),
        ("label", false, list.clone(), ".blue,black,brown"),
        ("label", true, list.clone(), ".blue.black.brown"),
        ("label", false, object.clone(), ".B,150,G,200,R,100"),
        ("label", true, object.clone(), ".B=150.G=200.R=100"),
        ("label", false, keys.clone(), ".comma,%2C,dot,.,semi,%3B"),
        ("label", true, keys.clone(), ".comma=%2C.dot=..semi=%3B"),
        ("label", true, json!({ "a": "" }), ".a="),
        ("matrix", false, json!(""), ";id"),
        ("matrix", true, json!(""), ";id"),
        ("matrix", false, json!("blue"), ";id=blue"),
        ("matrix", true, json!("blue"), ";id=blue"),
        ("matrix", false, json!(true), ";id=true"),
        ("matrix", false, json!("50%"), ";id=50%25"),
        ("matrix", false, list.clone(), ";id=blue,black,brown"),
        ("matrix", true, list, ";id=blue;id=black;id=brown"),
        ("matrix", true, json!(["", null, "a"]), ";id;id=a"),
        ("matrix", false, object.clone(), ";id=B,150,G,200,R,100"),
        ("matrix", true, object, ";B=150;G=200;R=100"),
        ("matrix", false, keys.clone(), ";id=comma,%2C,dot,.,semi,%3B"),
        ("matrix", true, keys, ";comma=%2C;dot=.;semi=%3B"),
        ("matrix", true, json!({ "a": "", "b": null }), ";a"),
    ] {
        assert_eq!(path_of(style, explode, value.clone()).unwrap(), wanted, "{style} {explode} {value}");
    }
}

#[test]
fn no_style_of_a_path_leads_elsewhere() {
    let (empty, dots) = (BadArguments::Empty("id".to_owned()), BadArguments::Dots("id".to_owned()));
    for (style, explode, value, wanted) in [
        ("label", false, json!(""), &empty),
        ("label", true, json!([]), &empty),
        ("label", false, json!({ "a": null }), &empty),
        ("matrix", false, json!([]), &empty),
        ("simple", false, json!([null]), &empty),
        // Values that become `.` or `..` with the style's own delimiter.
        ("label", false, json!("."), &dots),
        ("label", true, json!(["", ""]), &dots),
        ("label", false, json!("/x"), &dots),
        ("label", true, json!(["", "/x"]), &dots),
        ("label", true, json!(["", "\\x"]), &dots),
        ("label", true, json!(["", ";x"]), &dots),
        ("matrix", false, json!("/../x"), &dots),
        ("matrix", true, json!({ "/..": "" }), &dots),
        ("simple", false, json!("..;x"), &dots),
    ] {
        let refused = path_of(style, explode, value.clone());
        assert_eq!(refused.as_ref().unwrap_err(), wanted, "{style} {explode} {value}");
    }
    // Nothing in a value ends what it is in.
    let hostile = "a;b=c/d,e?f#g.h\r\n %2F";
    let encoded = "a%3Bb%3Dc%2Fd%2Ce%3Ff%23g.h%0D%0A%20%252F";
    assert_eq!(path_of("matrix", false, json!(hostile)).unwrap(), format!(";id={encoded}"));
    assert_eq!(path_of("label", false, json!(hostile)).unwrap(), format!(".{encoded}"));
    assert_eq!(path_of("matrix", true, json!({ hostile: 1 })).unwrap(), format!(";{encoded}=1"));
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
                prop_assert!(leads_elsewhere(&id) && matches!(error, BadArguments::Dots(_)), "{}", error);
            }
        }
    }

    #[test]
    fn a_path_has_as_many_parts_as_its_template(
        parts in proptest::collection::vec("\\PC{0,4}|[a.;,=/\\\\%?#]{0,4}", 0..4),
        style in "simple|label|matrix",
        explode in any::<bool>(),
        is_object in any::<bool>(),
    ) {
        let value = if is_object {
            parts.iter().map(|part| (part.clone(), Value::from(part.as_str()))).collect::<Map<_, _>>().into()
        } else {
            json!(parts)
        };
        if let Ok(path) = path_of(&style, explode, value) {
            prop_assert!(!path.contains(['/', '\\', '?', '#']), "{}", path);
            let delimiters = path.matches([';', ',']).count();
            prop_assert!(delimiters <= parts.len() * 2 + 1, "{}", path);
            let decoded = percent_decode_str(&path).decode_utf8().unwrap();
            prop_assert!(decoded.split(['/', '\\']).all(|part| part != "." && part != ".."), "{}", decoded);
        }
    }

    #[test]
    fn no_cookie_ends_another(text in "\\PC{0,8}|[a;,= \"\\r\\n\\t\\x00]{0,8}", other in "[a;=]{0,4}") {
        let cookies = cookies_of(None, json!([text, other])).unwrap();
        let read: Vec<String> = cookies.split(';').map(|pair| {
            let (name, value) = pair.trim().split_once('=').unwrap();
            assert_eq!(name, "color");
            percent_decode_str(value).decode_utf8().unwrap().into_owned()
        }).collect();
        prop_assert_eq!(read, [text, other]);
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
