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

/// Whether the gateway takes calls: once its configuration and keys are loaded and its listener is bound, and until it
/// is asked to end. Clones share it.
///
/// Upstreams have no part in it: one that is down would take all replicas away from all the others.
#[derive(Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

/// What there is of readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReadinessParts {
    /// In one word.
    pub status: ReadinessStatus,
    /// Whether a configuration is in force.
    pub config: bool,
    /// Whether the keys are loaded: of sessions, of identity.
    pub keys: bool,
    /// Whether the listener is bound.
    pub listener: bool,
}

/// Readiness in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadinessStatus {
    /// Something is missing yet.
    Starting,
    /// Calls are taken.
    Ready,
    /// The process was asked to end: what is in flight goes on, and no more should be sent.
    Stopping,
}

impl Readiness {
    /// Nothing is there yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A configuration is in force.
    pub fn config_loaded(&self) {
        self.set(CONFIG);
    }

    /// Whether the keys are loaded. They are not any more where a reload asks for others.
    pub fn keys_loaded(&self, are: bool) {
        match are {
            true => self.set(KEYS),
            false => drop(self.0.fetch_and(!KEYS, Ordering::AcqRel)),
        }
    }

    /// The listener is bound.
    pub fn listening(&self) {
        self.set(LISTENER);
    }

    /// The process was asked to end. There is no way back.
    pub fn stopping(&self) {
        self.set(STOPPING);
    }

    /// Whether calls are taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.parts().status == ReadinessStatus::Ready
    }

    /// What there is.
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
