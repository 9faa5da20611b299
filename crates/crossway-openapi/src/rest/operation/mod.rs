//! Operations as tools: descriptions, and how their requests are built.

mod answer;
mod body;
mod compile;
mod parameters;
mod path;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use http::{HeaderName, Method};
use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) use body::{Body, Fields, MediaKind};
pub(super) use compile::{Context, compile};
pub(super) use path::{Piece, Template};

use super::document::Broken;
use super::schema::BadSchema;
use super::security::Alternatives;
use crate::checks::Checker;

/// An operation as a tool.
#[derive(Debug)]
pub(super) struct Operation {
    /// The tool's name.
    pub(super) tool: String,
    /// The tool's definition: JSON text.
    pub(super) definition: Box<str>,
    pub(super) method: Method,
    pub(super) path: Template,
    /// By the names of their arguments.
    pub(super) parameters: BTreeMap<String, Parameter>,
    /// The names of required arguments.
    pub(super) required: BTreeSet<String>,
    /// The places that credentials have to fill.
    pub(super) wanted: Alternatives,
    pub(super) body: Option<Body>,
    /// Whether results have structured content: the tool has an output schema.
    pub(super) is_structured: bool,
    pub(super) checker: OnceLock<Option<Checker>>,
}

impl Operation {
    /// Checks arguments against the tool's input schema; `None` if the schema can't be used. Made on first use.
    pub(super) fn checker(&self) -> Option<&Checker> {
        #[derive(Deserialize)]
        struct Listed<'a> {
            #[serde(rename = "inputSchema", borrow)]
            input: &'a RawValue,
        }
        let made = || {
            Checker::of_server(&self.tool, serde_json::from_str::<Listed<'_>>(&self.definition).ok()?.input)
        };
        self.checker.get_or_init(made).as_ref()
    }
}

/// A parameter in the path, the query, a header or a cookie.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) is_required: bool,
    /// Whether its value is JSON text: it has `content` in place of a schema.
    pub(super) is_json: bool,
}

/// Where a parameter is in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header(HeaderName),
    Cookie,
}

/// The serialization style of a value (OpenAPI 3.1.1, Style Values).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
}

/// Why an operation can't be a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// A reference can't be resolved.
    #[error(transparent)]
    Reference(#[from] Broken),
    /// A schema can't be used.
    #[error(transparent)]
    Schema(#[from] BadSchema),
    /// A part of the operation violates the specification.
    #[error("its {0} is not what OpenAPI says")]
    Shape(&'static str),
    /// The path is invalid.
    #[error("its path {0}")]
    Path(&'static str),
    /// A parameter can't be filled.
    #[error("its parameter {name:?} {why}")]
    Parameter {
        /// The parameter.
        name: String,
        /// The reason.
        why: &'static str,
    },
    /// The operation has too many parameters.
    #[error("it has more than {} parameters", super::limits::PARAMETERS)]
    TooManyParameters,
    /// The body is of no media type that can be made.
    #[error("its body is of {0}, and none of them can be made")]
    Body(String),
    /// The operation is on a server of its own.
    #[error("it is on a server of its own, {0:?}, where credentials do not go")]
    Server(String),
    /// The tool's definition is too long.
    #[error("its definition has {bytes} bytes, and may have {limit}")]
    TooLong {
        /// The definition's length in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
}
