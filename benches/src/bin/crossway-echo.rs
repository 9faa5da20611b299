//! A small MCP echo server, for bridges to be measured in front of.

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    crossway_benches::echo::Cli::parse().run()
}
