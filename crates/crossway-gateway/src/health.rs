//! `crossway health`: asks a gateway of this machine whether it takes calls, for images that have no other program.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::args::HealthArgs;

/// How long an answer may take: a probe of Docker gives up after 30 seconds, and one that hangs says less than one that fails.
const ANSWER: Duration = Duration::from_secs(5);

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
    let asked = tokio::time::timeout(ANSWER, ask(&url)).await;
    let status = asked
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|source| HealthError::NoAnswer { url: url.clone(), source })?;
    if status.is_success() { Ok(()) } else { Err(HealthError::Unhealthy { url, status }) }
}

async fn ask(url: &Uri) -> io::Result<StatusCode> {
    let (Some(host), Some(authority)) = (url.host(), url.authority()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // An IPv6 address stands in brackets in a URL alone.
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), url.port_u16().unwrap_or(80))).await?;
    let mut request = Request::get(url.path_and_query().map_or("/", |path| path.as_str()))
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let authority = HeaderValue::from_str(authority.as_str()).map_err(io::Error::other)?;
    request.headers_mut().insert(HOST, authority);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let mut response = pin!(sender.send_request(request));
    let response = tokio::select! {
        biased;
        response = &mut response => response,
        // It may have ended behind the response.
        ended = connection => match ended {
            Ok(()) => response.await,
            Err(error) => Err(error),
        },
    };
    Ok(response.map_err(io::Error::other)?.status())
}
