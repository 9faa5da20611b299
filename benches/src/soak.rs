//! The soak: thousands of users of some tens of tenants, for a long time, while servers die, secrets change and configs are replaced.

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
