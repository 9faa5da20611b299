//! Authorization: no call passes without a permit.
//!
//! There are two forms, for two places:
//!
//! - A **gate** ([`AuthorizeLayer::gate`]) stands right before one upstream, behind the layers that decide and rename. It decides
//!   nothing: a request that names something passes only with a `crossway_policy::Permit` in its extensions for exactly this upstream,
//!   kind and name, and for its caller, if a `Principal` identifies one. A request that names several (`subscriptions/listen`) needs a
//!   permit for one of them, from rights that cover the others too. The layers before it have to ensure that the arguments are the
//!   checked ones and the permit was made for this call; the permit stays in the extensions. Nothing that was not granted passes.
//! - A **judge** ([`AuthorizeLayer::judge`]) is for programs with one upstream, a policy and no router: it decides each request by its
//!   caller (a `Principal` in its extensions), adds the permit, and filters lists page by page: an item is listed if and only if it is
//!   callable. A name that a grant denies is denied in any letter case, as the upstream's list is unknown. A tool's `readOnlyHint` is
//!   ignored: grants for tools that only read grant nothing here.
//!
//! A denial looks like the answer for an item that does not exist. Only known methods pass, and only if granted. The client's
//! notifications and responses pass, as they name nothing. A message with a member that some servers would take for another one
//! (`Name` for `name`) never passes: they would act on something that was not decided about.

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
