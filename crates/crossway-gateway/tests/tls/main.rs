//! TLS over real sockets: who gets in, and certificates that change meanwhile.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crossway_gateway::metrics::Metrics;
use crossway_gateway::tls::{Tls, TlsError, TlsFiles};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use support::{Authority, Folder, Listener, hex};

#[tokio::test]
async fn both_versions_of_http_are_spoken_and_requests_know_where_they_are_from() {
    let (authority, folder) = (Authority::new(), Folder::new());
    folder.serve(&authority.sign(&["localhost"]));
    let listener = Listener::start(folder.files(false)).await;
    let client = authority.client(None, &[b"http/1.1"]);
    let answer = listener.ask(&client).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1 none"), "{answer}");

    let client = authority.client(None, &[b"h2", b"http/1.1"]);
    let stream = listener.connect(&client).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("https://localhost/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let body = send.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "127.0.0.1 none");
    connection.abort();
}

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_authority_get_in() {
    let (servers, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let folder = Folder::new();
    folder.serve(&servers.sign(&["localhost"]));
    folder.trust(&clients);
    let listener = Listener::start(folder.files(true)).await;

    assert!(listener.ask(&servers.client(None, &[])).await.is_err(), "without a certificate");
    let forged = others.sign(&["open-webui.example"]);
    assert!(listener.ask(&servers.client(Some(&forged), &[])).await.is_err(), "of another authority");
    // What the servers' authority has signed is no client's.
    let server = servers.sign(&["localhost"]);
    assert!(listener.ask(&servers.client(Some(&server), &[])).await.is_err(), "of the servers' authority");

    let own = clients.sign(&["open-webui.example", "spiffe://example/open-webui"]);
    let answer = listener.ask(&servers.client(Some(&own), &[])).await.unwrap();
    let known = format!("open-webui.example,spiffe://example/open-webui {}", hex(&own.fingerprint()));
    assert!(answer.ends_with(&format!("127.0.0.1 {known}")), "{answer}");

    let metrics = listener.scrape();
    assert!(
        metrics.contains(r#"crossway_tls_handshake_failures_total{listener="mcp",reason="certificate"} 3"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_gets_nothing() {
    let (authority, folder) = (Authority::new(), Folder::new());
    folder.serve(&authority.sign(&["localhost"]));
    let listener = Listener::start(folder.files(false)).await;
    let mut stream = TcpStream::connect(listener.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(listener.scrape().contains(r#"reason="protocol"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_left() {
    let (authority, folder) = (Authority::new(), Folder::new());
    folder.serve(&authority.sign(&["localhost"]));
    let listener = Listener::start(folder.files(false)).await;
    let mut stream = TcpStream::connect(listener.address).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(listener.scrape().contains(r#"reason="timeout"} 1"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_change_under_load_and_no_request_is_lost() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let first = authority.sign(&["localhost"]);
    folder.serve(&first);
    let listener = Arc::new(Listener::start(folder.files(false)).await);
    let client = authority.client(None, &[]);
    let watching = tokio::spawn(listener.tls.clone().watch(Duration::from_millis(5)));
    // A connection from before goes on after.
    let mut kept = listener.connect(&client).await.unwrap();

    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (listener, client) = (Arc::clone(&listener), client.clone());
            let (done, answered) = (Arc::clone(&done), Arc::clone(&answered));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let answer = listener.ask(&client).await.unwrap();
                    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..10 {
        let next = authority.sign(&["localhost"]);
        folder.serve(&next);
        let served = async { while listener.certificate(&client).await != next.der() {} };
        tokio::time::timeout(Duration::from_secs(20), served).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) >= 10);
    let answer = support::exchange(&mut kept).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let shown: Option<&[CertificateDer<'_>]> = kept.get_ref().1.peer_certificates();
    assert_eq!(shown.unwrap()[0].as_ref(), first.der());
    watching.abort();
}

#[tokio::test]
async fn broken_files_change_nothing_and_are_told_once() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let first = authority.sign(&["localhost"]);
    folder.serve(&first);
    let listener = Listener::start(folder.files(false)).await;
    let client = authority.client(None, &[]);
    assert!(!listener.tls.look().unwrap(), "nothing has changed");

    folder.write("tls.crt", "no certificate");
    assert!(matches!(listener.tls.look(), Err(TlsError::NoCertificate(_))));
    assert!(!listener.tls.look().unwrap(), "it was told");
    // Half of a change: the key of before, the certificate of after.
    let second = authority.sign(&["localhost"]);
    folder.write("tls.crt", &second.certificate_pem());
    let error = listener.tls.look().unwrap_err();
    assert!(matches!(error, TlsError::NotItsKey { .. }), "{error}");
    assert!(error.to_string().contains("tls.key is not the key of"), "{error}");
    folder.remove("tls.crt");
    assert!(matches!(listener.tls.look(), Err(TlsError::Read { .. })));
    assert!(!listener.tls.look().unwrap(), "it was told");
    assert_eq!(listener.certificate(&client).await, first.der());

    folder.serve(&second);
    assert!(listener.tls.look().unwrap());
    assert_eq!(listener.certificate(&client).await, second.der());
    let metrics = listener.scrape();
    for (result, count) in [("ok", 1), ("failed", 3)] {
        let line = format!(r#"crossway_tls_reloads_total{{listener="mcp",result="{result}"}} {count}"#);
        assert!(metrics.contains(&line), "no {line} in {metrics}");
    }
}

#[tokio::test]
async fn a_certificate_outside_its_validity_does_not_replace_one_within() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let good = authority.sign(&["localhost"]);
    folder.serve(&good);
    let listener = Listener::start(folder.files(false)).await;
    let client = authority.client(None, &[]);
    for (from, to, told) in [
        (2000, 2001, "expired at 2001-01-01T00:00:00Z"),
        (4000, 4001, "is not valid before 4000-01-01T00:00:00Z"),
    ] {
        folder.serve(&authority.sign_between(&["localhost"], from, to));
        let error = listener.tls.look().unwrap_err();
        assert!(matches!(error, TlsError::OutOfDate { .. }) && error.to_string().contains(told), "{error}");
        assert!(!listener.tls.look().unwrap(), "it was told");
        assert_eq!(listener.certificate(&client).await, good.der());
    }
    let line = r#"crossway_tls_reloads_total{listener="mcp",result="failed"} 2"#;
    assert!(listener.scrape().contains(line), "{}", listener.scrape());
    let next = authority.sign(&["localhost"]);
    folder.serve(&next);
    assert!(listener.tls.look().unwrap());
    assert_eq!(listener.certificate(&client).await, next.der());
}

#[tokio::test]
async fn where_no_certificate_is_within_its_validity_the_last_one_is_served() {
    let (authority, folder) = (Authority::new(), Folder::new());
    folder.serve(&authority.sign_between(&["localhost"], 2000, 2001));
    let listener = Listener::start(folder.files(false)).await;
    assert!(matches!(folder.files(false).check(), Err(TlsError::OutOfDate { .. })));
    folder.serve(&authority.sign_between(&["localhost"], 2001, 2002));
    assert!(listener.tls.look().unwrap());
    folder.serve(&authority.sign(&["localhost"]));
    assert!(listener.tls.look().unwrap());
    assert!(folder.files(false).check().is_ok());
}

/// What a config says of TLS with the files of a folder.
fn warned(files: &TlsFiles) -> Vec<String> {
    let text = format!(
        "upstreams: {{ a: {{ command: uvx }} }}\ntls: {{ certificate: {}, key: {} }}\n",
        files.certificate.display(),
        files.key.display()
    );
    let loaded = crossway_gateway::config::parse("a.yaml".as_ref(), &text, |_| None).unwrap();
    let lines = loaded.warnings.iter().map(ToString::to_string);
    lines.filter(|line| line.contains("tls.")).collect()
}

#[test]
fn a_config_with_a_certificate_outside_its_validity_is_warned_of() {
    let (authority, folder) = (Authority::new(), Folder::new());
    folder.serve(&authority.sign(&["localhost"]));
    assert_eq!(warned(&folder.files(false)), Vec::<String>::new());
    for (from, to, told) in [(2000, 2001, "expired at"), (4000, 4001, "is not valid before")] {
        folder.serve(&authority.sign_between(&["localhost"], from, to));
        let lines = warned(&folder.files(false));
        assert!(lines.len() == 1 && lines[0].contains("warning: tls.certificate: "), "{lines:?}");
        assert!(lines[0].contains(told) && lines[0].ends_with("so clients refuse it"), "{lines:?}");
    }
}

#[tokio::test]
async fn clients_of_an_authority_that_is_no_longer_trusted_do_not_come_back() {
    let (servers, before, after) = (Authority::new(), Authority::new(), Authority::new());
    let folder = Folder::new();
    folder.serve(&servers.sign(&["localhost"]));
    folder.trust(&before);
    let listener = Listener::start(folder.files(true)).await;
    let own = before.sign(&["client.example"]);
    // The same client, so that it could resume its session.
    let client = servers.client(Some(&own), &[]);
    assert!(listener.ask(&client).await.is_ok() && listener.ask(&client).await.is_ok());
    folder.trust(&after);
    assert!(listener.tls.look().unwrap());
    assert!(listener.ask(&client).await.is_err());
}

#[test]
fn files_that_are_of_no_use_are_named() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let load = |mutual| Tls::load("mcp", folder.files(mutual), Metrics::new());
    assert!(matches!(load(false), Err(TlsError::Read { .. })));
    folder.serve(&authority.sign(&["localhost"]));
    assert!(load(false).is_ok());
    assert!(matches!(load(true), Err(TlsError::Read { .. })));
    folder.write("ca.crt", "");
    assert!(matches!(load(true), Err(TlsError::NoCertificate(path)) if path.ends_with("ca.crt")));
    folder.write("tls.key", "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n");
    let error = load(false).unwrap_err();
    assert!(matches!(error, TlsError::NoKey(_) | TlsError::Unusable { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
    folder.write("tls.key", &"x".repeat(1 << 21));
    assert!(matches!(load(false), Err(TlsError::TooLong(_))));
}
