//! The comparison: other bridges and Crossway at the same work, in turns, and what came of it for people to read.

mod bridges;
mod chart;
mod cli;
mod install;
mod measure;
mod outcome;
mod page;
mod plan;

pub use cli::Cli;
