use serde_json::json;

use super::*;

fn refused(text: &str) -> String {
    Document::parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn yaml_and_json_say_the_same() {
    let yaml = "\u{feff}openapi: 3.0.1\ninfo: {title: A, version: 1.0}\npaths:\n  /x:\n    get: &get\n      responses: {200: {description: 'on'}}\n    put: *get\nn: [0x10, 0o17, -1, 1e3, ~, no, .inf, !!str 5, 99999999999999999999]\n";
    let document = Document::parse(yaml.as_bytes()).unwrap();
    let operation = json!({ "responses": { "200": { "description": "on" } } });
    let wanted = json!({
        "openapi": "3.0.1", "info": { "title": "A", "version": "1.0" }, "paths": { "/x": { "get": operation, "put": operation } },
        "n": [16, 15, -1, 1000.0, null, "no", ".inf", "5", 99999999999999999999_f64],
    });
    assert_eq!(*document.root(), wanted);
    assert_eq!(*Document::parse(wanted.to_string().as_bytes()).unwrap().root(), wanted);
}

#[test]
fn a_version_may_be_a_number() {
    let document = Document::parse(b"openapi: 3.1\ninfo: { title: 2048, version: 1.0 }\npaths: {}").unwrap();
    assert_eq!((document.title(), document.version()), ("2048", "1.0"));
}

#[test]
fn what_is_no_openapi_document_is_refused_with_its_reason() {
    for (text, wanted) in [
        ("", "it is no OpenAPI document"),
        ("[]", "it is no OpenAPI document"),
        ("{}", "it is no OpenAPI document"),
        ("swagger: '2.0'", "it is a Swagger 2.0 document"),
        ("openapi: 4.0.0", "it is of OpenAPI \"4.0.0\""),
        ("openapi: 3.10.0", "it is of OpenAPI \"3.10.0\""),
        ("{\"openapi\": \"3.0.0\",}", "it is not valid JSON: trailing comma (line 1, column 21)"),
        ("{\"a\": 1, \"a\": 2}", "the key \"a\" occurs twice"),
        ("{} {}", "trailing characters"),
        ("a: 1\na: 2", "the key \"a\" occurs twice (line 2, column 1)"),
        ("a: [", "it is not valid YAML"),
        ("a: 1\n---\nb: 2", "a second document begins here"),
        ("a: &a {b: *a}", "the alias (*) stands within what it stands for"),
        ("a: &a {}\n<<: *a", "merge keys (<<)"),
        ("? [a]\n: b", "a list or a map can't be a key"),
        ("a: *b", "it is not valid YAML"),
    ] {
        let error = refused(text);
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
    assert_eq!(Document::parse(b"\xff").unwrap_err(), DocumentError::NotText);
}

#[test]
fn a_document_of_50_mb_is_not_looked_into() {
    let text = vec![b' '; 50_000_000];
    let limit = limits::DOCUMENT_BYTES;
    assert_eq!(Document::parse(&text).unwrap_err(), DocumentError::TooLong { bytes: 50_000_000, limit });
}

#[test]
fn depth_without_end_is_refused() {
    let too_deep = DocumentError::TooDeep { limit: limits::DOCUMENT_DEPTH };
    for levels in [limits::DOCUMENT_DEPTH + 2, 100_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let text = format!("{{\"a\":{}1{}}}", open.repeat(levels), close.repeat(levels));
            assert_eq!(Document::parse(text.as_bytes()).unwrap_err(), too_deep);
        }
    }
    let yaml = format!("{}x", "- ".repeat(limits::DOCUMENT_DEPTH + 2));
    assert_eq!(Document::parse(yaml.as_bytes()).unwrap_err(), too_deep);
    // The parser has its own bound on flow collections.
    let flow = format!("a: {}", "[".repeat(100_000));
    assert!(Document::parse(flow.as_bytes()).is_err());
}

#[test]
fn values_without_end_are_refused() {
    let too_much = DocumentError::TooMuch { limit: limits::DOCUMENT_VALUES };
    let json = format!("{{\"a\":[{}0]}}", "0,".repeat(limits::DOCUMENT_VALUES));
    assert_eq!(Document::parse(json.as_bytes()).unwrap_err(), too_much);
}

#[test]
fn aliases_of_aliases_are_counted_before_they_are_copied() {
    let mut yaml = String::from("l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let before = format!("*l{}", level - 1);
        yaml.push_str(&format!("l{level}: &l{level} [{}]\n", [before.as_str(); 10].join(", ")));
    }
    let error = Document::parse(yaml.as_bytes()).unwrap_err();
    assert_eq!(error, DocumentError::TooMuch { limit: limits::DOCUMENT_VALUES });
}

#[test]
fn a_long_text_is_not_copied_for_each_of_its_aliases() {
    let too_repetitive = DocumentError::TooRepetitive { limit: limits::DOCUMENT_REPEATED_BYTES };
    let long = "x".repeat(limits::DOCUMENT_REPEATED_BYTES / 8);
    for anchor in [format!("&a {long}"), format!("&a [[{long}]]")] {
        let yaml = format!("openapi: 3.1.0\na: {anchor}\nb: [{}*a]\n", "*a, ".repeat(8));
        assert_eq!(Document::parse(yaml.as_bytes()).unwrap_err(), too_repetitive);
    }
    // Names of members, and texts that become names, count too. The parser accepts no long names.
    let name = "x".repeat(1000);
    for alias in ["*a", "? *k\n  : 1"] {
        let aliases = format!("- {alias}\n").repeat(limits::DOCUMENT_REPEATED_BYTES / name.len());
        let yaml = format!("openapi: 3.1.0\na: &a {{ &k {name}: 1 }}\nb:\n{aliases}");
        assert_eq!(Document::parse(yaml.as_bytes()).unwrap_err(), too_repetitive);
    }
    let yaml = format!("openapi: 3.1.0\na: &a {long}\nb: *a\n");
    assert!(Document::parse(yaml.as_bytes()).is_ok());
}

#[test]
fn references_that_lead_in_a_circle_end() {
    let root =
        json!({ "a": { "$ref": "#/b" }, "b": { "$ref": "#/a" }, "c~/d": { "$ref": "#/e%20f" }, "e f": 1 });
    assert_eq!(resolve(&root, &root["a"]), Err(Broken::Circle("#/b".to_owned())));
    assert_eq!(resolve(&root, &json!({ "$ref": "#/c~0~1d" })), Ok(&json!(1)));
    assert_eq!(resolve(&root, &json!({ "$ref": "#/none" })), Err(Broken::Missing("#/none".to_owned())));
    assert!(matches!(resolve(&root, &json!({ "$ref": "file:///etc/passwd" })), Err(Broken::Remote(_))));
}
