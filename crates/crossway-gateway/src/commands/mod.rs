//! The commands but `serve`, which [`serving`](crate::serving) has.

pub(crate) mod bridge;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod fleet;
pub(crate) mod health;
pub(crate) mod openapi;
pub(crate) mod single;
pub(crate) mod stdio;
