//! Pages of other origins, as browsers ask for them (the Fetch standard's CORS protocol).

use crossway_proto::http_rules::AllowedOrigins;
use crossway_streamable_http::server::Config;

use super::support::{ACCEPT, INITIALIZED, Raw, Served, call, initialize};

const PAGE: &str = "origin: https://app.example\r\n";

async fn served() -> Served {
    let origins = AllowedOrigins::loopback().and("https://app.example").unwrap();
    Served::echo("2025-11-25", Config::new().origins(origins)).await
}

/// Checks that the page may read an answer.
#[track_caller]
fn assert_readable(answer: &Raw, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{answer:?}");
    assert_eq!(answer.header("vary"), Some("origin"), "{answer:?}");
    let exposed = answer.header("access-control-expose-headers");
    assert_eq!(exposed, Some("mcp-session-id, mcp-protocol-version, www-authenticate, retry-after"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn a_browser_is_told_what_an_allowed_page_may_ask() {
    let served = served().await;
    let wanted = "content-type,mcp-param-region,mcp-session-id";
    let asked =
        format!("access-control-request-method: DELETE\r\naccess-control-request-headers: {wanted}\r\n");
    let own = format!("http://{}", served.address);
    for origin in ["https://app.example", &own] {
        let told = served.request("OPTIONS", &format!("origin: {origin}\r\n{asked}"), b"").await;
        assert_eq!((told.status, told.body.as_str()), (204, ""), "{told:?}");
        assert_readable(&told, origin);
        assert_eq!(told.header("access-control-allow-methods"), Some("get, post, delete"));
        assert_eq!(told.header("access-control-allow-headers"), Some(wanted));
        assert_eq!(told.header("access-control-max-age"), Some("600"));
    }
    let foreign = served.request("OPTIONS", &format!("origin: https://evil.example\r\n{asked}"), b"").await;
    foreign.assert_refused(403, -32600);
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    // Without an origin it is an `OPTIONS` like any other.
    served.request("OPTIONS", &asked, b"").await.assert_refused(405, -32600);
    served.assert_serves().await;
}

#[tokio::test]
async fn an_allowed_page_may_read_answers_streams_and_refusals() {
    let served = served().await;
    let opened = served.post(PAGE, initialize("2025-11-25").as_bytes()).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    assert_readable(&opened, "https://app.example");
    let session = format!("{PAGE}mcp-session-id: {}\r\n", opened.header("mcp-session-id").unwrap());
    for (body, status) in [(INITIALIZED, 202), (&*call("1"), 200), ("{", 400)] {
        let answer = served.post(&session, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_readable(&answer, "https://app.example");
    }
    for (method, headers, status) in [
        ("GET", session.clone(), 406),
        ("GET", format!("{PAGE}mcp-session-id: 0123456789abcdef0123456789abcdef\r\n{ACCEPT}"), 404),
        ("PUT", PAGE.to_owned(), 405),
        ("OPTIONS", PAGE.to_owned(), 405),
        ("DELETE", session.clone(), 204),
    ] {
        let answer = served.request(method, &headers, b"").await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_readable(&answer, "https://app.example");
    }
    // Who is no page is told nothing of pages.
    let plain = served.post("", initialize("2025-11-25").as_bytes()).await;
    assert_eq!((plain.header("access-control-allow-origin"), plain.header("vary")), (None, None));
}
