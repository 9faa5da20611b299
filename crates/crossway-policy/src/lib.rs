#![doc = include_str!("../README.md")]

mod principal;

pub use principal::{Principal, Proof};
