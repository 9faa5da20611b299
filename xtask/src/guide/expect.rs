//! Checks whether a command printed what the page shows.

use serde_json::Value;

/// Stands for any text in a line, or for any lines if alone in one.
const ANY: &str = "...";

/// Describes the first difference, if any: the first line that is missing, and the line in its place.
pub(super) fn difference(expected: &[&str], printed: &str) -> Option<String> {
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    let expected: Vec<&str> = expected.iter().map(|line| line.trim_end()).collect();
    // Blank lines at the end are ignored: a page has none.
    let printed = trim_blank(&printed);
    if lines_match(trim_blank(&expected), printed) {
        return None;
    }
    let first = expected.iter().position(|line| {
        line.trim() != ANY && !printed.iter().any(|candidate| line_matches(line, candidate))
    });
    let missing = first.map_or_else(
        || "its lines are in another order, or there are more".to_owned(),
        |at| format!("nothing like {:?}", expected[at]),
    );
    Some(format!("{missing} in what it printed:\n{}", indent(&printed.join("\n"))))
}

fn trim_blank<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |at| at + 1);
    &lines[..end]
}

fn lines_match(expected: &[&str], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line.trim() == ANY => {
            (0..=printed.len()).any(|skipped| lines_match(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| line_matches(line, first) && lines_match(rest, others)),
    }
}

fn line_matches(expected: &str, printed: &str) -> bool {
    let mut parts = expected.split(ANY);
    let Some(mut rest) = parts.next().and_then(|start| printed.strip_prefix(start)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(end) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(end)
}

/// Describes the difference between the page's JSON answer and the actual one, if any. The order of keys does not matter.
pub(super) fn json_difference(expected: &str, printed: &str) -> Option<String> {
    let read = |text: &str| serde_json::from_str::<Value>(text);
    match (read(expected), read(printed)) {
        (Err(error), _) => Some(format!("the page's own text is no JSON: {error}")),
        (_, Err(error)) => Some(format!("what came is no JSON: {error}\n{}", indent(printed))),
        (Ok(expected), Ok(came)) if value_matches(&expected, &came) => None,
        (Ok(_), Ok(came)) => Some(format!("what came is\n{}", indent(&format!("{came:#}")))),
    }
}

fn value_matches(expected: &Value, came: &Value) -> bool {
    match (expected, came) {
        (Value::String(text), _) if text == ANY => true,
        (Value::String(text), Value::String(other)) => line_matches(text, other),
        (Value::Array(items), Value::Array(others)) => {
            items.len() == others.len()
                && items.iter().zip(others).all(|(item, other)| value_matches(item, other))
        }
        (Value::Object(members), Value::Object(others)) => {
            // `"...": "..."` stands for more members.
            let is_open = members.contains_key(ANY);
            let named = members.iter().filter(|(name, _)| *name != ANY);
            (is_open || members.len() == others.len())
                && named
                    .into_iter()
                    .all(|(name, value)| others.get(name).is_some_and(|other| value_matches(value, other)))
        }
        _ => expected == came,
    }
}

/// Indents the last lines of a text, for showing them below a finding.
pub(super) fn indent(text: &str) -> String {
    const MOST: usize = 25;
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(MOST);
    let cut = if from > 0 { format!("    ({from} lines more)\n") } else { String::new() };
    let shown: Vec<String> = lines[from..]
        .iter()
        .map(|line| format!("    {}", line.chars().take(400).collect::<String>()))
        .collect();
    cut + &shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_dots_stand_for_any_text_and_alone_for_any_lines() {
        assert_eq!(difference(&["id: ...", "...", "end"], "id: 7\na\nb\nend\n\n"), None);
        assert_eq!(difference(&["{\"a\":{...},\"b\":1}"], "{\"a\":{\"c\":[]},\"b\":1}"), None);
        assert_eq!(difference(&[], ""), None);
        assert_eq!(difference(&["..."], ""), None);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let said = difference(&["a", "b"], "a\nc\n").unwrap_or_default();
        assert!(said.contains("\"b\"") && said.contains("    c"), "{said}");
        assert!(difference(&["a"], "a\nb").is_some());
        assert!(difference(&[], "a").is_some());
        assert!(difference(&["a...b"], "ab c").is_some());
        assert!(difference(&["aba...aba"], "aba").is_some());
    }

    #[test]
    fn json_is_compared_by_what_it_says() {
        assert_eq!(json_difference(r#"{"a":"...","b":[1]}"#, r#"{ "b": [1], "a": {} }"#), None);
        assert_eq!(json_difference(r#"{"a":1,"...":"..."}"#, r#"{"a":1,"b":2}"#), None);
        assert!(json_difference(r#"{"a":1}"#, r#"{"a":1,"b":2}"#).is_some());
        assert!(json_difference("{", "{}").is_some());
        assert!(json_difference("{}", "nothing").is_some());
    }
}
