//! `crossway health`: asks a gateway on this machine whether it is ready, as a probe for images without a shell.

use std::io;

use crossway_dial::Proxies;
use http::{Request, StatusCode, Uri};

use crate::args::HealthArgs;
use crate::limits::HEALTH_ANSWER;
use crate::outward;

/// Why a gateway is not healthy, or can't be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealthError {
    /// The URL is not one that can be asked.
    #[error("{0:?} is not a URL that can be asked; one is written as http://127.0.0.1:9808/readyz")]
    BadUrl(String),
    /// Nobody answers.
    #[error("{url} can't be asked")]
    NoAnswer {
        /// What was asked.
        url: Uri,
        /// Why.
        source: io::Error,
    },
    /// The answer is another one than that all is well.
    #[error("{url} says {status}")]
    Unhealthy {
        /// What was asked.
        url: Uri,
        /// What it says.
        status: StatusCode,
    },
}

/// Asks once: all is well if the status is one of success (2xx).
///
/// # Errors
///
/// When the URL is none of plain HTTP, nobody answers within five seconds, or the answer is another one.
pub async fn health(args: HealthArgs) -> Result<(), HealthError> {
    let bad = || HealthError::BadUrl(args.url.clone());
    let url: Uri = args.url.parse().map_err(|_| bad())?;
    if url.scheme_str() != Some("http") || url.host().is_none() {
        return Err(bad());
    }
    // A gateway of this machine, or one that is as near.
    let asked =
        tokio::time::timeout(HEALTH_ANSWER, outward::ask(&url, Request::default(), None, &Proxies::none()))
            .await;
    let status = asked
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|source| HealthError::NoAnswer { url: url.clone(), source })?
        .status();
    if status.is_success() { Ok(()) } else { Err(HealthError::Unhealthy { url, status }) }
}
