//! Sessions: how they open, what they carry, how they end.

use crossway_proto::Revision;
use crossway_service::{Outcome, Reason};

use super::peer::{Peer, ask, call, initialize, initialized, next, result, tool_call};
use crate::client::Options;

const LEGACY: Revision = Revision::V2025_11_25;

/// A runtime that ends takes the tasks with it that run errands.
#[test]
fn the_sessions_ends_of_a_runtime_that_has_ended_hold_up_no_later_ones() {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let first = runtime();
    let (upstream, mut links) = first.block_on(async {
        let mut peer = Peer::in_memory(Options::default());
        let links = [peer.session(Revision::V2025_11_25).await, peer.session(Revision::V2025_11_25).await];
        (peer.upstream, links.into_iter())
    });
    let shared = upstream.shared();
    first.block_on(async { drop(links.next()) });
    assert_eq!(shared.errands.counts(), (1, 1));
    drop(first);
    assert_eq!(shared.errands.counts(), (0, 1));
    runtime().block_on(async {
        drop(links.next());
        // Nobody answers any more, and the tasks end all the same.
        while shared.errands.counts() != (0, 0) {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    });
}

#[tokio::test]
async fn initialize_goes_out_without_a_session_and_everything_after_it_with_one() {
    let mut peer = Peer::new().await;
    let link = peer.link();
    let (answer, ()) = tokio::join!(ask(&link, initialize(LEGACY)), async {
        let exchange = peer.expect("POST", "initialize").await;
        assert_eq!(exchange.header("mcp-session-id"), None);
        assert_eq!(exchange.header("mcp-protocol-version"), None);
        exchange.answer_with("mcp-session-id: abc!~\r\n", &initialized(Revision::V2025_06_18)).await;
    });
    assert_eq!(answer, Ok(initialized(Revision::V2025_06_18)));
    for text in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":"s-1","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"s-2","error":{"code":-1,"message":"no"}}"#,
    ] {
        let mut reply = call(&link, text);
        let (end, ()) = tokio::join!(next(&mut reply), async {
            let exchange = peer.next().await;
            assert_eq!(exchange.body, text);
            assert_eq!(exchange.header("mcp-session-id"), Some("abc!~"));
            assert_eq!(exchange.header("mcp-protocol-version"), Some("2025-06-18"));
            assert_eq!(exchange.header("mcp-method"), None);
            exchange.accept().await;
        });
        assert_eq!(end, None);
    }
}

#[tokio::test]
async fn initialize_may_be_answered_by_a_stream_with_questions_in_it() {
    let mut peer = Peer::new().await;
    let link = peer.link();
    let mut reply = call(&link, &initialize(LEGACY));
    let client = async {
        assert!(next(&mut reply).await.unwrap().unwrap().contains("ping"));
        let mut pong = call(&link, r#"{"jsonrpc":"2.0","id":"p","result":{}}"#);
        assert_eq!(next(&mut pong).await, None);
        assert_eq!(next(&mut reply).await, Some(Ok(initialized(LEGACY))));
    };
    tokio::join!(client, async {
        let mut exchange = peer.expect("POST", "initialize").await;
        exchange
            .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nMcp-Session-Id: s9\r\n\r\n")
            .await;
        exchange.send("data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n").await;
        let pong = peer.next().await;
        assert_eq!(pong.header("mcp-session-id"), Some("s9"), "the session is open as soon as it has an id");
        pong.accept().await;
        exchange.send(format!("data: {}\n\n", initialized(LEGACY))).await;
    });
}

#[tokio::test]
async fn a_server_without_sessions_gets_none() {
    let mut peer = Peer::new().await;
    let link = peer.link();
    let (answer, ()) = tokio::join!(ask(&link, initialize(LEGACY)), async {
        peer.next().await.answer(&initialized(LEGACY)).await;
    });
    answer.unwrap();
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("mcp-session-id"), None);
        assert_eq!(exchange.header("mcp-protocol-version"), Some("2025-11-25"));
        exchange.respond("404 Not Found", "", "").await;
    });
    let refused = Reason::Refused { status: 404, retry_after: None, said: None };
    assert_eq!(*answer.unwrap_err().reason(), refused, "no session can have ended");
    link.close().await;
    assert!(peer.is_silent());
}

