//! Audit log: a JSON line for each request, written when it is over.
//!
//! | member | is |
//! |---|---|
//! | `time` | when the call came, in UTC |
//! | `issuer`, `subject` | who calls; absent if nobody is known |
//! | `tenant` | on whose behalf |
//! | `method`, `name` | what is asked; `name` is the tool's, the prompt's or the resource's URI, as the client says it |
//! | `arguments` | a keyed hash (HMAC-SHA256, its first 16 bytes in hex) of the arguments' bytes: the same for the same, and of no use to whoever has no key |
//! | `decision`, `rule` | `allowed` or `denied`, and by which rule, as whoever decides has noted in the call's [`AuditNote`] |
//! | `upstream`, `own_name` | where the call went, and what it was called there |
//! | `parts`, `parts_left_out` | of a request that names several things (a subscription to resources): `name`, `upstream`, `decision` and `rule` of each, and how many more there were than [`limits::AUDIT_PARTS`](crate::limits::AUDIT_PARTS) |
//! | `outcome` | `result`, `error`, `failed`, `dropped` (the client went away or cancelled before the answer), `no answer` or `listening` |
//! | `code`, `sent` | of an error: its JSON-RPC code; of a failure: `not sent`, `unknown` or `answered` |
//! | `why` | of a failure: the reason, without host names, paths and errors of the system, which the log has |
//! | `milliseconds` | how long it took |
//! | `trace` | the trace that it belongs to, if `trace` stands before this layer |
//!
//! `subscriptions/listen` goes on for as long as its client likes. It has a record with the outcome `listening` when it has begun, or has
//! not within [`limits::AUDIT_LISTEN`](crate::limits::AUDIT_LISTEN), and another one with the same `time` when it is over, if there is room
//! for that at once.
//!
//! Never an argument, a result, a header or a secret. Method and name are the client's words: they are cut at
//! [`limits::NAME_CHARS`](crate::limits::NAME_CHARS), and stand in JSON, so that no client writes a line of its own. Controls, line
//! separators (U+2028, U+2029) and controls of bidirectional text are written as `\uXXXX`.
//!
//! A call that can't be recorded is not made: its record has its place in the log from the start. Where there is no room, calls
//! wait or are refused, as [`Overflow`] says. One tenant's calls ([`TenantName`](crossway_policy::TenantName) in their extensions) take three
//! quarters of the room at the most. Those that are refused are counted, and the count is written when there is room again.

mod error;
mod key;
mod layer;
mod line;
mod log;
mod note;
mod record;
mod reply;
mod shares;
mod writer;

#[cfg(test)]
mod tests;

pub use error::NotRecorded;
pub use key::AuditKey;
pub use layer::AuditLayer;
pub use log::{AuditCounts, AuditLog, AuditOptions, Overflow};
pub use note::{AuditNote, Decision};
pub use writer::AuditWriter;
