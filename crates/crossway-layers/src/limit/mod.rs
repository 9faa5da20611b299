//! Quotas: calls per time, concurrent calls, bytes per time.
//!
//! [`Quotas`] returns the [`Quota`]s that a call counts against: a tenant's as the bound, a user's for fairness within it, an
//! upstream's, a tool's. Counts are kept per quota key for as long as they matter, in a bounded table.
//!
//! | what | over it |
//! |---|---|
//! | calls per time | the call is refused, with the time until a retry can succeed |
//! | concurrent calls | the call waits its turn; the waiting user with the fewest calls is next. Too many waiting, or too long: refused |
//! | bytes per time | the call is refused. Requests and replies count; a reply, counted as it passes, may overdraw: that is paid first |
//!
//! [`RequestCounts`] limit the rate of requests of all kinds, before a layer sees them. The layer counts requests, each
//! attempt of them; notifications and responses do not count. `subscriptions/listen` counts as a call when it begins, but not as
//! a concurrent call: it lasts for hours.
//!
//! A call that is refused by one of its quotas, or that gets no turn, counts for none of them.
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
