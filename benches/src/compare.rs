//! The comparison: runs other bridges and Crossway on the same work, in turns, and publishes the results.

mod bridges;
mod chart;
mod cli;
mod install;
mod measure;
mod outcome;
mod page;
mod plan;

pub use cli::Cli;
