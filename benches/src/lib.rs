#![doc = include_str!("../README.md")]

pub mod bars;
pub mod compare;
pub mod echo;
pub mod load;
pub mod neighbours;
pub mod samples;
pub mod soak;

mod body;
mod descriptors;
mod limits;
mod open_webui;
mod procfs;
mod program;
mod revision;
mod scan;
mod sse;
mod system;

pub use procfs::{Memory, Watch};
pub use revision::Revision;
