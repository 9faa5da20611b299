//! Servers behind an outgoing proxy.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod support;

use std::time::Duration;

use crossway_http_sse::{ClientLimits, Config, HttpSse, HttpSseUpstream, Options, Proxies};
use crossway_service::{Scope, Upstream};
use crossway_testkit::Scripted;
use crossway_testkit::proxy::{Manner, Proxy};
use support::{PING, PONG, call, only, serve};

/// `user:s3cr3t`
const BASIC: &str = "Basic dXNlcjpzM2NyM3Q=";

fn through(proxy: &Proxy) -> Options {
    let options = Options::default().proxies(Proxies::all(&proxy.url_of("user", "s3cr3t")).unwrap());
    assert!(!format!("{options:?}").contains("s3cr3t"), "{options:?}");
    options
}

#[tokio::test]
async fn the_proxy_makes_requests_for_plain_http_in_both_directions() {
    let echoing = Scripted::answering(|message| {
        message.id().map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)).into_iter().collect()
    });
    let address = serve(HttpSse::new(echoing, Config::default())).await;
    let proxy = Proxy::start(Manner::LeadsWith(address, BASIC)).await.unwrap();
    let upstream = HttpSseUpstream::new("http://localhost:8/sse?a=b", through(&proxy)).unwrap();
    let link = upstream.connect(Scope::Session);
    assert_eq!(only(call(&link, PING)).await, PONG);
    let asked = proxy.asked();
    assert_eq!(asked[0].line, "GET http://localhost:8/sse?a=b");
    assert!(asked[1].line.starts_with("POST http://localhost:8/"), "{asked:?}");
    assert!(
        asked
            .iter()
            .all(|asked| asked.authorization.as_deref() == Some(BASIC) && asked.host == "localhost:8")
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_silent_is_told_from_the_server() {
    let short = ClientLimits::default().with(|limits| limits.connect = Duration::from_millis(50));
    for (url, manner, wanted) in [
        ("https://upstream.test/sse", Manner::Answers(407), "answered 407: it does not take the user"),
        ("http://upstream.test/sse", Manner::Answers(407), "answered 407: it does not take the user"),
        ("https://upstream.test/sse", Manner::Silent, "led to no connection within 50 ms"),
    ] {
        let proxy = Proxy::start(manner).await.unwrap();
        let limits = if matches!(manner, Manner::Silent) { short } else { ClientLimits::default() };
        let upstream = HttpSseUpstream::new(url, through(&proxy).limits(limits)).unwrap();
        let error = only(call(&upstream.connect(Scope::Session), PING)).await;
        let wanted = format!("no connection to the server: the proxy {} {wanted}", proxy.url());
        assert!(error.starts_with("NotSent: ") && error.contains(&wanted), "{error}");
        let error = upstream.probe().await.unwrap_err();
        assert!(error.is_unreachable() && !format!("{error:?}").contains("s3cr3t"), "{error:?}");
    }
}
