#![doc = include_str!("../README.md")]

pub mod corpus;
pub mod fuzz;
mod scripted;

pub use scripted::{Scripted, Server};
