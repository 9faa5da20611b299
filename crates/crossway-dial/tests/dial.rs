//! Connections through real proxies on loopback addresses.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

use std::time::Duration;

use crossway_dial::{DialError, Dialer, Proxies};
use crossway_testkit::proxy::{Manner, Proxy};
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TLS: &str = "https://upstream.test/mcp?key=s3cr3t";
const PLAIN: &str = "http://upstream.test:8080/mcp";

fn dialer(url: &str) -> Dialer {
    Dialer::new(HttpConnector::new(), Proxies::all(url).unwrap()).time(Duration::from_secs(10))
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

fn told(error: &DialError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    assert!(!format!("{text} {error:?}").contains("s3cr3t"), "{text} {error:?}");
    text
}

/// A server that echoes everything.
async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    address
}

async fn is_echoed(mut stream: TcpStream) {
    stream.write_all(b"hello").await.unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"hello");
}

#[tokio::test]
async fn a_tunnel_leads_to_the_origin_and_tells_the_proxy_its_name_alone() {
    let proxy = Proxy::start(Manner::LeadsWith(echo().await, "Basic dXNlcjpzM2NyM3Q=")).await.unwrap();
    is_echoed(dialer(&proxy.url_of("user", "s3cr3t")).dial(&uri(TLS)).await.unwrap()).await;
    let asked = proxy.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].line.as_str(), asked[0].host.as_str()),
        ("CONNECT upstream.test:443", "upstream.test:443")
    );
}

#[tokio::test]
async fn for_plain_http_the_connection_is_the_proxys_own() {
    let proxy = Proxy::start(Manner::Answers(204)).await.unwrap();
    let mut stream = dialer(&proxy.url()).dial(&uri(PLAIN)).await.unwrap();
    assert_eq!(proxy.asked(), []);
    stream
        .write_all(b"GET http://upstream.test:8080/mcp HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(proxy.lines(), ["GET http://upstream.test:8080/mcp"]);
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_with_what_to_do() {
    let variables =
        |url: String| Proxies::from_variables(move |name| (name == "HTTPS_PROXY").then(|| url.clone()));
    for (status, user, wanted) in [
        (
            407,
            false,
            "answered 407: give it a user and a password in HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT)",
        ),
        (407, true, "answered 407: it does not take the user and the password that HTTPS_PROXY has"),
        (
            403,
            false,
            "answered 403 when it was asked for upstream.test:443: have it allowed there, or go around the proxy by NO_PROXY",
        ),
        (502, true, "answered 502 when"),
    ] {
        let proxy = Proxy::start(Manner::Answers(status)).await.unwrap();
        let url = if user { proxy.url_of("user", "s3cr3t") } else { proxy.url() };
        let dialer = Dialer::new(HttpConnector::new(), variables(url).unwrap());
        let error = dialer.dial(&uri(TLS)).await.unwrap_err();
        let text = told(&error);
        assert!(text.starts_with(&format!("the proxy {} {wanted}", proxy.url())), "{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_away_or_speaks_something_else_is_told_from_the_origin() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = dialer(&format!("http://user:s3cr3t@{gone}")).dial(&uri(TLS)).await.unwrap_err();
    assert!(
        told(&error).starts_with(&format!("the proxy http://{gone} can't be reached: ")),
        "{}",
        told(&error)
    );
    let error = dialer(&format!("http://user:s3cr3t@{}", echo().await)).dial(&uri(TLS)).await.unwrap_err();
    assert!(told(&error).contains("gave no answer that is one of an HTTP proxy"), "{}", told(&error));
    let straight = Dialer::new(HttpConnector::new(), Proxies::none());
    let error = straight.dial(&uri(&format!("http://{gone}/"))).await.unwrap_err();
    assert!(matches!(error, DialError::Straight(_)) && !told(&error).contains("proxy"), "{}", told(&error));
}

/// A proxy that answers its first request with these bytes, and then echoes everything.
async fn answering(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await
    });
    url
}

#[tokio::test]
async fn proxies_of_all_ages_open_tunnels() {
    for answer in [
        &b"HTTP/1.0 200 Connection established\r\nProxy-Agent: old\r\n\r\n"[..],
        b"HTTP/1.1 200 Connection established\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\n\r\n",
    ] {
        is_echoed(dialer(&answering(answer).await).dial(&uri(TLS)).await.unwrap()).await;
    }
}

#[tokio::test]
async fn what_comes_before_anything_was_sent_into_a_tunnel_is_refused() {
    let url = answering(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").await;
    let error = dialer(&url).dial(&uri(TLS)).await.unwrap_err();
    assert!(told(&error).contains("before it was asked"), "{}", told(&error));
}

#[tokio::test]
async fn a_silent_proxy_has_its_time_and_no_more() {
    let proxy = Proxy::start(Manner::Silent).await.unwrap();
    let dialer = dialer(&proxy.url_of("user", "s3cr3t")).time(Duration::from_millis(20));
    let error = dialer.dial(&uri(TLS)).await.unwrap_err();
    assert_eq!(told(&error), format!("the proxy {} led to no connection within 20 ms", proxy.url()));
    let same = dialer.timed_out(&uri(TLS), Duration::from_millis(20)).unwrap();
    assert_eq!(told(&same), told(&error));
}

/// A SOCKS5 proxy (RFC 1928, and RFC 1929 for the user) that takes one connection to `to`. Returns the user and the requested address.
async fn socks(
    to: std::net::SocketAddr,
) -> (std::net::SocketAddr, tokio::task::JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 64];
        stream.read_exact(&mut bytes[..3]).await.unwrap();
        assert_eq!(bytes[..3], [5, 1, 2], "one method: a user and a password");
        stream.write_all(&[5, 2]).await.unwrap();
        let length = stream.read(&mut bytes).await.unwrap();
        let user = String::from_utf8_lossy(&bytes[2..length]).replace('\x06', ":");
        if !user.ends_with("s3cr3t") {
            stream.write_all(&[1, 1]).await.unwrap();
            return (user, String::new());
        }
        stream.write_all(&[1, 0]).await.unwrap();
        let length = stream.read(&mut bytes).await.unwrap();
        assert_eq!(bytes[..4], [5, 1, 0, 3], "a connection to a name");
        let port = u16::from_be_bytes([bytes[length - 2], bytes[length - 1]]);
        let name = format!("{}:{port}", String::from_utf8_lossy(&bytes[5..length - 2]));
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let mut origin = TcpStream::connect(to).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut origin).await;
        (user, name)
    });
    (address, served)
}

#[tokio::test]
async fn a_socks_proxy_is_asked_for_the_name_and_the_port_of_either_scheme() {
    for (url, wanted) in [
        (TLS, "upstream.test:443"),
        (PLAIN, "upstream.test:8080"),
        ("http://upstream.test/", "upstream.test:80"),
    ] {
        let (address, served) = socks(echo().await).await;
        is_echoed(dialer(&format!("socks5h://user:s3cr3t@{address}")).dial(&uri(url)).await.unwrap()).await;
        assert_eq!(served.await.unwrap(), ("user:s3cr3t".to_owned(), wanted.to_owned()));
    }
    let (address, _served) = socks(echo().await).await;
    let error = dialer(&format!("socks5://user:wrong@{address}")).dial(&uri(TLS)).await.unwrap_err();
    let text = told(&error);
    assert!(text.starts_with(&format!("the proxy socks5://{address} gives no connection: ")), "{text}");
    assert!(text.contains("credentials not accepted") && !text.contains("wrong"), "{text}");
}
