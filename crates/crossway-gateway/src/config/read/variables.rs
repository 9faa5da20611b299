//! Expands `${NAME}` in a tree's texts.

use super::super::problem::Problem;
use super::super::tree::{Node, Step, Value};
use super::{Context, Wrong};
use crate::expand::expanded;

/// The keys without variables: permissions are the same in each environment, and `mcpServers` is expanded by its own reader.
pub(in crate::config) const PLAIN: [&str; 5] = ["tenants", "grants", "quotas", "endpoints", "mcpServers"];

/// Expands variables in all texts except those of [`PLAIN`]. Texts that can't be expanded are removed, and returned as errors.
pub(in crate::config) fn expand_all(root: &mut Node<'_>, context: &Context<'_>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if let Value::Map(entries) = &mut root.value {
        for entry in entries.iter_mut().filter(|entry| !PLAIN.contains(&&*entry.key)) {
            let mut path = vec![Step::Key(entry.key.to_string())];
            expand_node(&mut entry.value, &mut path, context, &mut wrong);
        }
    }
    wrong
}

fn expand_node(node: &mut Node<'_>, path: &mut Vec<Step>, context: &Context<'_>, wrong: &mut Vec<Wrong>) {
    match &mut node.value {
        Value::Text(text) if text.text.contains("${") => match expanded(&text.text, context.lookup) {
            Ok(expanded) => {
                (text.text, text.is_expanded) = (expanded.text.into(), true);
                text.has_default = expanded.has_default;
            }
            Err(error) => {
                wrong.push((path.clone(), Problem::Variable(error)));
                node.value = Value::Removed;
            }
        },
        Value::List(list) => {
            for (index, node) in list.iter_mut().enumerate() {
                path.push(Step::Index(index));
                expand_node(node, path, context, wrong);
                path.pop();
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                path.push(Step::Key(entry.key.to_string()));
                expand_node(&mut entry.value, path, context, wrong);
                path.pop();
            }
        }
        _ => {}
    }
}
