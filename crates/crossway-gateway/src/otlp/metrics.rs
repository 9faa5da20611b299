//! Converts the scraped metrics to OTLP.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::spans::Attribute;
use crate::metrics::{Kind, Row, TABLE};

/// Converts the text of `/metrics` to OTLP's JSON, for the metrics of the table.
pub(super) fn of_text(text: &str, started: &str, now: &str) -> Vec<Value> {
    let mut series: HashMap<&str, Vec<(&str, &str)>> = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name_and_labels, value)) = line.rsplit_once(' ') else { continue };
        let (name, labels) = name_and_labels.split_once('{').unwrap_or((name_and_labels, "}"));
        series.entry(name).or_default().push((labels.trim_end_matches('}'), value));
    }
    let times = |point: Value| {
        let mut point = point;
        point["startTimeUnixNano"] = json!(started);
        point["timeUnixNano"] = json!(now);
        point
    };
    let metric = |row: &Row| {
        let points: Vec<Value> = match row.kind {
            Kind::Histogram(bounds) => histogram(row, bounds, &series).into_iter().map(times).collect(),
            _ => {
                let points = series.get(row.name)?.iter();
                let point = |(labels, value): &(&str, &str)| {
                    number(value)
                        .map(|value| times(json!({"attributes": attributes(labels), "asDouble": value})))
                };
                points.filter_map(point).collect()
            }
        };
        if points.is_empty() {
            return None;
        }
        // AGGREGATION_TEMPORALITY_CUMULATIVE, as Prometheus counts.
        let (kind, data) = match row.kind {
            Kind::Counter => {
                ("sum", json!({"dataPoints": points, "aggregationTemporality": 2, "isMonotonic": true}))
            }
            Kind::Gauge => ("gauge", json!({"dataPoints": points})),
            Kind::Histogram(_) => ("histogram", json!({"dataPoints": points, "aggregationTemporality": 2})),
        };
        let unit = match row.unit.word() {
            "seconds" => "s",
            "bytes" => "By",
            _ => "1",
        };
        Some(json!({"name": row.name, "description": row.help, "unit": unit, kind: data}))
    };
    TABLE.iter().filter_map(metric).collect()
}

/// Returns the points of a histogram. Prometheus has counts up to each bound, OTLP between bounds.
fn histogram(row: &Row, bounds: &[f64], series: &HashMap<&str, Vec<(&str, &str)>>) -> Vec<Value> {
    let of = |suffix: &str| series.get(format!("{}{suffix}", row.name).as_str()).cloned().unwrap_or_default();
    let (sums, buckets) = (of("_sum"), of("_bucket"));
    let point = |(labels, count): &(&str, &str)| {
        // The encoder puts the bound first or last; the other labels are in the same order as in `_count`.
        let own = buckets.iter().filter(|(bucket, _)| without_bound(bucket) == **labels);
        let up_to: Vec<u64> = own.filter_map(|(_, count)| count.parse().ok()).collect();
        if up_to.len() != bounds.len() + 1 {
            return None;
        }
        let between = up_to.iter().enumerate();
        let between = between.map(|(at, count)| count - at.checked_sub(1).map_or(0, |at| up_to[at]));
        let sum = sums.iter().find(|(of, _)| of == labels).and_then(|(_, sum)| number(sum))?;
        Some(json!({
            "attributes": attributes(labels),
            "count": count,
            "sum": sum,
            "bucketCounts": between.map(|count| count.to_string()).collect::<Vec<_>>(),
            "explicitBounds": bounds,
        }))
    };
    of("_count").iter().filter_map(point).collect()
}

/// Returns labels, still escaped, without the bucket's bound.
fn without_bound(labels: &str) -> String {
    let kept: Vec<String> = pairs(labels)
        .into_iter()
        .filter(|(name, _)| *name != "le")
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    kept.join(",")
}

fn attributes(labels: &str) -> Vec<Attribute> {
    pairs(labels).into_iter().map(|(name, value)| Attribute::new(name, unescaped(value))).collect()
}

/// Unescapes a label's value: each backslash escapes the character after it.
fn unescaped(value: &str) -> String {
    let mut characters = value.chars();
    let next = || match characters.next()? {
        '\\' => characters.next().map(|escaped| if escaped == 'n' { '\n' } else { escaped }),
        other => Some(other),
    };
    std::iter::from_fn(next).collect()
}

/// Parses `name="value"` pairs with commas between them; values stay escaped.
fn pairs(mut labels: &str) -> Vec<(&str, &str)> {
    let mut pairs = Vec::new();
    while let Some((name, rest)) = labels.split_once("=\"") {
        let mut is_escaped = false;
        let end = rest.find(|character| {
            let is_end = character == '"' && !is_escaped;
            is_escaped = character == '\\' && !is_escaped;
            is_end
        });
        let Some(end) = end else { break };
        pairs.push((name.trim_start_matches(','), &rest[..end]));
        labels = &rest[end + 1..];
    }
    pairs
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{CallOutcome, Metrics};

    #[test]
    fn what_is_scraped_is_what_is_sent() {
        let metrics = Metrics::new();
        for _ in 0..3 {
            metrics.calls("a\"c,me", "wiki").begin(5).ended(CallOutcome::Ok);
        }
        let text = metrics.scrape(&[], &[], None);
        let sent = of_text(&text, "1", "2");
        let named = |name: &str| sent.iter().find(|metric| metric["name"] == name).unwrap();
        let calls = named("crossway_calls_total");
        let points = calls["sum"]["dataPoints"].as_array().unwrap();
        assert_eq!(points.len(), 6, "one for each outcome");
        let ok = points.iter().find(|point| point["attributes"][2]["value"]["stringValue"] == "ok").unwrap();
        assert_eq!(
            (&ok["asDouble"], &ok["startTimeUnixNano"], &ok["timeUnixNano"]),
            (&json!(3.0), &json!("1"), &json!("2"))
        );
        assert_eq!(ok["attributes"][0]["value"]["stringValue"], "a\"c,me");
        assert_eq!(calls["sum"]["isMonotonic"], true);

        let seconds = named("crossway_call_duration_seconds");
        let point = &seconds["histogram"]["dataPoints"][0];
        let counts: Vec<u64> = point["bucketCounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|count| count.as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(counts.len(), point["explicitBounds"].as_array().unwrap().len() + 1);
        assert_eq!((counts.iter().sum::<u64>(), &point["count"]), (3, &json!("3")));
        assert_eq!(
            (&seconds["unit"], &named("crossway_request_bytes_total")["unit"]),
            (&json!("s"), &json!("By"))
        );
        assert!(
            !sent.iter().any(|metric| metric["name"] == "crossway_denied_total"),
            "without a point, no metric"
        );
    }

    #[test]
    fn labels_are_sent_as_they_were_before_they_were_escaped() {
        assert_eq!(unescaped(r#"a\\nb\nc\"d\\\"e\\"#), "a\\nb\nc\"d\\\"e\\");
    }
}
