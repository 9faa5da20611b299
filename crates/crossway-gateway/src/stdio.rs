//! `crossway stdio`: a URL as a stdio server.

use crossway_router::Renewed;
use crossway_router::guard::Timeouts;
use crossway_service::{Scope, Upstream};
use crossway_stdio::ServeOptions;

use crate::args::StdioArgs;
use crate::detect::reach_url;
use crate::eras::any_era;
use crate::{RunError, Running, plan, shutdown};

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
    let timeout = args.timeout;
    let any_era = any_era("url", reach_url(plan::stdio(&args)?).await?);
    serve(Timeouts::new(Renewed::new(any_era), timeout)).await
}

/// Serves one client on standard input and output.
pub(crate) async fn serve(upstream: impl Upstream) -> Result<(), RunError> {
    let link = upstream.connect(Scope::Session);
    tokio::select! {
        served = crossway_stdio::serve_stdio(link.clone(), ServeOptions::default()) => served.map(drop).map_err(RunError::Stdio)?,
        asked = shutdown::asked() => asked.map_err(RunError::Signals)?,
    }
    link.close().await;
    Ok(())
}
