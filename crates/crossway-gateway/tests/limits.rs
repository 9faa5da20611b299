//! The table of `crossway limits` is what the crates' `limits.rs` say.
//!
//! `CROSSWAY_BLESS=1 cargo test -p crossway-gateway --test limits` writes it anew; twice, for it is part of the program.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]

mod generated;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crossway_gateway::{CONFIGURABLE, bounds, limits_page};
use generated::{assert_generated, repository};
use serde_json::{Value, json};

/// All Rust files of a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    found.sort();
}

fn is_of_tests(file: &Path) -> bool {
    let mut parts = file.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    !parts.clone().any(|part| part == "src")
        || parts.any(|part| part == "tests" || part == "tests.rs" || part == "crossway-testkit")
}

fn has_limits(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "limits.rs")
}

/// A bound's value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Amount {
    Number(u128),
    Millis(u128),
    Without,
}

/// What a constant's expression comes to. `known` has the values of the file's others.
fn amount(expression: &str, known: &HashMap<String, Amount>) -> Option<Amount> {
    let text = expression.trim();
    let call = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    let number = |text| match amount(text, known)? {
        Amount::Number(number) => Some(number),
        _ => None,
    };
    if let Some(inside) = call("Some") {
        return amount(inside, known);
    }
    for (name, millis) in [("from_secs", 1000), ("from_millis", 1)] {
        let inside =
            call(&format!("Duration::{name}")).or_else(|| call(&format!("std::time::Duration::{name}")));
        if let Some(inside) = inside {
            return Some(Amount::Millis(number(inside)? * millis));
        }
    }
    if let Some((left, right)) = text.split_once(" << ") {
        return Some(Amount::Number(number(left)? << number(right)?));
    }
    if let Some((left, right)) = text.split_once(" * ") {
        return Some(Amount::Number(number(left)? * number(right)?));
    }
    match text {
        "None" => Some(Amount::Without),
        _ => {
            let digits = text.replace('_', "");
            digits
                .parse()
                .ok()
                .map(Amount::Number)
                .or_else(|| known.get(text.trim_start_matches("Self::")).copied())
        }
    }
}

fn told(amount: Amount, is_bytes: bool) -> String {
    match amount {
        Amount::Without => "none".to_owned(),
        Amount::Millis(millis) => match millis {
            _ if millis % 1000 != 0 => format!("{millis}ms"),
            _ if millis > 0 && millis % 3_600_000 == 0 => format!("{}h", millis / 3_600_000),
            _ if millis > 0 && millis % 60_000 == 0 => format!("{}m", millis / 60_000),
            _ => format!("{}s", millis / 1000),
        },
        Amount::Number(number) if is_bytes => match number {
            _ if number > 0 && number % (1 << 20) == 0 => format!("{}MiB", number >> 20),
            _ if number > 0 && number % (1 << 10) == 0 => format!("{}KiB", number >> 10),
            _ => number.to_string(),
        },
        Amount::Number(number) => number.to_string(),
    }
}

/// The constants of a source, each with what stands above it.
fn constants(of: &str, source: &str) -> Vec<Value> {
    let mut known = HashMap::new();
    let (mut table, mut fields): (Vec<Value>, HashMap<String, String>) = (Vec::new(), HashMap::new());
    let (mut doc, mut last_doc, mut within) = (String::new(), String::new(), String::new());
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let text = line.trim();
        if line.starts_with("impl ")
            || line.starts_with("pub struct ")
            || line.starts_with("pub(crate) struct ")
        {
            let name = text.split(' ').rfind(|word| word.starts_with(char::is_uppercase)).unwrap_or_default();
            within = name.to_owned();
        } else if line == "}" {
            within.clear();
        }
        if let Some(words) = text.strip_prefix("///") {
            doc = format!("{doc} {}", words.trim()).trim().to_owned();
            continue;
        }
        if text.starts_with("#[") {
            continue;
        }
        let item = text
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub(super) ")
            .trim_start_matches("pub ");
        if let Some(constant) = item.strip_prefix("const ") {
            let mut whole = constant.to_owned();
            while !whole.ends_with(';') {
                let Some(more) = lines.next() else { break };
                whole = format!("{whole} {}", more.trim());
            }
            let (name, rest) = whole.trim_end_matches(';').split_once(':').unwrap();
            let (kind, expression) = rest.split_once('=').unwrap();
            // What is said of one holds for those right below it.
            if doc.is_empty() {
                doc.clone_from(&last_doc);
            }
            last_doc.clone_from(&doc);
            let field = fields.get(&format!("{within}.{}", name.to_lowercase()));
            let reason = field.map(|field| format!("{field} {doc}")).unwrap_or_else(|| doc.clone());
            if kind.trim() == "&str" || kind.contains('[') {
                doc.clear();
                continue;
            }
            let value = amount(expression, &known)
                .unwrap_or_else(|| panic!("{of}: the value of {name} is not understood: {expression}"));
            known.insert(name.to_owned(), value);
            assert!(!reason.is_empty(), "{of}: {name} has no reason");
            let is_bytes = matches!(value, Amount::Number(_))
                && (["BYTES", "BUFFER", "BODY"].iter().any(|word| name.contains(word))
                    || reason.contains(&told(value, true).replace("KiB", " KiB").replace("MiB", " MiB"))
                        && told(value, true).contains("iB"));
            let unit = match value {
                Amount::Number(_) if is_bytes => "bytes",
                Amount::Number(_) => "count",
                Amount::Millis(_) | Amount::Without => "time",
            };
            let name = if within.is_empty() { name.to_owned() } else { format!("{within}::{name}") };
            table.push(json!({
                "of": of, "name": name, "default": told(value, is_bytes), "unit": unit, "reason": reason,
            }));
        } else if let Some((name, _)) =
            item.split_once(':').filter(|_| !within.is_empty() && item.ends_with(','))
        {
            fields.insert(format!("{within}.{name}"), doc.clone());
        }
        doc.clear();
        if text.is_empty() {
            last_doc.clear();
        }
    }
    table
}

