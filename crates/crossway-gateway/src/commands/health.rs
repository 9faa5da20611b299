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
    /// The URL is not a plain HTTP URL.
    #[error("{0:?} is not a URL that can be asked; one is written as http://127.0.0.1:9808/readyz")]
    BadUrl(String),
    /// There is no answer.
    #[error("{url} can't be asked")]
    NoAnswer {
        /// The URL.
        url: Uri,
        /// Why.
        source: io::Error,
    },
    /// The answer is not a success.
    #[error("{url} says {status}")]
    Unhealthy {
        /// The URL.
        url: Uri,
        /// The status of the answer.
        status: StatusCode,
    },
}

/// Asks once. The gateway is healthy if the status is a success (2xx).
///
/// # Errors
///
/// When the URL is not plain HTTP, there is no answer within five seconds, or the answer is not a success.
pub async fn health(args: HealthArgs) -> Result<(), HealthError> {
    let bad = || HealthError::BadUrl(args.url.clone());
    let url: Uri = args.url.parse().map_err(|_| bad())?;
    if url.scheme_str() != Some("http") || url.host().is_none() {
        return Err(bad());
    }
    // The gateway is on this machine or close by, so no proxy is used.
    let asked =
        tokio::time::timeout(HEALTH_ANSWER, outward::ask(&url, Request::default(), None, &Proxies::none()))
            .await;
    let status = asked
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|source| HealthError::NoAnswer { url: url.clone(), source })?
        .status();
    if status.is_success() { Ok(()) } else { Err(HealthError::Unhealthy { url, status }) }
}
