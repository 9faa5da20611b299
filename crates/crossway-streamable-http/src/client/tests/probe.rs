//! Detecting what a server speaks.

use crossway_dial::Proxies;
use crossway_service::Reason;

use super::peer::{Peer, ask, initialized, message, tool_call};
use crate::client::{Options, ProbeError, StreamableHttpUpstream, Verdict};
use crossway_proto::Revision;

/// Returns the verdict on a server whose answers to both requests a script gives.
async fn verdict(discover: (&str, &str), initialize: Option<(&str, &str)>) -> Result<Verdict, ProbeError> {
    let mut peer = Peer::new().await;
    let upstream = peer.upstream.clone();
    let script = async {
        for (method, script) in [("server/discover", Some(discover)), ("initialize", initialize)] {
            let Some((status, body)) = script else { break };
            let exchange = peer.expect("POST", method).await;
            let id = message(&exchange.body).id().unwrap().to_string();
            exchange.refuse(status, &body.replace("ID", &id)).await;
        }
    };
    let (verdict, ()) = tokio::join!(upstream.probe(), script);
    assert!(peer.is_silent());
    verdict
}

const UNKNOWN: (&str, &str) = (
    "400 Bad Request",
    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Server not initialized"}}"#,
);
const INITIALIZED: (&str, &str) = (
    "200 OK",
    r#"{"jsonrpc":"2.0","id":ID,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"a","version":"1"}}}"#,
);

#[tokio::test]
async fn a_server_that_can_be_discovered_is_modern() {
    let discovered = r#"{"jsonrpc":"2.0","id":ID,"result":{"supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{}}}"#;
    let found = verdict(("200 OK", discovered), None).await.unwrap();
    assert_eq!(found, Verdict::Modern { supported: vec!["2026-07-28".into(), "2025-11-25".into()] });
}

#[tokio::test]
async fn a_modern_error_makes_a_server_modern() {
    for (body, versions) in [
        (
            r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32022,"message":"no","data":{"supported":["2027-01-01"],"requested":"x"}}}"#,
            &["2027-01-01"][..],
        ),
        (r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"no"}}"#, &[]),
        (r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32021,"message":"no","data":[]}}"#, &[]),
        (r#"{"jsonrpc":"2.0","error":{"code":-32020,"message":"no"}}"#, &[]),
    ] {
        let found = verdict(("400 Bad Request", body), None).await.unwrap();
        let supported = versions.iter().map(|version| (*version).to_owned()).collect();
        assert_eq!(found, Verdict::Modern { supported }, "{body}");
    }
}

#[tokio::test]
async fn a_server_that_only_initializes_is_legacy() {
    for discover in [
        UNKNOWN,
        ("404 Not Found", ""),
        ("400 Bad Request", "nonsense"),
        ("500 Internal Server Error", ""),
        ("200 OK", r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"no such method"}}"#),
        ("404 Not Found", r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"no such method"}}"#),
        // A mock that says yes to everything.
        ("200 OK", r#"{"jsonrpc":"2.0","id":ID,"result":{}}"#),
        (
            "400 Bad Request",
            r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32022,"message":"no","data":{"supported":["2025-06-18"]}}}"#,
        ),
    ] {
        assert_eq!(verdict(discover, Some(INITIALIZED)).await, Ok(Verdict::LegacyStreamable), "{discover:?}");
    }
}

#[tokio::test]
async fn a_refusal_of_both_leaves_http_sse_to_be_tried() {
    for status in ["400 Bad Request", "404 Not Found", "405 Method Not Allowed"] {
        let number = status[..3].parse().unwrap();
        let found = verdict((status, "no"), Some((status, "no"))).await;
        assert_eq!(found, Ok(Verdict::NotStreamable { status: number }));
    }
    assert_eq!(verdict(UNKNOWN, Some(UNKNOWN)).await, Ok(Verdict::NotStreamable { status: 400 }));
}

#[tokio::test]
async fn a_modern_error_to_initialize_makes_a_server_modern() {
    let refused = (
        "400 Bad Request",
        r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}}"#,
    );
    let found = verdict(("502 Bad Gateway", ""), Some(refused)).await.unwrap();
    assert_eq!(found, Verdict::Modern { supported: vec!["2026-07-28".into()] });
}

