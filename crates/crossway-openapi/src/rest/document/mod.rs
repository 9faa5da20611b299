//! Parses OpenAPI documents within bounds.

mod error;
mod fetch;
mod json;
mod refs;
mod yaml;

use std::fmt;

use serde_json::Value;

use super::limits;

pub use error::DocumentError;
pub use fetch::{FetchError, Validators, fetch};
pub use refs::Broken;
pub(super) use refs::{resolve, target};

/// An OpenAPI 3.0 or 3.1 document: JSON or YAML, read within the bounds of [`limits`].
///
/// ```
/// use crossway_openapi::rest::Document;
///
/// let document = Document::parse(b"openapi: 3.1.0\ninfo: { title: Notes, version: '1' }\npaths: {}")?;
/// assert_eq!(document.title(), "Notes");
/// assert!(Document::parse(b"swagger: '2.0'").is_err());
/// # Ok::<(), crossway_openapi::rest::DocumentError>(())
/// ```
pub struct Document {
    root: Value,
    dialect: Dialect,
}

/// The schema dialect of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// 3.0: a dialect of its own (OpenAPI 3.0.3, Schema Object).
    V30,
    /// 3.1: JSON Schema 2020-12 (OpenAPI 3.1.1, Schema Object).
    V31,
}

impl Document {
    /// Parses a document.
    ///
    /// # Errors
    ///
    /// When the document is too long, too deep or has too many values, is neither JSON nor YAML, or is not OpenAPI 3.0 or 3.1.
    pub fn parse(text: &[u8]) -> Result<Self, DocumentError> {
        if text.len() > limits::DOCUMENT_BYTES {
            return Err(DocumentError::TooLong { bytes: text.len(), limit: limits::DOCUMENT_BYTES });
        }
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let text = std::str::from_utf8(text).map_err(|_| DocumentError::NotText)?;
        let is_json = text.trim_start().starts_with('{');
        let mut root = if is_json { json::parse(text)? } else { yaml::parse(text)? };
        if root.get("swagger").is_some() {
            return Err(DocumentError::Swagger);
        }
        let version = match root.get("openapi") {
            Some(Value::String(version)) => version.clone(),
            Some(Value::Number(version)) => version.to_string(),
            _ => return Err(DocumentError::NotOpenApi),
        };
        let dialect = match version.split('.').take(2).collect::<Vec<_>>()[..] {
            ["3", "0"] => Dialect::V30,
            ["3", "1"] => Dialect::V31,
            _ => {
                return Err(DocumentError::Version(
                    version.chars().take(limits::QUOTED_VERSION_CHARS).collect(),
                ));
            }
        };
        // Texts that YAML reads as numbers if they have no quotes.
        for member in ["title", "version"] {
            if let Some(said) = root.get_mut("info").and_then(|info| info.get_mut(member))
                && said.is_number()
            {
                *said = said.to_string().into();
            }
        }
        Ok(Self { root, dialect })
    }

    /// The API's title; empty if there is none.
    #[must_use]
    pub fn title(&self) -> &str {
        self.info("title")
    }

    /// The API's version; empty if there is none.
    #[must_use]
    pub fn version(&self) -> &str {
        self.info("version")
    }

    pub(super) fn info(&self, member: &str) -> &str {
        self.root.get("info").and_then(|info| info.get(member)).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("title", &self.title()).field("dialect", &self.dialect).finish()
    }
}

/// Counts a document's values and repeated text while it is read.
#[derive(Default)]
struct Budget {
    values: usize,
    /// Bytes of text repeated by aliases.
    repeated: usize,
}

impl Budget {
    /// Counts a value at this depth.
    fn take(&mut self, depth: usize) -> Result<(), DocumentError> {
        self.values += 1;
        if self.values > limits::DOCUMENT_VALUES {
            return Err(DocumentError::TooMuch { limit: limits::DOCUMENT_VALUES });
        }
        if depth > limits::DOCUMENT_DEPTH {
            return Err(DocumentError::TooDeep { limit: limits::DOCUMENT_DEPTH });
        }
        Ok(())
    }

    /// Counts text that an alias repeats: a long text is few values, however often it is repeated.
    fn repeat(&mut self, text: &str) -> Result<(), DocumentError> {
        self.repeated += text.len();
        if self.repeated > limits::DOCUMENT_REPEATED_BYTES {
            return Err(DocumentError::TooRepetitive { limit: limits::DOCUMENT_REPEATED_BYTES });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
