//! Errors of OpenAPI documents.

/// Why a document can't be used. It never quotes more than a few words of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is too long.
    #[error("it has {bytes} bytes, and may have {limit}")]
    TooLong {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// It is nested too deeply.
    #[error("it is nested deeper than {limit} levels")]
    TooDeep {
        /// How deep it may be.
        limit: usize,
    },
    /// There is too much in it, with aliases counted as often as they are used.
    #[error("it has more than {limit} values, each alias counted as what it stands for")]
    TooMuch {
        /// How many there may be.
        limit: usize,
    },
    /// Its aliases stand for too much text.
    #[error("its aliases repeat more than {limit} bytes of text")]
    TooRepetitive {
        /// How many they may repeat.
        limit: usize,
    },
    /// It is not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// It is not what it looks like.
    #[error("it is not valid {format}: {message} (line {line}, column {column})")]
    Syntax {
        /// `JSON` or `YAML`.
        format: &'static str,
        /// What is wrong.
        message: String,
        /// Where, from 1 on.
        line: usize,
        /// Where, from 1 on.
        column: usize,
    },
    /// It is a Swagger document.
    #[error("it is a Swagger 2.0 document; convert it to OpenAPI 3, for example with swagger2openapi")]
    Swagger,
    /// It is of another version.
    #[error("it is of OpenAPI {0:?}; 3.0 and 3.1 are understood")]
    Version(String),
    /// It is something else.
    #[error("it is no OpenAPI document: it has no member `openapi`")]
    NotOpenApi,
}
