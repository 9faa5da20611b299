#![doc = include_str!("../README.md")]

pub mod corpus;
pub mod fuzz;
#[cfg(feature = "proxy")]
pub mod proxy;
mod scripted;
pub mod sim;

pub use scripted::{Scripted, Server};
