//! Details of a call that other layers add to its audit record.

use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::limits::AUDIT_PARTS;
use crate::stage::short;

/// Details of a call for its audit record: a slot in the call's extensions, which the layers that decide and route fill in.
///
/// A later note replaces an earlier one, except that [parts](Self::part) add up. What nobody notes is absent from the record.
#[derive(Clone, Default)]
pub struct AuditNote(Arc<Mutex<Noted>>);

/// The decision about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The call may be made.
    Allowed,
    /// The call may not be made.
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

/// The decision about one of several things that a request names.
#[derive(serde::Serialize)]
pub(super) struct Part {
    name: String,
    upstream: String,
    decision: Decision,
    rule: String,
}

impl AuditNote {
    /// Creates an empty note.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes the decision and the rule that it follows.
    pub fn decided(&self, decision: Decision, rule: Option<impl Into<Arc<str>>>) {
        let mut noted = self.noted();
        (noted.decision, noted.rule) = (Some(decision), rule.map(Into::into));
    }

    /// Notes the decision about one of several things that a request names, such as the resources of a subscription. The record says that
    /// the request was allowed if one of them is. It has at most [`limits::AUDIT_PARTS`](crate::limits::AUDIT_PARTS) of them, and the
    /// number of the others.
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

    /// Notes the upstream that the call goes to, and the name that the called item has there.
    pub fn went_to(&self, upstream: impl Into<Arc<str>>, own_name: Option<impl Into<Arc<str>>>) {
        let mut noted = self.noted();
        (noted.upstream, noted.own_name) = (Some(upstream.into()), own_name.map(Into::into));
    }

    /// Notes that the call is answered here and its upstream does not see it. If the answer is an error, the record says that the call
    /// failed, *not sent*.
    pub fn not_sent(&self) {
        self.noted().is_not_sent = true;
    }

    /// Notes why the call is not sent, in words without a secret, an argument or a result. This is for calls that are answered here: where
    /// there is no answer, the error says why.
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
