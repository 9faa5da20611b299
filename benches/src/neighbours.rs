//! Latency with and without a bad neighbour: good servers beside bad ones, and a tenant beside one that uses up its quota.

mod bad;
mod cli;
mod good;

pub use cli::Cli;
