#![doc = include_str!("../README.md")]

mod capabilities;
pub mod from_legacy;
pub mod keys;
pub mod limits;
pub mod to_legacy;
