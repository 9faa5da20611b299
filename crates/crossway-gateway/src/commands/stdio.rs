//! `crossway stdio`: serves a URL on standard input and output.

use std::io::{self, IsTerminal as _};
use std::pin::pin;
use std::sync::Arc;

use crossway_proto::{Kind, printable};
use crossway_router::Reinitialize;
use crossway_router::guard::IdleTimeout;
use crossway_service::{
    Ask, Call, CallError, Connection, ErrorText, Link, Reason, Reply, Scope, Upstream, with_causes,
};
use crossway_stdio::{OwnStdio, ServeOptions};
use tokio::sync::Notify;

use crate::args::StdioArgs;
use crate::limits::{FIRST_REQUEST, REACHED_FOR_NOBODY};
use crate::shutdown::{Hangup, Signals};
use crate::upstream::detect::reach_url;
use crate::upstream::eras::any_era;
use crate::{DetectError, RunError, Running, plan};

/// Serves this process's standard input and output until the input is closed, or until asked to end.
///
/// # Errors
///
/// When the upstream can't be reached, or standard input and output can't be used.
#[must_use]
pub fn stdio(args: StdioArgs) -> Running {
    Box::pin(run(args))
}

async fn run(args: StdioArgs) -> Result<(), RunError> {
    let mut signals = Signals::new(Hangup::Ends).map_err(RunError::Signals)?;
    let mut client = OwnStdio::open();
    let timeout = args.timeout;
    let mut reaching = pin!(reach_url(plan::stdio(&args)?));
    let left = async {
        client.left().await.map_err(RunError::Stdio)?;
        tokio::time::sleep(REACHED_FOR_NOBODY).await;
        // Without an error, a script would assume that it has its answers.
        if client.is_silent() { Ok(()) } else { Err(RunError::Left) }
    };
    let reached = tokio::select! {
        reached = &mut reaching => reached,
        left = left => return left,
        asked = signals.asked() => return asked.map_err(RunError::Signals),
    };
    match reached {
        Ok(url) => {
            let upstream = IdleTimeout::new(Reinitialize::new(any_era("url", url)), timeout);
            serve(client, upstream, &mut signals).await
        }
        Err(error) => {
            tell(client, &error, &mut signals).await?;
            Err(error.into())
        }
    }
}

/// Answers the client's first request with the error: most clients show that to their users, but not the log.
async fn tell(client: OwnStdio, error: &DetectError, signals: &mut Signals) -> Result<(), RunError> {
    // At a terminal, the user sees the log.
    if io::stdin().is_terminal() {
        return Ok(());
    }
    let why = Unreachable(printable(&with_causes(error)).into());
    let told = tokio::time::timeout(FIRST_REQUEST, serve(client, why, signals)).await;
    told.unwrap_or(Ok(()))
}

/// An upstream that can't be reached.
#[derive(Debug)]
struct Unreachable(Arc<str>);

impl Upstream for Unreachable {
    fn connect(&self, _: Scope) -> Link {
        Link::new(UnreachableConnection { why: Arc::clone(&self.0), has_told: Arc::default() })
    }
}

/// A connection that ends with the first request, which it answers by an error.
struct UnreachableConnection {
    why: Arc<str>,
    has_told: Arc<Notify>,
}

impl Connection for UnreachableConnection {
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            Ask::Message(message) if message.kind() == Kind::Request => {
                self.has_told.notify_one();
                Reply::failed(CallError::not_sent(Reason::Unavailable(ErrorText::private(
                    self.why.to_string(),
                ))))
            }
            Ask::Listen => {
                let has_told = Arc::clone(&self.has_told);
                Reply::pending(async move {
                    has_told.notified().await;
                    Reply::accepted()
                })
            }
            Ask::Message(_) => Reply::accepted(),
        }
    }
}

/// Serves one client on standard input and output.
pub(crate) async fn serve(
    client: OwnStdio,
    upstream: impl Upstream,
    signals: &mut Signals,
) -> Result<(), RunError> {
    let link = upstream.connect(Scope::Session);
    tokio::select! {
        served = client.serve(link.clone(), ServeOptions::default()) => served.map(drop).map_err(RunError::Stdio)?,
        asked = signals.asked() => asked.map_err(RunError::Signals)?,
    }
    link.close().await;
    Ok(())
}
