//! The standing stream of a legacy session. Time is paused, so waits are exact.

use std::time::Duration;

use crossway_proto::Revision;
use crossway_service::{Call, Context, Link, Reason, Reply};
use tokio::time::Instant;

use super::peer::{Peer, ask, call, initialize, initialized, next, result, tool_call};
use crate::client::Options;

const LEGACY: Revision = Revision::V2025_11_25;
const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

fn listen(link: &Link) -> Reply {
    link.call(Call::listen(Context::default()))
}

/// Polls a reply that has nothing to give while a script runs.
async fn while_silent<T>(reply: &mut Reply, script: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        item = next(reply) => panic!("{item:?}"),
        done = script => done,
    }
}

#[tokio::test(start_paused = true)]
async fn the_stream_opens_once_the_session_is_initialized() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.link();
    let mut listening = listen(&link);
    while_silent(&mut listening, async {
        let (answer, ()) = tokio::join!(ask(&link, initialize(LEGACY)), async {
            peer.next().await.answer_with("Mcp-Session-Id: s1\r\n", &initialized(LEGACY)).await;
        });
        answer.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(peer.is_silent());
        let mut accepted = call(&link, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        let (end, ()) = tokio::join!(next(&mut accepted), async { peer.next().await.accept().await });
        assert_eq!(end, None);
    })
    .await;
    let question = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
    let client = async {
        assert_eq!(next(&mut listening).await, Some(Ok(CHANGED.to_owned())));
        assert_eq!(next(&mut listening).await, Some(Ok(question.to_owned())));
    };
    let ((), _held) = tokio::join!(client, async {
        let mut exchange = peer.expect("GET", "").await;
        assert_eq!(exchange.header("accept"), Some("text/event-stream"));
        assert_eq!(exchange.header("mcp-session-id"), Some("s1"));
        assert_eq!(exchange.header("mcp-protocol-version"), Some("2025-11-25"));
        assert_eq!(exchange.header("last-event-id"), None);
        assert_eq!(exchange.header("content-type"), None);
        exchange.open_stream().await;
        exchange.event(CHANGED).await;
        // No answer belongs here.
        exchange.event(&result(1)).await;
        exchange.event(question).await;
        exchange
    });
    assert_eq!(peer.upstream.strays(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_the_stream_is_asked_once() {
    let statuses =
        ["405 Method Not Allowed", "400 Bad Request", "404 Not Found", "501 Not Implemented", "200 OK"];
    let pages = statuses.map(|status| (status, "text/html", "<html>"));
    // FastAPI's own word for a path without a handler, and what is no error of JSON-RPC's.
    let texts = [r#"{"detail":"Not Found"}"#, "{}", "[]", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, ""];
    let texts = texts.map(|text| ("404 Not Found", "application/json", text));
    for (status, content_type, body) in pages.into_iter().chain(texts) {
        let mut peer = Peer::in_memory(Options::default());
        let link = peer.session(LEGACY).await;
        let mut listening = listen(&link);
        while_silent(&mut listening, async {
            peer.expect("GET", "")
                .await
                .respond(status, &format!("Content-Type: {content_type}\r\n"), body)
                .await;
            tokio::time::sleep(Duration::from_secs(3600)).await;
            assert!(peer.is_silent(), "{status}");
            let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
                peer.next().await.answer(&result(1)).await;
            });
            assert_eq!(answer, Ok(result(1)), "the session goes on");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_http_sse_at_the_same_url_is_left_alone() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut listening = listen(&link);
    while_silent(&mut listening, async {
        let mut exchange = peer.expect("GET", "").await;
        exchange.open_stream().await;
        exchange.chunk("event: endpoint\ndata: /mcp?sessionId=1\n\n").await;
        exchange.closed().await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(peer.is_silent());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_stream_is_opened_again_where_it_was_after_the_time_that_the_server_asked_for() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut listening = listen(&link);
    let client = async {
        assert_eq!(next(&mut listening).await, Some(Ok(CHANGED.to_owned())));
        assert_eq!(next(&mut listening).await, Some(Ok(CHANGED.to_owned())));
    };
    let ((), _held) = tokio::join!(client, async {
        let mut exchange = peer.expect("GET", "").await;
        exchange.open_stream().await;
        exchange.chunk(&format!("id: e7\nretry: 2500\ndata: {CHANGED}\n\n")).await;
        let closed = Instant::now();
        exchange.end_stream().await;
        let mut exchange = peer.expect("GET", "").await;
        assert_eq!(closed.elapsed(), Duration::from_millis(2500));
        assert_eq!(exchange.header("last-event-id"), Some("e7"));
        exchange.open_stream().await;
        exchange.event(CHANGED).await;
        exchange
    });
}

#[tokio::test(start_paused = true)]
async fn failures_are_met_with_patience_that_starts_anew_after_a_success() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut listening = listen(&link);
    while_silent(&mut listening, async {
        let mut waits = Vec::new();
        peer.expect("GET", "").await.respond("503 Service Unavailable", "", "").await;
        for _ in 0..12 {
            let before = Instant::now();
            let exchange = peer.expect("GET", "").await;
            waits.push(before.elapsed());
            exchange.respond("503 Service Unavailable", "", "").await;
        }
        assert!(waits[0] >= Duration::from_secs(1) && waits[0] < Duration::from_millis(1300));
        assert!(waits.windows(2).take(4).all(|pair| pair[0] < pair[1]), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait < Duration::from_secs(40)), "{waits:?}");

        let before = Instant::now();
        peer.expect("GET", "").await.respond("429 Too Many Requests", "Retry-After: 100\r\n", "").await;
        let mut exchange = peer.expect("GET", "").await;
        assert!(before.elapsed() >= Duration::from_secs(100), "what the server asks for counts");

        exchange.open_stream().await;
        exchange.chunk("id: 1\ndata:\n\n").await;
        let before = Instant::now();
        exchange.end_stream().await;
        let exchange = peer.expect("GET", "").await;
        assert!(before.elapsed() < Duration::from_millis(1300), "patience starts anew");
        drop(exchange);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_next_listener_goes_on_where_the_last_one_stopped() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut first = listen(&link);
    let (item, exchange) = tokio::join!(next(&mut first), async {
        let mut exchange = peer.expect("GET", "").await;
        exchange.open_stream().await;
        exchange.chunk(&format!("id: e1\ndata: {CHANGED}\n\nid: e2\ndata: {CHANGED}\n\n")).await;
        exchange
    });
    assert_eq!(item, Some(Ok(CHANGED.to_owned())));
    drop(first);
    exchange.closed().await;
    let mut second = listen(&link);
    while_silent(&mut second, async {
        assert_eq!(peer.expect("GET", "").await.header("last-event-id"), Some("e1"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn listeners_share_a_stream_and_the_newest_reads_it() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut older = listen(&link);
    let mut exchange = while_silent(&mut older, async {
        let mut exchange = peer.expect("GET", "").await;
        exchange.open_stream().await;
        exchange
    })
    .await;
    // It is read no more, as that of a client whose connection is broken.
    let mut newer = listen(&link);
    let (item, ()) = tokio::join!(next(&mut newer), exchange.event(CHANGED));
    assert_eq!(item, Some(Ok(CHANGED.to_owned())));
    while_silent(&mut older, exchange.event(CHANGED)).await;
    drop(newer);
    assert_eq!(next(&mut older).await, Some(Ok(CHANGED.to_owned())));
    drop(older);
    exchange.closed().await;
    assert!(peer.is_silent());
}

/// A session whose stream was at `e1` when its listener left.
async fn left_at_e1(peer: &mut Peer) -> Link {
    let link = peer.session(LEGACY).await;
    let mut first = listen(&link);
    let (item, exchange) = tokio::join!(next(&mut first), async {
        let mut exchange = peer.expect("GET", "").await;
        exchange.open_stream().await;
        exchange.chunk(&format!("id: e1\ndata: {CHANGED}\n\n")).await;
        exchange
    });
    assert_eq!(item, Some(Ok(CHANGED.to_owned())));
    drop(first);
    exchange.closed().await;
    link
}

#[tokio::test(start_paused = true)]
async fn a_place_that_the_server_has_forgotten_is_given_up_and_not_the_stream() {
    let mut peer = Peer::in_memory(Options::default());
    let link = left_at_e1(&mut peer).await;
    let mut second = listen(&link);
    let (item, _held) = tokio::join!(next(&mut second), async {
        let exchange = peer.expect("GET", "").await;
        assert_eq!(exchange.header("last-event-id"), Some("e1"));
        exchange.respond("400 Bad Request", "", "").await;
        let mut exchange = peer.expect("GET", "").await;
        assert_eq!(exchange.header("last-event-id"), None);
        exchange.open_stream().await;
        exchange.event(CHANGED).await;
        exchange
    });
    assert_eq!(item, Some(Ok(CHANGED.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn the_place_in_a_stream_outlives_failures_and_streams_without_events() {
    let mut peer = Peer::in_memory(Options::default());
    let link = left_at_e1(&mut peer).await;
    let mut second = listen(&link);
    while_silent(&mut second, async {
        let exchange = peer.expect("GET", "").await;
        assert_eq!(exchange.header("last-event-id"), Some("e1"));
        exchange.respond("503 Service Unavailable", "", "").await;
        let mut exchange = peer.expect("GET", "").await;
        assert_eq!(exchange.header("last-event-id"), Some("e1"));
        exchange.open_stream().await;
        exchange.end_stream().await;
        let exchange = peer.expect("GET", "").await;
        assert_eq!(exchange.header("last-event-id"), Some("e1"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_first_calls_of_a_session_do_not_overtake_its_stream() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut listening = listen(&link);
    let (answer, _held) = while_silent(&mut listening, async {
        tokio::join!(ask(&link, tool_call(1)), async {
            let mut exchange = peer.expect("GET", "").await;
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert!(peer.is_silent(), "the call waits");
            exchange.open_stream().await;
            peer.expect("POST", "tools/call").await.answer(&result(1)).await;
            exchange
        })
    })
    .await;
    assert_eq!(answer, Ok(result(1)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_head_does_not_come_holds_calls_up_once_and_not_for_long() {
    let mut peer = Peer::in_memory(Options::default());
    let mut links = Vec::new();
    for waits in [[2000, 0], [500, 0]] {
        let link = peer.session(LEGACY).await;
        links.push(link.clone());
        let mut listening = listen(&link);
        let _held = while_silent(&mut listening, async {
            let exchange = peer.expect("GET", "").await;
            for (id, waits) in (1..).zip(waits) {
                let asked = Instant::now();
                let (answer, ()) = tokio::join!(ask(&link, tool_call(id)), async {
                    let exchange = peer.expect("POST", "tools/call").await;
                    assert_eq!(asked.elapsed(), Duration::from_millis(waits));
                    exchange.answer(&result(id)).await;
                });
                assert_eq!(answer, Ok(result(id)));
            }
            exchange
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_no_stream_that_is_refused_or_let_go() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut listening = listen(&link);
    let asked = Instant::now();
    while_silent(&mut listening, async {
        let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
            peer.expect("GET", "").await.respond("405 Method Not Allowed", "", "").await;
            peer.expect("POST", "tools/call").await.answer(&result(1)).await;
        });
        answer.unwrap();
    })
    .await;

    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let listening = listen(&link);
    let mut reply = call(&link, &tool_call(1));
    drop(listening);
    let (answer, ()) = tokio::join!(next(&mut reply), async {
        peer.expect("POST", "tools/call").await.answer(&result(1)).await;
    });
    assert_eq!(answer, Some(Ok(result(1))));
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_ends_the_stream() {
    // Told by the GET itself, once the stream was there.
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut listening = listen(&link);
    let (item, ()) = tokio::join!(next(&mut listening), async {
        let mut exchange = peer.expect("GET", "").await;
        exchange.open_stream().await;
        exchange.end_stream().await;
        peer.expect("GET", "").await.respond("404 Not Found", "", "").await;
    });
    assert_eq!(*item.unwrap().unwrap_err().reason(), Reason::SessionEnded);
    assert_eq!(next(&mut listening).await, None);
    assert_eq!(*next(&mut listen(&link)).await.unwrap().unwrap_err().reason(), Reason::SessionEnded);

    // Told by the first GET, in the server's own words.
    for status in ["404 Not Found", "400 Bad Request"] {
        let mut peer = Peer::in_memory(Options::default());
        let link = peer.session(LEGACY).await;
        let mut listening = listen(&link);
        let (item, ()) = tokio::join!(next(&mut listening), async {
            let error =
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#;
            let get = peer.expect("GET", "").await;
            get.respond(status, "Content-Type: application/json\r\n", error).await;
        });
        assert_eq!(*item.unwrap().unwrap_err().reason(), Reason::SessionEnded);
    }

    // Told by a POST, while the stream is open.
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut listening = listen(&link);
    let (item, ()) = tokio::join!(next(&mut listening), async {
        let mut held = peer.expect("GET", "").await;
        held.open_stream().await;
        let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
            peer.expect("POST", "tools/call").await.respond("404 Not Found", "", "").await;
        });
        answer.unwrap_err();
    });
    assert_eq!(*item.unwrap().unwrap_err().reason(), Reason::SessionEnded);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_the_stream_quietly() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut listening = listen(&link);
    let (end, ()) = tokio::join!(next(&mut listening), async {
        let mut held = peer.expect("GET", "").await;
        held.open_stream().await;
        let ((), ()) = tokio::join!(link.close(), async {
            peer.expect("DELETE", "").await.respond("200 OK", "", "").await;
        });
    });
    assert_eq!(end, None);
}
