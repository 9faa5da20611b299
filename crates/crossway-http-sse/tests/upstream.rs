//! The client's requests and their order, and how sessions begin and end.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod support;

use std::time::Duration;

use crossway_http_sse::{ClientLimits, HttpSseUpstream, Options, OptionsError};
use crossway_service::{Call, Context, Scope, Upstream};
use http::{HeaderMap, HeaderValue};
use support::{ENDPOINT, Fake, PING, PONG, Session, all, call, message, only, soon};

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

async fn session() -> Session {
    Session::start(Options::default()).await
}

fn method(body: &str) -> String {
    message(body).method().unwrap_or_default().into_owned()
}

#[tokio::test]
async fn nothing_is_connected_to_before_the_first_message() {
    let fake = Fake::start().await;
    let link = HttpSseUpstream::new(&fake.url("/sse"), Options::default()).unwrap().connect(Scope::Session);
    let mut listening = link.call(Call::listen(Context::default()));
    let reply = call(&link, PING);
    // The first connection is the one that this call opened.
    let stream = fake.stream(ENDPOINT).await;
    let mut session = Session { link, stream, posts: fake.posts() };
    session.answer("{}").await;
    assert_eq!(only(reply).await, PONG);

    let change = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    session.stream.say(change).await;
    assert_eq!(soon(listening.next()).await.unwrap().unwrap().to_bytes(), change);
}

#[tokio::test]
async fn a_request_waits_until_the_notification_before_it_was_taken() {
    let mut session = session().await;
    assert!(all(call(&session.link, INITIALIZED)).await.is_empty());
    let reply = call(&session.link, PING);
    let post = session.posts.next().await;
    assert_eq!(post.body, INITIALIZED);
    assert!(session.posts.is_empty());
    post.accept();
    session.answer("{}").await;
    assert_eq!(only(reply).await, PONG);
}

#[tokio::test]
async fn requests_are_posted_side_by_side_and_no_more_than_the_limit() {
    let limits = ClientLimits::default().with(|limits| limits.posts_in_flight = 2);
    let mut session = Session::start(Options::default().limits(limits)).await;
    let replies = [call(&session.link, PING), call(&session.link, PING), call(&session.link, PING)];
    let posts = [session.posts.next().await, session.posts.next().await];
    assert!(session.posts.is_empty());
    // Responses don't count: the server may wait for one before it answers a POST.
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}"#;
    assert!(all(call(&session.link, response)).await.is_empty());
    let post = session.posts.next().await;
    assert_eq!(post.body, response);
    post.accept();
    for post in posts {
        let id = post.accept();
        session.result(&id, "{}").await;
    }
    session.answer("{}").await;
    for reply in replies {
        assert_eq!(only(reply).await, PONG);
    }
}

#[tokio::test]
async fn an_answer_in_the_response_of_the_post_is_taken() {
    let mut session = session().await;
    let reply = call(&session.link, PING);
    let post = session.posts.next().await;
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, post.id());
    post.refuse("200 OK\r\nContent-Type: application/json", &answer);
    assert_eq!(only(reply).await, PONG);

    // Other JSON has no meaning, and the answer comes on the stream.
    let reply = call(&session.link, PING);
    let post = session.posts.next().await;
    let id = post.id();
    post.refuse("200 OK\r\nContent-Type: application/json", r#"{"status":"ok"}"#);
    session.result(&id, "{}").await;
    assert_eq!(only(reply).await, PONG);
}

#[tokio::test]
async fn an_answer_that_overtakes_the_response_of_its_post_is_taken() {
    let mut session = session().await;
    let reply = call(&session.link, PING);
    let post = session.posts.next().await;
    session.result(&post.id(), "{}").await;
    assert_eq!(only(reply).await, PONG);
    post.refuse("500 Too late", "");
    session.serves_on().await;
}

#[tokio::test]
async fn a_cancellation_waits_until_its_request_was_taken() {
    let mut session = session().await;
    let reply = call(&session.link, PING);
    let post = session.posts.next().await;
    drop(reply);
    // This one has nothing to wait for: it shows that the cancellation could have been sent.
    let other = call(&session.link, PING);
    let id = session.posts.next().await.accept();
    session.result(&id, "{}").await;
    assert_eq!(only(other).await, PONG);
    assert!(session.posts.is_empty());
    let id = post.accept();
    let cancellation = session.posts.next().await;
    assert_eq!(message(cancellation.body.as_str()).cancelled_id().unwrap().to_string(), id);
}

