#![doc = include_str!("../README.md")]

mod child;
mod command;
mod error;
mod fill;
mod limits;
mod queue;
mod server;
mod shared;
mod upstream;

pub use command::Command;
pub use error::{Exit, StartError};
pub use limits::{Options, ServeOptions};
pub use server::{OwnStdio, Served, serve, serve_stdio, serve_with_extensions};
pub use upstream::StdioUpstream;