/// The whole table, as the program has it.
fn generated() -> String {
    let mut table = Vec::new();
    let mut crates: Vec<_> = fs::read_dir(repository().join("crates")).unwrap().flatten().collect();
    crates.sort_by_key(fs::DirEntry::file_name);
    for folder in crates {
        let mut found = Vec::new();
        sources(&folder.path().join("src"), &mut found);
        for file in found.into_iter().filter(|file| has_limits(file)) {
            table
                .extend(constants(&folder.file_name().to_string_lossy(), &fs::read_to_string(file).unwrap()));
        }
    }
    assert!(table.len() > 100, "{} limits were found", table.len());
    format!("{:#}\n", Value::Array(table))
}

#[test]
fn the_table_is_what_the_code_says() {
    assert_generated("crates/crossway-gateway/src/bounds.json", &generated());
}

#[test]
fn every_constant_time_is_in_a_table_of_limits() {
    let mut found = Vec::new();
    sources(&repository().join("crates"), &mut found);
    for file in found.iter().filter(|file| !has_limits(file) && !is_of_tests(file)) {
        let source = fs::read_to_string(file).unwrap();
        for line in source.split("#[cfg(test)]").next().unwrap_or_default().lines() {
            let constant = line.split_once("const ").and_then(|(_, constant)| constant.split_once('='));
            let is_time = constant.is_some_and(|(_, value)| value.contains("Duration::from_"));
            assert!(!is_time, "{} belongs into a limits.rs: {}", line.trim(), file.display());
        }
    }
}

#[test]
fn every_quotation_has_its_bound_in_a_table_of_limits() {
    let mut found = Vec::new();
    sources(&repository().join("crates"), &mut found);
    for file in found.iter().filter(|file| !has_limits(file) && !is_of_tests(file)) {
        let source = fs::read_to_string(file).unwrap();
        for line in source.split("#[cfg(test)]").next().unwrap_or_default().lines() {
            let mut taken = line.split(".take(").skip(1).filter_map(|after| after.split_once(')'));
            let is_bare =
                taken.any(|(count, _)| count.len() > 1 && count.bytes().all(|byte| byte.is_ascii_digit()));
            assert!(!is_bare, "{} belongs into a limits.rs: {}", line.trim(), file.display());
        }
    }
}

#[test]
fn the_page_is_what_the_table_says() {
    assert!(bounds().len() > 100, "the table can't be read");
    assert_generated("docs/limits.md", &limits_page());
}

#[test]
fn what_a_key_sets_has_the_default_of_the_limit_that_it_is_said_to_set() {
    let schema: Value = serde_json::from_str(&crossway_gateway::config::schema()).unwrap();
    let table = bounds();
    for (of, name, key) in CONFIGURABLE {
        let bound = table.iter().find(|bound| bound.of == of && bound.name == name);
        let bound = bound.unwrap_or_else(|| panic!("there is no limit {name} of {of}"));
        let mut at = &schema;
        for step in key.split('.') {
            let inner = match (step, at.get("items")) {
                ("*", Some(items)) => items,
                ("*", None) => &at["additionalProperties"],
                _ => &at["properties"][step],
            };
            // An optional one is `anyOf` what it refers to, and nothing.
            let reference = inner["$ref"].as_str().or_else(|| inner["anyOf"][0]["$ref"].as_str());
            let definition =
                reference.and_then(|reference| schema.pointer(reference.trim_start_matches('#')));
            at = match definition {
                Some(definition)
                    if definition.get("properties").is_some()
                        && inner.get("default").is_none_or(Value::is_object) =>
                {
                    definition
                }
                _ => inner,
            };
        }
        assert!(at.is_object(), "there is no key {key}");
        match at.get("default") {
            Some(Value::Number(number)) => assert_eq!(number.to_string(), bound.default, "{key}"),
            Some(Value::String(text)) => assert_eq!(*text, bound.default, "{key}"),
            // What is not said is the layer's own default: the description tells it.
            _ => {
                let described = at["description"].as_str().unwrap_or_default().replace(',', "");
                assert!(described.contains(&bound.default), "{key} tells no default: {at}");
            }
        }
    }
}
