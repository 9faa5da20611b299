#![doc = include_str!("../README.md")]

pub mod corpus;
pub mod fuzz;
mod messages;
#[cfg(feature = "proxy")]
pub mod proxy;
mod scripted;
pub mod sim;

pub use messages::{message, settle, text};
pub use scripted::{Scripted, Server};
