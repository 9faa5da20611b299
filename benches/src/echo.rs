//! The echo server: an MCP server at minimal cost, for measuring the bridges in front of it.

mod body;
mod http_sse;
mod listener;
mod rpc;
mod sessions;
mod stdio;
mod streamable_http;

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A small MCP server that gives back what it is given.
///
/// Tools: `echo` answers with its argument `message`, byte for byte; `progress` notifies of progress
/// `steps` times before it answers. It speaks every revision from 2024-11-05 to 2026-07-28, the HTTP
/// faces print `listening on URL` once they serve, and messages may have up to 64 MiB.
#[derive(Debug, Parser)]
#[command(name = "crossway-echo", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    transport: Transport,
    /// The revisions to speak: those before 2026-07-28, that one, or all.
    #[arg(long, value_enum, default_value_t = Era::Both, global = true)]
    era: Era,
    /// Have the tool `whoami` too, which says what the client has proven itself with: the header `X-Echo-Credential`, or on stdio the
    /// variable `ECHO_CREDENTIAL`.
    #[arg(long, global = true)]
    whoami: bool,
    /// Be a bad server (stdio): answer calls only after so many milliseconds, one after the other.
    #[arg(long, default_value_t = 0, value_name = "MS", global = true)]
    delay: u64,
    /// Be a bad server (stdio): end after so many calls.
    #[arg(long, value_name = "N", global = true)]
    die_after: Option<u64>,
    /// Be a bad server (stdio): send so many notifications a second, whatever is asked.
    #[arg(long, default_value_t = 0, value_name = "N", global = true)]
    noise: u32,
    /// How many tools to list besides those that do something.
    #[arg(long, default_value_t = 0, value_name = "N", global = true)]
    more_tools: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Era {
    Both,
    Legacy,
    Modern,
}

#[derive(Debug, Subcommand)]
enum Transport {
    /// Serve one client on standard input and output.
    Stdio,
    /// Serve Streamable HTTP at /mcp, with sessions for legacy clients and without for modern ones.
    StreamableHttp {
        #[command(flatten)]
        listen: Listen,
        /// Answer requests with an event stream instead of JSON.
        #[arg(long)]
        sse_answers: bool,
    },
    /// Serve HTTP+SSE (2024-11-05): the stream at /sse, the messages at /messages.
    HttpSse {
        #[command(flatten)]
        listen: Listen,
    },
}

#[derive(Debug, Args)]
struct Listen {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    listen: SocketAddr,
    /// How many threads serve. One is the cheapest per call, and no bottleneck on a small machine.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
}

impl Cli {
    /// Serves until standard input ends (stdio) or for ever (HTTP).
    ///
    /// # Errors
    ///
    /// When the address can't be bound or the standard streams break.
    pub fn run(self) -> anyhow::Result<()> {
        let (is_legacy, is_modern) = (self.era != Era::Modern, self.era != Era::Legacy);
        rpc::behave(rpc::Manner::new(is_legacy, is_modern, self.whoami, self.more_tools.into()));
        match self.transport {
            Transport::Stdio => {
                let vices = stdio::Vices {
                    delay: Duration::from_millis(self.delay),
                    die_after: self.die_after,
                    noise: self.noise,
                };
                Ok(stdio::serve(&vices)?)
            }
            Transport::StreamableHttp { listen, sse_answers } => listener::serve(
                listen.listen,
                listen.threads,
                "/mcp",
                streamable_http::Face::new(sse_answers),
            ),
            Transport::HttpSse { listen } => {
                listener::serve(listen.listen, listen.threads, "/sse", http_sse::Face::default())
            }
        }
    }
}