#[tokio::test]
async fn a_session_id_that_can_not_be_one_is_refused() {
    let mut peer = Peer::new().await;
    let link = peer.link();
    let (answer, ()) = tokio::join!(ask(&link, initialize(LEGACY)), async {
        peer.next().await.answer_with("Mcp-Session-Id: a b\r\n", &initialized(LEGACY)).await;
    });
    assert!(matches!(answer.unwrap_err().reason(), Reason::InvalidAnswer(_)));
}

#[tokio::test]
async fn a_failed_initialize_opens_no_session() {
    let mut peer = Peer::new().await;
    let link = peer.link();
    let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"no"}}"#;
    let (answer, ()) = tokio::join!(ask(&link, initialize(LEGACY)), async {
        peer.next().await.answer_with("Mcp-Session-Id: s1\r\n", error).await;
    });
    assert_eq!(answer.unwrap(), error);
    let (_, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("mcp-session-id"), None);
        exchange.answer(&result(1)).await;
    });
}

#[tokio::test]
async fn a_lost_session_is_told_as_such_and_never_as_a_success() {
    for body in ["", r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#] {
        let mut peer = Peer::new().await;
        let link = peer.session(LEGACY).await;
        let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
            peer.next().await.refuse("404 Not Found", body).await;
        });
        let error = answer.unwrap_err();
        assert_eq!(*error.reason(), Reason::SessionEnded);
        assert_eq!(error.outcome(), Outcome::Answered);
        // From then on it is known.
        let error = ask(&link, tool_call(2)).await.unwrap_err();
        assert_eq!(*error.reason(), Reason::SessionEnded);
        assert_eq!(error.outcome(), Outcome::NotSent);
        link.close().await;
        assert!(peer.is_silent(), "there is nothing to end any more");
    }
}

#[tokio::test]
async fn a_lost_session_is_known_by_what_servers_say_beside_400() {
    let error_of = |id: &str, code: i32, message: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#)
    };
    let error = |id, message| error_of(id, -32000, message);
    for (status, body, is_lost) in [
        ("400 Bad Request", error("null", "Bad Request: No valid session ID provided"), true),
        ("400 Bad Request", error("null", "Bad Request: Server not initialized"), true),
        ("400 Bad Request", error("null", "Invalid or expired session"), true),
        ("400 Bad Request", error("null", "Bad Request: Unknown Mcp-Session-Id header"), true),
        ("400 Bad Request", error("null", "Invalid or missing sessionId"), true),
        ("400 Bad Request", error("null", "Session s1 not found"), true),
        ("410 Gone", error("null", "Session terminated"), true),
        // These are about an argument of the call.
        ("400 Bad Request", error("null", "Invalid arguments for tool book: session is required"), false),
        ("400 Bad Request", error("null", "the session field is unknown"), false),
        ("400 Bad Request", error_of("null", -32602, "Invalid session ID"), false),
        ("400 Bad Request", error_of("null", -32601, "not found: session/expired session"), false),
        // It names the request: it is what the call came to.
        ("400 Bad Request", error("1", "No valid session ID provided"), false),
        ("400 Bad Request", error("null", "Bad Request: Unsupported protocol version"), false),
        ("403 Forbidden", error("null", "No valid session ID provided"), false),
    ] {
        let mut peer = Peer::new().await;
        let link = peer.session(LEGACY).await;
        let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
            peer.next().await.refuse(status, &body).await;
        });
        let ended = answer.as_ref().is_err_and(|error| *error.reason() == Reason::SessionEnded);
        assert_eq!(ended, is_lost, "{status} {body}: {answer:?}");
        if is_lost {
            let error = answer.unwrap_err();
            assert_eq!(error.outcome(), Outcome::Answered);
            assert_eq!(error.status().map(|said| said.to_string()).as_deref(), status.get(..3));
            let error = ask(&link, tool_call(2)).await.unwrap_err();
            assert_eq!((error.reason(), error.outcome()), (&Reason::SessionEnded, Outcome::NotSent));
        }
    }
}

