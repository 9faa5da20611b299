#![doc = include_str!("../README.md")]

mod dialer;
mod error;
pub mod limits;
mod proxies;
mod roots;
mod rules;
mod tunnel;

pub use dialer::{Dialed, Dialer};
pub use error::{BadProxy, DialError, ProxyFault};
pub use proxies::{Forward, Proxies, Proxy};
pub use roots::Roots;
