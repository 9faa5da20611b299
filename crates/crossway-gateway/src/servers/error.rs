//! Errors of servers files.

use std::path::PathBuf;

use crate::args::HeaderError;
use crate::config::file::in_words;
use crate::expand::ExpandError;

/// A file of servers that can't be used, and where it says so.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", file.display(), place(*at))]
pub struct FileError {
    /// The file.
    pub file: PathBuf,
    /// Line and column, from 1 on; `None` where it is about the whole file.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    #[source]
    pub problem: Box<Problem>,
}

fn place(at: Option<(usize, usize)>) -> String {
    at.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default()
}

fn instead(near: Option<&str>) -> String {
    near.map(|near| format!(", only {near:?}")).unwrap_or_default()
}

/// What to do where neither a command nor a URL is.
fn meant(near: Option<&(String, &str)>) -> String {
    near.map_or(": add one of them".to_owned(), |(near, meant)| {
        format!(", only {near:?}; is {meant:?} meant?")
    })
}

/// What a file looks like.
const EXAMPLE: &str =
    r#"a file looks like { "mcpServers": { "time": { "command": "uvx", "args": ["mcp-server-time"] } } }"#;

/// What is wrong with a file of servers. Values are not shown: they may be secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file can't be read.
    #[error("can't be read")]
    Unreadable(#[source] std::io::Error),
    /// The file is too large to be one.
    #[error("has more than {}, which no such file has", in_words(*.0))]
    TooLarge(u64),
    /// The file is not UTF-8.
    #[error("is not UTF-8 text; save it as UTF-8")]
    NotText,
    /// The file is not JSON.
    #[error("this is not JSON: {0}")]
    Json(String),
    /// The file ends in the middle of something.
    #[error("the file ends here, in the middle of something; is all of it there?")]
    Cut,
    /// Something else than an object.
    #[error("an object has to stand here; {EXAMPLE}")]
    NoObject,
    /// An entry is no object.
    #[error(
        "the server {0:?} has to be an object, such as {{ \"command\": \"uvx\", \"args\": [\"mcp-server-time\"] }}"
    )]
    NoEntry(String),
    /// A member of another kind than it has to be.
    #[error("the server {name:?}: {member:?} has to be {wanted}")]
    WrongMember {
        /// The server.
        name: String,
        /// The member.
        member: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// An entry that can't be read as a whole.
    #[error("the server {name:?}: {what}")]
    WrongEntry {
        /// The server.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is no list of servers.
    #[error(
        "has no \"mcpServers\"{}; {EXAMPLE}", instead(near.as_deref())
    )]
    NoServers {
        /// The member that may be meant to be it.
        near: Option<String>,
    },
    /// A variable names no proxy that can be used.
    #[error("{0}")]
    Proxy(crossway_dial::BadProxy),
    /// Two servers have one name.
    #[error("the server {0:?} is here for the second time")]
    Twice(String),
    /// A name that is none.
    #[error("a server needs a name")]
    NoName,
    /// Neither a command nor a URL.
    #[error("the server {name:?} has neither \"command\" nor \"url\"{}", meant(near.as_ref()))]
    Nothing {
        /// The server.
        name: String,
        /// The member that may be meant to be one of them, and which.
        near: Option<(String, &'static str)>,
    },
    /// Both a command and a URL.
    #[error("the server {0:?} has a \"command\" and also a \"url\": take one of them away")]
    Both(String),
    /// The type does not go with the rest.
    #[error("the server {name:?} is of type {kind:?}, which needs a {needs:?}")]
    Mismatch {
        /// The server.
        name: String,
        /// What it says it is.
        kind: String,
        /// What is missing for that.
        needs: &'static str,
    },
    /// A type that is none.
    #[error(
        "the server {name:?} has the unknown type {kind:?}; the types are \"stdio\", \"http\" (Streamable HTTP) and \"sse\""
    )]
    UnknownType {
        /// The server.
        name: String,
        /// What it says it is.
        kind: String,
    },
    /// A URL that is none.
    #[error("the server {name:?} has a URL that can't be used: {reason}")]
    BadUrl {
        /// The server.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header that can't be sent.
    #[error("the server {name:?}: {error}")]
    Header {
        /// The server.
        name: String,
        /// What is wrong.
        error: HeaderError,
    },
    /// A variable.
    #[error("the server {name:?}: in \"{member}\", {error}")]
    Variable {
        /// The server.
        name: String,
        /// Where the text stands.
        member: &'static str,
        /// What is wrong.
        error: ExpandError,
    },
}
