//! Status of upstreams, sessions and the audit log, as operators see it.

use crossway_router::guard::{Health, HealthState};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How an upstream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UpstreamStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Whether it gets calls.
    pub state: UpstreamState,
    /// For how many seconds that has been so, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// How the last call that failed has failed: for operators, never for callers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// How many connections with it are open, or processes of it running, where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
    /// How many of its instances are in which state, where each scope has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<InstanceCounts>,
}

/// How many instances of an upstream are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct InstanceCounts {
    /// They get calls.
    pub up: usize,
    /// They are being reached for the first time, or get one call.
    pub trying: usize,
    /// They are left alone for a while, or could not be reached.
    pub down: usize,
}

/// Whether an upstream gets calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamState {
    /// Nothing was asked of it yet, or not for long.
    Idle,
    /// It gets calls.
    Up,
    /// It is being reached for the first time, or gets one call, by which it is seen whether it is back.
    Trying,
    /// It is left alone for a while, or could not be reached.
    Down,
}

impl UpstreamState {
    pub(crate) const ALL: [Self; 4] = [Self::Idle, Self::Up, Self::Trying, Self::Down];

    /// Its word, as JSON and labels have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Up => "up",
            Self::Trying => "trying",
            Self::Down => "down",
        }
    }
}

impl UpstreamStatus {
    /// An upstream in this state, of which nothing else is known.
    #[must_use]
    pub fn new(name: &str, state: UpstreamState) -> Self {
        Self {
            name: name.to_owned(),
            state,
            seconds: None,
            last_error: None,
            connections: None,
            instances: None,
        }
    }

    /// An upstream as its guard sees it.
    #[must_use]
    pub fn from_health(name: &str, health: &Health) -> Self {
        let state = match health.state {
            HealthState::Up => UpstreamState::Up,
            HealthState::Down => UpstreamState::Down,
            HealthState::Trying => UpstreamState::Trying,
        };
        Self {
            seconds: Some(health.since.elapsed().as_secs()),
            last_error: health.last_error.as_ref().map(ToString::to_string),
            ..Self::new(name, state)
        }
    }
}

/// How many sessions a face has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SessionCount {
    /// The face: `streamable-http` or `http-sse`.
    pub face: &'static str,
    /// How many are open.
    pub open: usize,
}

/// How the audit log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditStatus {
    /// Calls that have a place in it: they are in flight, or their records wait to be written.
    pub places: usize,
    /// How many places there are.
    pub most: usize,
    /// Records that were written.
    pub recorded: u64,
    /// Calls that waited for a place, or wait for one.
    pub waited: u64,
    /// Calls that were refused, because they could not be recorded.
    pub refused: u64,
}

/// Where the operations listener asks. It is asked on the listener's own tasks, so that answers should come at once.
pub trait OperationsSource: Send + Sync + 'static {
    /// All upstreams of the configuration, in its order.
    fn upstreams(&self) -> Vec<UpstreamStatus>;

    /// The sessions that are open, by face.
    fn sessions(&self) -> Vec<SessionCount>;

    /// The audit log, where there is one.
    fn audit(&self) -> Option<AuditStatus> {
        None
    }

    /// What policy would say to a question, which is any JSON value; the answer is one too.
    ///
    /// # Errors
    ///
    /// When the question can't be read; the answer is then 400.
    fn explain(&self, question: &RawValue) -> Result<Box<RawValue>, BadQuestion>;
}

/// A question that can't be read. Its text is shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadQuestion(Cow<'static, str>);

impl BadQuestion {
    /// Says what is wrong with it.
    pub fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self(what.into())
    }
}
