#![doc = include_str!("../README.md")]
#![expect(
    deprecated,
    reason = "revision 2026-07-28 deprecates sampling, roots and logging; a demo of all revisions has them"
)]

mod answers;
mod closer;
mod completion;
mod demo;
mod era;
mod handler;
mod identity;
mod limits;
mod listeners;
mod media;
mod pages;
mod prompts;
mod questions;
mod resources;
mod seal;
mod stamp;
mod stop;
mod tools;
mod turn;

pub use closer::StreamCloser;
pub use demo::Demo;
pub use era::{Era, UnknownEra};
