//! The commands but `serve`, which has a [module](crate::serve) of its own.

pub(crate) mod bridge;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod fleet;
pub(crate) mod health;
pub(crate) mod openapi;
pub(crate) mod single;
pub(crate) mod stdio;