#[tokio::test]
async fn a_cancellation_does_not_wait_for_ever() {
    let limits = ClientLimits::default().with(|limits| limits.cancel_hold = Duration::ZERO);
    let mut session = Session::start(Options::default().limits(limits)).await;
    let reply = call(&session.link, PING);
    let _hanging = session.posts.next().await;
    drop(reply);
    assert_eq!(method(&session.posts.next().await.body), "notifications/cancelled");
}

#[tokio::test]
async fn a_request_that_is_cancelled_before_it_was_sent_is_never_sent() {
    let mut session = session().await;
    assert!(all(call(&session.link, INITIALIZED)).await.is_empty());
    drop(call(&session.link, PING));
    let post = session.posts.next().await;
    assert_eq!(post.body, INITIALIZED);
    post.accept();
    session.serves_on().await;
    assert!(session.posts.is_empty());
}

#[tokio::test]
async fn configured_headers_go_with_the_get_and_each_post_and_the_host_is_the_urls_own() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer t"));
    headers.append("x-tag", HeaderValue::from_static("a"));
    let mut session = Session::start(Options::default().headers(headers)).await;
    let reply = call(&session.link, PING);
    let post = session.posts.next().await;
    let host = session.stream.http.tcp.local_addr().unwrap().to_string();
    for head in [&session.stream.head, &post.head] {
        assert_eq!(head.header("authorization"), Some("Bearer t"));
        assert_eq!(head.header("x-tag"), Some("a"));
        assert_eq!(head.header("host"), Some(host.as_str()));
        assert_eq!(head.header("accept-encoding"), Some("identity"));
    }
    assert_eq!(session.stream.head.header("accept"), Some("text/event-stream"));
    assert_eq!(post.head.header("content-type"), Some("application/json"));
    assert_eq!(post.head.header("mcp-protocol-version"), None);
    let id = post.accept();
    session.result(&id, "{}").await;
    assert_eq!(only(reply).await, PONG);
}

