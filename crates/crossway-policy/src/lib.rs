#![doc = include_str!("../README.md")]

pub mod config;
mod denied;
mod finding;
mod item;
pub mod limits;
mod names;
mod pattern;
mod permit;
mod policy;
mod principal;
mod rights;
mod rules;
mod tenants;
mod upstreams;

pub use config::PolicyConfig;
pub use denied::{Denied, DenyReason};
pub use finding::{Finding, Problem, Severity};
pub use item::{Hints, Item, Kind};
pub use names::{NotATenantName, TenantName};
pub use pattern::BadPattern;
pub use permit::Permit;
pub use policy::Policy;
pub use principal::{Principal, Proof};
pub use rights::{Rights, ViewId};
pub use rules::RuleRef;
pub use tenants::TenantDenied;
pub use upstreams::UpstreamFacts;
