#![doc = include_str!("../README.md")]

pub mod access;
mod any_era;
pub mod back;
mod cell;
mod extensions;
pub mod front;
pub mod guard;
mod handles;
mod jitter;
mod known;
pub mod limits;
pub mod merge;
pub mod renewed;
mod scoped;

pub use access::{Access, Judge, Thing, Whose};
pub use any_era::{AnyEra, Speaks};
pub use back::{Back, BackOptions, Share};
pub use extensions::{ClientSession, ScopeKey};
pub use front::Front;
pub use handles::SealedSessions;
pub use known::{ListKind, State};
pub use merge::{Clash, Naming, Prefixed, Router, RouterOptions, Unprefixed};
pub use renewed::Renewed;
pub use scoped::{Bound, Ledger, Scoped, ScopedOptions};
