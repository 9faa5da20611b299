//! Good servers beside bad ones, and a tenant beside one that uses up what it has: how long calls take with and without the neighbour.

mod bad;
mod cli;
mod good;

pub use cli::Cli;
