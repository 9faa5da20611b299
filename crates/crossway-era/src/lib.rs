#![doc = include_str!("../README.md")]

mod capabilities;
pub mod from_legacy;
pub mod keys;
pub mod limits;
mod members;
pub mod to_legacy;
