//! Sessions that are named by handles, and taken on by processes that have not opened them.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use crossway_proto::Revision;
use crossway_service::{SessionHandles, SessionState};
use crossway_streamable_http::server::{Config, Limits, SessionOwner, StreamableHttp};
use crossway_testkit::Server;
use http::{Method, Request, StatusCode};

use crate::support::{
    Answer, Client, Connections, INITIALIZED, call, echo, initialize, initialize_result, scripted, settle,
};

/// Handles that anybody can read and make: what seals them is not the server's concern.
#[derive(Debug, Clone, Copy)]
struct Readable {
    route: &'static str,
    longest: usize,
}

impl SessionHandles for Readable {
    fn issue(&self, state: &SessionState, owner: Option<&str>) -> Option<String> {
        let expires = state.expires.duration_since(UNIX_EPOCH).ok()?.as_millis();
        let revision = state.revision.map_or("", Revision::as_str);
        let params: String = state.initialize.iter().map(|byte| format!("{byte:02x}")).collect();
        let handle = format!(
            "{}.{}.{:032x}.{expires}.{revision}.{params}",
            self.route,
            owner.unwrap_or_default(),
            state.number
        );
        (handle.len() <= self.longest).then_some(handle)
    }

    fn open(&self, handle: &str, owner: Option<&str>) -> Option<SessionState> {
        let parts: Vec<&str> = handle.split('.').collect();
        let [route, of, number, expires, revision, params] = parts[..] else { return None };
        let params = params
            .as_bytes()
            .chunks(2)
            .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).ok()?, 16).ok());
        (route == self.route && of == owner.unwrap_or_default()).then_some(SessionState::new(
            u128::from_str_radix(number, 16).ok()?,
            Revision::parse(revision),
            Bytes::from(params.collect::<Option<Vec<u8>>>()?),
            UNIX_EPOCH + Duration::from_millis(expires.parse().ok()?),
        ))
    }
}

const HANDLES: Readable = Readable { route: "r", longest: 1024 };

fn config() -> Config {
    Config::new().session_handles(Arc::new(HANDLES))
}

/// An endpoint that has opened a session, and its client.
async fn opened(config: Config) -> (StreamableHttp, Client, Server) {
    let (service, mut connections) = scripted(config);
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    (service, client, server)
}

/// The same client at another endpoint.
fn at(service: &StreamableHttp, client: &Client) -> Client {
    Client { service: service.clone(), ..client.clone() }
}

/// Plays the handshake of a session that is taken on.
async fn take_on(connections: &mut Connections) -> Server {
    let (_, server) = connections.recv().await.unwrap();
    let request = server.receive().await.unwrap();
    assert!(request.is_method("initialize"));
    let params: serde_json::Value = serde_json::from_slice(request.params().unwrap()).unwrap();
    assert_eq!(
        (&params["protocolVersion"], &params["clientInfo"]["name"]),
        (&"2025-11-25".into(), &"c".into())
    );
    server.send(&initialize_result(&request.id().unwrap().to_string(), "2025-11-25"));
    assert!(server.receive().await.unwrap().is_method("notifications/initialized"));
    server
}

