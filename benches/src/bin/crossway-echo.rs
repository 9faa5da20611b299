//! A small MCP echo server, for measuring the bridges in front of it.

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    crossway_benches::echo::Cli::parse().run()
}
