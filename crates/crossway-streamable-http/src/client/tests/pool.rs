//! Connections that are kept for the next request.

use std::time::Duration;

use crossway_proto::Revision;
use crossway_service::Outcome;

use super::peer::{Exchange, Peer, ask, result, tool_call};
use crate::client::{Limits, Options};

const LEGACY: Revision = Revision::V2025_11_25;

async fn answered(peer: &mut Peer, link: &crossway_service::Link, script: impl AsyncFn(Exchange)) -> usize {
    let (answer, nth) = tokio::join!(ask(link, tool_call(1)), async {
        let exchange = peer.expect("POST", "tools/call").await;
        let nth = exchange.nth;
        script(exchange).await;
        nth
    });
    assert_eq!(answer, Ok(result(1)));
    nth
}

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    for turn in 3..20 {
        let nth =
            answered(&mut peer, &link, async |exchange: Exchange| exchange.answer(&result(1)).await).await;
        assert_eq!(nth, turn);
    }
    assert_eq!(peer.upstream.shared().http.pooled(), 1);
}

#[tokio::test]
async fn sessions_share_connections() {
    let mut peer = Peer::new().await;
    for turn in 0..5 {
        let link = peer.session(LEGACY).await;
        let nth =
            answered(&mut peer, &link, async |exchange: Exchange| exchange.answer(&result(1)).await).await;
        assert_eq!(nth, turn * 4 + 3);
        tokio::join!(link.close(), async { peer.expect("DELETE", "").await.respond("200 OK", "", "").await });
    }
}

#[tokio::test]
async fn a_connection_is_used_again_after_an_event_stream() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    // The end comes with the answer.
    let together = async |mut exchange: Exchange| {
        let event = format!("data: {}\n\n", result(1));
        exchange
            .send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{event}\r\n0\r\n\r\n",
                event.len()
            ))
            .await;
        exchange.keep();
    };
    assert_eq!(answered(&mut peer, &link, together).await, 3);
    assert_eq!(answered(&mut peer, &link, together).await, 4);
    // The end comes a moment later, before the next request.
    let (answer, exchange) = tokio::join!(ask(&link, tool_call(1)), async {
        let mut exchange = peer.expect("POST", "tools/call").await;
        exchange.open_stream().await;
        exchange.event(&result(1)).await;
        exchange
    });
    assert_eq!(answer, Ok(result(1)));
    assert_eq!(exchange.nth, 5);
    exchange.end_stream().await;
    // The bytes of the end travel: wait until they can be seen.
    let nth = answered(&mut peer, &link, together).await;
    assert!(nth == 6 || nth == 1, "{nth}");
}

