//! Config errors and warnings, and how they are printed.

use std::fmt;
use std::path::PathBuf;

use super::file::in_words;
use super::nearest::nearest;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It can be meant, and is likely not.
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

/// One thing that is wrong, and where. `Display` gives one line: `FILE:LINE:COLUMN: error: PATH: what is wrong; what to do`.
#[derive(Debug)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Line and column, from 1 on; `None` where it is about the whole file.
    pub at: Option<(usize, usize)>,
    /// Whether the config can be used all the same.
    pub severity: Severity,
    /// What it is about, such as `grants[3].tools[0]`; empty for the whole file.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}: ", self.severity)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message())
    }
}

impl Finding {
    /// What is wrong, and what to do, in one line.
    #[must_use]
    pub fn message(&self) -> String {
        // Others' messages may have several lines, and one line is what editors read.
        self.problem.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// All that is wrong with a config: at least one error, and the warnings.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct ConfigErrors(pub Vec<Finding>);

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What is wrong. No value is shown that may be a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file can't be read.
    #[error("can't be read: {}{}", .0, if_missing(.0))]
    Unreadable(#[source] std::io::Error),
    /// The file is too large to be one.
    #[error("has more than {}, which no config has", in_words(*.0))]
    TooLarge(u64),
    /// The file is not UTF-8.
    #[error("is not UTF-8 text; save it as UTF-8")]
    NotText,
    /// The file says nothing: it is empty, or nothing but comments.
    #[error("there is nothing in it; `crossway schema` says what there can be")]
    Empty,
    /// The format is not known.
    #[error("name the file .yaml, .yml, .toml or .json: that tells what it is written in")]
    UnknownFormat,
    /// The format is broken here.
    #[error("this is not {format}: {message}")]
    Syntax {
        /// The format.
        format: &'static str,
        /// What its parser says.
        message: String,
    },
    /// Too many levels.
    #[error("is nested more than {limit} levels deep")]
    TooDeep {
        /// How many there may be.
        limit: usize,
    },
    /// Too many values.
    #[error("has more than {limit} values, what aliases stand for counted each time")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// More is wrong than is told.
    #[error("more is wrong; these are the first {shown}")]
    More {
        /// How many are told.
        shown: usize,
    },
    /// A key without a value.
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
    /// A key that nothing reads.
    #[error("there is no key {key:?} here; {}", instead(key, known))]
    UnknownKey {
        /// The key.
        key: String,
        /// Those that there are.
        known: &'static [&'static str],
    },
    /// A word that is none of those that can stand here.
    #[error("{word:?} can't stand here; {}", instead(word, known))]
    UnknownWord {
        /// The word.
        word: String,
        /// Those that can.
        known: &'static [&'static str],
    },
    /// Something of another kind has to stand here.
    #[error("{found} stands here, where {wanted} is wanted{hint}")]
    WrongKind {
        /// What stands here.
        found: &'static str,
        /// What has to.
        wanted: String,
        /// What to do, with what leads to it.
        hint: &'static str,
    },
    /// A key has to be there.
    #[error("needs the key {key:?}; add it")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// What a type says of a value that it does not take.
    #[error("{0}")]
    Refused(String),
    /// A value from the environment is not taken. It is not shown.
    #[error("what the environment gives for this can't stand here: {wanted} is wanted")]
    BadExpansion {
        /// What is wanted.
        wanted: String,
    },
    /// Variables in a text.
    #[error("{0}")]
    Variable(#[from] crate::expand::ExpandError),
    /// A file that holds a secret.
    #[error("the secret's file {} can't be used: {reason}", file.display())]
    SecretFile {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// A secret stands in the file itself.
    #[error(
        "the secret stands in this file, for all who may read it; write \"${{NAME}}\" for an environment variable, or \
         \"file:PATH\" for a file's content"
    )]
    LiteralSecret,
    /// A secret of no bytes.
    #[error("the secret is empty")]
    EmptySecret,
    /// A variable, or an upstream's own `proxy`, names none that can be used.
    #[error("{0}")]
    Proxy(crossway_dial::BadProxy),
    /// Something is wrong with how the gateway is to be reached.
    #[error(transparent)]
    Place(#[from] super::PlaceProblem),
    /// The one for whom documents are belongs to no tenant.
    #[error("it belongs to no tenant: nobody gets a document")]
    DocumentForNobody,
    /// Something is wrong with who may do what.
    #[error("{0}")]
    Policy(crossway_policy::Problem),
    /// Something is wrong with how it is proven who calls.
    #[error("{0}")]
    Identity(crate::identity::IdentityError),
    /// It can hardly be meant how it is proven who calls.
    #[error("{0}")]
    IdentityWarning(crate::identity::IdentityWarning),
    /// Something is wrong with the files of TLS.
    #[error("{}", crate::error::told(.0))]
    Tls(crate::tls::TlsError),
    /// What a credential is taken from is not there.
    #[error(transparent)]
    Source(#[from] super::SourceProblem),
    /// Something is wrong with an upstream.
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

/// The nearest of those that there are, or all of them.
fn instead(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("is {nearest:?} meant?"),
        None if known.is_empty() => "nothing can stand here".to_owned(),
        None => format!("what can stand here: {}", known.join(", ")),
    }
}
