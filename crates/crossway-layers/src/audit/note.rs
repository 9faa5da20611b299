//! Details of a call that other layers add to its audit record.

use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::limits::AUDIT_PARTS;
use crate::stage::short;

/// What others know of a call, for its record: a slot in the call's extensions, which whoever decides and whoever routes fills in.
///
/// The last word counts. What is not noted is absent from the record.
#[derive(Clone, Default)]
pub struct AuditNote(Arc<Mutex<Noted>>);

/// What was decided about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It may be made.
    Allowed,
    /// It may not.
    Denied,
}

#[derive(Default)]
pub(super) struct Noted {
    pub(super) decision: Option<Decision>,
    pub(super) rule: Option<Arc<str>>,
    pub(super) upstream: Option<Arc<str>>,
    pub(super) own_name: Option<Arc<str>>,
    pub(super) is_not_sent: bool,
    pub(super) why: Option<Arc<str>>,
    pub(super) parts: Vec<Part>,
    pub(super) parts_left_out: usize,
}

/// What was decided about one of several things that a request names.
#[derive(serde::Serialize)]
pub(super) struct Part {
    name: String,
    upstream: String,
    decision: Decision,
    rule: String,
}

impl AuditNote {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes what was decided, and by which rule.
    pub fn decided(&self, decision: Decision, rule: Option<impl Into<Arc<str>>>) {
        let mut noted = self.noted();
        (noted.decision, noted.rule) = (Some(decision), rule.map(Into::into));
    }

    /// Notes what was decided about one of several things that a request names, as a subscription names resources. The request is on record as
    /// allowed if one of them is. Beyond [`limits::AUDIT_PARTS`](crate::limits::AUDIT_PARTS) they are counted alone.
    pub fn part(&self, name: &str, upstream: &str, decision: Decision, rule: &str) {
        let mut noted = self.noted();
        if noted.decision != Some(Decision::Allowed) {
            noted.decision = Some(decision);
        }
        if noted.parts.len() < AUDIT_PARTS {
            let name = short(name).to_owned();
            noted.parts.push(Part { name, upstream: upstream.to_owned(), decision, rule: rule.to_owned() });
        } else {
            noted.parts_left_out += 1;
        }
    }

    /// Notes where the call goes, and what it is called there.
    pub fn went_to(&self, upstream: impl Into<Arc<str>>, own_name: Option<impl Into<Arc<str>>>) {
        let mut noted = self.noted();
        (noted.upstream, noted.own_name) = (Some(upstream.into()), own_name.map(Into::into));
    }

    /// Notes that the call is answered here, and its upstream does not see it: an error that answers it is on record as a failure, *not sent*.
    pub fn not_sent(&self) {
        self.noted().is_not_sent = true;
    }

    /// Notes why the call is not sent, in words without a secret, an argument or a result. For a call that is answered: the error of one that is
    /// not has words of its own.
    pub fn failed_because(&self, why: impl Into<Arc<str>>) {
        self.noted().why = Some(why.into());
    }

    pub(super) fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock()
    }
}

impl fmt::Debug for AuditNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditNote").field("decision", &self.noted().decision).finish_non_exhaustive()
    }
}
