//! The command line, and its conversion into work.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Parser, ValueEnum};
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::address::Address;
use super::idle::{Idle, hold_sessions};
use super::run::run;
use super::setups::repeat_setups;
use super::template::UNIQUE_LENGTH;
use super::work::{Length, Target, Work};
use crate::procfs::Watch;
use crate::revision::Revision;

/// Make load for an MCP server or bridge, check every answer, and report what it cost.
///
/// Each session does the whole handshake. Each call of the tool has a text that no other call has, and
/// its answer is right only if it has the call's id and text. Wrong, failed and lost calls are
/// counted, and one of them is enough for exit code 1.
///
/// With --pid, the processor time (user and system) and the resident memory of a process and all of
/// its descendants are reported; --exclude-name and --exclude-pid leave out those that are not
/// meant, such as the servers that a bridge starts.
#[derive(Debug, Parser)]
#[command(
    name = "crossway-load",
    version,
    after_help = "Examples:\n  \
        crossway-load --url http://127.0.0.1:8808/mcp --sessions 8 --concurrency 4 --duration 5\n  \
        crossway-load --transport http-sse --url http://127.0.0.1:8808/sse --calls 1000\n  \
        crossway-load --transport stdio --payload 65536 -- crossway-echo stdio\n  \
        crossway-load --transport openapi --url http://127.0.0.1:8000/\n  \
        crossway-load --url http://127.0.0.1:8808/mcp --idle --sessions 10000 --with-get-stream --pid 4321\n\n\
        Exit codes: 0 all answers right, 1 some not, 2 wrong usage or no session could be set up."
)]
pub struct Cli {
    /// The transport to speak.
    #[arg(long, value_enum, default_value_t = Transport::StreamableHttp)]
    transport: Transport,

    /// The URL of the server: its MCP endpoint, its stream (HTTP+SSE), or that below which its tools are (OpenAPI).
    #[arg(long)]
    url: Option<String>,

    /// The revision of the protocol to ask for.
    #[arg(long, value_enum, default_value_t = Revision::V2025_11_25)]
    revision: Revision,

    /// How many sessions; with stdio, each is a process.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sessions: u32,

    /// How many calls each session has in flight.
    #[arg(long, default_value_t = 1, value_name = "C", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,

    /// How long the text of each call is, in bytes (at least 32).
    #[arg(long, default_value_t = 64, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(32..=67_000_000))]
    payload: u32,

    /// How many seconds are measured.
    #[arg(long, default_value = "5", value_name = "SECS", value_parser = seconds)]
    duration: Duration,

    /// Measure so many calls instead of some time.
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    calls: Option<u64>,

    /// How many seconds calls are made before anything is measured.
    #[arg(long, default_value = "0.5", value_name = "SECS", value_parser = seconds)]
    warmup: Duration,

    /// The tool to call.
    #[arg(long, default_value = "echo", value_name = "NAME")]
    tool: String,

    /// The argument that the text goes into.
    #[arg(long, default_value = "message", value_name = "NAME")]
    argument_name: String,

    /// What the tool puts before the text in its answer, such as "Echo: ".
    #[arg(long, default_value = "", value_name = "TEXT")]
    answer_prefix: String,

    /// A header for each HTTP request, "Name: value". Can be given several times.
    #[arg(long, value_name = "HEADER", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,

    /// After how many seconds without an answer a call is lost.
    #[arg(long, default_value = "30", value_name = "SECS", value_parser = seconds)]
    timeout: Duration,

    /// How many threads make the load. One is enough for some 50,000 calls a second.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,

    /// Open the GET stream of each session (Streamable HTTP, legacy revisions).
    #[arg(long)]
    with_get_stream: bool,

    /// Make no calls: set --sessions up, hold them, and report their memory (see --pid).
    #[arg(long, conflicts_with_all = ["calls", "setup_rate"])]
    idle: bool,

    /// How many seconds idle sessions are held before their memory is read, and again once they ended.
    #[arg(long, default_value = "2", value_name = "SECS", value_parser = seconds)]
    hold: Duration,

    /// Make no calls: set sessions up and end them, --sessions at a time, and report how many per second.
    #[arg(long, conflicts_with = "calls")]
    setup_rate: bool,

    /// With --setup-rate: open a new connection for each session instead of keeping them.
    #[arg(long, requires = "setup_rate")]
    fresh_connections: bool,

    /// Report the processor time and memory of this process and its descendants. Can be given several
    /// times. With stdio, the started commands are measured unless this is given.
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,

    /// Leave out processes of this name (at most 15 bytes, as in /proc/PID/comm) and their descendants.
    #[arg(long, value_name = "NAME", visible_alias = "exclude-comm")]
    exclude_name: Vec<String>,

    /// Leave out this process and its descendants.
    #[arg(long, value_name = "PID")]
    exclude_pid: Vec<u32>,

    /// Write the report as JSON too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Let the command's stderr through (stdio).
    #[arg(long)]
    show_stderr: bool,

    /// Draw no progress bar.
    #[arg(long, short)]
    quiet: bool,

    /// The command of a stdio server and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Transport {
    StreamableHttp,
    HttpSse,
    Stdio,
    /// No MCP: tools as paths, arguments and answers as JSON, as mcpo has them.
    #[value(name = "openapi")]
    OpenApi,
}

