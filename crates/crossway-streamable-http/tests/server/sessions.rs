//! The life of a session.

use std::sync::Arc;
use std::time::Duration;

use crossway_service::{Ask, Call, CallError, Closing, Connection, Link, Reason, Reply, Scope, Upstream};
use crossway_streamable_http::server::{Config, Limits, SessionOwner, StreamableHttp};
use http::{Method, Request, StatusCode};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::support::{
    Client, INITIALIZED, call, echo, initialize, initialize_result, progress, scripted, settle,
};

#[tokio::test]
async fn initialize_opens_a_session_with_an_id_of_its_own() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let mut ids = Vec::new();
    for _ in 0..3 {
        let answer = Client::new(&service).post(&initialize("2025-11-25")).await;
        assert_eq!(answer.status, StatusCode::OK);
        let id = answer.header("mcp-session-id");
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!ids.contains(&id));
        ids.push(id);
        assert_eq!(answer.json().await["id"], "init");
    }
    assert_eq!(service.sessions(), 3);
}

#[tokio::test]
async fn initialize_may_say_its_version_in_the_header_already() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let client = Client::new(&service).with("mcp-protocol-version", "2025-11-25");
    assert_eq!(client.post(&initialize("2025-11-25")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_upstream_that_refuses_initialize_opens_no_session() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::new(&service);
    let request = initialize("2025-11-25");
    let (answer, server) = tokio::join!(client.post(&request), async {
        let (_, server) = connections.recv().await.unwrap();
        let id = server.expect("initialize").await;
        server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32602,"message":"no"}}}}"#));
        server
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.headers.contains_key("mcp-session-id"));
    assert_eq!(answer.json().await["error"]["code"], -32602);
    assert!(server.receive().await.is_none(), "the connection ends");
    settle().await;
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn an_upstream_that_goes_away_during_initialize_opens_no_session() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::new(&service);
    let request = initialize("2025-11-25");
    let (answer, ()) = tokio::join!(client.post(&request), async {
        let (_, server) = connections.recv().await.unwrap();
        server.expect("initialize").await;
    });
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(!answer.headers.contains_key("mcp-session-id"));
    let json = answer.json().await;
    assert_eq!((json["id"].as_str(), json["error"]["code"].as_i64()), (Some("init"), Some(-31002)));
    settle().await;
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_during_initialize_leaves_no_session() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::new(&service);
    let request = initialize("2025-11-25");
    let server = tokio::select! {
        _ = client.post(&request) => panic!("answered"),
        connection = connections.recv() => connection.unwrap().1,
    };
    while server.receive().await.is_some() {}
    settle().await;
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn a_server_may_speak_before_it_answers_initialize() {
    let (service, mut connections) = scripted(Config::new());
    let mut client = Client::new(&service);
    let request = initialize("2025-11-25");
    let (answer, (server, init)) = tokio::join!(client.post(&request), async {
        let (_, server) = connections.recv().await.unwrap();
        let id = server.expect("initialize").await;
        server.send(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
        (server, id)
    });
    client.set("mcp-session-id", &answer.header("mcp-session-id"));
    let mut events = answer.events();
    assert!(events.data().await.contains("ping"));
    assert_eq!(client.post(r#"{"jsonrpc":"2.0","id":"p","result":{}}"#).await.status, StatusCode::ACCEPTED);
    assert!(server.receive().await.unwrap().is_response());
    server.send(&initialize_result(&init.to_string(), "2025-11-25"));
    assert!(events.data().await.contains("protocolVersion"));
    assert_eq!(client.post(INITIALIZED).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn delete_ends_the_session_and_its_connection() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    assert_eq!(client.delete().await.status, StatusCode::NO_CONTENT);
    assert!(server.receive().await.is_none());
    for method in [Method::POST, Method::GET, Method::DELETE] {
        assert_eq!(client.send(method, &call("1")).await.status, StatusCode::NOT_FOUND);
    }
    settle().await;
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn calls_in_flight_fail_when_their_session_is_ended() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let request = call("1");
    let (answer, ()) = tokio::join!(client.post(&request), async {
        server.expect("tools/call").await;
        client.delete().await;
        drop(server);
    });
    assert_eq!(answer.status, StatusCode::OK);
    let json = answer.json().await;
    assert_eq!((json["id"].as_u64(), json["error"]["code"].as_i64()), (Some(1), Some(-31002)));
}

#[tokio::test]
async fn a_session_answers_its_owner_alone() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let client = Client::new(&service);
    let send = async |owner: Option<&'static str>, session: Option<&str>, body: String| {
        let mut request = Request::new(http_body_util::Full::from(body));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = client.headers.clone();
        if let Some(session) = session {
            request.headers_mut().insert("mcp-session-id", session.parse().unwrap());
        }
        if let Some(owner) = owner {
            request.extensions_mut().insert(SessionOwner::new(owner));
        }
        client.send_request(request).await
    };
    let answer = send(Some("alice"), None, initialize("2025-11-25")).await;
    let session = answer.header("mcp-session-id");
    assert_eq!(send(Some("alice"), Some(&session), call("1")).await.status, StatusCode::OK);
    assert_eq!(send(Some("bob"), Some(&session), call("1")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(send(None, Some(&session), call("1")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn two_sessions_with_the_same_ids_never_meet() {
    let (service, mut connections) = scripted(Config::new());
    let (one, one_server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (two, two_server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let request = call("1");
    let (one, two, ()) = tokio::join!(one.post(&request), two.post(&request), async {
        let (a, b) = tokio::join!(one_server.expect("tools/call"), two_server.expect("tools/call"));
        two_server.answer(&b, r#"{"of":"two"}"#);
        one_server.answer(&a, r#"{"of":"one"}"#);
    });
    assert_eq!(one.json().await["result"]["of"], "one");
    assert_eq!(two.json().await["result"]["of"], "two");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_used_is_ended() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let start = Instant::now();
    assert!(server.receive().await.is_none());
    let kept = start.elapsed();
    assert!(
        kept >= Limits::SESSION_IDLE && kept < Limits::SESSION_IDLE + Duration::from_secs(30),
        "{kept:?}"
    );
    assert_eq!(client.post(&call("1")).await.status, StatusCode::NOT_FOUND);
    settle().await;
    assert_eq!(service.sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_with_an_open_stream_or_a_call_in_flight_is_used() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let mut standing = client.get().await.events();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::select! {
        () = async { while standing.bytes().await.is_some() {} } => panic!("ended"),
        () = tokio::time::sleep(3 * Limits::SESSION_IDLE) => {}
    }
    drop(standing);
    let request = call("1");
    let (answer, ()) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        tokio::time::sleep(3 * Limits::SESSION_IDLE).await;
        server.answer(&id, "{}");
    });
    let mut events = answer.events();
    events.data().await;
    assert!(events.data().await.contains("result"));
}

#[tokio::test]
async fn beyond_the_most_sessions_clients_are_told_to_come_later() {
    let limits = Limits::default().with(|limits| limits.sessions = 1);
    let (service, mut connections) = scripted(Config::new().limits(limits));
    let (client, _server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let refused = Client::new(&service).post(&initialize("2025-11-25")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(refused.json().await["error"]["code"], -31003);
    client.delete().await;
    drop(client);
    settle().await;
    Client::open(&service, &mut connections, "2025-11-25").await;
}

#[tokio::test(start_paused = true)]
async fn where_sessions_are_evicted_the_one_unused_for_longest_makes_room_and_one_in_use_does_not() {
    let limits = Limits::default().with(|limits| (limits.sessions, limits.evicts_sessions) = (2, true));
    let (service, mut connections) = scripted(Config::new().limits(limits));
    let (first, first_server) = Client::open(&service, &mut connections, "2025-11-25").await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (second, second_server) = Client::open(&service, &mut connections, "2025-11-25").await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (third, _third_server) = Client::open(&service, &mut connections, "2025-11-25").await;
    assert!(first_server.receive().await.is_none(), "its connection ends");
    assert_eq!(first.post(&call("1")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(service.sessions(), 2);
    let standing = second.get().await.events();
    let other = third.get().await.events();
    let refused = Client::new(&service).post(&initialize("2025-11-25")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.json().await["error"]["code"], -31003);
    drop((standing, other));
    settle().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let request = call("2");
    let (answer, _) = tokio::join!(second.post(&request), async {
        let id = second_server.expect("tools/call").await;
        second_server.answer(&id, "{}");
        Client::open(&service, &mut connections, "2025-11-25").await
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(third.post(&call("3")).await.status, StatusCode::NOT_FOUND, "it made room");
}

#[tokio::test]
async fn a_drained_endpoint_opens_no_sessions_and_serves_those_there_are() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let mut standing = client.get().await.events();
    standing.data().await;
    service.drain();
    assert!(standing.next().await.is_none());
    assert_eq!(client.get().await.status, StatusCode::SERVICE_UNAVAILABLE);
    let refused = Client::new(&service).post(&initialize("2025-11-25")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let request = call("1");
    let (answer, ()) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.answer(&id, "{}");
    });
    assert_eq!(answer.status, StatusCode::OK);
    service.close().await;
    assert!(server.receive().await.is_none());
    assert_eq!(client.post(&call("2")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_session_that_is_being_opened_at_the_end_is_not_opened() {
    let (service, mut connections) = scripted(Config::new());
    let request = initialize("2025-11-25");
    let client = Client::new(&service);
    let (answer, server) = tokio::join!(client.post(&request), async {
        let (_, server) = connections.recv().await.unwrap();
        server.expect("initialize").await;
        service.close().await;
        server
    });
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.headers.contains_key("mcp-session-id"));
    assert!(answer.text().await.contains("sent, unknown"));
    assert!(server.receive().await.is_none());
    settle().await;
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn a_session_that_the_upstream_has_lost_is_lost_here_too() {
    let service = StreamableHttp::new(Failing(CallError::answered(Reason::SessionEnded)), Config::new());
    let mut client = Client::new(&service);
    let answer = client.post(&initialize("2025-11-25")).await;
    client.set("mcp-session-id", &answer.header("mcp-session-id"));
    let lost = client.post(&call("1")).await;
    assert_eq!(lost.status, StatusCode::NOT_FOUND);
    let json = lost.json().await;
    assert_eq!((json["id"].as_u64(), json["error"]["code"].as_i64()), (Some(1), Some(-32600)));
    assert_eq!(client.get().await.status, StatusCode::NOT_FOUND);
    settle().await;
    assert_eq!(service.sessions(), 0);
}

/// An upstream that no longer knows the session for any call but the first, which it answers when it is told to.
#[derive(Clone, Default)]
struct Losing {
    begun: Arc<Notify>,
    answer: Arc<Notify>,
    closed: Arc<Notify>,
}

impl Upstream for Losing {
    fn connect(&self, _: Scope) -> Link {
        Link::new(self.clone())
    }
}

impl Connection for Losing {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(message) = call.ask else { return Reply::accepted() };
        let Some(id) = message.id() else { return Reply::accepted() };
        let answer = |text: String| {
            Reply::once(crossway_proto::Message::parse(text.into(), &Default::default()).unwrap())
        };
        match id.to_string().as_str() {
            "1" => {
                let Self { begun, answer: told, closed } = self.clone();
                Reply::pending(async move {
                    begun.notify_one();
                    tokio::select! {
                        () = told.notified() => answer(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned()),
                        () = closed.notified() => Reply::failed(CallError::unknown(Reason::Closing)),
                    }
                })
            }
            "2" => Reply::failed(CallError::answered(Reason::SessionEnded)),
            init => answer(initialize_result(init, "2025-11-25")),
        }
    }

    fn close(&self) -> Closing {
        self.closed.notify_waiters();
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_answered_though_another_call_finds_the_session_lost() {
    let upstream = Losing::default();
    let service = StreamableHttp::new(upstream.clone(), Config::new());
    let mut client = Client::new(&service);
    let answer = client.post(&initialize("2025-11-25")).await;
    client.set("mcp-session-id", &answer.header("mcp-session-id"));
    drop(answer);
    let request = call("1");
    let (first, ()) = tokio::join!(client.post(&request), async {
        upstream.begun.notified().await;
        assert_eq!(client.post(&call("2")).await.status, StatusCode::NOT_FOUND);
        // No request is let into the session any more.
        assert_eq!(client.post(&call("3")).await.status, StatusCode::NOT_FOUND);
        settle().await;
        upstream.answer.notify_one();
    });
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.text().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    let closed = upstream.closed.notified();
    tokio::time::timeout(Duration::from_secs(60), closed).await.unwrap();
    settle().await;
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn a_call_in_flight_is_told_that_its_client_has_ended_the_session() {
    let upstream = Losing::default();
    let service = StreamableHttp::new(upstream.clone(), Config::new());
    let mut client = Client::new(&service);
    let answer = client.post(&initialize("2025-11-25")).await;
    client.set("mcp-session-id", &answer.header("mcp-session-id"));
    let request = call("1");
    let (failed, deleted) = tokio::join!(client.post(&request), async {
        upstream.begun.notified().await;
        client.delete().await
    });
    assert_eq!((failed.status, deleted.status), (StatusCode::OK, StatusCode::NO_CONTENT));
    let error = failed.json().await["error"].clone();
    assert!(error["message"].as_str().unwrap().contains("the client has ended the session"), "{error}");
    assert_eq!(error["data"]["outcome"], "sent, unknown");
}

/// Python's SDK 1 ends its session, and all other calls in it, on any other status.
#[tokio::test]
async fn a_call_that_fails_in_a_session_is_answered_with_its_error() {
    let seconds = Duration::from_secs;
    for reason in [
        Reason::Unavailable("x".into()),
        Reason::Ended("x".into()),
        Reason::InvalidAnswer("x".into()),
        Reason::Refused { status: 503, retry_after: Some(seconds(8)), said: None },
        Reason::TimedOut(seconds(60)),
        Reason::OverLimit("x".into()),
    ] {
        let service = StreamableHttp::new(Failing(CallError::unknown(reason.clone())), Config::new());
        let mut client = Client::new(&service);
        let answer = client.post(&initialize("2025-11-25")).await;
        client.set("mcp-session-id", &answer.header("mcp-session-id"));
        let answer = client.post(&call("1")).await;
        assert_eq!(answer.status, StatusCode::OK, "{reason:?}");
        let json = answer.json().await;
        assert_eq!(json["id"], 1);
        assert!(json["error"]["code"].is_i64() && json["error"]["data"]["outcome"].is_string(), "{json}");
        // "If the server cannot accept the input, it **MUST** return an HTTP error status code."
        let refused = client.post(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#).await;
        assert!(refused.status.is_server_error(), "{reason:?}");
    }
}

/// An upstream that agrees to initialize, and fails all else.
struct Failing(CallError);

impl Upstream for Failing {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Self(self.0.clone()))
    }
}

impl Connection for Failing {
    fn call(&self, call: Call) -> Reply {
        match call.ask {
            Ask::Message(message) if message.is_method("initialize") => {
                let id = message.id().unwrap();
                let result = initialize_result(&id.to_string(), "2025-11-25");
                Reply::once(crossway_proto::Message::parse(result.into(), &Default::default()).unwrap())
            }
            _ => Reply::failed(self.0.clone()),
        }
    }
}

#[tokio::test]
async fn an_upstream_may_agree_to_a_version_that_is_not_known_here() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2024-10-07").await;
    let request = call("1");
    let (answer, ()) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.send(&progress(1));
        server.answer(&id, "{}");
    });
    assert_eq!(answer.events().data().await, progress(1));
    let other = client.with("mcp-protocol-version", "2024-10-08").post(&call("1")).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_session_ends_with_its_connection_to_the_server() {
    for listens in [true, false] {
        let (service, mut connections) = scripted(Config::new());
        let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
        let mut standing = client.get().await.events();
        standing.data().await;
        if listens {
            drop(server);
            assert!(standing.next().await.is_none());
            drop(standing);
        } else {
            drop(standing);
            drop(server);
            let lost = client.post(&call("1")).await;
            assert_eq!(lost.status, StatusCode::NOT_FOUND);
            assert_eq!(lost.json().await["error"]["data"]["outcome"], "not sent");
        }
        assert_eq!(client.post(&call("2")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(client.get().await.status, StatusCode::NOT_FOUND);
        settle().await;
        assert_eq!(service.sessions(), 0);
    }
}
