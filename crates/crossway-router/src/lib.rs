#![doc = include_str!("../README.md")]

pub mod access;
mod any_era;
mod extensions;
pub mod from_legacy;
pub mod guard;
mod handles;
mod jitter;
pub mod limits;
mod list_cache;
mod mailbox;
pub mod merge;
pub mod reinitialize;
mod scoped;
pub mod to_legacy;

pub use access::{Access, AccessTarget, CallerSet, ItemFilter};
pub use any_era::{AnyEra, EraSupport};
pub use extensions::{ClientSession, ScopeKey};
pub use from_legacy::FromLegacy;
pub use handles::SealedSessions;
pub use jitter::jittered;
pub use list_cache::{ListKind, ListState};
pub use merge::{Clash, Naming, Prefixed, Router, RouterOptions, Unprefixed};
pub use reinitialize::Reinitialize;
pub use scoped::{Bound, Ledger, Scoped, ScopedOptions};
pub use to_legacy::{SharedBy, ToLegacy, ToLegacyOptions};
