//! Parses TOML into a tree with positions, by the crate `toml`. It reports every error of a text.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::problem::Problem;
use super::super::tree::{Entry, Node, Value};
use super::{Budget, Entries, Fault};

pub(super) fn parse(text: &str) -> Result<Node<'_>, Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return self::table(0, table.into_inner(), 0, &mut Budget::default()).map_err(|fault| vec![fault]);
    }
    let faults = errors.iter().map(|error| {
        let at = error.span().map_or(0, |span| span.start);
        (at, Problem::Syntax { format: "TOML", message: error.message().to_owned() }.into())
    });
    let mut faults: Vec<_> = faults.collect();
    faults.sort_by_key(|(at, _)| *at);
    Err(faults)
}

fn table<'a>(at: usize, table: DeTable<'a>, depth: usize, budget: &mut Budget) -> Result<Node<'a>, Fault> {
    budget.take(at, depth)?;
    let mut entries = Entries::default();
    for (key, value) in table {
        let key_at = key.span().start;
        let value = node(value, depth + 1, budget)?;
        entries.add(Entry { key: key.into_inner(), key_at, value })?;
    }
    // The crate sorts them by name.
    entries.entries.sort_by_key(|entry| entry.key_at);
    Ok(Node { at, value: Value::Map(entries.entries) })
}

fn node<'a>(value: Spanned<DeValue<'a>>, depth: usize, budget: &mut Budget) -> Result<Node<'a>, Fault> {
    let at = value.span().start;
    let value = match value.into_inner() {
        DeValue::Table(inner) => return table(at, inner, depth, budget),
        DeValue::Array(list) => {
            budget.take(at, depth)?;
            let nodes = list.into_iter().map(|value| node(value, depth + 1, budget));
            return Ok(Node { at, value: Value::List(nodes.collect::<Result<_, _>>()?) });
        }
        DeValue::String(text) => {
            budget.take(at, depth)?;
            return Ok(Node::text(at, text));
        }
        // A config has no times.
        DeValue::Datetime(time) => {
            budget.take(at, depth)?;
            return Ok(Node::text(at, time.to_string()));
        }
        DeValue::Integer(number) => {
            i128::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Whole)
        }
        DeValue::Float(number) => number.as_str().parse().ok().map(Value::Real),
        DeValue::Boolean(is) => Some(Value::Bool(is)),
    };
    budget.take(at, depth)?;
    let message = "the number is too large".to_owned();
    let value = value.ok_or((at, Problem::Syntax { format: "TOML", message }.into()))?;
    Ok(Node { at, value })
}
