//! The three formats give the same tree of the same values, and stop at their bounds.

use proptest::prelude::*;
use serde_json::json;

use super::super::tree::Text;
use super::*;

/// A tree without its places.
fn plain(node: &Node<'_>) -> serde_json::Value {
    match &node.value {
        Value::Null | Value::Removed => serde_json::Value::Null,
        Value::Bool(is) => json!(is),
        Value::Whole(number) => {
            i64::try_from(*number).map_or(json!(number.to_string()), |number| json!(number))
        }
        Value::Real(number) => json!(number),
        Value::Text(Text { text, .. }) => json!(text),
        Value::List(list) => list.iter().map(plain).collect(),
        Value::Map(entries) => {
            entries.iter().map(|entry| (entry.key.to_string(), plain(&entry.value))).collect()
        }
    }
}

fn read(format: Format, text: &str) -> serde_json::Value {
    match format.parse(text) {
        Ok(node) => plain(&node),
        Err(faults) => panic!("{text}: {:?}", problems(faults)),
    }
}

fn problems(faults: Vec<Fault>) -> Vec<(usize, String)> {
    let told = |what| match what {
        What::Problem(problem) => problem.to_string(),
        What::Twice(key, first) => format!("{key} twice, first at {first}"),
    };
    faults.into_iter().map(|(at, what)| (at, told(what))).collect()
}

fn problem(format: Format, text: &str) -> String {
    problems(format.parse(text).err().unwrap()).remove(0).1
}

#[test]
fn plain_scalars_of_yaml_are_what_its_core_schema_says() {
    let text = "[~, null, '', true, False, yes, no, on, 1, -1, +1, 0x10, 0o10, 010, 1.5, 1e3, .5, 1_000, 1.2.3, '1', \"true\", !!str 1, 12:30]";
    assert_eq!(
        read(Format::Yaml, text),
        json!([
            null, null, "", true, false, "yes", "no", "on", 1, -1, 1, 16, 8, 10, 1.5, 1000.0, 0.5, "1_000",
            "1.2.3", "1", "true", "1", "12:30"
        ])
    );
}

#[test]
fn an_alias_is_what_it_stands_for() {
    let text = "a: &a { b: [1] }\nc: *a\n? &k key\n: 1\n";
    assert_eq!(read(Format::Yaml, text), json!({ "a": { "b": [1] }, "c": { "b": [1] }, "key": 1 }));
}

#[test]
fn what_yaml_has_and_configs_need_not_is_refused() {
    for (text, wanted) in [
        ("a: &a { b: 1 }\nc: { <<: *a }", "merge keys"),
        ("a: 1\n---\nb: 1", "a second document"),
        ("a: !secret b", "the tag (!)"),
        ("a: !secret { b: c }", "the tag (!)"),
        ("[a]: b", "can't be a key"),
        ("a: &a [*a]", "stands within what it stands for"),
        ("a: &a [b]\n*a : c", "can't be a key"),
        ("a: *b", "unknown anchor"),
    ] {
        let told = problem(Format::Yaml, text);
        assert!(told.contains(wanted), "{text}: {told}");
    }
}

#[test]
fn what_is_nested_too_deep_or_too_large_is_refused_in_each_format() {
    let levels = limits::DEPTH + 2;
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    for (format, text) in [
        (Format::Yaml, format!("a: {open}{close}")),
        (Format::Json, format!("{{\"a\": {open}{close}}}")),
        (Format::Toml, format!("a = {open}{close}")),
    ] {
        let told = problem(format, &text);
        assert!(told.contains("levels deep"), "{told}");
    }
    // Far beyond, the parsers have bounds of their own.
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    for (format, text) in [
        (Format::Yaml, format!("a: {open}{close}")),
        (Format::Json, format!("{{\"a\": {open}{close}}}")),
        (Format::Toml, format!("a = {open}{close}")),
    ] {
        assert!(format.parse(&text).is_err());
    }
    let many = "0,".repeat(limits::VALUES);
    let told = problem(Format::Json, &format!("[{many}0]"));
    assert!(told.contains("values"), "{told}");
}

#[test]
fn places_are_those_of_keys_and_values() {
    for (format, text) in [
        (Format::Yaml, "äb: { key: [1, 'x'] }"),
        (Format::Json, "{\"äb\": { \"key\": [1, \"x\"] }}"),
        (Format::Json, "{\"äb\": { \"key\\u0073\": [1, \"x\"] }}"),
        (Format::Toml, "\"äb\" = { key = [1, 'x'] }"),
    ] {
        let Ok(root) = format.parse(text) else { panic!("{text} is refused") };
        let Value::Map(entries) = &root.value else { panic!("no map") };
        assert!(text[entries[0].key_at..].trim_start_matches('"').starts_with("äb"), "{text}");
        let Value::Map(inner) = &entries[0].value.value else { panic!("no map") };
        assert!(text[inner[0].key_at..].trim_start_matches('"').starts_with("key"), "{text}");
        let Value::List(list) = &inner[0].value.value else { panic!("no list") };
        assert!(text[list[1].at..].starts_with(['\'', '"']), "{text}");
    }
}

/// Values as JSON has them, without numbers that formats read in different ways.
fn values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|is| json!(is)),
        any::<i32>().prop_map(|number| json!(number)),
        "[a-zäß#:\\-{}\\[\\]$'\" \\\\\n\t0-9~]{0,12}".prop_map(|text| json!(text)),
    ];
    let inner = leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|list| json!(list)),
            prop::collection::btree_map("[a-z.:ä \"]{0,6}", inner, 0..6).prop_map(|map| json!(map)),
        ]
    });
    prop::collection::btree_map("[a-z]{1,6}", inner, 0..6).prop_map(|map| json!(map))
}

proptest! {
    #[test]
    fn json_is_the_same_read_as_yaml(value in values(), pretty: bool) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert_eq!(read(Format::Json, &text), value.clone());
        prop_assert_eq!(read(Format::Yaml, &text), value);
    }

    #[test]
    fn whatever_the_text_no_format_panics_and_faults_are_within_it(
        text in prop_oneof![".{0,80}", "[\\[\\]{}:,&*!|>'\"#\\-?a=\n \\.0-9]{0,80}"],
    ) {
        for format in [Format::Yaml, Format::Toml, Format::Json] {
            if let Err(faults) = format.parse(&text) {
                prop_assert!(!faults.is_empty());
                // A JSON text that ends too early has its fault behind its end.
                prop_assert!(faults.iter().all(|(at, _)| *at <= text.len() + 1), "{:?}", problems(faults));
            }
        }
    }
}
