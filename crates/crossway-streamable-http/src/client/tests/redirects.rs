//! Redirects: followed within the origin, refused elsewhere.

use crossway_proto::Revision;
use crossway_service::Reason;
use tokio::net::TcpListener;

use super::peer::{Peer, ask, result, tool_call};

const LEGACY: Revision = Revision::V2025_11_25;

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_with_the_message() {
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let mut peer = Peer::new().await;
        let link = peer.session(LEGACY).await;
        let location = format!("{}/", peer.url);
        let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
            let exchange = peer.expect("POST", "tools/call").await;
            exchange.respond(status, &format!("Location: {location}\r\n"), "").await;
            let exchange = peer.expect("POST", "tools/call").await;
            assert_eq!(exchange.path, "/mcp/");
            assert_eq!(exchange.header("mcp-session-id"), Some("s1"));
            exchange.respond(status, "Location: v2?x=1\r\n", "").await;
            let exchange = peer.expect("POST", "tools/call").await;
            assert_eq!(exchange.path, "/mcp/v2?x=1");
            assert_eq!(exchange.body, tool_call(1));
            exchange.answer(&result(1)).await;
        });
        assert_eq!(answer, Ok(result(1)));
    }
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_refused_and_nothing_is_sent_there() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let locations = [
        format!("http://127.0.0.1:{port}/mcp?token=s3cr3t"),
        format!("//localhost:{port}/"),
        "https://127.0.0.1/".into(),
    ];
    for location in locations {
        let mut peer = Peer::new().await;
        let link = peer.session(LEGACY).await;
        let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
            let headers = format!("Location: {location}\r\n");
            peer.next().await.respond("307 Temporary Redirect", &headers, "").await;
        });
        let error = answer.unwrap_err();
        assert!(matches!(error.reason(), Reason::InvalidAnswer(_)));
        let text = error.to_string();
        assert!(text.contains("another origin") && !text.contains("s3cr3t"), "{text}");
    }
    tokio::select! {
        biased;
        _ = other.accept() => panic!("the other origin was connected to"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn a_redirect_that_does_not_keep_the_method_is_refused() {
    for status in ["301 Moved Permanently", "302 Found", "303 See Other"] {
        let mut peer = Peer::new().await;
        let link = peer.session(LEGACY).await;
        let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
            peer.next().await.respond(status, "Location: /other\r\n", "").await;
        });
        let error = answer.unwrap_err();
        assert!(error.to_string().contains(&status[..3]), "{error}");
    }
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        for _ in 0..4 {
            peer.next().await.respond("307 Temporary Redirect", "Location: /mcp\r\n", "").await;
        }
    });
    assert!(matches!(answer.unwrap_err().reason(), Reason::InvalidAnswer(_)));
    assert!(peer.is_silent());
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_refused() {
    for headers in ["", "Location: javascript:alert(1)//\r\n", "Location: http://\r\n"] {
        let mut peer = Peer::new().await;
        let link = peer.session(LEGACY).await;
        let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
            let exchange = peer.next().await;
            exchange.respond("307 Temporary Redirect", headers, "").await;
            if headers.contains("javascript") {
                // A path, as relative references go; it leads nowhere.
                peer.next().await.respond("404 Not Found", "", "").await;
            }
        });
        answer.unwrap_err();
    }
}
