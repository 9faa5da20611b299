#![doc = include_str!("../README.md")]

mod capabilities;
mod content;
pub mod from_legacy;
pub mod keys;
pub mod limits;
mod members;
mod messages;
mod subscription_filter;
pub mod to_legacy;

pub use subscription_filter::SubscriptionFilter;
