#![doc = include_str!("../README.md")]

mod capabilities;
mod content;
pub mod from_legacy;
pub mod limits;
mod members;
mod messages;
mod subscription_filter;
pub mod to_legacy;

pub use crossway_proto::keys;
pub use subscription_filter::SubscriptionFilter;
