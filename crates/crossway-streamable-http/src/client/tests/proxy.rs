//! Servers behind an outgoing proxy.

use std::time::Duration;

use crossway_dial::Proxies;
use crossway_service::{CallError, Outcome, Reason, Scope, Upstream};
use crossway_testkit::proxy::{Manner, Proxy};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::peer::{Peer, ask, modern, result};
use super::tls::{Certified, certified};
use crate::client::{Limits, Options, StreamableHttpUpstream};

/// `user:s3cr3t`
const BASIC: &str = "Basic dXNlcjpzM2NyM3Q=";

fn through(proxy: &Proxy) -> Options {
    Options::default().proxies(Proxies::all(&proxy.url_of("user", "s3cr3t")).unwrap())
}

fn unsent(error: &CallError) -> String {
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(matches!(error.reason(), Reason::Unavailable(_)));
    let text = error.to_string();
    assert!(!format!("{text} {error:?}").contains("s3cr3t"), "{text}");
    text
}

#[tokio::test]
async fn an_https_server_is_asked_through_a_tunnel_whose_other_end_proves_who_it_is() {
    let mut peer = Peer::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(Manner::LeadsWith(listener.local_addr().unwrap(), BASIC)).await.unwrap();
    let Certified { server, client } = certified(b"http/1.1");
    let options = through(&proxy).tls(client);
    assert!(!format!("{options:?}").contains("s3cr3t"), "{options:?}");
    let upstream = StreamableHttpUpstream::new("https://localhost/mcp", options.clone()).unwrap();
    let link = upstream.connect(Scope::Shared);
    let acceptor = TlsAcceptor::from(server);
    for nth in 1..3 {
        let (answer, ()) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
            if nth == 1 {
                let (stream, _) = listener.accept().await.unwrap();
                let stream = acceptor.accept(stream).await.unwrap();
                tokio::spawn(super::peer::read(Box::new(stream), 1, peer.hub.clone()));
            }
            let exchange = peer.next().await;
            assert_eq!((exchange.nth, exchange.path.as_str()), (nth, "/mcp"));
            assert_eq!(
                (exchange.header("host"), exchange.header("proxy-authorization")),
                (Some("localhost"), None)
            );
            exchange.succeed().await;
        });
        assert_eq!(answer, Ok(result(71)));
    }
    assert_eq!(proxy.lines(), ["CONNECT localhost:443"], "the connection is kept");
    // Who answers under another name is not the server, whatever leads there.
    let link =
        StreamableHttpUpstream::new("https://upstream.test/mcp", options).unwrap().connect(Scope::Shared);
    let (answer, _) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_ok()
    });
    assert!(unsent(&answer.unwrap_err()).contains("certificate does not verify"));
}

#[tokio::test]
async fn the_proxy_makes_requests_for_plain_http_and_keeps_its_password() {
    let mut peer = Peer::new().await;
    let address = peer.url.trim_start_matches("http://").trim_end_matches("/mcp").parse().unwrap();
    let proxy = Proxy::start(Manner::LeadsWith(address, BASIC)).await.unwrap();
    let upstream = StreamableHttpUpstream::new("http://upstream.test/mcp?a=b", through(&proxy)).unwrap();
    let link = upstream.connect(Scope::Shared);
    for _ in 0..2 {
        let (answer, ()) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
            let exchange = peer.next().await;
            assert_eq!(
                (exchange.path.as_str(), exchange.header("host")),
                ("/mcp?a=b", Some("upstream.test"))
            );
            exchange.succeed().await;
        });
        assert_eq!(answer, Ok(result(71)));
    }
    // A redirect within the origin is asked for in the same way.
    let (answer, ()) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
        peer.next().await.respond("307 Temporary Redirect", "Location: /there\r\n", "").await;
        peer.next().await.succeed().await;
    });
    assert_eq!(answer, Ok(result(71)));
    let asked = proxy.asked();
    let lines: Vec<_> = asked.iter().map(|asked| asked.line.as_str()).collect();
    let first = "POST http://upstream.test/mcp?a=b";
    assert_eq!(lines, [first, first, first, "POST http://upstream.test/there"]);
    assert!(
        asked
            .iter()
            .all(|asked| asked.authorization.as_deref() == Some(BASIC) && asked.host == "upstream.test")
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_has_sent_nothing_on_and_says_what_to_do() {
    for (url, status, wanted) in [
        ("https://upstream.test/mcp", 407, "answered 407: it does not take the user and the password"),
        ("http://upstream.test/mcp", 407, "answered 407: it does not take the user and the password"),
        ("https://upstream.test/mcp", 403, "answered 403 when it was asked for upstream.test:443"),
    ] {
        let proxy = Proxy::start(Manner::Answers(status)).await.unwrap();
        let link = StreamableHttpUpstream::new(url, through(&proxy)).unwrap().connect(Scope::Shared);
        let text = unsent(&ask(&link, modern(71, "tools/list", "")).await.unwrap_err());
        assert!(text.contains(&format!("the proxy {} {wanted}", proxy.url())), "{text}");
        assert_eq!(proxy.lines().len(), 1);
    }
}

#[tokio::test]
async fn the_time_for_connecting_is_that_for_proxy_and_tunnel_together() {
    let proxy = Proxy::start(Manner::Silent).await.unwrap();
    let limits = Limits { connect: Duration::from_millis(50), ..Limits::default() };
    let options = through(&proxy).limits(limits);
    let link =
        StreamableHttpUpstream::new("https://upstream.test/mcp", options).unwrap().connect(Scope::Shared);
    let text = unsent(&ask(&link, modern(71, "tools/list", "")).await.unwrap_err());
    let wanted =
        format!("https://upstream.test: the proxy {} led to no connection within 50 ms", proxy.url());
    assert!(text.contains(&wanted), "{text}");
}

#[tokio::test]
async fn what_goes_around_the_proxy_is_asked_as_if_there_were_none() {
    // Nobody takes connections there.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxies =
        Proxies::from_variables(|name| (name == "ALL_PROXY").then(|| format!("http://{gone}"))).unwrap();
    let mut peer = Peer::with(Options::default().proxies(proxies)).await;
    let link = peer.upstream.connect(Scope::Shared);
    let (answer, ()) = tokio::join!(ask(&link, modern(71, "tools/list", "")), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.path, "/mcp");
        exchange.succeed().await;
    });
    assert_eq!(answer, Ok(result(71)));
}
