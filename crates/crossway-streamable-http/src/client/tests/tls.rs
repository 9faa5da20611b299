//! TLS: what verifies is spoken to, over HTTP/1.1 and HTTP/2, and nothing else is.

use std::sync::Arc;
use std::time::Duration;

use crossway_service::{Outcome, Reason, Scope, Upstream};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::peer::{Peer, ask, modern, result};
use crate::client::{Limits, Options, StreamableHttpUpstream};

pub(super) struct Certified {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
}

/// A certificate for `localhost`, and a client that trusts it.
pub(super) fn certified(alpn: &[u8]) -> Certified {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.signing_key.serialize_der().try_into().unwrap())
        .unwrap();
    server.alpn_protocols = vec![alpn.to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Certified { server: Arc::new(server), client: Arc::new(client) }
}

#[tokio::test]
async fn a_certificate_that_does_not_verify_is_said_to_be_that() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/mcp", listener.local_addr().unwrap().port());
    let acceptor = TlsAcceptor::from(certified(b"http/1.1").server);
    // Trusts another certificate.
    let options = Options::default().tls(certified(b"http/1.1").client);
    let link = StreamableHttpUpstream::new(&url, options).unwrap().connect(Scope::Shared);
    let (answer, ()) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
        let (stream, _) = listener.accept().await.unwrap();
        assert!(acceptor.accept(stream).await.is_err());
    });
    let error = answer.unwrap_err();
    assert!(matches!(error.reason(), Reason::Unavailable(_)));
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.to_string().contains("certificate does not verify"), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_not_spoken_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/mcp", listener.local_addr().unwrap().port());
    let options = Options::default().tls(certified(b"http/1.1").client);
    let link = StreamableHttpUpstream::new(&url, options).unwrap().connect(Scope::Shared);
    let (answer, ()) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = answer.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.to_string().contains("TLS handshake failed"), "{error}");
    assert!(error.to_string().ends_with("does it speak plain http://?"), "{error}");
}

#[tokio::test]
async fn http_1_is_spoken_over_tls() {
    let mut peer = Peer::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/mcp", listener.local_addr().unwrap().port());
    let Certified { server, client } = certified(b"http/1.1");
    let link =
        StreamableHttpUpstream::new(&url, Options::default().tls(client)).unwrap().connect(Scope::Shared);
    let acceptor = TlsAcceptor::from(server);
    for nth in 1..3 {
        let (answer, ()) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
            if nth == 1 {
                let (stream, _) = listener.accept().await.unwrap();
                let stream = acceptor.accept(stream).await.unwrap();
                tokio::spawn(super::peer::read(Box::new(stream), 1, peer.hub.clone()));
            }
            let exchange = peer.next().await;
            assert_eq!(exchange.nth, nth);
            assert!(exchange.header("host").unwrap().starts_with("localhost:"));
            exchange.succeed().await;
        });
        assert_eq!(answer, Ok(result(71)));
    }
}

#[tokio::test]
async fn calls_that_come_at_once_share_one_http_2_connection_where_the_server_chooses_it() {
    use http_body_util::{BodyExt, Full};
    use hyper::service::service_fn;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/mcp", listener.local_addr().unwrap().port());
    let Certified { server, client } = certified(b"h2");
    let acceptor = TlsAcceptor::from(server);
    let serving = tokio::spawn(async move {
        // One connection carries all calls.
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        let answer = service_fn(async |request: http::Request<hyper::body::Incoming>| {
            assert_eq!(request.version(), http::Version::HTTP_2);
            assert!(request.uri().authority().unwrap().as_str().starts_with("localhost:"));
            assert_eq!(request.headers()["mcp-method"], "tools/list");
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let id =
                super::peer::message(std::str::from_utf8(&body).unwrap()).id().unwrap().as_u64().unwrap();
            let (kind, body) = if id.is_multiple_of(2) {
                ("application/json", result(id))
            } else {
                ("text/event-stream", format!("data: {}\n\n", result(id)))
            };
            let response = http::Response::builder().header("content-type", kind);
            Ok::<_, std::convert::Infallible>(response.body(Full::<bytes::Bytes>::from(body)).unwrap())
        });
        let builder = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
        let _ = builder.serve_connection(hyper_util::rt::TokioIo::new(stream), answer).await;
    });
    let link =
        StreamableHttpUpstream::new(&url, Options::default().tls(client)).unwrap().connect(Scope::Shared);
    let calls = (71..90).map(|id| {
        let link = link.clone();
        async move { assert_eq!(ask(&link, modern(id, "tools/list", "")).await, Ok(result(id))) }
    });
    futures_util::future::join_all(calls).await;
    serving.abort();
}

#[tokio::test]
async fn calls_that_wait_for_a_connection_share_its_failure() {
    // Connections come as far as the system's queue: nobody answers there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { connect: Duration::from_millis(200), ..Limits::default() };
    let options = Options::default().tls(certified(b"h2").client).limits(limits);
    let upstream =
        StreamableHttpUpstream::new(&format!("https://localhost:{}/mcp", address.port()), options).unwrap();
    let link = upstream.connect(Scope::Shared);
    // A call that comes after a failure tries anew.
    for _ in 0..2 {
        let calls = (1..5).map(|id| {
            let link = link.clone();
            async move { ask(&link, modern(id, "tools/list", "")).await.unwrap_err() }
        });
        for error in futures_util::future::join_all(calls).await {
            assert_eq!(error.outcome(), Outcome::NotSent);
            assert!(error.to_string().contains("no connection within 200 ms"), "{error}");
        }
        let last = tokio::net::TcpStream::connect(address).await.unwrap().local_addr().unwrap();
        let mut made = 0;
        while listener.accept().await.unwrap().1 != last {
            made += 1;
        }
        assert_eq!(made, 1);
    }
}

#[tokio::test]
async fn the_platforms_roots_do_not_verify_what_signs_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/mcp", listener.local_addr().unwrap().port());
    let acceptor = TlsAcceptor::from(certified(b"http/1.1").server);
    let link = StreamableHttpUpstream::new(&url, Options::default()).unwrap().connect(Scope::Shared);
    let (answer, _) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_ok()
    });
    let error = answer.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    // Or there are none on this machine, which is said as well.
    assert!(
        error.to_string().contains("does not verify") || error.to_string().contains("no root certificates"),
        "{error}"
    );
}
