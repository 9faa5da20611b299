#![doc = include_str!("../README.md")]

pub mod bars;
pub mod echo;
pub mod load;

mod body;
mod descriptors;
mod limits;
mod procfs;
mod revision;
mod scan;
mod sse;

pub use procfs::{Memory, Watch};
pub use revision::Revision;