#[tokio::test]
async fn a_lost_session_is_told_to_notifications_too() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let mut reply = call(&link, r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#);
    let (end, ()) = tokio::join!(next(&mut reply), async {
        peer.next().await.respond("404 Not Found", "", "").await;
    });
    assert_eq!(*end.unwrap().unwrap_err().reason(), Reason::SessionEnded);
}

#[tokio::test]
async fn an_unknown_method_told_by_404_ends_no_session() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}"#;
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        peer.next().await.refuse("404 Not Found", error).await;
    });
    assert_eq!(answer.unwrap(), error);
    let (answer, ()) =
        tokio::join!(ask(&link, tool_call(2)), async { peer.next().await.answer(&result(2)).await });
    assert_eq!(answer, Ok(result(2)));
}

#[tokio::test]
async fn after_a_lost_session_initialize_opens_a_new_one() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let (lost, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        peer.next().await.respond("404 Not Found", "", "").await;
    });
    lost.unwrap_err();
    let (answer, ()) = tokio::join!(ask(&link, initialize(LEGACY)), async {
        let exchange = peer.expect("POST", "initialize").await;
        assert_eq!(exchange.header("mcp-session-id"), None);
        exchange.answer_with("Mcp-Session-Id: s2\r\n", &initialized(LEGACY)).await;
    });
    answer.unwrap();
    let (answer, ()) = tokio::join!(ask(&link, tool_call(2)), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("mcp-session-id"), Some("s2"));
        exchange.answer(&result(2)).await;
    });
    assert_eq!(answer, Ok(result(2)));
}

#[tokio::test]
async fn closing_deletes_the_session_whatever_the_server_says() {
    for status in ["200 OK", "204 No Content", "405 Method Not Allowed", "500 Internal Server Error"] {
        let mut peer = Peer::with(Options::default().header("X-Api-Key", "k").unwrap()).await;
        let link = peer.session(LEGACY).await;
        let ((), ()) = tokio::join!(link.close(), async {
            let exchange = peer.expect("DELETE", "").await;
            assert_eq!(exchange.header("mcp-session-id"), Some("s1"));
            assert_eq!(exchange.header("mcp-protocol-version"), Some("2025-11-25"));
            assert_eq!(exchange.header("x-api-key"), Some("k"));
            assert_eq!(exchange.header("content-type"), None);
            exchange.respond(status, "", "").await;
        });
        let error = ask(&link, tool_call(1)).await.unwrap_err();
        assert_eq!(*error.reason(), Reason::Closing);
        drop(link);
        assert!(peer.is_silent(), "once is enough");
    }
}

#[tokio::test]
async fn closing_fails_the_calls_in_flight() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let mut reply = call(&link, &tool_call(1));
    let (error, ()) = tokio::join!(next(&mut reply), async {
        let held = peer.expect("POST", "tools/call").await;
        let ((), ()) = tokio::join!(link.close(), async {
            peer.expect("DELETE", "").await.respond("200 OK", "", "").await;
        });
        held.closed().await;
    });
    let error = error.unwrap().unwrap_err();
    assert_eq!((error.reason(), error.outcome()), (&Reason::Closing, Outcome::Unknown));
}

#[tokio::test]
async fn closing_goes_on_when_nobody_waits_for_it() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    drop(link.close());
    peer.expect("DELETE", "").await.respond("200 OK", "", "").await;
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_a_server_that_says_nothing() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    link.close().await;
    let _unanswered = peer.expect("DELETE", "").await;
}

