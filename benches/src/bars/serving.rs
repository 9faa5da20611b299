//! `crossway serve`: configs, and measuring its costs.

mod config;
mod costs;

pub(crate) use config::{Settings, USER, Upstreams};
pub(crate) use costs::{Cost, Costed, measure_cost};