#[tokio::test]
async fn a_stream_whose_end_does_not_come_does_not_hold_up_the_next_call() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let (answer, held) = tokio::join!(ask(&link, tool_call(1)), async {
        let mut exchange = peer.expect("POST", "tools/call").await;
        exchange.open_stream().await;
        exchange.event(&result(1)).await;
        exchange
    });
    assert_eq!(answer, Ok(result(1)));
    let nth = answered(&mut peer, &link, async |exchange: Exchange| exchange.answer(&result(1)).await).await;
    assert_eq!(nth, 1, "a connection of its own");
    drop(held);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    for _ in 0..20 {
        // Says nothing of it, and closes once the answer is out.
        let nth = answered(&mut peer, &link, async |mut exchange: Exchange| {
            let body = result(1);
            let length = body.len();
            exchange
                .send(format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                ))
                .await;
        })
        .await;
        assert!(nth == 1 || nth == 3);
    }
    assert_eq!(peer.upstream.shared().http.pooled(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_died_while_it_waited_costs_no_call() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    // Three connections wait, and the server hangs up on all of them.
    let clients = futures_util::future::join_all(
        (0..3).map(|_| ask(&link, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)),
    );
    let (_, exchanges) = tokio::join!(clients, async {
        let mut exchanges = Vec::new();
        for _ in 0..3 {
            exchanges.push(peer.next().await);
        }
        for exchange in &mut exchanges {
            let body = result(1);
            let length = body.len();
            exchange
                .send(format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"))
                .await;
        }
        exchanges
    });
    assert_eq!(peer.upstream.shared().http.pooled(), 3);
    drop(exchanges);
    let nth = answered(&mut peer, &link, async |exchange: Exchange| exchange.answer(&result(1)).await).await;
    assert_eq!(nth, 1, "a new connection");
}

#[tokio::test(start_paused = true)]
async fn connections_are_closed_when_they_have_waited_too_long() {
    let limits = Limits { pool_idle: Duration::from_secs(20), ..Limits::default() };
    let mut peer = Peer::in_memory(Options::default().limits(limits));
    let link = peer.session(LEGACY).await;
    assert_eq!(peer.upstream.shared().http.pooled(), 1);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(peer.upstream.shared().http.pooled(), 0);
    let nth = answered(&mut peer, &link, async |exchange: Exchange| exchange.answer(&result(1)).await).await;
    assert_eq!(nth, 1);
}

#[tokio::test(start_paused = true)]
async fn the_servers_own_keep_alive_time_is_kept() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let briefly = async |exchange: Exchange| {
        let headers = "Content-Type: application/json\r\nKeep-Alive: timeout=5\r\n";
        exchange.respond("200 OK", headers, &result(1)).await;
    };
    answered(&mut peer, &link, briefly).await;
    tokio::time::sleep(Duration::from_millis(3900)).await;
    assert_eq!(answered(&mut peer, &link, briefly).await, 4);
    tokio::time::sleep(Duration::from_millis(4100)).await;
    assert_eq!(answered(&mut peer, &link, briefly).await, 1, "the server may be hanging up now");
}

#[tokio::test(start_paused = true)]
async fn the_servers_keep_alive_time_counts_for_answers_that_do_not_say_it() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    answered(&mut peer, &link, async |exchange: Exchange| {
        let headers = "Content-Type: application/json\r\nKeep-Alive: timeout=3\r\n";
        exchange.respond("200 OK", headers, &result(1)).await;
    })
    .await;
    let silently = async |exchange: Exchange| exchange.answer(&result(1)).await;
    assert_eq!(answered(&mut peer, &link, silently).await, 4);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(answered(&mut peer, &link, silently).await, 1, "the server may be hanging up now");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_taken_to_hang_up_after_5_seconds() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let silently = async |exchange: Exchange| exchange.answer(&result(1)).await;
    tokio::time::sleep(Duration::from_millis(3900)).await;
    assert_eq!(answered(&mut peer, &link, silently).await, 3);
    tokio::time::sleep(Duration::from_millis(4100)).await;
    assert_eq!(answered(&mut peer, &link, silently).await, 1);
}

#[tokio::test]
async fn no_more_connections_are_kept_than_the_limit_says() {
    let limits = Limits { pool_connections: 2, ..Limits::default() };
    let mut peer = Peer::with(Options::default().limits(limits)).await;
    let link = peer.session(LEGACY).await;
    let clients = futures_util::future::join_all((0..5).map(|_| ask(&link, tool_call(1))));
    tokio::join!(clients, async {
        let mut exchanges = Vec::new();
        for _ in 0..5 {
            exchanges.push(peer.next().await);
        }
        for exchange in exchanges {
            exchange.answer(&result(1)).await;
        }
    });
    assert_eq!(peer.upstream.shared().http.pooled(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_connection_within_the_time_means_not_sent() {
    // Nobody takes the connection.
    let http = crate::client::http::HttpClient::new(
        crate::client::endpoint::Endpoint::parse("http://mcp.example/mcp").unwrap(),
        &Options::default(),
    );
    let (http, connections) = http.in_memory();
    drop(connections);
    let upstream = crate::client::StreamableHttpUpstream::over(http, &Options::default());
    let link = crossway_service::Upstream::connect(&upstream, crossway_service::Scope::Session);
    let error = ask(&link, tool_call(1)).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
}
