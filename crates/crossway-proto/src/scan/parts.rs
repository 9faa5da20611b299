//! The positions of a message's parts in its text.

use std::ops::Range;

/// A span of a message's text. Empty means absent: no JSON token is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "texts are bounded far below 4 GiB before they are scanned"
    )]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The same span after `by` bytes were inserted before it.
    pub(crate) fn shifted(self, by: usize) -> Self {
        Self::new(self.range().start + by, self.range().end + by)
    }

    /// The same span after `by` bytes before it were removed.
    pub(crate) fn shifted_back(self, by: usize) -> Self {
        Self::new(self.range().start - by, self.range().end - by)
    }

    /// The span of a string token without its quotes.
    pub(super) fn within_quotes(self) -> Self {
        Self { start: self.start + 1, end: self.end - 1 }
    }

    pub(crate) fn is_within(self, other: Self) -> bool {
        other.start <= self.start && self.end <= other.end
    }

    pub(crate) fn is_absent(self) -> bool {
        self.end == 0
    }
}

/// The positions of a message's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Envelope {
    pub(crate) id: Span,
    pub(crate) method: Span,
    pub(crate) params: Span,
    /// `result`, or `error` of an error: no message has both.
    pub(crate) result: Span,
    /// `params.name`.
    pub(crate) name: Span,
    /// `params.uri`.
    pub(crate) uri: Span,
    /// `params.arguments`; the first one if there are several.
    pub(crate) arguments: Span,
    /// `params.requestId`.
    pub(crate) request_id: Span,
    /// `params._meta` or `result._meta`.
    pub(crate) meta: Span,
    /// `params.progressToken`, as in `notifications/progress`.
    pub(crate) progress_token: Span,
    /// `params._meta.progressToken`, as in requests.
    pub(crate) meta_progress_token: Span,
    /// `_meta["io.modelcontextprotocol/subscriptionId"]`.
    pub(crate) subscription_id: Span,
    /// `_meta["io.modelcontextprotocol/protocolVersion"]`.
    pub(crate) meta_version: Span,
    /// `_meta["io.modelcontextprotocol/logLevel"]` of a request.
    pub(crate) log_level: Span,
    /// `params.protocolVersion` or `result.protocolVersion`, as in `initialize`.
    pub(crate) version: Span,
    /// Whether the method has escapes.
    pub(crate) is_method_escaped: bool,
    /// Whether `params.arguments` occurs more than once.
    pub(crate) has_more_arguments: bool,
    /// Whether the message has one of the [rare members](crate::Message::has_rare_members).
    pub(crate) has_rare: bool,
    /// What `_meta["io.modelcontextprotocol/clientCapabilities"]` says, if it is an object.
    pub(crate) capabilities: Capabilities,
    /// Whether there is a member that some readers take for one of these.
    pub(crate) has_lookalikes: bool,
}

/// The client capabilities in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Capabilities {
    #[default]
    Unsaid,
    /// That there are none.
    None,
    Some,
}

impl Envelope {
    /// Shifts all positions for an insertion of `len` bytes at `at`, between two tokens.
    pub(crate) fn make_room(&mut self, at: usize, len: usize) {
        for span in self.spans_mut() {
            let (start, end) = (span.range().start, span.range().end);
            if start >= at && !span.is_absent() {
                *span = span.shifted(len);
            } else if end > at {
                *span = Span::new(start, end + len);
            }
        }
    }

    /// Everything that is noted.
    pub(crate) fn spans_mut(&mut self) -> [&mut Span; 15] {
        let Self {
            id,
            method,
            params,
            result,
            name,
            uri,
            arguments,
            request_id,
            meta,
            progress_token,
            meta_progress_token,
            subscription_id,
            meta_version,
            log_level,
            version,
            is_method_escaped: _,
            has_more_arguments: _,
            has_rare: _,
            capabilities: _,
            has_lookalikes: _,
        } = self;
        [
            id,
            method,
            params,
            result,
            name,
            uri,
            arguments,
            request_id,
            meta,
            progress_token,
            meta_progress_token,
            subscription_id,
            meta_version,
            log_level,
            version,
        ]
    }
}
