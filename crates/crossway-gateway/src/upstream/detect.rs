//! Detects which transport a URL speaks.

use std::sync::Arc;

use crossway_http_sse::{HttpSseUpstream, OpenError};
use crossway_proto::Era;
use crossway_router::EraSupport;
use crossway_service::{Reason, Upstream};
use crossway_streamable_http::client::{Options, OptionsError, ProbeError, StreamableHttpUpstream, Verdict};
use http::HeaderMap;

use crate::args::TransportArg;
use crate::limits::URL_SILENCE;
use crate::plan::{UrlPlan, shown};
use crate::upstream::redetect::{Find, Found, Kind, RedetectingUpstream};

/// Why a URL can't be an upstream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// The URL or a header can't be used with Streamable HTTP.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The URL or a header can't be used with HTTP+SSE.
    #[error(transparent)]
    SseOptions(#[from] crossway_http_sse::OptionsError),
    /// The server could not be probed.
    #[error("{url}")]
    Probe {
        /// The URL.
        url: String,
        /// Why.
        source: ProbeError,
    },
    /// The server speaks neither transport there.
    #[error(
        "{url} is no MCP endpoint: POST was answered with status {status}, and GET opened no HTTP+SSE stream; check the \
         URL's path (often /mcp or /sse)"
    )]
    Neither {
        /// The URL.
        url: String,
        /// The status of the answer to a POST.
        status: u16,
        /// Why a GET opened no stream.
        source: OpenError,
    },
    /// HTTP+SSE was configured, and the URL does not speak it.
    #[error("{url} opens no HTTP+SSE stream{}", wants(source))]
    NotSse {
        /// The URL.
        url: String,
        /// Why.
        source: OpenError,
    },
}

/// Returns the advice for a server that requires authorization.
fn wants(error: &OpenError) -> &'static str {
    match error {
        OpenError::Status { status, .. } if status.as_u16() == 401 => {
            " without authorization; add a header, `Authorization: Bearer ...`"
        }
        _ => "",
    }
}

impl DetectError {
    /// Whether the server could not be reached.
    pub(crate) fn is_unreachable(&self) -> bool {
        match self {
            Self::Probe { source: ProbeError::Failed(error), .. } => {
                matches!(error.reason(), Reason::Unavailable(_))
            }
            Self::Neither { source, .. } | Self::NotSse { source, .. } => source.is_unreachable(),
            _ => false,
        }
    }
}

/// A server at a URL that has been reached.
#[derive(Debug)]
pub struct AtUrl {
    transport: Transport,
    speaks: EraSupport,
}

#[derive(Debug)]
enum Transport {
    StreamableHttp(StreamableHttpUpstream),
    HttpSse(HttpSseUpstream),
}

impl AtUrl {
    fn streamable(upstream: StreamableHttpUpstream, speaks: EraSupport) -> Self {
        Self { transport: Transport::StreamableHttp(upstream), speaks }
    }

    fn http_sse(upstream: HttpSseUpstream) -> Self {
        Self { transport: Transport::HttpSse(upstream), speaks: EraSupport::Legacy }
    }

    /// Returns the server as an upstream.
    #[must_use]
    pub fn upstream(&self) -> Arc<dyn Upstream> {
        match &self.transport {
            Transport::StreamableHttp(upstream) => Arc::new(upstream.clone()),
            Transport::HttpSse(upstream) => Arc::new(upstream.clone()),
        }
    }

    /// The eras that the server speaks.
    #[must_use]
    pub fn speaks(&self) -> EraSupport {
        self.speaks
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.transport {
            Transport::StreamableHttp(_) => Kind::Streamable(self.speaks),
            Transport::HttpSse(_) => Kind::HttpSse,
        }
    }

    /// Ends the sessions, and waits until the server was told, for some seconds at most. Sessions over HTTP+SSE end with their connections.
    pub async fn close(&self) {
        if let Transport::StreamableHttp(upstream) = &self.transport {
            upstream.close().await;
        }
    }
}

/// Connects to a URL like [`connect_url`], and detects again when the server refuses what it spoke before.
pub(crate) async fn reach_url(plan: UrlPlan) -> Result<RedetectingUpstream, DetectError> {
    let found = find(plan.clone()).await?;
    let find: Find = Arc::new(move || Box::pin(find(plan.clone())));
    Ok(RedetectingUpstream::new(found, find))
}