#[tokio::test]
async fn the_last_link_takes_the_session_with_it() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let other = link.clone();
    drop(link);
    assert!(peer.is_silent());
    let mut reply = call(&other, &tool_call(1));
    drop(other);
    let (answer, ()) = tokio::join!(next(&mut reply), async {
        peer.expect("POST", "tools/call").await.answer(&result(1)).await;
    });
    assert_eq!(answer, Some(Ok(result(1))), "a call in flight is not cut off");
    drop(reply);
    let exchange = peer.expect("DELETE", "").await;
    assert_eq!(exchange.header("mcp-session-id"), Some("s1"));
}

#[tokio::test]
async fn a_second_initialize_ends_the_first_session() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let (answer, ()) = tokio::join!(ask(&link, initialize(LEGACY)), async {
        for _ in 0..2 {
            let exchange = peer.next().await;
            if exchange.verb == "DELETE" {
                assert_eq!(exchange.header("mcp-session-id"), Some("s1"));
                exchange.respond("200 OK", "", "").await;
            } else {
                assert_eq!(exchange.header("mcp-session-id"), None);
                exchange.answer_with("Mcp-Session-Id: s2\r\n", &initialized(LEGACY)).await;
            }
        }
    });
    answer.unwrap();
}

#[tokio::test]
async fn configured_headers_go_with_every_request_and_host_is_the_urls_own() {
    let options = Options::default().header("Authorization", "Bearer t").unwrap();
    let mut peer = Peer::with(options).await;
    let link = peer.link();
    let host = peer.url.strip_prefix("http://").unwrap().strip_suffix("/mcp").unwrap().to_owned();
    let (_, ()) = tokio::join!(ask(&link, initialize(LEGACY)), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.path, "/mcp");
        assert_eq!(exchange.header("host"), Some(host.as_str()));
        assert_eq!(exchange.header("authorization"), Some("Bearer t"));
        exchange.answer(&initialized(LEGACY)).await;
    });
}

#[tokio::test]
async fn all_sessions_end_with_the_upstream_which_waits_for_that() {
    let mut peer = Peer::new().await;
    let (open, gone) = (peer.session(LEGACY).await, peer.session(LEGACY).await);
    drop(gone);
    let upstream = peer.upstream.clone();
    let mut closed = std::pin::pin!(upstream.close());
    let mut ends = Vec::new();
    while ends.len() < 2 {
        tokio::select! {
            biased;
            () = &mut closed => panic!("it does not wait"),
            end = peer.expect("DELETE", "") => ends.push(end),
        }
    }
    for end in ends {
        assert_eq!(end.header("mcp-session-id"), Some("s1"));
        end.respond("204 No Content", "", "").await;
    }
    closed.await;
    for link in [open, peer.link()] {
        assert_eq!(*ask(&link, tool_call(1)).await.unwrap_err().reason(), Reason::Closing);
    }
    assert!(peer.is_silent(), "an end is told once");
}

#[tokio::test]
async fn a_session_id_that_can_not_be_one_is_named_for_what_is_wrong_with_it() {
    for (headers, what) in [
        (format!("Mcp-Session-Id: {}\r\n", "a".repeat(20_000)), "20000 bytes"),
        ("Mcp-Session-Id: a\r\nMcp-Session-Id: a\r\n".to_owned(), "it has 2 session ids"),
        ("Mcp-Session-Id: \r\n".to_owned(), "is empty"),
        ("Mcp-Session-Id: a b\r\n".to_owned(), "visible ASCII"),
    ] {
        let mut peer = Peer::new().await;
        let link = peer.link();
        let (answer, ()) = tokio::join!(ask(&link, initialize(LEGACY)), async {
            peer.next().await.answer_with(&headers, &initialized(LEGACY)).await;
        });
        let error = answer.unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}
