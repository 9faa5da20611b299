//! Expands `${NAME}` in a tree's texts.

use super::super::problem::Problem;
use super::super::tree::{Node, Step, Value};
use super::{Context, Wrong};
use crate::expand::expanded;

/// What is the same in each environment: who may do what. `mcpServers` is expanded by what reads it.
pub(in crate::config) const PLAIN: [&str; 5] = ["tenants", "grants", "quotas", "endpoints", "mcpServers"];

/// Puts variables in the place of their names in all texts but those of [`PLAIN`]. What can't be is taken away, and told.
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
