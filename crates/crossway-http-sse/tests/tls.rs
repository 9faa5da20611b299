//! TLS: a trusted server, and an untrusted one.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod support;

use std::sync::Arc;

use crossway_http_sse::{Config, HttpSse, HttpSseUpstream, Options, Proxies};
use crossway_service::{Scope, Upstream};
use crossway_testkit::Scripted;
use crossway_testkit::proxy::{Manner, Proxy};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use support::{PING, PONG, call, only};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(include_bytes!("tls/certificate.pem")).unwrap()
}

/// Starts a server with a self-made certificate for `localhost`, and returns its URL.
async fn serve() -> String {
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let echoing = Scripted::answering(|message| {
        message.id().map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)).into_iter().collect()
    });
    let service = HttpSse::new(echoing, Config::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/sse", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(service.clone()));
            tokio::spawn(async move {
                let Ok(connection) = acceptor.accept(connection).await else { return };
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(connection), service)
                    .await;
            });
        }
    });
    url
}

#[tokio::test]
async fn a_certificate_that_does_not_verify_is_refused_before_anything_is_sent() {
    let upstream = HttpSseUpstream::new(&serve().await, Options::default()).unwrap();
    let link = upstream.connect(Scope::Session);
    let error = only(call(&link, PING)).await;
    assert!(error.starts_with("NotSent: the MCP server can't be reached: no trusted connection"), "{error}");
    assert!(upstream.probe().await.unwrap_err().is_unreachable());
}

#[tokio::test]
async fn a_certificate_that_is_trusted_serves() {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let options = Options::default().tls(Arc::new(config));
    let url = serve().await;
    let link = HttpSseUpstream::new(&url, options.clone()).unwrap().connect(Scope::Session);
    assert_eq!(only(call(&link, PING)).await, PONG);
    // The same through a proxy's tunnel.
    let port: u16 = url.trim_start_matches("https://localhost:").trim_end_matches("/sse").parse().unwrap();
    let proxy = Proxy::start(Manner::Leads(([127, 0, 0, 1], port).into())).await.unwrap();
    let options = options.proxies(Proxies::all(&proxy.url()).unwrap());
    let link = HttpSseUpstream::new("https://localhost/sse", options).unwrap().connect(Scope::Session);
    assert_eq!(only(call(&link, PING)).await, PONG);
    assert_eq!(proxy.lines(), ["CONNECT localhost:443"; 2], "one for the stream, and one for messages");
}
