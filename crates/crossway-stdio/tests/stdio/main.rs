//! Real children and real streams: what they do, and what comes of it.

#![cfg(unix)]

#[cfg(test)]
mod child;
#[cfg(test)]
mod environment;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tree;
