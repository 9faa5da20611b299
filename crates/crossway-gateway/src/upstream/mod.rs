//! Connects to an upstream: finds out what it speaks, follows changes of that, and puts the router's parts around it.

pub mod apis;
pub(crate) mod connect;
pub(crate) mod detect;
pub(crate) mod disabled;
pub(crate) mod eras;
pub(crate) mod health;
pub(crate) mod member;
pub(crate) mod pending;
pub(crate) mod redetect;
