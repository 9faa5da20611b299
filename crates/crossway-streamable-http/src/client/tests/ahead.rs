//! The standing stream of a session whose client may be asked. Time is paused, so waits are exact.

use std::time::Duration;

use crossway_proto::Revision;
use crossway_service::{Call, Context, Link, Reply};

use super::peer::{Exchange, Peer, ask, call, initialize, initialized, next, result, tool_call};
use crate::client::Options;

const LEGACY: Revision = Revision::V2025_11_25;
const QUESTION: &str = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;

fn listen(link: &Link) -> Reply {
    link.call(Call::listen(Context::default()))
}

/// Takes the session's GET, and then its first call, in whichever order the client has made them.
async fn stream_then_call(peer: &mut Peer) -> Exchange {
    let mut stream = peer.expect("GET", "").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(peer.is_silent(), "the call waits");
    stream.open_stream().await;
    stream.event(QUESTION).await;
    peer.expect("POST", "tools/call").await.answer(&result(1)).await;
    stream
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_before_its_client_listens_does_not_overtake_the_stream() {
    for declared in ["roots", "sampling", "elicitation"] {
        let mut peer = Peer::in_memory(Options::default());
        let link = peer.session_with(LEGACY, &format!(r#"{{"{declared}":{{}}}}"#)).await;
        let (answer, _stream) = tokio::join!(ask(&link, tool_call(1)), stream_then_call(&mut peer));
        assert_eq!(answer, Ok(result(1)));
        let mut listening = listen(&link);
        assert_eq!(next(&mut listening).await, Some(Ok(QUESTION.to_owned())), "it takes the stream over");
        assert!(peer.is_silent(), "there is one stream");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_comes_while_the_stream_is_being_opened_waits_for_it() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session_with(LEGACY, r#"{"roots":{}}"#).await;
    let mut listening = listen(&link);
    let (item, answer, _stream) =
        tokio::join!(next(&mut listening), ask(&link, tool_call(1)), stream_then_call(&mut peer));
    assert_eq!(item, Some(Ok(QUESTION.to_owned())));
    assert_eq!(answer, Ok(result(1)));
    assert!(peer.is_silent(), "there is one stream");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cannot_be_asked_has_no_stream_before_it_listens() {
    let mut peer = Peer::in_memory(Options::default());
    let _link = peer.session_with(LEGACY, r#"{"experimental":{"roots":{}}}"#).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(peer.is_silent());
}

#[tokio::test(start_paused = true)]
async fn a_stream_for_which_nobody_comes_is_let_go() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session_with(LEGACY, r#"{"roots":{}}"#).await;
    let mut stream = peer.expect("GET", "").await;
    stream.open_stream().await;
    stream.event(QUESTION).await;
    stream.closed().await;
    // The late one's is the first, which no call overtakes.
    let mut listening = listen(&link);
    let (item, answer, _stream) =
        tokio::join!(next(&mut listening), ask(&link, tool_call(1)), stream_then_call(&mut peer));
    assert_eq!(item, Some(Ok(QUESTION.to_owned())));
    assert_eq!(answer, Ok(result(1)));
}

#[tokio::test(start_paused = true)]
async fn the_next_session_of_a_link_has_its_stream_ahead_too() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session_with(LEGACY, r#"{"roots":{}}"#).await;
    let mut stream = peer.expect("GET", "").await;
    stream.open_stream().await;
    let request = initialize(LEGACY).replace("{}", r#"{"roots":{}}"#);
    let (opened, ()) = tokio::join!(ask(&link, request), async {
        for _ in 0..2 {
            let exchange = peer.next().await;
            match exchange.verb.as_str() {
                "DELETE" => exchange.accept().await,
                _ => exchange.answer_with("Mcp-Session-Id: s2\r\n", &initialized(LEGACY)).await,
            }
        }
    });
    opened.unwrap();
    let mut accepted = call(&link, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    tokio::join!(next(&mut accepted), async {
        peer.expect("POST", "notifications/initialized").await.accept().await;
    });
    let (answer, _stream) = tokio::join!(ask(&link, tool_call(1)), stream_then_call(&mut peer));
    assert_eq!(answer, Ok(result(1)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_head_does_not_come_is_let_go_too() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session_with(LEGACY, r#"{"roots":{}}"#).await;
    let silent = peer.expect("GET", "").await;
    let closed = tokio::spawn(silent.closed());
    drop(link);
    peer.expect("DELETE", "").await.accept().await;
    tokio::time::timeout(Duration::from_secs(60), closed).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_listener_waits_on_for_a_head_that_takes_longer() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session_with(LEGACY, r#"{"roots":{}}"#).await;
    let mut listening = listen(&link);
    let (item, _stream) = tokio::join!(next(&mut listening), async {
        let mut stream = peer.expect("GET", "").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(peer.is_silent(), "there is one stream");
        stream.open_stream().await;
        stream.event(QUESTION).await;
        stream
    });
    assert_eq!(item, Some(Ok(QUESTION.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_closed_lets_the_stream_go() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session_with(LEGACY, r#"{"roots":{}}"#).await;
    let mut stream = peer.expect("GET", "").await;
    stream.open_stream().await;
    let closed = tokio::spawn(stream.closed());
    drop(link);
    peer.expect("DELETE", "").await.accept().await;
    tokio::time::timeout(Duration::from_secs(1), closed).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_without_the_stream_is_asked_once() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session_with(LEGACY, r#"{"roots":{}}"#).await;
    peer.expect("GET", "").await.respond("405 Method Not Allowed", "", "").await;
    let mut listening = listen(&link);
    tokio::select! {
        item = next(&mut listening) => panic!("{item:?}"),
        () = tokio::time::sleep(Duration::from_secs(5)) => assert!(peer.is_silent()),
    }
}
