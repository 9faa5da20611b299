//! Readiness: whether the gateway accepts calls.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::Serialize;

const CONFIG: u8 = 1;
const KEYS: u8 = 2;
const LISTENER: u8 = 4;
const STOPPING: u8 = 8;
const ALL: u8 = CONFIG | KEYS | LISTENER;

/// Whether the gateway accepts calls: once its configuration and keys are loaded and its listener is bound, and until it
/// is asked to end. Clones share the state.
///
/// Upstreams do not affect readiness: one that is down would make all replicas unready for all other upstreams.
#[derive(Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

/// The parts of readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReadinessParts {
    /// The result of all parts.
    pub status: ReadinessStatus,
    /// Whether a configuration is in force.
    pub config: bool,
    /// Whether the keys for sessions and identity are loaded.
    pub keys: bool,
    /// Whether the listener is bound.
    pub listener: bool,
}

/// Readiness in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadinessStatus {
    /// A part is still missing.
    Starting,
    /// The gateway accepts calls.
    Ready,
    /// The process was asked to end: calls in flight continue, and clients should send no more.
    Stopping,
}

impl Readiness {
    /// Creates the state at the start, with no part ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that a configuration is in force.
    pub fn config_loaded(&self) {
        self.set(CONFIG);
    }

    /// Records whether the keys are loaded. After a reload that needs other keys, they no longer are.
    pub fn keys_loaded(&self, are: bool) {
        if are {
            self.set(KEYS);
        } else {
            self.0.fetch_and(!KEYS, Ordering::AcqRel);
        }
    }

    /// Records that the listener is bound.
    pub fn listening(&self) {
        self.set(LISTENER);
    }

    /// Records that the process was asked to end. This is final.
    pub fn stopping(&self) {
        self.set(STOPPING);
    }

    /// Whether the gateway accepts calls.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.parts().status == ReadinessStatus::Ready
    }

    /// Returns the parts.
    #[must_use]
    pub fn parts(&self) -> ReadinessParts {
        let bits = self.0.load(Ordering::Acquire);
        let status = match bits {
            _ if bits & STOPPING != 0 => ReadinessStatus::Stopping,
            ALL => ReadinessStatus::Ready,
            _ => ReadinessStatus::Starting,
        };
        let has = |bit| bits & bit != 0;
        ReadinessParts { status, config: has(CONFIG), keys: has(KEYS), listener: has(LISTENER) }
    }

    fn set(&self, bit: u8) {
        self.0.fetch_or(bit, Ordering::AcqRel);
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Readiness({:?})", self.parts().status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_make_it_ready_and_the_end_is_final() {
        let readiness = Readiness::new();
        readiness.config_loaded();
        readiness.listening();
        assert_eq!(readiness.parts().status, ReadinessStatus::Starting);
        readiness.keys_loaded(true);
        assert!(readiness.is_ready());
        readiness.keys_loaded(false);
        assert_eq!(readiness.parts().status, ReadinessStatus::Starting);
        readiness.keys_loaded(true);
        readiness.clone().stopping();
        readiness.listening();
        assert_eq!(readiness.parts().status, ReadinessStatus::Stopping);
    }
}
