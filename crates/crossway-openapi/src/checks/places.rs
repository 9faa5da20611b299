//! Bounds the search for all validation errors.

use serde_json::Value;

use super::limits;

/// Whether the search for all faults is feasible: whether the schema stays small with its references expanded, recursive ones as often as
/// the arguments are deep.
///
/// Where two alternatives refer to themselves, each level of arguments doubles the search. Whether arguments are valid at all is known
/// without it, since validation caches results.
pub(super) fn are_few(schema: &Value, arguments: &Value) -> bool {
    let levels = levels(arguments);
    Places { root: schema, levels, left: limits::FAULT_PLACES, within: Vec::new() }.walk(schema, 0)
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(levels).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(levels).max().unwrap_or_default(),
        _ => 0,
    }
}

struct Places<'a> {
    root: &'a Value,
    levels: usize,
    /// The number of places that may still be visited.
    left: usize,
    /// The references that are being followed.
    within: Vec<&'a str>,
}

impl<'a> Places<'a> {
    /// Whether the number of places stays within the limit.
    fn walk(&mut self, node: &'a Value, depth: usize) -> bool {
        if self.left == 0 || depth > limits::FAULT_DEPTH {
            return false;
        }
        self.left -= 1;
        match node {
            Value::Array(list) => list.iter().all(|node| self.walk(node, depth + 1)),
            Value::Object(members) => members.iter().all(|(keyword, node)| match (keyword.as_str(), node) {
                ("$ref", Value::String(reference)) => self.refer(reference, depth + 1),
                // Their targets depend on the evaluation.
                ("$dynamicRef" | "$recursiveRef", Value::String(_)) => false,
                ("$id", Value::String(_)) => depth == 0,
                _ => self.walk(node, depth + 1),
            }),
            _ => true,
        }
    }

    fn refer(&mut self, reference: &'a str, depth: usize) -> bool {
        if self.within.iter().filter(|other| **other == reference).count() > self.levels {
            return true;
        }
        let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let Some(target) = target else { return false };
        self.within.push(reference);
        let are_few = self.walk(target, depth);
        self.within.pop();
        are_few
    }
}
