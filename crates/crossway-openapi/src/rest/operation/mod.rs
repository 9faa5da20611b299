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
    /// What the tool is called.
    pub(super) tool: String,
    /// The tool as it stands in lists: JSON text.
    pub(super) definition: Box<str>,
    pub(super) method: Method,
    pub(super) path: Template,
    /// By the names of the arguments that they are taken from.
    pub(super) parameters: BTreeMap<String, Parameter>,
    /// The arguments that there have to be.
    pub(super) required: BTreeSet<String>,
    /// What credentials have to fill.
    pub(super) wanted: Alternatives,
    pub(super) body: Option<Body>,
    /// Whether its answers are structured content: it says what they look like.
    pub(super) is_structured: bool,
    pub(super) checker: OnceLock<Option<Checker>>,
}

impl Operation {
    /// What holds arguments against the schema that the tool is listed with, if that can be done; made when it is first asked for.
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

/// A parameter of a path, of the query or of the head, or a cookie.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) is_required: bool,
    /// Whether it is JSON text: it has `content` in place of a schema.
    pub(super) is_json: bool,
}

/// Where a parameter goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header(HeaderName),
    Cookie,
}

/// How a value becomes text (OpenAPI 3.1.1, Style Values).
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
    /// A reference leads nowhere.
    #[error(transparent)]
    Reference(#[from] Broken),
    /// A schema can't be used.
    #[error(transparent)]
    Schema(#[from] BadSchema),
    /// A part of it is not what the specification says.
    #[error("its {0} is not what OpenAPI says")]
    Shape(&'static str),
    /// Its path is none.
    #[error("its path {0}")]
    Path(&'static str),
    /// A parameter is in no place that can be filled.
    #[error("its parameter {name:?} {why}")]
    Parameter {
        /// The parameter.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It has too many parameters.
    #[error("it has more than {} parameters", super::limits::PARAMETERS)]
    TooManyParameters,
    /// Its body can't be made.
    #[error("its body is of {0}, and none of them can be made")]
    Body(String),
    /// Its servers are others.
    #[error("it is on a server of its own, {0:?}, where credentials do not go")]
    Server(String),
    /// Its definition is too long.
    #[error("its definition has {bytes} bytes, and may have {limit}")]
    TooLong {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
}
