#![doc = include_str!("../README.md")]

pub mod corpus;
pub mod fuzz;
mod scripted;
pub mod sim;

pub use scripted::{Scripted, Server};
