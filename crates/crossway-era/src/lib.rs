#![doc = include_str!("../README.md")]

mod capabilities;
mod content;
pub mod from_legacy;
pub mod keys;
pub mod limits;
mod members;
mod messages;
pub mod to_legacy;