#[tokio::test]
async fn the_negotiated_revision_goes_with_each_post() {
    for (version, header) in [("2025-11-25", Some("2025-11-25")), ("2024-11-05", None), ("2999-01-01", None)]
    {
        let mut session = session().await;
        let initialize =
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
        let reply = call(&session.link, initialize);
        let id = session.posts.next().await.accept();
        // Some servers keep ids as text.
        let id = if header.is_some() { format!("\"{id}\"") } else { id };
        session.result(&id, &format!(r#"{{"protocolVersion":"{version}"}}"#)).await;
        only(reply).await;
        let reply = call(&session.link, PING);
        let post = session.posts.next().await;
        assert_eq!(post.head.header("mcp-protocol-version"), header);
        let id = post.accept();
        session.result(&id, "{}").await;
        assert_eq!(only(reply).await, PONG);
    }
}

#[tokio::test]
async fn modern_requests_are_refused_at_once_and_connect_to_nothing() {
    let fake = Fake::start().await;
    let upstream = HttpSseUpstream::new(&fake.url("/sse"), Options::default()).unwrap();
    let posts = fake.posts();
    let discover = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    for scope in [Scope::Session, Scope::Shared] {
        let link = upstream.connect(scope);
        let error = only(call(&link, discover)).await;
        assert!(
            error.starts_with("NotSent: the MCP server speaks revisions before 2026-07-28 only"),
            "{error}"
        );
    }
    assert!(posts.is_empty());
}

#[tokio::test]
async fn a_link_that_is_dropped_ends_the_session_and_tells_what_it_cancels() {
    let mut session = session().await;
    let reply = call(&session.link, PING);
    let id = session.posts.next().await.accept();
    drop((reply, session.link));
    let cancellation = session.posts.next().await;
    assert_eq!(message(cancellation.body.as_str()).cancelled_id().unwrap().to_string(), id);
    cancellation.accept();
    assert!(session.stream.http.is_closed().await);
}

#[tokio::test]
async fn closing_waits_until_the_session_has_ended_and_fails_what_is_in_flight() {
    let mut session = session().await;
    let reply = call(&session.link, PING);
    session.posts.next().await.accept();
    soon(session.link.close()).await;
    assert!(session.stream.http.is_closed().await);
    assert_eq!(only(reply).await, "Unknown: the bridge is closing");
    assert_eq!(only(call(&session.link, PING)).await, "NotSent: the bridge is closing");
    soon(session.link.close()).await;
}

#[tokio::test]
async fn closing_a_session_that_was_never_used_or_never_opens_is_done_at_once() {
    let fake = Fake::start().await;
    let upstream = HttpSseUpstream::new(&fake.url("/sse"), Options::default()).unwrap();
    soon(upstream.connect(Scope::Session).close()).await;
    drop(upstream.connect(Scope::Session));

    let link = upstream.connect(Scope::Session);
    let reply = call(&link, PING);
    let mut get = fake.accept().await;
    get.head().await.unwrap();
    soon(link.close()).await;
    assert_eq!(only(reply).await, "NotSent: the bridge is closing");
    assert!(get.is_closed().await);
}

#[tokio::test]
async fn more_than_may_wait_is_refused_and_the_rest_is_served() {
    let limits = ClientLimits::default().with(|limits| limits.queued_messages = 3);
    let mut session = Session::start(Options::default().limits(limits)).await;
    assert!(all(call(&session.link, INITIALIZED)).await.is_empty());
    let post = session.posts.next().await;
    let waiting = [(); 3].map(|()| call(&session.link, PING));
    let error = only(call(&session.link, PING)).await;
    assert!(error.starts_with("NotSent: too much at once"), "{error}");
    post.accept();
    for reply in waiting {
        session.answer("{}").await;
        assert_eq!(only(reply).await, PONG);
    }
}

#[tokio::test]
async fn a_reader_who_does_not_keep_up_holds_the_stream_and_loses_nothing() {
    let mut limits = ClientLimits::default();
    limits.service.waiting_messages = 4;
    let mut session = Session::start(Options::default().limits(limits)).await;
    let asking = r#"{"jsonrpc":"2.0","id":"a","method":"m","params":{"_meta":{"progressToken":"t"}}}"#;
    let mut reply = call(&session.link, asking);
    let id = session.posts.next().await.accept();
    for n in 0..100 {
        let progress = format!(r#"{{"progressToken":{id},"progress":{n}}}"#);
        let text = format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{progress}}}"#);
        session.stream.say(&text).await;
    }
    session.result(&id, "{}").await;
    for n in 0..100 {
        let progress = soon(reply.next()).await.unwrap().unwrap();
        let text = String::from_utf8(progress.to_bytes().to_vec()).unwrap();
        assert!(text.contains(&format!(r#""params":{{"progressToken":"t","progress":{n}}}"#)), "{text}");
    }
    assert_eq!(only(reply).await, PONG);
}

#[test]
fn a_session_whose_runtime_stops_fails_its_calls() {
    let serving = tokio::runtime::Runtime::new().unwrap();
    let calling = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Session { link, stream, mut posts } = serving.block_on(session());
    let reply = serving.block_on(async {
        let reply = call(&link, PING);
        posts.next().await.accept();
        reply
    });
    drop(serving);
    calling.block_on(async {
        assert_eq!(only(reply).await, "Unknown: the MCP server went away: its session was stopped");
        assert_eq!(
            only(call(&link, PING)).await,
            "NotSent: the MCP server went away: its session was stopped"
        );
    });
    drop(stream);
}

#[test]
fn without_a_runtime_a_call_fails_and_does_not_panic() {
    let upstream = HttpSseUpstream::new("http://127.0.0.1:1/sse", Options::default()).unwrap();
    let reply = call(&upstream.connect(Scope::Session), PING);
    let calling = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = calling.block_on(only(reply));
    assert!(
        error.starts_with("NotSent: the MCP server can't be reached: there is no tokio runtime"),
        "{error}"
    );
}

#[test]
fn a_url_or_a_header_that_can_not_be_is_refused() {
    let fails = |url: &str| HttpSseUpstream::new(url, Options::default()).unwrap_err();
    assert!(matches!(fails("nonsense"), OptionsError::Url(_)));
    assert_eq!(fails("ftp://h/sse"), OptionsError::Scheme);
    assert_eq!(fails("http://user:secret@h/sse"), OptionsError::Credentials);
    for name in ["host", "content-length", "transfer-encoding", "connection", "content-type", "accept"] {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static("1"));
        let error = HttpSseUpstream::new("http://h/sse", Options::default().headers(headers)).unwrap_err();
        assert_eq!(error.to_string(), format!("the header {name} is set by the transport"));
    }
}

#[test]
fn what_is_logged_holds_no_secret() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer secret"));
    let options = Options::default().headers(headers);
    let upstream = HttpSseUpstream::new("http://h/sse?key=secret", options.clone()).unwrap();
    assert!(!format!("{options:?} {upstream:?}").contains("secret"));
}
