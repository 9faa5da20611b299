//! rmcp 3 as a client of `cargo xtask interop`: what `interop/client_*` are for the other SDKs. It uses nothing of Crossway.
//!
//! `interop_rmcp --mode auto|REVISION --fixture NAME --server-era legacy|both|translated --dir DIR --transport stdio|streamable-http
//! [--fixtures FILE] -- TARGET...`. One line of JSON goes to stdout for each feature; `interop/features.py` says what
//! they mean.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rmcp::RoleClient;
use rmcp::model::ProtocolVersion;
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::json;

mod checks;
mod handler;
mod plans;

use checks::Checks;
use handler::Handler;
use plans::Absent;

/// No feature takes longer than about 2 s on a busy machine: this is for hangs.
const CHECK_LIMIT: Duration = Duration::from_secs(30);

/// The command line.
#[derive(Debug, Default)]
struct Options {
    mode: String,
    fixture: String,
    server_era: String,
    dir: String,
    transport: String,
    fixtures: PathBuf,
    target: Vec<String>,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            if word == "--" {
                options.target = words.by_ref().collect();
                break;
            }
            let value = words.next().with_context(|| format!("{word} needs a value"))?;
            match word.as_str() {
                "--mode" => options.mode = value,
                "--fixture" => options.fixture = value,
                "--server-era" => options.server_era = value,
                "--dir" => options.dir = value,
                "--transport" => options.transport = value,
                "--fixtures" => options.fixtures = value.into(),
                _ => bail!("{word} is not known"),
            }
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse(std::env::args().skip(1))?;
    let revision = if options.mode == "auto" { "2025-11-25" } else { &options.mode };
    let handler = Handler::new(revision).context("no folder for the root")?;
    let client = match tokio::time::timeout(CHECK_LIMIT, connect(&options, handler.clone())).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return Ok(end(&handler, emit("initialize", &Err(error)))),
        Err(_) => return Ok(end(&handler, emit("initialize", &Err(anyhow::anyhow!("nothing came"))))),
    };
    let checks = Checks::new(&options, client, handler.clone())?;
    let mut failures = emit("initialize", &Ok(checks.about()));
    for name in Checks::FEATURES {
        let outcome = tokio::time::timeout(CHECK_LIMIT, checks.check(name)).await;
        let nothing = || Err(anyhow::anyhow!("nothing came within {} s", CHECK_LIMIT.as_secs()));
        failures += emit(name, &outcome.unwrap_or_else(|_| nothing()));
    }
    failures += emit("close", &checks.close().await);
    Ok(end(&handler, failures))
}

fn end(handler: &Handler, failures: usize) -> ExitCode {
    handler.forget_root();
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn connect(options: &Options, handler: Handler) -> Result<RunningService<RoleClient, Handler>> {
    let lifecycle = match options.mode.as_str() {
        "auto" => ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::LATEST],
            legacy_version: None,
        },
        _ => ClientLifecycleMode::Initialize,
    };
    let (first, others) = options.target.split_first().context("no target")?;
    if options.transport == "streamable-http" {
        let transport = StreamableHttpClientTransport::from_uri(first.as_str());
        return Ok(handler.serve_with_lifecycle(transport, lifecycle).await?);
    }
    let mut child = tokio::process::Command::new(first)
        .args(others)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{first} cannot be started"))?;
    let pipes = child.stdout.take().zip(child.stdin.take()).context("a child without pipes")?;
    // It ends when its stdin does.
    tokio::spawn(async move { child.wait().await });
    Ok(handler.serve_with_lifecycle(pipes, lifecycle).await?)
}

/// Says how a feature went; 1 if it failed.
#[expect(clippy::print_stdout, reason = "it is what the caller reads")]
fn emit(feature: &str, outcome: &Result<String>) -> usize {
    let line = match outcome {
        Ok(detail) => json!({"feature": feature, "ok": true, "detail": detail}),
        Err(error) => match error.downcast_ref::<Absent>() {
            Some(absent) => {
                json!({"feature": feature, "ok": null, "detail": absent.detail, "absent": absent.kind})
            }
            None => json!({"feature": feature, "ok": false, "detail": format!("{error:#}")}),
        },
    };
    println!("{line}");
    usize::from(line.get("ok") == Some(&json!(false)))
}
