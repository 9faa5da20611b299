//! The table of bars: measures floor, crossway and direct in turns, and judges each bar.

mod cli;
mod measure;
mod outcome;
mod rigs;
mod rows;
mod serving;

pub use cli::Cli;
pub(crate) use outcome::median;
