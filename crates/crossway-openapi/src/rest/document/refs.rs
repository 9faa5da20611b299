//! Resolves references within a document.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::limits;

/// Why a reference can't be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// The target is outside the document.
    #[error("it refers to {0:?}, outside the document, which is not fetched: bundle the document first")]
    Remote(String),
    /// The target does not exist.
    #[error("it refers to {0:?}, and nothing is there")]
    Missing(String),
    /// The references form a circle.
    #[error("it refers to {0:?}, which leads in a circle")]
    Circle(String),
}

/// The target of a reference: one step.
pub(in crate::rest) fn target<'a>(root: &'a Value, reference: &str) -> Result<&'a Value, Broken> {
    let shown = || reference.chars().take(limits::QUOTED_PATH_CHARS).collect::<String>();
    let Some(pointer) = reference.strip_prefix('#') else { return Err(Broken::Remote(shown())) };
    let pointer = percent_decode_str(pointer).decode_utf8().map_err(|_| Broken::Missing(shown()))?;
    root.pointer(&pointer).ok_or_else(|| Broken::Missing(shown()))
}

/// Follows references from a node until one that is not a reference.
pub(in crate::rest) fn resolve<'a>(root: &'a Value, node: &'a Value) -> Result<&'a Value, Broken> {
    let mut node = node;
    for _ in 0..limits::REFERENCES {
        let Some(reference) = node.get("$ref").and_then(Value::as_str) else { return Ok(node) };
        node = target(root, reference)?;
    }
    let reference = node.get("$ref").and_then(Value::as_str).unwrap_or_default();
    Err(Broken::Circle(reference.chars().take(limits::QUOTED_PATH_CHARS).collect()))
}
