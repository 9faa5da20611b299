//! The soak: thousands of users in tens of tenants, for a long time, while servers are killed, secrets change and configs are replaced.

mod chart;
mod check;
mod cli;
mod events;
mod page;
mod plan;
mod record;
mod site;
mod slow;
mod tally;
mod truth;
mod turn;

pub use cli::Cli;
