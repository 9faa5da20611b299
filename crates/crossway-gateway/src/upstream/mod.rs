//! Connects to an upstream: detects what it speaks, follows changes of that, and wraps it in the router's parts.

pub mod apis;
pub(crate) mod attempts;
pub(crate) mod connect;
pub(crate) mod detect;
pub(crate) mod disabled;
pub(crate) mod eras;
pub(crate) mod health;
pub(crate) mod member;
pub(crate) mod pending;
pub(crate) mod redetect;
