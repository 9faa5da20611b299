//! The client's handling of servers that misbehave.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod support;

use std::time::Duration;

use crossway_http_sse::{ClientLimits, HttpSseUpstream, OpenError, Options};
use crossway_service::{Call, Context, Link, Scope, Upstream};
use support::{ACCEPTED, ENDPOINT, Fake, PING, PONG, Session, all, call, message, only, soon};

fn upstream(fake: &Fake) -> HttpSseUpstream {
    HttpSseUpstream::new(&fake.url("/sse"), Options::default()).unwrap()
}

fn connect(fake: &Fake) -> Link {
    upstream(fake).connect(Scope::Session)
}

async fn session() -> Session {
    Session::start(Options::default()).await
}

/// Answers the next request with these bytes.
async fn respond(fake: &Fake, response: &str) {
    let mut http = fake.accept().await;
    http.head().await.unwrap();
    http.write(response).await;
}

#[tokio::test]
async fn an_endpoint_of_another_origin_is_refused_and_nothing_is_posted_to_it() {
    let (fake, elsewhere) = (Fake::start().await, Fake::start().await);
    let posts = elsewhere.posts();
    let link = connect(&fake);
    let reply = call(&link, PING);
    let mut stream = fake.stream(&format!("event: endpoint\ndata: {}\n\n", elsewhere.url("/message"))).await;
    let error = only(reply).await;
    assert!(error.starts_with("NotSent: the MCP server can't be reached"), "{error}");
    assert!(error.contains("of another origin"), "{error}");
    assert!(stream.http.is_closed().await);
    assert!(posts.is_empty());
}

#[tokio::test]
async fn html_instead_of_a_stream_fails_the_call_and_the_next_call_tries_again() {
    let fake = Fake::start().await;
    let link = connect(&fake);
    let reply = call(&link, PING);
    respond(
        &fake,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n\r\n<html>",
    )
    .await;
    assert_eq!(
        only(reply).await,
        "NotSent: the MCP server can't be reached: the server answered with text/html instead of a stream of events"
    );

    let reply = call(&link, PING);
    let stream = fake.stream(ENDPOINT).await;
    let mut session = Session { link, stream, posts: fake.posts() };
    session.answer("{}").await;
    assert_eq!(only(reply).await, PONG);
}

#[tokio::test]
async fn a_stream_that_is_encoded_is_named_as_such() {
    let fake = Fake::start().await;
    let link = connect(&fake);
    let reply = call(&link, PING);
    respond(
        &fake,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n\u{1f}",
    )
    .await;
    assert_eq!(
        only(reply).await,
        "NotSent: the MCP server can't be reached: the server's stream of events is encoded as gzip, which was not asked for"
    );
}

