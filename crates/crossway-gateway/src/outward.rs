//! Single requests to services beside the upstreams (a collector, an authorization server, a gateway that is to say how it is), each on
//! a connection of its own: one each some seconds needs no pool. Redirects are not followed: what is configured is asked, and nothing else.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use crossway_proto::http_rules::content_encoding::IDENTITY;
use http::header::{ACCEPT_ENCODING, HOST};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Sends a request to where `url` says, and gives the response with the first `at_most` bytes of room for its body; one that is
/// longer is an error. Without `at_most` the body is not read.
pub(crate) async fn ask(
    url: &Uri,
    mut request: Request<Full<Bytes>>,
    at_most: Option<usize>,
) -> io::Result<Response<Bytes>> {
    let (Some(host), Some(authority)) = (url.host(), url.authority()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let is_tls = url.scheme_str() == Some("https");
    let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let path = url.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = path.into();
    let authority = HeaderValue::from_str(authority.as_str()).map_err(io::Error::other)?;
    request.headers_mut().insert(HOST, authority);
    request.headers_mut().insert(ACCEPT_ENCODING, IDENTITY);
    // An IPv6 address stands in brackets in a URL alone.
    let host = host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, port)).await?;
    if is_tls {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        send(TlsConnector::from(Arc::new(tls()?)).connect(name, stream).await?, request, at_most).await
    } else {
        send(stream, request, at_most).await
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    at_most: Option<usize>,
) -> io::Result<Response<Bytes>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let exchange = async move {
        let (parts, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
        let body = match at_most {
            Some(bytes) => Limited::new(body, bytes).collect().await.map_err(io::Error::other)?.to_bytes(),
            None => Bytes::new(),
        };
        Ok(Response::from_parts(parts, body))
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        biased;
        response = &mut exchange => response,
        // It may have ended behind the response.
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

/// Trusts what this machine trusts.
fn tls() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth())
}
