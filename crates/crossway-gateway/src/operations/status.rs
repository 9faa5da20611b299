//! Status of upstreams, sessions and the audit log, as operators see it.

use crossway_router::guard::{Health, HealthState};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The status of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UpstreamStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Whether the upstream gets calls.
    pub state: UpstreamState,
    /// How many seconds it has been in this state, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// The error of the last failed call: for operators, never for callers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The number of open connections or running processes, if they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
    /// The number of instances by state, if each scope has its own instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<InstanceCounts>,
}

/// The number of an upstream's instances by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct InstanceCounts {
    /// Instances that get calls.
    pub up: usize,
    /// Instances that are being reached for the first time, or get one call as a trial.
    pub trying: usize,
    /// Instances that get no calls for a while, or could not be reached.
    pub down: usize,
}

/// Whether an upstream gets calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamState {
    /// The upstream was not called yet, or not for a long time.
    Idle,
    /// The upstream gets calls.
    Up,
    /// The upstream is being reached for the first time, or gets one call to see whether it is back.
    Trying,
    /// The upstream gets no calls for a while, or could not be reached.
    Down,
}

impl UpstreamState {
    pub(crate) const ALL: [Self; 4] = [Self::Idle, Self::Up, Self::Trying, Self::Down];

    /// The word in JSON and labels.
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
    /// Creates the status of an upstream of which only the state is known.
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

    /// Creates the status of an upstream from its guard's health.
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

/// The number of a face's sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SessionCount {
    /// The face: `streamable-http` or `http-sse`.
    pub face: &'static str,
    /// The number of open sessions.
    pub open: usize,
}

/// The status of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditStatus {
    /// Calls that have a place in the log: they are in flight, or their records wait to be written.
    pub places: usize,
    /// The number of places.
    pub most: usize,
    /// Records that were written.
    pub recorded: u64,
    /// Calls that waited for a place, or wait for one.
    pub waited: u64,
    /// Calls that were refused, because they could not be recorded.
    pub refused: u64,
}

/// The source of the operations listener's answers. Called on the listener's own tasks, so implementations should return at once.
pub trait OperationsSource: Send + Sync + 'static {
    /// Returns all upstreams, in the order of the configuration.
    fn upstreams(&self) -> Vec<UpstreamStatus>;

    /// Returns the numbers of open sessions, by face.
    fn sessions(&self) -> Vec<SessionCount>;

    /// Returns the status of the audit log, if there is one.
    fn audit(&self) -> Option<AuditStatus> {
        None
    }

    /// Returns what policy would decide about a question. Both are JSON values.
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
    /// Creates the error from a description.
    pub fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self(what.into())
    }
}
