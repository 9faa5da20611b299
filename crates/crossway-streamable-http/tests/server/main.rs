//! The server half, from outside: as a service, and over sockets.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod bad_bodies;
mod bad_connections;
mod bad_heads;
mod bad_sessions;
mod batches;
mod calls;
mod handles;
mod http;
mod modern;
mod pages;
mod requests;
mod resuming;
mod sessions;
mod standing;
mod support;
mod table;
