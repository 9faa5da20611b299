//! The table of bars: floor, crossway and direct in turns, and what became of each bar.

mod cli;
mod measure;
mod outcome;
mod program;
mod rigs;
mod rows;
mod system;

pub use cli::Cli;
