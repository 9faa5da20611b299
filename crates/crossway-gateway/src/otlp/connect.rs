//! One request to a collector, on a connection of its own: one each some seconds needs no pool.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Sends a body, and gives the status.
pub(super) async fn post(url: &Uri, headers: &HeaderMap, body: Vec<u8>) -> io::Result<StatusCode> {
    let (Some(host), Some(authority)) = (url.host(), url.authority()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let is_tls = url.scheme_str() == Some("https");
    let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let mut request = Request::post(url.path_and_query().map_or("/", |path| path.as_str()))
        .body(Full::new(Bytes::from(body)))
        .map_err(io::Error::other)?;
    *request.headers_mut() = headers.clone();
    let authority = HeaderValue::from_str(authority.as_str()).map_err(io::Error::other)?;
    request.headers_mut().insert(HOST, authority);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // An IPv6 address stands in brackets in a URL alone.
    let host = host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, port)).await?;
    if is_tls {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        send(TlsConnector::from(Arc::new(tls()?)).connect(name, stream).await?, request).await
    } else {
        send(stream, request).await
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> io::Result<StatusCode> {
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

/// Trusts what this machine trusts.
fn tls() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth())
}
