//! Real children and real streams: what they do, and what comes of it.

#![cfg(unix)]

mod child;
mod environment;
mod faults;
mod flow;
mod serving;
mod shared;
mod support;
mod tree;
