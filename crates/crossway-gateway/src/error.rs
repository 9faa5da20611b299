//! Errors of commands.

use crate::plan::PlanError;
use crate::{DetectError, LogError, ServeError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The command line can't be carried out.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The arguments of `crossway openapi` can't be carried out.
    #[error(transparent)]
    OpenApi(#[from] crate::OpenApiError),
    /// The file of servers can't be used.
    #[error(transparent)]
    File(#[from] crate::servers::FileError),
    /// Logging can't be started.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The URL can't be an upstream.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// The API can't be an upstream.
    #[error(transparent)]
    Api(#[from] crate::upstream::apis::ApiPlanError),
    /// The command can't be an upstream.
    #[error("the MCP server can't be started")]
    Start(#[from] crossway_stdio::StartError),
    /// The upstream can't be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The config can't be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigErrors),
    /// A listener's certificates can't be used.
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    /// OpenTelemetry's variables can't be read.
    #[error(transparent)]
    Otlp(#[from] crate::otlp::OtlpError),
    /// The service manager can't be notified.
    #[cfg(unix)]
    #[error(transparent)]
    Notify(#[from] crate::systemd::NotifyError),
    /// A socket of the service manager can't be taken over.
    #[cfg(unix)]
    #[error(transparent)]
    Socket(#[from] crate::systemd::SocketError),
    /// The audit log can't be written to.
    #[error("the audit log {} can't be opened", file.display())]
    AuditFile {
        /// The file.
        file: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A question about a call can't be answered.
    #[error("{0}")]
    Question(String),
    /// The config does not have what was named.
    #[error("the config has no {0}")]
    Unknown(String),
    /// The system has no randomness.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// Standard input or output broke.
    #[error("standard input or output broke")]
    Stdio(#[source] std::io::Error),
    /// The client closed standard input before the URL answered.
    #[error("standard input was closed before the URL has answered")]
    Left,
    /// Signals can't be listened for.
    #[error("can't listen for signals")]
    Signals(#[source] std::io::Error),
}

impl RunError {
    /// The process's exit code: 2 for mistakes on the command line, 1 for later failures.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Plan(_)
            | Self::OpenApi(_)
            | Self::File(_)
            | Self::Detect(DetectError::Options(_) | DetectError::SseOptions(_))
            | Self::Log(LogError::Filter(_))
            | Self::Unknown(_)
            | Self::Serve(
                ServeError::BadHost(_) | ServeError::BadOrigin(_) | ServeError::NoAllowedHosts(_),
            ) => 2,
            _ => 1,
        }
    }
}
