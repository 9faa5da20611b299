//! Errors of starting and running a child.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use crossway_service::ErrorText;

/// Returns a hint about a command that was not found.
fn hint(program: &str) -> &'static str {
    match program {
        _ if program.starts_with("http://") || program.starts_with("https://") => ": it is a URL",
        _ if program.starts_with('~') => "; ~ stands for nothing here: write the whole path",
        _ if program.contains(char::is_whitespace) => {
            "; its arguments are no part of it: give them apart, as \"args\""
        }
        _ => "",
    }
}

/// Why a command can't be an MCP server.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no such command, neither by its path nor in `PATH`.
    #[error("the command {program:?} was not found{}", hint(program))]
    NotFound {
        /// The command as it was given.
        program: String,
    },
    /// There is such a file, but it can't be executed.
    #[error("{} is not an executable file", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
    },
    /// The working directory does not exist.
    #[error("the working directory {} is not a directory that can be entered", path.display())]
    WorkingDirectory {
        /// The directory as it was given.
        path: PathBuf,
    },
    /// The system refused to start the program; also if the interpreter that a script names does not exist.
    #[error("{} could not be started", path.display())]
    Spawn {
        /// The executable file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// The child ran, and ended before its era was known.
    #[error("the MCP server ended: {0}")]
    Exited(Exit),
    /// The upstream was closed.
    #[error("the bridge is closing")]
    Closing,
}

impl StartError {
    /// Returns the error with its cause as one text.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Spawn { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }

    /// The error text of calls that wait for the child.
    pub(crate) fn why(&self) -> ErrorText {
        match self {
            Self::Exited(exit) if exit.last_lines.is_empty() => ErrorText::public(self.to_string()),
            _ => ErrorText::private(self.describe()),
        }
    }
}

/// A child's exit: its status, and its last lines on stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    status: Option<ExitStatus>,
    last_lines: Vec<String>,
}

impl Exit {
    pub(crate) fn new(status: Option<ExitStatus>, last_lines: Vec<String>) -> Self {
        Self { status, last_lines }
    }

    /// The error text of calls in flight. The status may be shown to anybody; the last lines may contain secrets.
    pub(crate) fn why(&self) -> ErrorText {
        if self.last_lines.is_empty() {
            ErrorText::public(self.to_string())
        } else {
            ErrorText::private(self.to_string())
        }
    }

    /// The exit status; `None` if the child closed its output and did not exit.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// The child's last lines on stderr, without control characters; at most
    /// [`Options::quoted_lines`](crate::Options).
    #[must_use]
    pub fn last_lines(&self) -> &[String] {
        &self.last_lines
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{status}")?,
            None => f.write_str("it closed its output without exiting")?,
        }
        match self.last_lines.as_slice() {
            [] => Ok(()),
            lines => write!(f, "; last on stderr: {}", lines.join(" | ")),
        }
    }
}
