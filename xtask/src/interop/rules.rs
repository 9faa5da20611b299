//! Sentences of the specification that make a feature impossible in a cell of the table.

/// A sentence that rules a feature out, and what follows from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// The name of the rule in `fixtures.json` and the scripts.
    pub(super) key: &'static str,
    /// The text of the footnote.
    pub(super) says: &'static str,
}

/// All rules, in the order of the footnotes.
pub(super) const RULES: [Rule; 5] = [
    Rule {
        key: "ping",
        says: "Revision 2026-07-28 has no `ping`: \"Remove `ping`, `logging/setLevel`, and `notifications/roots/list_changed`\" \
               (2026-07-28, changelog, Major changes 5).",
    },
    Rule {
        key: "roots",
        says: "This server asks for roots when its session begins. A client of 2026-07-28 has no session, and can be asked \
               in the course of `prompts/get`, `resources/read` and `tools/call` alone: \"Servers **MUST NOT** send \
               `InputRequiredResult` responses on any other client requests\" (2026-07-28, basic/patterns/mrtr, Supported \
               Requests). So it is asked if a session of the pool happens to begin with one of these, and this client \
               begins with lists.",
    },
    Rule {
        key: "elicitation",
        says: "No server may ask for it before 2025-06-18: \"Add support for **elicitation**, enabling servers to request \
               additional information from users during interactions\" (2025-06-18, changelog, Major changes 6).",
    },
    Rule {
        key: "late-listen",
        says: "`mcp-remote --protocol auto` answers `resources/subscribe` by itself, before it listens for that resource, so a \
               change that comes at once is not told, with Crossway or without: \"The server **MUST NOT** send notification \
               types the client has not explicitly requested\" (2026-07-28, basic/patterns/subscriptions, Opening a Stream).",
    },
    Rule {
        key: "posted-cancel",
        says: "`mcp-remote --protocol auto` passes its client's `notifications/cancelled` on, and keeps the stream open on which it \
               waits: \"Closing the SSE response stream is the cancellation signal. [...] No `notifications/cancelled` message \
               is required or expected.\" (2026-07-28, basic/patterns/cancellation, Transport-Specific Cancellation).",
    },
];

pub(super) fn find(key: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.key == key)
}
