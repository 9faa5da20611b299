#![doc = include_str!("../README.md")]

pub mod corpus;
mod scripted;

pub use scripted::{Scripted, Server};
