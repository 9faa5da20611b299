//! Authorization: no call passes without a permit.
//!
//! Two ways, for two places:
//!
//! - A **gate** ([`AuthorizeLayer::gate`]) stands right before one upstream, behind whatever decides and renames. It decides nothing: a
//!   request that names something passes only with a `crossway_policy::Permit` in its extensions for exactly this upstream, kind
//!   and name, and for whoever calls, where a `Principal` says who that is. One that names several (`subscriptions/listen`) needs a permit for one
//!   of them, by rights that have the others too. That the arguments are those which were looked at, and that the permit was made for this
//!   call, is for whoever stands between to keep so: the permit stays in the extensions for what is behind the gate. Whatever went wrong before it, nothing reaches the upstream that was not granted.
//! - A **judge** ([`AuthorizeLayer::judge`]) is all that a program needs that has one upstream and a policy, and no router: it decides each
//!   request by who calls (a `Principal` in its extensions), hands on the permit, and filters lists page by page. Listed if and only
//!   if callable. What a grant denies by its name is denied in all capital letters, as what the upstream lists is not known. What an upstream says of its own tools (`readOnlyHint`) is not taken into account: grants that are for tools that
//!   only read grant nothing here.
//!
//! What is denied is answered as what does not exist. Only methods that are known here pass: denied unless granted. Notifications and
//! responses of the client pass, as they name nothing. Nothing passes that has a member which some servers would take for another one
//! (`Name` for `name`): they would act by what was not decided about.

mod error;
mod judge;
mod layer;
mod named;
mod reply;

#[cfg(test)]
mod tests;

pub use error::NotPermitted;
pub use layer::AuthorizeLayer;
pub use named::{AmbiguousArguments, arguments};