async fn answer_call(server: &Server) {
    let id = server.expect("tools/call").await;
    server.answer(&id, r#"{"content":[]}"#);
}

async fn assert_gone(answer: Answer) {
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_session_is_taken_on_by_an_endpoint_that_has_not_opened_it() {
    let (_, client, _server) = opened(config()).await;
    let (other, mut connections) = scripted(config());
    let moved = at(&other, &client);
    let request = call("7");
    let (answer, _server) = tokio::join!(moved.post(&request), async {
        let server = take_on(&mut connections).await;
        answer_call(&server).await;
        server
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json().await["id"], 7);
    assert_eq!(other.sessions(), 1);
}

#[tokio::test]
async fn all_requests_of_a_session_wait_for_one_handshake() {
    let (_, client, _server) = opened(config()).await;
    let (other, mut connections) = scripted(config());
    let moved = at(&other, &client);
    let (first, second) = (call("1"), call("2"));
    let (one, two, _server) = tokio::join!(moved.post(&first), moved.post(&second), async {
        settle().await;
        let server = take_on(&mut connections).await;
        answer_call(&server).await;
        answer_call(&server).await;
        server
    });
    assert_eq!((one.json().await["id"].as_u64(), two.json().await["id"].as_u64()), (Some(1), Some(2)));
    assert!(connections.try_recv().is_err(), "one connection is enough");
}

#[tokio::test]
async fn a_server_is_told_once_that_its_client_is_initialized() {
    let (first, mut first_connections) = scripted(config());
    let mut client = Client::new(&first);
    let request = initialize("2025-11-25");
    let (answer, _first_server) = tokio::join!(client.post(&request), async {
        let (_, server) = first_connections.recv().await.unwrap();
        let id = server.expect("initialize").await;
        server.send(&initialize_result(&id.to_string(), "2025-11-25"));
        server
    });
    client.set("mcp-session-id", &answer.header("mcp-session-id"));
    let (other, mut connections) = scripted(config());
    let moved = at(&other, &client);
    let (told, server) = tokio::join!(moved.post(INITIALIZED), take_on(&mut connections));
    assert_eq!(told.status, StatusCode::ACCEPTED);
    assert_eq!(moved.post(INITIALIZED).await.status, StatusCode::ACCEPTED);
    let request = call("1");
    let (answer, ()) = tokio::join!(moved.post(&request), answer_call(&server));
    assert_eq!(answer.status, StatusCode::OK, "the call is the next that the server sees");
}

#[tokio::test]
async fn what_does_not_open_is_not_found_and_reaches_nobody() {
    let (_, client, _server) = opened(config()).await;
    let handle = client.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let number = handle.split('.').nth(2).unwrap().to_owned();
    let (other, mut connections) = scripted(config());
    let moved = at(&other, &client);
    for forged in [handle.replacen("r.", "elsewhere.", 1), number, "x".repeat(1024)] {
        let forger = moved.with("mcp-session-id", &forged);
        assert_gone(forger.post(&call("1")).await).await;
        assert_gone(forger.get().await).await;
        assert_gone(forger.delete().await).await;
    }
    assert_eq!(other.sessions(), 0);
    assert!(connections.try_recv().is_err());
}

#[tokio::test]
async fn the_number_in_a_handle_names_no_session() {
    let (_service, client, _server) = opened(config()).await;
    let number = client.headers["mcp-session-id"].to_str().unwrap().split('.').nth(2).unwrap().to_owned();
    assert_gone(client.with("mcp-session-id", &number).post(&call("1")).await).await;
    assert_gone(client.with("mcp-session-id", &number).delete().await).await;
}

#[tokio::test]
async fn a_session_is_taken_on_for_its_owner_alone() {
    let services: Vec<_> = (0..2).map(|_| StreamableHttp::new(echo("2025-11-25"), config())).collect();
    let send = async |service: &StreamableHttp, owner: Option<&str>, session: Option<&str>, body: String| {
        let mut client = Client::new(service);
        if let Some(session) = session {
            client.set("mcp-session-id", session);
        }
        let mut request = Request::new(http_body_util::Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = client.headers.clone();
        request.extensions_mut().extend(
            owner
                .map(|owner| {
                    let mut extensions = http::Extensions::new();
                    extensions.insert(SessionOwner::new(owner));
                    extensions
                })
                .unwrap_or_default(),
        );
        client.send_request(request).await
    };
    let opened = send(&services[0], Some("alice"), None, initialize("2025-11-25")).await;
    let session = opened.header("mcp-session-id");
    for service in &services {
        for foreign in [Some("bob"), None] {
            assert_gone(send(service, foreign, Some(&session), call("1")).await).await;
        }
        let own = send(service, Some("alice"), Some(&session), call("1")).await;
        assert_eq!(own.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_expired_handle_is_not_found_where_its_session_is_either() {
    let limits = Limits::default().with(|limits| limits.session_life = Duration::ZERO);
    let service = StreamableHttp::new(echo("2025-11-25"), config().limits(limits));
    let mut client = Client::new(&service);
    let answer = client.post(&initialize("2025-11-25")).await;
    client.set("mcp-session-id", &answer.header("mcp-session-id"));
    assert_gone(client.post(&call("1")).await).await;
}

#[tokio::test]
async fn a_session_that_was_ended_stays_ended() {
    let (service, client, _server) = opened(config()).await;
    assert_eq!(client.delete().await.status, StatusCode::NO_CONTENT);
    assert_gone(client.post(&call("1")).await).await;
    assert_gone(client.get().await).await;
    assert_gone(client.delete().await).await;
    settle().await;
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn a_session_can_be_ended_where_it_never_was() {
    let (_, client, _server) = opened(config()).await;
    let (other, mut connections) = scripted(config());
    let moved = at(&other, &client);
    assert_eq!(moved.delete().await.status, StatusCode::NO_CONTENT);
    assert_gone(moved.post(&call("1")).await).await;
    assert!(connections.try_recv().is_err());
}

#[tokio::test]
async fn a_session_that_is_ended_during_its_handshake_does_not_go_on() {
    let (_, client, _server) = opened(config()).await;
    let (other, mut connections) = scripted(config());
    let moved = at(&other, &client);
    let request = call("1");
    let (answer, ()) = tokio::join!(moved.post(&request), async {
        let (_, server) = connections.recv().await.unwrap();
        let id = server.expect("initialize").await;
        assert_eq!(moved.delete().await.status, StatusCode::NO_CONTENT);
        server.send(&initialize_result(&id.to_string(), "2025-11-25"));
        assert!(server.receive().await.unwrap().is_method("notifications/initialized"));
        assert!(server.receive().await.is_none(), "nobody is left to use it");
    });
    assert_gone(answer).await;
    assert_eq!(other.sessions(), 0);
}

#[tokio::test]
async fn a_server_that_agrees_to_something_else_now_ends_the_session() {
    let (_, client, _server) = opened(config()).await;
    let (other, mut connections) = scripted(config());
    let moved = at(&other, &client);
    let request = call("1");
    let (answer, ()) = tokio::join!(moved.post(&request), async {
        let (_, server) = connections.recv().await.unwrap();
        let id = server.expect("initialize").await;
        server.send(&initialize_result(&id.to_string(), "2025-06-18"));
    });
    assert_gone(answer).await;
    assert_gone(moved.post(&call("2")).await).await;
    assert!(connections.try_recv().is_err(), "it is not tried again");
}

#[tokio::test]
async fn a_handshake_that_fails_is_tried_again_by_the_next_request() {
    let (_, client, _server) = opened(config()).await;
    let (other, mut connections) = scripted(config());
    let moved = at(&other, &client);
    let request = call("1");
    let (answer, ()) = tokio::join!(moved.post(&request), async {
        let (_, server) = connections.recv().await.unwrap();
        server.expect("initialize").await;
    });
    let error = answer.json().await;
    assert_eq!((&error["id"], &error["error"]["data"]["outcome"]), (&1.into(), &"not sent".into()));
    let (answer, _server) = tokio::join!(moved.post(&request), async {
        let server = take_on(&mut connections).await;
        answer_call(&server).await;
        server
    });
    assert_eq!(answer.json().await["id"], 1);
}

#[tokio::test]
async fn a_server_that_asks_during_the_handshake_is_answered() {
    let (_, client, _server) = opened(config()).await;
    let (other, mut connections) = scripted(config());
    let moved = at(&other, &client);
    let request = call("1");
    let (answer, _server) = tokio::join!(moved.post(&request), async {
        let (_, server) = connections.recv().await.unwrap();
        let id = server.expect("initialize").await;
        server.send(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
        assert!(server.receive().await.unwrap().result().is_some());
        server.send(r#"{"jsonrpc":"2.0","id":"r","method":"roots/list"}"#);
        assert!(server.receive().await.unwrap().error().is_some());
        server.send(&initialize_result(&id.to_string(), "2025-11-25"));
        assert!(server.receive().await.unwrap().is_method("notifications/initialized"));
        answer_call(&server).await;
        server
    });
    assert_eq!(answer.json().await["id"], 1);
}

#[tokio::test]
async fn a_standing_stream_of_another_endpoint_begins_anew_and_a_call_s_is_not_known() {
    let (_, client, _server) = opened(config()).await;
    let (other, mut connections) = scripted(config());
    let moved = at(&other, &client);
    let answer = moved.with("last-event-id", "c1-0").get().await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = moved.with("last-event-id", "g1-3").get().await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut events = answer.events();
    let primed = events.next().await.unwrap();
    assert!(primed.data.is_empty());
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    let (data, _server) = tokio::join!(events.data(), async {
        let server = take_on(&mut connections).await;
        server.send(changed);
        server
    });
    assert_eq!(data, changed);
}

#[tokio::test]
async fn a_session_whose_state_does_not_fit_keeps_an_id_of_its_own() {
    let handles = Readable { longest: 100, ..HANDLES };
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new().session_handles(Arc::new(handles)));
    let mut client = Client::new(&service);
    let answer = client.post(&initialize("2025-11-25")).await;
    let id = answer.header("mcp-session-id");
    assert_eq!(id.len(), 32);
    client.set("mcp-session-id", &id);
    assert_eq!(client.post(&call("1")).await.status, StatusCode::OK);
    assert_eq!(client.delete().await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_not_used_for_long_comes_back() {
    let (service, mut connections) = scripted(config());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    tokio::time::sleep(Limits::SESSION_IDLE * 2).await;
    assert!(server.receive().await.is_none());
    assert_eq!(service.sessions(), 0);
    let request = call("1");
    let (answer, _server) = tokio::join!(client.post(&request), async {
        let server = take_on(&mut connections).await;
        answer_call(&server).await;
        server
    });
    assert_eq!(answer.json().await["id"], 1);
}

#[tokio::test]
async fn an_endpoint_that_is_full_or_drained_takes_on_no_session() {
    let (_, client, _server) = opened(config()).await;
    let limits = Limits::default().with(|limits| limits.sessions = 0);
    let (full, _connections) = scripted(config().limits(limits));
    assert_eq!(at(&full, &client).post(&call("1")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let (drained, _connections) = scripted(config());
    drained.drain();
    assert_eq!(at(&drained, &client).post(&call("1")).await.status, StatusCode::SERVICE_UNAVAILABLE);
}
