//! Errors of OpenAPI documents.

/// Why a document can't be used. Never quotes more than a few words of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The document is too long.
    #[error("it has {bytes} bytes, and may have {limit}")]
    TooLong {
        /// The document's length in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The document is nested too deeply.
    #[error("it is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// The document has too many values; an alias counts as what it stands for, each time.
    #[error("it has more than {limit} values, each alias counted as what it stands for")]
    TooMuch {
        /// The limit.
        limit: usize,
    },
    /// The document's aliases repeat too much text.
    #[error("its aliases repeat more than {limit} bytes of text")]
    TooRepetitive {
        /// The limit in bytes.
        limit: usize,
    },
    /// The document is not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// The document is not valid JSON or YAML.
    #[error("it is not valid {format}: {message} (line {line}, column {column})")]
    Syntax {
        /// `JSON` or `YAML`.
        format: &'static str,
        /// What is wrong.
        message: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The document is a Swagger document.
    #[error("it is a Swagger 2.0 document; convert it to OpenAPI 3, for example with swagger2openapi")]
    Swagger,
    /// The document is of an OpenAPI version that is not supported.
    #[error("it is of OpenAPI {0:?}; 3.0 and 3.1 are understood")]
    Version(String),
    /// The document is not an OpenAPI document.
    #[error("it is no OpenAPI document: it has no member `openapi`")]
    NotOpenApi,
}