#[tokio::test]
async fn a_status_that_refuses_the_stream_is_told() {
    for (status, text) in [
        ("401 Unauthorized", "NotSent: the MCP server refused the call with HTTP status 401"),
        (
            "503 Busy\r\nRetry-After: 7",
            "NotSent: the MCP server refused the call with HTTP status 503; try again in 7 s",
        ),
    ] {
        let fake = Fake::start().await;
        let link = connect(&fake);
        let reply = call(&link, PING);
        respond(&fake, &format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!(only(reply).await, text);
    }
}

#[tokio::test]
async fn a_stream_that_ends_or_speaks_before_its_endpoint_is_refused() {
    for (events, text) in [
        ("", "the stream ended before it said where to send messages"),
        (": hello\n\n", "the stream ended before it said where to send messages"),
        ("data: {}\n\n", "the stream sent a message before it said where to send messages"),
        (
            "event: endpoint\ndata: http://[\n\n",
            "the server's endpoint for messages is not a valid URL: invalid IPv6 address",
        ),
    ] {
        let fake = Fake::start().await;
        let link = connect(&fake);
        let reply = call(&link, PING);
        fake.stream(events).await.end().await;
        assert_eq!(only(reply).await, format!("NotSent: the MCP server can't be reached: {text}"));
    }
}

#[tokio::test]
async fn a_server_that_never_says_where_to_post_is_given_up() {
    let fake = Fake::start().await;
    let limits = ClientLimits::default().with(|limits| limits.endpoint = Duration::from_millis(50));
    let options = Options::default().limits(limits);
    let link = HttpSseUpstream::new(&fake.url("/sse"), options).unwrap().connect(Scope::Session);
    let reply = call(&link, PING);
    let _stream = fake.stream(": silence\n\n").await;
    assert_eq!(
        only(reply).await,
        "NotSent: the MCP server can't be reached: the stream's first event took longer than 50 ms"
    );
}

#[tokio::test]
async fn nobody_there_is_told_at_once() {
    let fake = Fake::start().await;
    let (upstream, link) = (upstream(&fake), connect(&fake));
    drop(fake);
    let error = only(call(&link, PING)).await;
    assert!(
        error.starts_with("NotSent: the MCP server can't be reached: no connection to the server"),
        "{error}"
    );
    assert!(upstream.probe().await.unwrap_err().is_unreachable());
}

#[tokio::test]
async fn a_stream_that_ends_without_the_answer_fails_the_call_and_ends_the_session() {
    let Session { link, stream, mut posts } = session().await;
    let (one, two) = (call(&link, PING), call(&link, PING));
    posts.next().await.accept();
    stream.end().await;
    let error = "Unknown: the MCP server went away: its stream ended";
    assert_eq!((only(one).await.as_str(), only(two).await.as_str()), (error, error));
    assert_eq!(only(call(&link, PING)).await, "NotSent: the MCP server went away: its stream ended");
}

#[tokio::test]
async fn a_stream_that_breaks_within_an_answer_fails_the_call() {
    let Session { link, mut stream, mut posts } = session().await;
    let reply = call(&link, PING);
    let id = posts.next().await.accept();
    stream.send(&format!("event: message\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"res")).await;
    drop(stream);
    assert_eq!(only(reply).await, "Unknown: the MCP server went away: its stream broke");
}

#[tokio::test]
async fn noise_on_the_stream_is_skipped() {
    let mut session = session().await;
    let reply = call(&session.link, PING);
    let id = session.posts.next().await.accept();
    let stream = &mut session.stream;
    stream
        .send(": keep-alive\n\nevent: ping\ndata: 1\n\ndata: still here\n\ndata:\n\nid: 7\n\nretry: 1\nx\n\n")
        .await;
    stream.send("event: endpoint\ndata: http://elsewhere/\n\nevent: message\ndata: <html>\n\n").await;
    session.result(&id, "{}").await;
    assert_eq!(only(reply).await, PONG);
    session.serves_on().await;
}

#[tokio::test]
async fn a_call_that_is_answered_with_garbage_fails_and_others_do_not() {
    let mut session = session().await;
    let (bad, good) = (call(&session.link, PING), call(&session.link, PING));
    let first = session.posts.next().await;
    let second = session.posts.next().await;
    let (bad_id, good_id) = if first.id() < second.id() {
        (first.accept(), second.accept())
    } else {
        (second.accept(), first.accept())
    };
    session.stream.say(&format!(r#"{{"jsonrpc":"2.0","id":{bad_id},"result":{{"text":"cut off"#)).await;
    let error = only(bad).await;
    assert!(
        error.starts_with("Unknown: the MCP server's answer is not valid: the message is not valid JSON"),
        "{error}"
    );
    session.result(&good_id, "{}").await;
    assert_eq!(only(good).await, PONG);

    // Without an id it must be meant for the only call in flight.
    let reply = call(&session.link, PING);
    session.posts.next().await.accept();
    session.stream.say(r#"{"jsonrpc":"2.0","result":{}}"#).await;
    let error = only(reply).await;
    assert!(error.starts_with("Unknown: the MCP server's answer is not valid"), "{error}");
    session.serves_on().await;
}

#[tokio::test]
async fn an_answer_over_the_limit_fails_its_call_alone() {
    let mut limits = ClientLimits::default();
    limits.message.message_bytes = 1000;
    let mut session = Session::start(Options::default().limits(limits)).await;
    let large = call(&session.link, PING);
    let large_id = session.posts.next().await.accept();
    let small = call(&session.link, PING);
    let small_id = session.posts.next().await.accept();
    let text = "x".repeat(2000);
    session.result(&large_id, &format!(r#"{{"text":"{text}"}}"#)).await;
    assert_eq!(only(large).await, "Unknown: the MCP server's answer is not valid: it is too long");
    session.result(&small_id, "{}").await;
    assert_eq!(only(small).await, PONG);

    // Where the addressee can't be told, no call may wait for ever.
    let (one, two) = (call(&session.link, PING), call(&session.link, PING));
    session.posts.next().await.accept();
    session.posts.next().await.accept();
    session.stream.say(&format!(r#"{{"jsonrpc":"2.0","result":{{"text":"{text}"}},"id":1}}"#)).await;
    for failed in [one, two] {
        assert_eq!(only(failed).await, "Unknown: the MCP server went away: it sent too large an event");
    }
}

#[tokio::test]
async fn answers_to_no_question_second_answers_and_answers_after_cancel_reach_nobody() {
    let mut session = session().await;
    session.result("99", "{}").await;
    session.stream.say(r#"{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":"m"}}"#).await;
    let reply = call(&session.link, PING);
    let id = session.posts.next().await.accept();
    session.result(&id, "{}").await;
    session.result(&id, r#"{"again":true}"#).await;
    assert_eq!(all(reply).await, [PONG]);

    let reply = call(&session.link, PING);
    let id = session.posts.next().await.accept();
    drop(reply);
    let cancellation = session.posts.next().await;
    assert_eq!(message(cancellation.body.as_str()).cancelled_id().unwrap().to_string(), id);
    cancellation.accept();
    session.result(&id, r#"{"late":true}"#).await;
    session.serves_on().await;
}

#[tokio::test]
async fn a_refused_post_fails_its_call_with_the_right_outcome() {
    let mut session = session().await;
    for (status, error) in [
        ("400 Bad Request", "Answered: the MCP server refused the call with HTTP status 400"),
        ("404 Not Found", "Answered: the MCP server refused the call with HTTP status 404"),
        (
            "503 Busy\r\nRetry-After: 3",
            "Answered: the MCP server refused the call with HTTP status 503; try again in 3 s",
        ),
        ("302 Found\r\nLocation: /message", "Answered: the MCP server refused the call with HTTP status 302"),
        // The message may have been accepted before this went wrong.
        ("500 Oops", "Unknown: the MCP server refused the call with HTTP status 500"),
        ("502 Bad Gateway", "Unknown: the MCP server refused the call with HTTP status 502"),
    ] {
        let reply = call(&session.link, PING);
        session.posts.next().await.refuse(&format!("{status}\r\nContent-Type: text/html"), "<p>");
        assert_eq!(only(reply).await, error);
    }
    session.serves_on().await;
}

#[tokio::test]
async fn a_server_may_say_how_long_to_wait_in_seconds_or_by_a_date_and_up_to_an_hour() {
    let mut session = session().await;
    for after in ["999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let reply = call(&session.link, PING);
        session.posts.next().await.refuse(&format!("429 Slow\r\nRetry-After: {after}"), "");
        let refused = "Answered: the MCP server refused the call with HTTP status 429; try again in 3600 s";
        assert_eq!(only(reply).await, refused, "{after}");
    }
    session.serves_on().await;
}

#[tokio::test]
async fn a_json_rpc_error_in_a_refusal_is_the_answer() {
    let mut session = session().await;
    for is_own in [true, false] {
        let reply = call(&session.link, PING);
        let post = session.posts.next().await;
        let id = if is_own { post.id() } else { "null".into() };
        let error = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32600,"message":"no"}}}}"#);
        post.refuse("400 Bad Request\r\nContent-Type: application/json", &error);
        assert_eq!(only(reply).await, r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32600,"message":"no"}}"#);
    }
    session.serves_on().await;
}

#[tokio::test]
async fn a_connection_that_closes_without_a_response_leaves_the_outcome_unknown() {
    let mut session = session().await;
    let reply = call(&session.link, PING);
    drop(session.posts.next().await);
    let error = only(reply).await;
    assert!(error.starts_with("Unknown: the MCP server went away"), "{error}");
    session.serves_on().await;
}

#[tokio::test]
async fn a_post_that_is_never_answered_is_given_up() {
    let limits = ClientLimits::default().with(|limits| limits.request_post = Duration::from_millis(10));
    let mut session = Session::start(Options::default().limits(limits)).await;
    let reply = call(&session.link, PING);
    let _unanswered = session.posts.next().await;
    assert_eq!(only(reply).await, "Unknown: the MCP server has not answered within 10 ms");
    session.serves_on().await;
}

#[tokio::test]
async fn an_idle_connection_that_the_server_has_closed_costs_no_call() {
    let fake = Fake::start().await;
    let link = connect(&fake);
    let mut listening = link.call(Call::listen(Context::default()));
    let reply = call(&link, PING);
    let mut stream = fake.stream(ENDPOINT).await;
    let mut idle = fake.accept().await;
    let (_, body) = idle.whole().await.unwrap();
    idle.write(ACCEPTED).await;
    stream.say(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, message(body).id().unwrap())).await;
    assert_eq!(only(reply).await, PONG);

    drop(idle);
    // A later event shows that the client could have noticed the end.
    stream.say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
    soon(listening.next()).await.unwrap().unwrap();
    Session { link, stream, posts: fake.posts() }.serves_on().await;
}

#[tokio::test]
async fn redirects_within_the_origin_are_followed() {
    let fake = Fake::start().await;
    let link = connect(&fake);
    let reply = call(&link, PING);
    respond(&fake, "HTTP/1.1 307 Moved\r\nLocation: /there/sse/\r\nContent-Length: 0\r\n\r\n").await;
    let stream = fake.stream("event: endpoint\ndata: message?sessionId=1\n\n").await;
    assert_eq!(stream.head.path(), "/there/sse/");
    let mut session = Session { link, stream, posts: fake.posts() };
    let post = session.posts.next().await;
    assert_eq!(post.head.path(), "/there/sse/message?sessionId=1");
    post.refuse("308 Moved\r\nLocation: /message?sessionId=1", "");
    session.answer("{}").await;
    assert_eq!(only(reply).await, PONG);
}

#[tokio::test]
async fn redirects_to_another_origin_are_refused() {
    let error =
        "NotSent: the MCP server can't be reached: the server redirects to another origin; that is refused";
    let (fake, elsewhere) = (Fake::start().await, Fake::start().await);
    let gone_astray = elsewhere.posts();
    let location = elsewhere.url("/sse");

    let link = connect(&fake);
    let reply = call(&link, PING);
    respond(&fake, &format!("HTTP/1.1 302 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")).await;
    assert_eq!(only(reply).await, error);

    let mut session = session().await;
    let reply = call(&session.link, PING);
    session.posts.next().await.refuse(&format!("307 Moved\r\nLocation: {location}"), "");
    assert_eq!(only(reply).await, error);
    session.serves_on().await;
    assert!(gone_astray.is_empty());
}

#[tokio::test]
async fn a_circle_of_redirects_is_left() {
    let fake = Fake::start().await;
    let link = connect(&fake);
    let reply = call(&link, PING);
    for _ in 0..=ClientLimits::REDIRECTS {
        respond(&fake, "HTTP/1.1 302 Moved\r\nLocation: /sse\r\nContent-Length: 0\r\n\r\n").await;
    }
    assert_eq!(only(reply).await, "NotSent: the MCP server can't be reached: the server redirects too often");
}

#[tokio::test]
async fn probing_tells_this_transport_from_others() {
    let fake = Fake::start().await;
    let probe = || {
        let upstream = upstream(&fake);
        tokio::spawn(async move { upstream.probe().await })
    };

    let found = probe();
    let mut stream = fake.stream(ENDPOINT).await;
    soon(found).await.unwrap().unwrap();
    assert!(stream.http.is_closed().await);

    for status in ["404 Not Found", "405 Method Not Allowed", "400 Bad Request"] {
        let found = probe();
        respond(&fake, &format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")).await;
        assert!(soon(found).await.unwrap().unwrap_err().is_other_transport());
    }

    let found = probe();
    respond(&fake, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    let error = soon(found).await.unwrap().unwrap_err();
    assert!(!error.is_other_transport() && !error.is_unreachable());
    assert!(matches!(error, OpenError::Status { status, .. } if status == 403));
}
