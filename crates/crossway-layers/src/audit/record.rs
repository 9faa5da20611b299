//! The audit record of a call: started when it comes, written when it ends in any way.

use std::io::Write as _;
use std::time::Instant;

use crossway_policy::{Principal, TenantName};
use crossway_proto::{Kind, Message, Part};
use crossway_service::{Call, CallError, Outcome, TraceContext};
use serde::Deserialize;

use super::line::Line;
use super::log::Place;
use super::{AuditLog, AuditNote};
use crate::stage::{hex, is_standing, short};
use crate::trace::ClientTrace;

/// The record of a call, which is written when the call ends in any way.
pub(crate) struct Record {
    log: AuditLog,
    /// `None` until the record has a place, and again once it is written.
    place: Option<Place>,
    note: AuditNote,
    began: Instant,
    tenant: Option<TenantName>,
    /// The beginning of the line: what is known when the call comes.
    line: Line,
    trace: Option<TraceContext>,
    standing: Standing,
    end: End,
    /// The reason of a failure, in words that callers may see too.
    why: Option<String>,
}

/// The state of a call that listens, which lasts for as long as its client likes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The call does not listen, or is over.
    No,
    /// Listening has not begun yet.
    Asked,
    /// The beginning of listening is on record.
    Begun,
}

/// How a call ended.
#[derive(Clone, Copy)]
struct End {
    outcome: &'static str,
    code: Option<i64>,
    sent: Option<&'static str>,
}

const LISTENING: End = End { outcome: "listening", code: None, sent: None };

const DROPPED: End = End { outcome: "dropped", code: None, sent: None };

impl Record {
    /// Begins the record of a request.
    pub(super) fn new(log: &AuditLog, request: &Message, call: &Call) -> Self {
        let extensions = &call.context.extensions;
        let (who, tenant) = (extensions.get::<Principal>(), extensions.get::<TenantName>());
        let arguments = request.arguments().unwrap_or_else(|_| request.member(Part::Params, "arguments"));
        let mut line = Line::new();
        let _ = write!(line.member("time"), "\"{}\"", humantime::format_rfc3339_millis(log.clock().now()));
        line.put_text("issuer", who.map(Principal::issuer));
        line.put_text("subject", who.map(Principal::subject));
        line.put_text("tenant", tenant.map(TenantName::as_str));
        line.put_text("method", Some(short(&request.method().unwrap_or_default())));
        line.put_text("name", request.name().as_deref().map(short));
        let hash = arguments.map(|arguments| log.key().hash(arguments));
        line.put_word("arguments", hash.map(hex));
        Self {
            log: log.clone(),
            place: None,
            note: extensions.get::<AuditNote>().cloned().unwrap_or_default(),
            began: log.clock().instant(),
            tenant: tenant.cloned(),
            line,
            trace: extensions.get().or_else(|| Some(&extensions.get::<ClientTrace>()?.0)).cloned(),
            standing: if is_standing(request) { Standing::Asked } else { Standing::No },
            end: DROPPED,
            why: None,
        }
    }

    pub(super) fn tenant(&self) -> Option<&TenantName> {
        self.tenant.as_ref()
    }

    /// Whether the call listens and its beginning is not on record yet.
    pub(super) fn is_to_listen(&self) -> bool {
        self.standing == Standing::Asked
    }

    /// Writes that a call has begun to listen. So the records of listening calls, however many there are, hold no places.
    pub(super) fn listens(&mut self) {
        if self.is_to_listen() {
            self.end = LISTENING;
            self.write();
            (self.standing, self.end) = (Standing::Begun, DROPPED);
        }
    }

    pub(super) fn note(&self) -> &AuditNote {
        &self.note
    }

    /// Gives the record its place. From now on it is written, whatever happens.
    pub(super) fn placed(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Notes the answer, and writes.
    pub(super) fn answered(&mut self, answer: &Message) {
        let (outcome, code) = match answer.kind() {
            Kind::Error => ("error", answer.error().and_then(code)),
            _ => ("result", None),
        };
        let end = if outcome == "error" && self.note.noted().is_not_sent {
            End { outcome: "failed", code, sent: Some("not sent") }
        } else {
            End { outcome, code, sent: None }
        };
        self.ended(end);
    }

    /// Notes why there is no answer, and writes.
    pub(super) fn failed(&mut self, error: &CallError) {
        let sent = match error.outcome() {
            Outcome::NotSent => "not sent",
            Outcome::Unknown => "unknown",
            Outcome::Answered => "answered",
        };
        let code = Some(error.to_error_object().code.0);
        self.why = Some(error.clone().redacted("the log says why").to_string());
        self.ended(End { outcome: "failed", code, sent: Some(sent) });
    }

    /// Notes that there is no answer, and writes.
    pub(super) fn unanswered(&mut self) {
        self.ended(End { outcome: "no answer", ..DROPPED });
    }

    fn ended(&mut self, end: End) {
        self.end = end;
        self.write();
        self.standing = Standing::No;
    }

    fn write(&mut self) {
        let Some(place) = self.place.take().or_else(|| self.place_of_end()) else { return };
        let mut noted = self.note.noted();
        // A call that listens has two records; the first one has the parts.
        let parts = std::mem::take(&mut noted.parts);
        let parts_left_out = std::mem::take(&mut noted.parts_left_out);
        let took = self.log.clock().instant().saturating_duration_since(self.began);
        // The line of a call that listens is needed twice.
        let mut line = if self.is_to_listen() { self.line.clone() } else { std::mem::take(&mut self.line) };
        line.put("decision", noted.decision);
        line.put_text("rule", noted.rule.as_deref());
        line.put_text("upstream", noted.upstream.as_deref());
        line.put_text("own_name", noted.own_name.as_deref());
        line.put("parts", Some(&parts).filter(|parts| !parts.is_empty()));
        line.put("parts_left_out", Some(parts_left_out).filter(|count| *count > 0));
        let is_cut_off = self.end.outcome == DROPPED.outcome && self.log.is_cut_off();
        line.put_word("outcome", Some(if is_cut_off { "cut off" } else { self.end.outcome }));
        line.put("code", self.end.code);
        line.put_word("sent", self.end.sent);
        if self.end.sent.is_some() {
            line.put_text("why", self.why.as_deref().or(noted.why.as_deref()).map(short));
        }
        line.put("milliseconds", Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)));
        line.put_word("trace", self.trace.as_ref().map(|trace| hex(trace.trace().to_be_bytes())));
        drop(noted);
        place.send(line.ended());
    }
}

impl Record {
    /// Returns a place for the end of a call that listened, if there is one now. No call waits for it, since its beginning is on record.
    fn place_of_end(&mut self) -> Option<Place> {
        let has_begun = std::mem::replace(&mut self.standing, Standing::No) == Standing::Begun;
        if has_begun { self.log.place_now(self.tenant()).ok() } else { None }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.write();
    }
}

fn code(error: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Object {
        code: i64,
    }
    serde_json::from_slice::<Object>(error).ok().map(|object| object.code)
}
