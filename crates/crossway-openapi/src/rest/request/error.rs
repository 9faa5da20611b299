//! Errors of arguments.

use crate::checks::{Fault, faults_in_words};

/// Why no request can be made of a call's arguments. Never contains a value; models read it and try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(in crate::rest) enum BadArguments {
    #[error("the argument {0:?} is missing")]
    Missing(String),
    #[error("there is no argument {name:?}; there are: {}", known.join(", "))]
    Unknown { name: String, known: Vec<String> },
    #[error("the argument {0:?} is empty, and a part of the path")]
    Empty(String),
    #[error("the argument {0:?} has . or .. where a part of the path would be")]
    Dots(String),
    #[error("the argument {0:?} has characters that can't stand in a header")]
    Header(String),
    #[error("{}", faults_in_words(.0))]
    Unfit(Vec<Fault>),
    #[error("the argument {name:?} has to be {wanted}")]
    Kind { name: String, wanted: &'static str },
    #[error("the argument {0:?} is nested too deeply to be sent in a query")]
    Deep(String),
    #[error("the argument {0:?} has a member whose name can't be sent, since it has brackets in it")]
    Brackets(String),
    #[error("{0:?} is not an argument's to set")]
    Taken(String),
    #[error("the argument {0:?} makes a header that is too long")]
    LongHeader(String),
    #[error("the arguments make a URL that is too long")]
    TooLong,
}
