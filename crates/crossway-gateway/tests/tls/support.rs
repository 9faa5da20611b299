//! An authority, the files it fills, a listener behind them, and clients.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine as _;
use bytes::Bytes;
use crossway_gateway::identity::Connection;
use crossway_gateway::metrics::Metrics;
use crossway_gateway::tls::{Tls, TlsFiles};
use crossway_streamable_http::server::http::{HttpLimits, serve_with};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

pub(crate) struct Signed {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// A certificate for names, of which those with `://` are URIs.
    pub(crate) fn sign(&self, names: &[&str]) -> Signed {
        self.sign_between(names, 1975, 4096)
    }

    /// The same, valid from the start of one year to that of another.
    pub(crate) fn sign_between(&self, names: &[&str], from: i32, to: i32) -> Signed {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        for name in names {
            let text = (*name).try_into().unwrap();
            params.subject_alt_names.push(if name.contains("://") {
                SanType::URI(text)
            } else {
                SanType::DnsName(text)
            });
        }
        Signed { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    /// A client that trusts this authority, and shows a certificate or none.
    pub(crate) fn client(&self, own: Option<&Signed>, alpn: &[&[u8]]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            Some(own) => {
                let key = PrivateKeyDer::try_from(own.key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![own.certificate.der().clone()], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

impl Signed {
    pub(crate) fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", self.der())
    }

    pub(crate) fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        ring::digest::digest(&ring::digest::SHA256, self.der()).as_ref().to_vec()
    }
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn files(&self, is_mutual: bool) -> TlsFiles {
        let at = |name: &str| self.0.path().join(name);
        TlsFiles {
            certificate: at("tls.crt"),
            key: at("tls.key"),
            client_ca: is_mutual.then(|| at("ca.crt")),
        }
    }

    pub(crate) fn serve(&self, signed: &Signed) {
        self.write("tls.crt", &signed.certificate_pem());
        self.write("tls.key", &pem("PRIVATE KEY", &signed.key.serialize_der()));
    }

    pub(crate) fn trust(&self, authority: &Authority) {
        self.write("ca.crt", &pem("CERTIFICATE", authority.certificate.der()));
    }

    /// Writes a file at once, as those do who renew certificates.
    pub(crate) fn write(&self, name: &str, contents: &str) {
        let new = self.0.path().join("new");
        std::fs::write(&new, contents).unwrap();
        std::fs::rename(new, self.0.path().join(name)).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.0.path().join(name)).unwrap();
    }
}

/// Says what a request knows of its connection.
#[derive(Clone)]
struct Known;

impl Service<Request<Incoming>> for Known {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let connection = request.extensions().get::<Connection>().unwrap();
        let from = connection.address().unwrap().ip();
        let certificate = connection.certificate().map_or_else(
            || "none".to_owned(),
            |certificate| {
                format!("{} {}", certificate.subject_alt_names.join(","), hex(&certificate.fingerprint))
            },
        );
        ready(Ok(Response::new(Full::from(format!("{from} {certificate}")))))
    }
}

pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Tls,
    metrics: Metrics,
    task: JoinHandle<()>,
}

impl Listener {
    pub(crate) async fn start(files: TlsFiles) -> Self {
        let metrics = Metrics::new();
        let tls = Tls::load("mcp", files, metrics.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = serve_with(listener, tls.clone(), Known, HttpLimits::default(), std::future::pending());
        Self { address, tls, metrics, task: tokio::spawn(serving) }
    }

    pub(crate) fn scrape(&self) -> String {
        self.metrics.scrape(&[], &[], None)
    }

    pub(crate) async fn connect(&self, client: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        client.connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// A request on a connection of its own. A refused certificate shows with the first read: that is TLS 1.3.
    pub(crate) async fn ask(&self, client: &TlsConnector) -> io::Result<String> {
        exchange(&mut self.connect(client).await?).await
    }

    /// The certificate that is served now.
    pub(crate) async fn certificate(&self, client: &TlsConnector) -> Vec<u8> {
        let stream = self.connect(client).await.unwrap();
        let certificates: &[CertificateDer<'_>] = stream.get_ref().1.peer_certificates().unwrap();
        certificates[0].to_vec()
    }
}

pub(crate) async fn exchange(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if answer.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(answer) }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
