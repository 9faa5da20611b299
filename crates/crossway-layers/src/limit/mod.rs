//! Quotas: calls per time, concurrent calls, bytes per time.
//!
//! Who counts for which [`Quota`] is said by [`Quotas`]: a tenant's as the bound, a user's as fairness within it, an upstream's, a
//! tool's. Counts are kept by the quota's key for as long as they matter, in a table that has a bound.
//!
//! | what | over it |
//! |---|---|
//! | calls per time | the call is refused, with word of when to try again |
//! | calls at once | the call waits its turn; of those who wait, the user with the fewest calls at that time is next. Too many that wait, or too long: refused |
//! | bytes per time | the call is refused. Bytes of requests and replies count; those of a reply are known when they pass, so the quota may be overdrawn by one, and is paid back first |
//!
//! [`RequestCounts`] hold requests of all kinds to a rate, before a layer sees them. In the layer
//! requests count, each attempt of them; notifications and responses do not. `subscriptions/listen` counts as a call when it
//! begins, and not as one at once: it stands for hours.
//!
//! A call that one of its quotas refuses, or that gets no turn, counts for none of them.
//!
//! A refusal is [`OverQuota`](crossway_service::Reason::OverQuota), *not sent*, with `retry_after`.

mod bucket;
mod error;
mod gate;
mod layer;
mod quota;
mod reply;
mod requests;
mod table;

#[cfg(test)]
mod tests;

pub use error::OverQuota;
pub use layer::{LimitLayer, LimitOptions};
pub use quota::{AtOnce, Quota, QuotaKey, QuotaList, Quotas, Rate};
pub use requests::RequestCounts;