async fn find(plan: UrlPlan) -> Result<Found, DetectError> {
    let url = shown(&plan.url);
    let mut found = std::pin::pin!(connect_url(plan));
    if let Ok(found) = tokio::time::timeout(URL_SILENCE, &mut found).await {
        return found.map(Found::from);
    }
    tracing::info!(%url, "waiting for the URL to answer");
    found.await.map(Found::from)
}

/// Connects to a URL. Detects the transport and era unless they were specified, and then keeps to them.
///
/// 2026-07-28, basic/transports/streamable-http, Backward Compatibility: a modern request, then `initialize`, and if
/// both are refused with 400, 404 or 405, a GET that expects an `endpoint` event. A GET alone would not do: some
/// servers (n8n's trigger of version 2) answer it on their Streamable HTTP endpoint with an HTTP+SSE stream.
///
/// # Errors
///
/// When the server can't be reached, requires authorization, or speaks neither transport.
pub async fn connect_url(plan: UrlPlan) -> Result<AtUrl, DetectError> {
    let address = plan.url.as_str();
    let url = shown(&plan.url);
    let mut headers = HeaderMap::new();
    for (name, value) in plan.headers {
        headers.append(name, value);
    }
    let options = Options::default().proxies(plan.proxies.clone()).headers(headers.clone())?;
    let options = if plan.keeps_ids { options.keep_ids() } else { options };
    let http_sse = || {
        let options = crossway_http_sse::Options::default().headers(headers).proxies(plan.proxies);
        HttpSseUpstream::new(address, options)
    };
    if plan.transport == Some(TransportArg::HttpSse) {
        let upstream = http_sse()?;
        return match upstream.probe().await {
            Ok(()) => Ok(AtUrl::http_sse(upstream)),
            Err(source) => Err(DetectError::NotSse { url, source }),
        };
    }
    let streamable = |options| StreamableHttpUpstream::new(address, options);
    match streamable(options.clone())?.probe().await {
        Ok(Verdict::Modern { supported }) => {
            tracing::info!(%url, transport = "Streamable HTTP", revisions = supported.join(" "), "connected");
            Ok(AtUrl::streamable(streamable(options.era(Era::Modern))?, EraSupport::Modern))
        }
        Ok(Verdict::LegacyStreamable) => {
            tracing::info!(%url, transport = "Streamable HTTP", revisions = "before 2026-07-28", "connected");
            Ok(AtUrl::streamable(streamable(options.era(Era::Legacy))?, EraSupport::Legacy))
        }
        Ok(Verdict::NotStreamable { status }) if plan.transport.is_none() => {
            let upstream = http_sse()?;
            match upstream.probe().await {
                Ok(()) => {
                    tracing::info!(%url, transport = "HTTP+SSE", revisions = "before 2026-07-28", "connected");
                    Ok(AtUrl::http_sse(upstream))
                }
                Err(source) => Err(DetectError::Neither { url, status, source }),
            }
        }
        // Specified as Streamable HTTP, which it may speak later.
        Ok(_) => Ok(AtUrl::streamable(streamable(options)?, EraSupport::Both)),
        Err(source) => Err(DetectError::Probe { url, source }),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use tokio::io::AsyncReadExt as _;
    use url::Url;

    use super::*;

    #[test]
    fn a_stream_that_wants_authorization_says_so() {
        let not_sse = |status: u16| {
            let source = OpenError::Status { status: status.try_into().unwrap(), retry_after: None };
            DetectError::NotSse { url: "http://h/sse".to_owned(), source }.to_string()
        };
        assert!(not_sse(401).ends_with("without authorization; add a header, `Authorization: Bearer ...`"));
        assert!(not_sse(404).ends_with("opens no HTTP+SSE stream"));
    }

    #[tokio::test]
    async fn a_header_goes_out_as_the_bytes_that_it_is() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/mcp", listener.local_addr().unwrap())).unwrap();
        let value = HeaderValue::from_bytes(b"caf\xe9").unwrap();
        for transport in [TransportArg::StreamableHttp, TransportArg::HttpSse] {
            let proxies = crossway_dial::Proxies::default();
            let headers = vec![(HeaderName::from_static("x-place"), value.clone())];
            let plan =
                UrlPlan { url: url.clone(), headers, transport: Some(transport), proxies, keeps_ids: false };
            let asked = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                    assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
                }
                head
            };
            let head = tokio::select! {
                _ = connect_url(plan) => panic!("nothing was answered"),
                head = asked => head,
            };
            assert!(head.windows(4).any(|bytes| bytes == b"caf\xe9"), "{}", head.escape_ascii());
        }
    }
}
