#![doc = include_str!("../README.md")]

mod error;
mod keyring;
pub mod limits;

pub use error::{KeyError, OpenError, SealError};
pub use keyring::Keyring;
