//! Config types for operators: TLS, the operations listener, limits, logs.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crossway_streamable_http::server::Limits;
use crossway_streamable_http::server::http::HttpLimits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::limits;
use super::{Address, Size, Time};
use crate::secret::Secret;

/// TLS. The files are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFile {
    /// The file with the certificate and its chain, in PEM.
    pub certificate: PathBuf,
    /// The file with the private key, in PEM.
    pub key: PathBuf,
    /// The file with the authorities that sign clients' certificates, in PEM. With it, clients need a
    /// certificate (mTLS).
    pub client_ca: Option<PathBuf>,
}

/// Probes (`/livez`, `/readyz`), metrics (`/metrics`) and administration (`/admin/..`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationsFile {
    /// The address of this listener, which has to differ from the main `listen`.
    pub listen: Address,
    /// The key for `/admin/..`, as a bearer token. Without one there is no administration.
    pub admin_key: Option<Secret>,
    /// TLS for this listener.
    pub tls: Option<TlsFile>,
}

/// How many clients the gateway serves, and how long things may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsFile {
    /// The most connections of clients. Further ones are accepted only when others have ended.
    #[schemars(range(min = 1))]
    pub connections: usize,
    /// The most sessions of clients, at each endpoint and over each transport.
    #[schemars(range(min = 1))]
    pub sessions: usize,
    /// How long a session without an open stream and without a call in flight is kept.
    pub session_idle: Time,
    /// How long a session whose id is sealed (`session_keys`) lives, used or not.
    pub session_life: Time,
    /// The longest message.
    pub message: Size,
    /// How long a request's body may make no progress.
    pub body_idle: Time,
    /// How long calls in flight may take to finish after SIGTERM.
    pub drain: Time,
    /// How many threads serve; by default, as many as there are processors.
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<NonZeroUsize>,
}

impl Default for LimitsFile {
    fn default() -> Self {
        Self {
            connections: HttpLimits::CONNECTIONS,
            sessions: Limits::SESSIONS,
            session_idle: Time(Limits::SESSION_IDLE),
            session_life: Time(Limits::SESSION_LIFE),
            message: Size(crossway_proto::Limits::MESSAGE_BYTES),
            body_idle: Time(Limits::BODY_IDLE),
            drain: Time(limits::DRAIN),
            threads: None,
        }
    }
}

/// What is logged. Flags on the command line take precedence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogFile {
    /// A level (error, warn, info, debug, trace), or levels by crate: `warn,crossway_stdio=debug`.
    pub filter: Option<String>,
    /// How log lines look.
    pub format: Option<LogFormatFile>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormatFile {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