impl Cli {
    /// Runs the load and prints the report.
    ///
    /// # Errors
    ///
    /// When the arguments contradict each other, no session can be set up, or a file can't be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let work = self.work()?;
        if self.idle {
            let report = hold_sessions(&work, Idle { hold: self.hold })?;
            self.finish(&report, report.counts.is_clean() && report.sessions == report.wanted)
        } else if self.setup_rate {
            let report = repeat_setups(&work, self.duration, self.fresh_connections)?;
            self.finish(&report, report.counts.is_clean())
        } else {
            let report = run(&work)?;
            self.finish(&report, report.is_clean())
        }
    }

    fn finish(&self, report: &(impl std::fmt::Display + Serialize), clean: bool) -> anyhow::Result<ExitCode> {
        write!(std::io::stdout(), "{report}")?;
        if let Some(file) = &self.json {
            let json = serde_json::to_string_pretty(report)? + "\n";
            fs::write(file, json).with_context(|| format!("could not write {}", file.display()))?;
        }
        Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn work(&self) -> anyhow::Result<Work> {
        let needs_url = "this transport needs --url, such as --url http://127.0.0.1:8808/mcp";
        let address = || -> anyhow::Result<Address> {
            ensure!(
                self.command.is_empty(),
                "a COMMAND is for --transport stdio; this transport takes --url"
            );
            Ok(Address::parse(self.url.as_deref().context(needs_url)?)?)
        };
        let target = match self.transport {
            Transport::StreamableHttp => Target::StreamableHttp(address()?),
            Transport::HttpSse => Target::HttpSse(address()?),
            Transport::OpenApi => Target::OpenApi(address()?),
            Transport::Stdio if self.url.is_some() => bail!("--transport stdio takes a COMMAND, not --url"),
            Transport::Stdio if self.command.is_empty() => bail!("--transport stdio needs `-- COMMAND`"),
            Transport::Stdio => Target::Stdio(self.command.clone()),
        };
        if self.transport == Transport::HttpSse && self.revision.is_modern() {
            bail!("{} has no HTTP+SSE; use another --revision", self.revision);
        }
        if self.with_get_stream && (self.transport != Transport::StreamableHttp || self.revision.is_modern())
        {
            bail!("--with-get-stream is for Streamable HTTP with a legacy revision");
        }
        let payload = self.payload as usize;
        debug_assert!(payload >= UNIQUE_LENGTH, "the smallest payload holds what makes calls unique");
        Ok(Work {
            target,
            revision: self.revision,
            sessions: self.sessions as usize,
            concurrency: self.concurrency as usize,
            payload,
            length: self.calls.map_or(Length::Time(self.duration), Length::Calls),
            warmup: self.warmup,
            tool: self.tool.clone(),
            argument: self.argument_name.clone(),
            answer_prefix: self.answer_prefix.clone(),
            timeout: self.timeout,
            threads: self.threads.into(),
            with_get_stream: self.with_get_stream,
            headers: self.header.clone(),
            show_stderr: self.show_stderr,
            watch: Watch {
                pids: self.pid.clone(),
                exclude_names: self.exclude_name.clone(),
                exclude_pids: self.exclude_pid.clone(),
            },
            progress: !self.quiet,
        })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err("expected at most a day".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("expected \"Name: value\"")?;
    let name = name.trim().parse().map_err(|_| "this is not the name of a header".to_owned())?;
    let mut value =
        HeaderValue::from_str(value.trim()).map_err(|_| "this is not the value of a header".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn work(arguments: &[&str]) -> anyhow::Result<Work> {
        Cli::try_parse_from([&["crossway-load"], arguments].concat())?.work()
    }

    fn refusal(arguments: &[&str]) -> String {
        work(arguments).unwrap_err().to_string()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_that_contradict_each_other_are_refused_with_a_reason() {
        let url = "http://127.0.0.1:1/mcp";
        assert!(refusal(&[]).contains("needs --url"));
        assert!(refusal(&["--transport", "stdio"]).contains("-- COMMAND"));
        assert!(refusal(&["--transport", "stdio", "--url", url]).contains("not --url"));
        assert!(refusal(&["--url", url, "--", "cat"]).contains("takes --url"));
        assert!(refusal(&["--url", url, "--calls", "5", "--duration", "5"]).contains("--duration"));
        assert!(refusal(&["--url", url, "--payload", "1"]).contains("32"));
        assert!(refusal(&["--transport", "openapi"]).contains("needs --url"));
        assert!(refusal(&["--url", url, "--header", "x"]).contains("Name: value"));
        let modern = ["--url", url, "--revision", "2026-07-28"];
        assert!(refusal(&[&modern[..], &["--transport", "http-sse"]].concat()).contains("no HTTP+SSE"));
        assert!(refusal(&[&modern[..], &["--with-get-stream"]].concat()).contains("legacy"));
    }

    #[test]
    fn a_whole_command_line_becomes_work() {
        let work = work(&[
            "--transport",
            "stdio",
            "--sessions",
            "3",
            "--concurrency",
            "2",
            "--calls",
            "10",
            "--warmup",
            "0",
            "--",
            "server",
            "--flag",
        ])
        .unwrap();
        assert!(matches!(&work.target, Target::Stdio(command) if command == &["server", "--flag"]));
        assert!(matches!(work.length, Length::Calls(10)));
        assert_eq!((work.sessions, work.concurrency, work.warmup), (3, 2, Duration::ZERO));
    }
}
