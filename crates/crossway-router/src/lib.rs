#![doc = include_str!("../README.md")]

pub mod back;
mod extensions;
pub mod front;
pub mod guard;
pub mod known;
mod limits;
pub mod merge;

pub use extensions::{ClientSession, ScopeKey};