#[tokio::test]
async fn a_server_that_answers_in_an_unreadable_way_is_an_error() {
    for (status, body) in [("403 Forbidden", ""), ("500 Internal Server Error", "")] {
        let error = verdict((status, body), Some((status, body))).await.unwrap_err();
        assert!(
            matches!(error, ProbeError::Failed(ref error) if matches!(error.reason(), Reason::Refused { .. }))
        );
    }
}

#[tokio::test]
async fn a_probe_is_a_proper_modern_request() {
    let mut peer = Peer::with(Options::default().header("X-Api-Key", "k").unwrap()).await;
    let upstream = peer.upstream.clone();
    let (_, ()) = tokio::join!(upstream.probe(), async {
        let exchange = peer.expect("POST", "server/discover").await;
        assert_eq!(exchange.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(exchange.header("mcp-method"), Some("server/discover"));
        assert_eq!(exchange.header("x-api-key"), Some("k"));
        let body: serde_json::Value = serde_json::from_str(&exchange.body).unwrap();
        let meta = &body["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
        assert!(meta["io.modelcontextprotocol/clientCapabilities"].is_object());
        assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "crossway");
        exchange.refuse("400 Bad Request", "").await;
        peer.expect("POST", "initialize").await.refuse("405 Method Not Allowed", "").await;
    });
}

#[tokio::test]
async fn the_session_that_a_probe_opens_is_ended() {
    let mut peer = Peer::new().await;
    let upstream = peer.upstream.clone();
    let (found, ()) = tokio::join!(upstream.probe(), async {
        peer.expect("POST", "server/discover").await.refuse("404 Not Found", "").await;
        let exchange = peer.expect("POST", "initialize").await;
        let id = message(&exchange.body).id().unwrap().to_string();
        let answer = initialized(Revision::V2025_06_18).replace(r#""id":0"#, &format!(r#""id":{id}"#));
        exchange.answer_with("Mcp-Session-Id: p1\r\n", &answer).await;
        let exchange = peer.expect("DELETE", "").await;
        assert_eq!(exchange.header("mcp-session-id"), Some("p1"));
        assert_eq!(exchange.header("mcp-protocol-version"), Some("2025-06-18"));
        exchange.respond("405 Method Not Allowed", "", "").await;
    });
    assert_eq!(found, Ok(Verdict::LegacyStreamable));
}

#[tokio::test]
async fn answers_by_event_stream_are_read_too() {
    let mut peer = Peer::new().await;
    let upstream = peer.upstream.clone();
    let (found, ()) = tokio::join!(upstream.probe(), async {
        let mut exchange = peer.expect("POST", "server/discover").await;
        let id = message(&exchange.body).id().unwrap().to_string();
        exchange.open_stream().await;
        exchange.chunk("id: 1\ndata:\n\n").await;
        exchange
            .event(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"supportedVersions":["2026-07-28"]}}}}"#
            ))
            .await;
        exchange.end_stream().await;
    });
    assert_eq!(found, Ok(Verdict::Modern { supported: vec!["2026-07-28".into()] }));
}

