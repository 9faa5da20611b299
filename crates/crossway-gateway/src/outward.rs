//! Single HTTP requests to services other than upstreams: a collector, an authorization server, a gateway's probe. Each
//! opens its own connection, since one every few seconds needs no pool. Redirects are not followed.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use crossway_dial::{Dialer, Forward, Proxies};
use crossway_proto::http_rules::content_encoding::IDENTITY;
use crossway_service::with_causes;
use http::header::{ACCEPT_ENCODING, HOST, PROXY_AUTHORIZATION};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// Sends a request to `url`, and returns the response. A body of more than `at_most` bytes is an error; without `at_most`, the body is
/// not read.
pub(crate) async fn ask(
    url: &Uri,
    mut request: Request<Full<Bytes>>,
    at_most: Option<usize>,
    proxies: &Proxies,
) -> io::Result<Response<Bytes>> {
    let (Some(host), Some(authority)) = (url.host(), url.authority()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let forward = proxies.forward(url);
    *request.uri_mut() = match &forward {
        Some(_) => url.clone(),
        None => url.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")).into(),
    };
    if let Some(authorization) = forward.as_ref().and_then(Forward::authorization) {
        request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
    }
    let authority = HeaderValue::from_str(authority.as_str()).map_err(io::Error::other)?;
    request.headers_mut().insert(HOST, authority);
    request.headers_mut().insert(ACCEPT_ENCODING, IDENTITY);
    let dialer = Dialer::new(HttpConnector::new(), proxies.clone());
    let stream = dialer.dial(url).await.map_err(|error| io::Error::other(with_causes(&error)))?;
    if url.scheme_str() == Some("https") {
        // Only URLs put an IPv6 address in brackets.
        let name =
            ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
        return send(TlsConnector::from(Arc::new(tls()?)).connect(name, stream).await?, request, at_most)
            .await;
    }
    let response = send(stream, request, at_most).await?;
    match forward.and_then(|by| by.refused(response.status())) {
        Some(refused) => Err(io::Error::other(with_causes(&refused))),
        None => Ok(response),
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
        // The connection may have ended after the response.
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

/// Returns a client config that trusts this machine's authorities.
fn tls() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use crossway_testkit::proxy::{Manner, Proxy};

    use super::*;

    async fn told(url: &str, manner: Manner) -> (Proxy, io::Result<Response<Bytes>>) {
        let proxy = Proxy::start(manner).await.unwrap();
        let proxies = Proxies::all(&proxy.url_of("user", "s3cr3t")).unwrap();
        let response = ask(&url.parse().unwrap(), Request::default(), Some(1), &proxies).await;
        (proxy, response)
    }

    #[tokio::test]
    async fn services_beside_the_upstreams_are_asked_through_the_proxy() {
        let (proxy, response) = told("http://keys.test/jwks?a=b", Manner::Answers(204)).await;
        assert_eq!(response.unwrap().status(), 204);
        let asked = proxy.asked().remove(0);
        assert_eq!(
            (asked.line.as_str(), asked.host.as_str()),
            ("GET http://keys.test/jwks?a=b", "keys.test")
        );
        assert_eq!(asked.authorization.as_deref(), Some("Basic dXNlcjpzM2NyM3Q="));
        for url in ["http://keys.test/jwks", "https://keys.test/jwks"] {
            let (proxy, response) = told(url, Manner::Answers(407)).await;
            let error = response.unwrap_err();
            let wanted = format!("the proxy {} answered 407: it does not take", proxy.url());
            assert!(error.to_string().starts_with(&wanted), "{error}");
            assert!(!format!("{error:?}").contains("s3cr3t"));
        }
        let (proxy, response) = told("https://keys.test/jwks", Manner::Answers(403)).await;
        assert!(response.is_err());
        assert_eq!(proxy.lines(), ["CONNECT keys.test:443"]);
    }
}
