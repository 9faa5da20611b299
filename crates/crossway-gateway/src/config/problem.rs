//! Config errors and warnings, and how they are printed.

use std::fmt;
use std::path::PathBuf;

use crossway_proto::printable;

use super::file::in_words;
use super::nearest::nearest;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The config is valid, but probably not intended so.
    Warning,
    /// The config can't be used.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// An error or warning, with its place. `Display` prints one line: `FILE:LINE:COLUMN: error: PATH: what is wrong; what to do`.
#[derive(Debug)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Line and column, counted from 1; `None` if it concerns the whole file.
    pub at: Option<(usize, usize)>,
    /// Whether the config can still be used.
    pub severity: Severity,
    /// The path of the key, such as `grants[3].tools[0]`; empty for the whole file.
    pub path: String,
    /// The problem.
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.file.to_string_lossy()))?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}: ", self.severity)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", printable(&self.path))?;
        }
        f.write_str(&printable(&self.message()))
    }
}

impl Finding {
    /// Returns what is wrong and what to do, in one line.
    #[must_use]
    pub fn message(&self) -> String {
        // Messages of other crates may have several lines, but editors read one.
        self.problem.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// All findings of an invalid config: at least one error, and the warnings.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct ConfigErrors(pub Vec<Finding>);

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A problem with a config. Values that may be secret are not shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file can't be read.
    #[error("can't be read: {}{}", .0, if_missing(.0))]
    Unreadable(#[source] std::io::Error),
    /// The file is larger than any config.
    #[error("has more than {}, which no config has", in_words(*.0))]
    TooLarge(u64),
    /// The file is not UTF-8.
    #[error("is not UTF-8 text; save it as UTF-8")]
    NotText,
    /// The file is empty, or has only comments.
    #[error("there is nothing in it; `crossway schema` says what there can be")]
    Empty,
    /// The file's extension is unknown.
    #[error("name the file .yaml, .yml, .toml or .json: that tells what it is written in")]
    UnknownFormat,
    /// The text is not valid in its format.
    #[error("this is not {format}: {message}")]
    Syntax {
        /// The format.
        format: &'static str,
        /// The parser's message.
        message: String,
    },
    /// The nesting is too deep.
    #[error("is nested more than {limit} levels deep")]
    TooDeep {
        /// The highest possible number.
        limit: usize,
    },
    /// There are too many values.
    #[error("has more than {limit} values, what aliases stand for counted each time")]
    TooMany {
        /// The highest possible number.
        limit: usize,
    },
    /// There are more problems than are shown.
    #[error("more is wrong; these are the first {shown}")]
    More {
        /// The number of problems shown.
        shown: usize,
    },
    /// A key has no value.
    #[error("nothing stands here; give the key its value (`[]` or `{{}}` for none), or take it away")]
    NoValue,
    /// A key is there twice.
    #[error("the key {key:?} stands in line {line} too; take one of them away")]
    Twice {
        /// The key.
        key: String,
        /// The line of the first.
        line: usize,
    },
    /// A key is unknown.
    #[error("there is no key {key:?} here; {}", instead(key, known))]
    UnknownKey {
        /// The key.
        key: String,
        /// The known keys.
        known: &'static [&'static str],
    },
    /// A word is not among the possible ones.
    #[error("{word:?} can't stand here; {}", instead(word, known))]
    UnknownWord {
        /// The word.
        word: String,
        /// The possible words.
        known: &'static [&'static str],
    },
    /// A value has the wrong type.
    #[error("{found} stands here, where {wanted} is wanted{hint}")]
    WrongKind {
        /// The type of the value.
        found: &'static str,
        /// The required type.
        wanted: String,
        /// Advice, with its separator; may be empty.
        hint: &'static str,
    },
    /// A required key is missing.
    #[error("needs the key {key:?}; add it")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A type does not accept a value, with its message.
    #[error("{0}")]
    Refused(String),
    /// A value from the environment is not accepted. It is not shown.
    #[error("what the environment gives for this can't stand here: {wanted} is wanted")]
    BadExpansion {
        /// The required type.
        wanted: String,
    },
    /// A variable in a text can't be expanded.
    #[error("{0}")]
    Variable(#[from] crate::expand::ExpandError),
    /// The file of a secret can't be used.
    #[error("the secret's file {} can't be used: {reason}", file.display())]
    SecretFile {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// A secret is in the config file itself.
    #[error(
        "the secret stands in this file, for all who may read it; write \"${{NAME}}\" for an environment variable, or \
         \"file:PATH\" for a file's content"
    )]
    LiteralSecret,
    /// A secret is empty.
    #[error("the secret is empty")]
    EmptySecret,
    /// A variable, or an upstream's own `proxy`, has no usable proxy's URL.
    #[error("{0}")]
    Proxy(crossway_dial::BadProxy),
    /// A variable about telemetry can't be used.
    #[error(transparent)]
    Otlp(crate::otlp::OtlpError),
    /// A problem with listeners, limits, the audit file or session keys.
    #[error(transparent)]
    Place(#[from] super::PlaceProblem),
    /// The one for whom documents are belongs to no tenant.
    #[error("it belongs to no tenant: nobody gets a document")]
    DocumentForNobody,
    /// The one for whom documents are belongs to several tenants.
    #[error("it belongs to {}: {}", tenants.join(" and "), match &at[..] {
        [] => "no endpoint selects one of them, so nobody gets a document".to_owned(),
        at => format!("a document is only at {}", at.join(", ")),
    })]
    DocumentForSeveral {
        /// The tenants.
        tenants: Vec<String>,
        /// The endpoints that select one of them.
        at: Vec<String>,
    },
    /// A problem with the policy.
    #[error("{0}")]
    Policy(crossway_policy::Problem),
    /// A rule names a server that is switched off.
    #[error("{0:?} is switched off in `mcpServers`: this has no effect until it is on again")]
    SwitchedOff(String),
    /// A problem with the proof of identity.
    #[error("{0}")]
    Identity(crate::identity::IdentityError),
    /// A warning about the proof of identity.
    #[error("{0}")]
    IdentityWarning(crate::identity::IdentityWarning),
    /// A problem with the files of TLS.
    #[error("{}", crossway_service::with_causes(.0))]
    Tls(crate::tls::TlsError),
    /// A problem with the source of a credential.
    #[error(transparent)]
    Source(#[from] super::SourceProblem),
    /// The program of an upstream is not there.
    #[error("{0}")]
    Program(crossway_stdio::StartError),
    /// A rule about a tool or a process that is not there.
    #[error(transparent)]
    Named(#[from] super::NamedProblem),
    /// A problem with an upstream.
    #[error(transparent)]
    Upstream(#[from] super::UpstreamProblem),
}

fn if_missing(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            "; --config FILE names another, and docs/config.md has the least that is of use"
        }
        _ => "",
    }
}

/// Suggests the nearest known word, or lists all.
fn instead(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("is {nearest:?} meant?"),
        None if known.is_empty() => "nothing can stand here".to_owned(),
        None => format!("what can stand here: {}", known.join(", ")),
    }
}