#[tokio::test]
async fn a_server_that_wants_authorization_says_which_header_to_add() {
    for (challenge, hint) in [
        ("WWW-Authenticate: Bearer resource_metadata=\"https://x\"\r\n", "Authorization: Bearer"),
        ("WWW-Authenticate: Basic realm=\"x\"\r\n", "Authorization: Basic"),
        ("", "Authorization: Bearer"),
    ] {
        let mut peer = Peer::new().await;
        let upstream = peer.upstream.clone();
        let (found, ()) = tokio::join!(upstream.probe(), async {
            peer.next().await.respond("401 Unauthorized", challenge, "").await;
        });
        let error = found.unwrap_err();
        assert!(error.to_string().contains(hint), "{error}");
        assert!(peer.is_silent());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_what_it_does_not_know_is_legacy() {
    let mut peer = Peer::in_memory(Options::default());
    let upstream = peer.upstream.clone();
    let (found, ()) = tokio::join!(upstream.probe(), async {
        let held = peer.expect("POST", "server/discover").await;
        let exchange = peer.expect("POST", "initialize").await;
        let id = message(&exchange.body).id().unwrap().to_string();
        exchange
            .answer(&initialized(Revision::V2025_11_25).replace(r#""id":0"#, &format!(r#""id":{id}"#)))
            .await;
        drop(held);
    });
    assert_eq!(found, Ok(Verdict::LegacyStreamable));
}

#[tokio::test]
async fn a_server_that_can_not_be_reached_is_an_error() {
    let upstream = StreamableHttpUpstream::new("http://127.0.0.1:1/mcp", Options::default()).unwrap();
    let error = upstream.probe().await.unwrap_err();
    assert!(
        matches!(error, ProbeError::Failed(ref error) if matches!(error.reason(), Reason::Unavailable(_)))
    );
}

#[tokio::test]
async fn a_refusal_of_a_probe_in_plain_text_is_quoted_to_operators_alone() {
    const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";
    const JSON: &str = "Content-Type: application/json\r\n";
    let (long, cut) = ("x".repeat(1000), format!("{} [cut]", "x".repeat(200)));
    for (head, body, quoted) in [
        (
            TEXT,
            "\nAccess is only allowed at localhost\nsecond line",
            Some("Access is only allowed at localhost"),
        ),
        ("", "Invalid Host header", Some("Invalid Host header")),
        (TEXT, "\u{1b}[31mno\u{202e} entry", Some("\\u001b[31mno\\u202e entry")),
        (TEXT, long.as_str(), Some(cut.as_str())),
        (JSON, "{\n \"error\": \"invalid_token\"\n}", Some("{ \"error\": \"invalid_token\" }")),
        (TEXT, "<html>no</html>", None),
        ("Content-Type: text/html\r\n", "no", None),
        (TEXT, "", None),
    ] {
        let ProbeError::Failed(error) = refused(Options::default(), "/mcp", head, body).await else {
            panic!()
        };
        let Reason::Refused { status: 403, said, .. } = error.reason() else { panic!("{error}") };
        assert_eq!(said.as_ref().map(ToString::to_string).as_deref(), quoted, "{body}");
        assert!(
            said.as_ref()
                .is_none_or(|said| !said.is_public() && error.to_string().ends_with(&said.to_string()))
        );
        assert!(error.redacted("").to_string().ends_with("HTTP status 403"));
    }
}

#[tokio::test]
async fn no_refusal_is_quoted_that_may_have_a_secret_in_it() {
    let with_header = || Options::default().header("X-Key", "s3cr3t").unwrap();
    for (options, path) in [
        (with_header(), "/mcp"),
        (Options::default(), "/mcp?key=s3cr3t"),
        (Options::default(), "/s3cr3t/mcp"),
    ] {
        let ProbeError::Failed(error) = refused(options, path, "", "you sent s3cr3t").await else { panic!() };
        assert!(error.to_string().ends_with("HTTP status 403"), "{error}");
    }
    // A proxy is sent its password with each request for plain http, and may show what it was sent.
    let mut proxy = Peer::new().await;
    let at = proxy.url.trim_end_matches("/mcp").replace("http://", "http://user:s3cr3t@");
    let options = Options::default().proxies(Proxies::all(&at).unwrap());
    let upstream = StreamableHttpUpstream::new("http://upstream.test/mcp", options).unwrap();
    let (verdict, ()) = tokio::join!(upstream.probe(), async {
        for _ in 0..2 {
            let exchange = proxy.next().await;
            let sent = exchange.header("proxy-authorization").unwrap().to_owned();
            exchange.respond("403 Forbidden", "", &format!("you sent {sent}")).await;
        }
    });
    let ProbeError::Failed(error) = verdict.unwrap_err() else { panic!() };
    assert!(error.to_string().ends_with("HTTP status 403"), "{error}");
    // A call has the words of its client.
    let mut peer = Peer::new().await;
    let link = peer.link();
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        peer.next().await.respond("403 Forbidden", "", "you sent this and that").await;
    });
    assert!(answer.unwrap_err().to_string().ends_with("HTTP status 403"));
}

/// The error of a probe that is answered with 403.
async fn refused(options: Options, path: &str, head: &str, body: &str) -> ProbeError {
    let mut peer = Peer::new().await;
    let upstream = StreamableHttpUpstream::new(&peer.url.replace("/mcp", path), options).unwrap();
    let (verdict, ()) = tokio::join!(upstream.probe(), async {
        for _ in 0..2 {
            peer.next().await.respond("403 Forbidden", head, body).await;
        }
    });
    verdict.unwrap_err()
}
