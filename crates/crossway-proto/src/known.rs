//! The members that decide where messages go and how they are handled: readers and writers of them.

use std::borrow::Cow;

use crate::edit::is_named;
use crate::message::{Ambiguous, is_id, string, token};
use crate::scan::{self, Capabilities, Span};
use crate::text::Text;
use crate::{Kind, Message, Part, RequestId, keys};

/// A member whose position was recorded when the message was read.
#[derive(Clone, Copy)]
struct Known {
    /// The position of its original value; absent if there was none.
    span: Span,
    part: Part,
    name: &'static str,
}

const REQUEST_STATE: &str = "requestState";

/// The members that [`Message::has_rare_members`] looks for, in `params` and in a result.
const RARE_IN_PARAMS: [&str; 3] = [REQUEST_STATE, "inputResponses", "task"];
const RARE_IN_RESULTS: [&str; 2] = [REQUEST_STATE, "cacheScope"];

/// These return what will be written, including members that were [put in or removed](Message::edit).
impl Message {
    /// The name of the request's target: `params.uri` for methods on resources, else `params.name`.
    ///
    /// 2026-07-28, basic/transports/streamable-http: this is what `Mcp-Name` mirrors.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'_, str>> {
        string(self.current(self.name_member()))
    }

    /// `params.arguments` as JSON text.
    ///
    /// # Errors
    ///
    /// When it is there more than once: two readers could take it for different things.
    pub fn arguments(&self) -> Result<Option<&[u8]>, Ambiguous> {
        let known = self.in_params(self.0.envelope.arguments, "arguments");
        match self.current(known) {
            [] => Ok(None),
            // An edit of the arguments replaces all of them.
            _ if self.0.envelope.has_more_arguments && !self.is_gone(known.span) => Err(Ambiguous),
            arguments => Ok(Some(arguments)),
        }
    }

    /// `params.requestState` as JSON text (2026-07-28, basic/patterns/mrtr). None if it is null.
    ///
    /// # Errors
    ///
    /// When it is there more than once: two readers could take it for different things.
    pub fn request_state(&self) -> Result<Option<&[u8]>, Ambiguous> {
        // Few requests have one, and the others are not scanned.
        if !self.0.envelope.has_rare {
            return Ok(self.put_member(Part::Params, REQUEST_STATE).filter(|state| *state != b"null"));
        }
        let mut states = self.members(Part::Params).filter(|(name, _)| name == REQUEST_STATE);
        match (states.next(), states.next()) {
            (_, Some(_)) => Err(Ambiguous),
            (state, None) => Ok(state.map(|(_, state)| state).filter(|state| *state != b"null")),
        }
    }

    /// Whether `params` have one of `requestState`, `inputResponses` (2026-07-28, basic/patterns/mrtr) and
    /// `task` (2025-11-25, basic/utilities/tasks), or a result one of `requestState` and `cacheScope`
    /// (2026-07-28, server/utilities/caching), original or put in. Few messages have one, so that the others
    /// need not be scanned for them.
    #[must_use]
    pub fn has_rare_members(&self) -> bool {
        let puts = |part, rare: &[&str]| rare.iter().any(|name| self.put_member(part, name).is_some());
        self.0.envelope.has_rare
            || !self.0.edits.is_empty()
                && match self.is_response() {
                    true => puts(Part::Result, &RARE_IN_RESULTS),
                    false => puts(Part::Params, &RARE_IN_PARAMS),
                }
    }

    /// The progress token of a request or of a progress notification.
    #[must_use]
    pub fn progress_token(&self) -> Option<RequestId> {
        token(self.current(self.progress()))
    }

    /// The id of the request that `notifications/cancelled` cancels.
    #[must_use]
    pub fn cancelled_id(&self) -> Option<RequestId> {
        token(self.current(self.cancelled()))
    }

    /// `_meta["io.modelcontextprotocol/subscriptionId"]`: the listen request that a notification belongs to.
    #[must_use]
    pub fn subscription_id(&self) -> Option<RequestId> {
        token(self.current(self.subscription()))
    }

    /// `_meta["io.modelcontextprotocol/protocolVersion"]`: the revision that a modern request is made in.
    #[must_use]
    pub fn meta_version(&self) -> Option<Cow<'_, str>> {
        string(self.current(self.in_meta(self.0.envelope.meta_version, keys::PROTOCOL_VERSION)))
    }

    /// `_meta["io.modelcontextprotocol/logLevel"]` of a request, as JSON text: from which level on a modern client wants log
    /// messages. None if it is null.
    #[must_use]
    pub fn log_level(&self) -> Option<&[u8]> {
        let level = self.current(self.in_meta(self.0.envelope.log_level, keys::LOG_LEVEL));
        (!level.is_empty() && level != b"null").then_some(level)
    }

    /// Whether a request has an object as `_meta["io.modelcontextprotocol/clientCapabilities"]`, as a modern one must: `{}` if its client can do
    /// nothing.
    #[must_use]
    pub fn says_client_capabilities(&self) -> bool {
        if self.0.edits.is_empty() {
            self.0.envelope.capabilities != Capabilities::Unsaid
        } else {
            self.member(Part::Meta, keys::CLIENT_CAPABILITIES).is_some_and(|said| said.starts_with(b"{"))
        }
    }

    /// `_meta["io.modelcontextprotocol/clientCapabilities"]` of a request, as JSON text: what a modern client says of itself. None where that
    /// is nothing.
    #[must_use]
    pub fn client_capabilities(&self) -> Option<&[u8]> {
        // Most are empty, and are not scanned.
        let said = match self.0.envelope.capabilities {
            Capabilities::Some => self.member(Part::Meta, keys::CLIENT_CAPABILITIES),
            Capabilities::Unsaid | Capabilities::None => {
                self.put_member(Part::Meta, keys::CLIENT_CAPABILITIES)
            }
        };
        said.filter(|said| *said != b"{}")
    }

    /// `protocolVersion` of an `initialize` request or of its result.
    #[must_use]
    pub fn initialize_version(&self) -> Option<Cow<'_, str>> {
        let part = if self.is_response() { Part::Result } else { Part::Params };
        string(self.current(Known { span: self.0.envelope.version, part, name: "protocolVersion" }))
    }

    /// Replaces the name of the request's target (`params.name`, or `params.uri` for methods on resources).
    /// Does nothing for a message that has none.
    pub fn set_name(&mut self, name: &str) {
        self.replace(self.name_member(), |_| true, || Text::quoted(name));
    }

    /// Replaces the progress token. Does nothing for a message that has none.
    pub fn set_progress_token(&mut self, token: &RequestId) {
        self.splice(self.progress(), token);
    }

    /// Replaces the id that is cancelled. Does nothing for a message that has none.
    pub fn set_cancelled_id(&mut self, id: &RequestId) {
        self.splice(self.cancelled(), id);
    }

    /// Replaces the subscription id. Does nothing for a message that has none.
    pub fn set_subscription_id(&mut self, id: &RequestId) {
        self.splice(self.subscription(), id);
    }

    fn name_member(&self) -> Known {
        let token = self.part(self.0.envelope.method);
        let on_resources = token.starts_with(br#""resources/"#)
            || token.contains(&b'\\') && self.method().is_some_and(|method| method.starts_with("resources/"));
        if on_resources {
            self.in_params(self.0.envelope.uri, "uri")
        } else {
            self.in_params(self.0.envelope.name, "name")
        }
    }

    fn progress(&self) -> Known {
        let (part, span) = match self.0.kind {
            Kind::Request => (Part::Meta, self.0.envelope.meta_progress_token),
            _ => (Part::Params, self.0.envelope.progress_token),
        };
        Known { span, part, name: "progressToken" }
    }

    fn cancelled(&self) -> Known {
        self.in_params(self.0.envelope.request_id, "requestId")
    }

    fn subscription(&self) -> Known {
        self.in_meta(self.0.envelope.subscription_id, keys::SUBSCRIPTION_ID)
    }

    fn in_meta(&self, span: Span, name: &'static str) -> Known {
        Known { span, part: Part::Meta, name }
    }

    fn in_params(&self, span: Span, name: &'static str) -> Known {
        Known { span, part: Part::Params, name }
    }

    /// A member's value as it will be written; empty if it is absent.
    #[inline]
    fn current(&self, known: Known) -> &[u8] {
        if self.0.edits.is_empty() { &self.0.text[known.span.range()] } else { self.current_of_edited(known) }
    }

    // Separate from the short path that most messages take.
    #[inline(never)]
    fn current_of_edited(&self, known: Known) -> &[u8] {
        // No edit is within the span of another one.
        match self.0.edits.iter().find(|edit| known.span.is_within(edit.span)) {
            Some(edit) if edit.span == known.span => &edit.with,
            None if !known.span.is_absent() => &self.0.text[known.span.range()],
            // The original was removed or never existed, so it exists only if it was put in.
            _ => self.put_member(known.part, known.name).unwrap_or_default(),
        }
    }

    /// A member that was put into a part.
    #[inline]
    pub(crate) fn put_member(&self, part: Part, name: &str) -> Option<&[u8]> {
        if self.0.edits.is_empty() { None } else { self.put_member_of_edited(part, name) }
    }

    #[inline(never)]
    fn put_member_of_edited(&self, part: Part, name: &str) -> Option<&[u8]> {
        let put = self.put_in(part);
        if put.is_empty() {
            return None;
        }
        let member = scan::bare_members(put).into_iter().rfind(|member| is_named(put, member, name));
        member.map(|member| &put[member.value.range()])
    }

    fn splice(&mut self, known: Known, id: &RequestId) {
        // A value that is neither an id nor null stays: it names nothing that could have another name.
        self.replace(known, is_id, || Text::copied(id.as_json()));
    }

    /// Replaces a member's value, if the member exists and `may_go` allows it.
    fn replace(&mut self, known: Known, may_go: fn(&[u8]) -> bool, value: impl FnOnce() -> Text) {
        if !known.span.is_absent() && !self.is_gone(known.span) {
            if may_go(&self.0.text[known.span.range()]) {
                self.record(known.span, value());
            }
        } else if self.put_member(known.part, known.name).is_some_and(may_go) {
            // It was put in, so the object around it exists.
            let _ = self.edit(known.part, &[], &[(known.name, &value())]);
        }
    }
}

#[cfg(test)]
mod tests;
