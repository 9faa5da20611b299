//! Errors of servers files.

use std::path::PathBuf;

use crate::args::HeaderError;
use crate::config::file::in_words;
use crate::expand::ExpandError;

/// Why a file of servers can't be used, with the place in the file.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", file.display(), place(*at))]
pub struct FileError {
    /// The file.
    pub file: PathBuf,
    /// Line and column, counted from 1; `None` if the problem concerns the whole file.
    pub at: Option<(usize, usize)>,
    /// The problem.
    #[source]
    pub problem: Box<Problem>,
}

fn place(at: Option<(usize, usize)>) -> String {
    at.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default()
}

fn instead(near: Option<&str>) -> String {
    near.map(|near| format!(", only {near:?}")).unwrap_or_default()
}

/// The advice for an entry with neither a command nor a URL.
fn meant(near: Option<&(String, &str)>) -> String {
    near.map_or(": add one of them".to_owned(), |(near, meant)| {
        format!(", only {near:?}; is {meant:?} meant?")
    })
}

/// An example of a file.
const EXAMPLE: &str =
    r#"a file looks like { "mcpServers": { "time": { "command": "uvx", "args": ["mcp-server-time"] } } }"#;

/// A problem with a file of servers. Values are not shown, because they may be secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file can't be read.
    #[error("can't be read")]
    Unreadable(#[source] std::io::Error),
    /// The file is larger than any file of servers.
    #[error("has more than {}, which no such file has", in_words(*.0))]
    TooLarge(u64),
    /// The file is not UTF-8.
    #[error("is not UTF-8 text; save it as UTF-8")]
    NotText,
    /// The file is not JSON.
    #[error("this is not JSON: {0}")]
    Json(String),
    /// The file ends in the middle of a value.
    #[error("the file ends here, in the middle of something; is all of it there?")]
    Cut,
    /// A value that has to be an object is none.
    #[error("an object has to stand here; {EXAMPLE}")]
    NoObject,
    /// An entry is not an object.
    #[error(
        "the server {0:?} has to be an object, such as {{ \"command\": \"uvx\", \"args\": [\"mcp-server-time\"] }}"
    )]
    NoEntry(String),
    /// A member has the wrong type.
    #[error("the server {name:?}: {member:?} has to be {wanted}")]
    WrongMember {
        /// The server.
        name: String,
        /// The member.
        member: String,
        /// The required type.
        wanted: &'static str,
    },
    /// An entry can't be read as a whole.
    #[error("the server {name:?}: {what}")]
    WrongEntry {
        /// The server.
        name: String,
        /// A description of what is wrong.
        what: String,
    },
    /// There is no list of servers.
    #[error(
        "has no \"mcpServers\"{}; {EXAMPLE}", instead(near.as_deref())
    )]
    NoServers {
        /// A member with a similar name.
        near: Option<String>,
    },
    /// A variable names no proxy that can be used.
    #[error("{0}")]
    Proxy(crossway_dial::BadProxy),
    /// Two servers have one name.
    #[error("the server {0:?} is here for the second time")]
    Twice(String),
    /// A server's name is empty.
    #[error("a server needs a name")]
    NoName,
    /// An entry has neither a command nor a URL.
    #[error("the server {name:?} has neither \"command\" nor \"url\"{}", meant(near.as_ref()))]
    Nothing {
        /// The server.
        name: String,
        /// A member with a similar name, and the one that is probably meant.
        near: Option<(String, &'static str)>,
    },
    /// An entry has both a command and a URL.
    #[error("the server {0:?} has a \"command\" and also a \"url\": take one of them away")]
    Both(String),
    /// An entry's type does not fit its other members.
    #[error("the server {name:?} is of type {kind:?}, which needs a {needs:?}")]
    Mismatch {
        /// The server.
        name: String,
        /// The type.
        kind: String,
        /// The member that the type needs.
        needs: &'static str,
    },
    /// The type is unknown.
    #[error(
        "the server {name:?} has the unknown type {kind:?}; the types are \"stdio\", \"http\" (Streamable HTTP) and \"sse\""
    )]
    UnknownType {
        /// The server.
        name: String,
        /// The type.
        kind: String,
    },
    /// The URL can't be used.
    #[error("the server {name:?} has a URL that can't be used: {reason}")]
    BadUrl {
        /// The server.
        name: String,
        /// A description of what is wrong.
        reason: String,
    },
    /// A header can't be sent.
    #[error("the server {name:?}: {error}")]
    Header {
        /// The server.
        name: String,
        /// The error.
        error: HeaderError,
    },
    /// A variable can't be expanded.
    #[error("the server {name:?}: in \"{member}\", {error}")]
    Variable {
        /// The server.
        name: String,
        /// The member with the text.
        member: &'static str,
        /// The error.
        error: ExpandError,
    },
}
