//! A tunnel through an HTTP proxy (RFC 9110, section 9.3.6, CONNECT).

use std::pin::pin;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};

use crate::limits::ANSWER_BYTES;

/// Why a tunnel was not opened.
pub(crate) enum Failure {
    /// The proxy answered with this status.
    Status(StatusCode),
    /// The proxy did not answer.
    Http(hyper::Error),
    /// Bytes arrived before anything was sent to `host`.
    Early,
}

/// Asks for a tunnel to `host`, which includes a port, and returns the connection as soon as the tunnel is open.
pub(crate) async fn open<T>(io: T, host: &str, authorization: Option<&HeaderValue>) -> Result<T, Failure>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let mut connection = http1::Builder::new();
    let connection = connection.max_buf_size(ANSWER_BYTES).handshake::<T, Empty<Bytes>>(io);
    let (mut sender, connection) = connection.await.map_err(Failure::Http)?;
    let mut request = Request::connect(host).header(header::HOST, host);
    if let Some(authorization) = authorization {
        request = request.header(header::PROXY_AUTHORIZATION, authorization);
    }
    let Ok(request) = request.body(Empty::new()) else {
        // `host` was the authority of a URL, so it is valid.
        return Err(Failure::Status(StatusCode::BAD_REQUEST));
    };
    let mut answer = pin!(sender.send_request(request));
    let mut connection = pin!(connection.without_shutdown());
    // The connection future ends with the answer if that opens the tunnel, and goes on if not.
    let (answer, ended) = tokio::select! {
        biased;
        answer = &mut answer => (answer, None),
        ended = &mut connection => (answer.await, Some(ended)),
    };
    let status = answer.map_err(Failure::Http)?.status();
    if !status.is_success() {
        return Err(Failure::Status(status));
    }
    let ended = match ended {
        Some(ended) => ended,
        None => connection.await,
    };
    let parts = ended.map_err(Failure::Http)?;
    if parts.read_buf.is_empty() { Ok(parts.io) } else { Err(Failure::Early) }
}
