//! The client against the server, over real sockets.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod support;

use bytes::Bytes;
use crossway_http_sse::{Config, HttpSse, HttpSseUpstream, Options};
use crossway_proto::Message;
use crossway_service::{Call, Context, Link, Scope, Upstream};
use crossway_testkit::{Scripted, Server, corpus, text};
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{Http, all, call, message, only, post, serve, soon};
use tokio::sync::mpsc;

/// A link to `upstream` over a number of HTTP+SSE hops.
async fn connect(upstream: impl Upstream, hops: usize) -> Link {
    let mut upstream: Box<dyn Upstream> = Box::new(upstream);
    for _ in 0..hops {
        let address = serve(HttpSse::new(upstream, Config::default())).await;
        let client = HttpSseUpstream::new(&format!("http://{address}/sse"), Options::default()).unwrap();
        upstream = Box::new(client);
    }
    upstream.connect(Scope::Session)
}

async fn scripted() -> (Link, mpsc::Receiver<(Scope, Server)>) {
    let (upstream, connections) = Scripted::new();
    (connect(upstream, 1).await, connections)
}

/// Sends a request, and returns the server's end and the request as it arrived.
async fn arrive(
    link: &Link,
    request: &str,
    connections: &mut mpsc::Receiver<(Scope, Server)>,
) -> (crossway_service::Reply, Server, Message) {
    let reply = call(link, request);
    let (_, server) = soon(connections.recv()).await.unwrap();
    let arrived = soon(server.receive()).await.unwrap();
    (reply, server, arrived)
}

#[tokio::test]
async fn odd_requests_and_results_pass_byte_for_byte_but_for_their_ids() {
    let (link, mut connections) = scripted().await;
    let mut server = None;
    for (request, result) in corpus::ODD_REQUESTS.iter().zip(corpus::ODD_RESULTS.iter().cycle()) {
        let reply = call(&link, *request);
        if server.is_none() {
            server = Some(soon(connections.recv()).await.unwrap().1);
        }
        let server = server.as_ref().unwrap();
        let arrived = soon(server.receive()).await.unwrap();

        let sent = message(*request);
        let mut restored = arrived.clone();
        restored.set_id(&sent.id().unwrap());
        if let Some(token) = sent.progress_token() {
            restored.set_progress_token(&token);
        }
        assert_eq!(text(&restored), *request);

        let id = arrived.id().unwrap();
        server.send(&format!(r#"{{"result":{result} ,"x":[1.50] ,"id":{id},"jsonrpc":"2.0"}}"#));
        let own = sent.id().unwrap();
        assert_eq!(
            only(reply).await,
            format!(r#"{{"result":{result} ,"x":[1.50] ,"id":{own},"jsonrpc":"2.0"}}"#)
        );
    }
}

#[tokio::test]
async fn messages_of_16_mib_pass_both_ways_through_two_hops() {
    let echoing = Scripted::answering(|message| {
        let Some(id) = message.id() else { return Vec::new() };
        let params = String::from_utf8_lossy(message.params().unwrap()).into_owned();
        vec![format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{params}}}"#)]
    });
    let link = connect(echoing, 2).await;
    let request = corpus::call_with_text(1, 16 << 20);
    let params = String::from_utf8(message(request.as_str()).params().unwrap().to_vec()).unwrap();
    let answer = only(call(&link, request)).await;
    assert!(
        answer == format!(r#"{{"jsonrpc":"2.0","id":1,"result":{params}}}"#),
        "{} bytes came",
        answer.len()
    );
}

#[tokio::test]
async fn twenty_calls_at_once_get_their_own_answers() {
    let echoing = Scripted::answering(|message| {
        let Some(id) = message.id() else { return Vec::new() };
        let params = String::from_utf8_lossy(message.params().unwrap()).into_owned();
        vec![format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{params}}}"#)]
    });
    let address = serve(HttpSse::new(echoing, Config::default())).await;
    let upstream = HttpSseUpstream::new(&format!("http://{address}/sse"), Options::default()).unwrap();
    let links = [upstream.connect(Scope::Session), upstream.connect(Scope::Session)];
    // Both sessions use the same ids.
    let calls = links.iter().enumerate().flat_map(|(who, link)| {
        (0..20).map(move |id| {
            let call = call(
                link,
                format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m","params":{{"who":"{who}-{id}"}}}}"#),
            );
            async move {
                assert_eq!(
                    only(call).await,
                    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"who":"{who}-{id}"}}}}"#)
                )
            }
        })
    });
    join_all(calls).await;
}

#[tokio::test]
async fn progress_comes_before_the_result_and_under_the_clients_token() {
    let (link, mut connections) = scripted().await;
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"progressToken":"t"}}}"#;
    let (reply, server, arrived) = arrive(&link, request, &mut connections).await;
    let (id, token) = (arrived.id().unwrap(), arrived.progress_token().unwrap());
    for n in 1..=3 {
        server.send(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{n}}}}}"#));
    }
    server.answer(&id, "{}");
    let progress = |n| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":"t","progress":{n}}}}}"#
        )
    };
    let expected =
        [progress(1), progress(2), progress(3), r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned()];
    assert_eq!(all(reply).await, expected);
}

#[tokio::test]
async fn what_the_server_asks_is_answered_while_a_call_is_in_flight() {
    let (link, mut connections) = scripted().await;
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}}"#;
    let (mut reply, server, arrived) = arrive(&link, request, &mut connections).await;
    let asked = r#"{"jsonrpc":"2.0","id":"s-1","method":"sampling/createMessage","params":{}}"#;
    server.send(asked);
    assert_eq!(text(&soon(reply.next()).await.unwrap().unwrap()), asked);
    let answer = r#"{"jsonrpc":"2.0","id":"s-1","result":{"role":"assistant"}}"#;
    assert!(all(call(&link, answer)).await.is_empty());
    assert_eq!(text(&soon(server.receive()).await.unwrap()), answer);
    server.answer(&arrived.id().unwrap(), "{}");
    assert_eq!(only(reply).await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
}

#[tokio::test]
async fn a_cancellation_reaches_the_server_and_other_calls_go_on() {
    let (link, mut connections) = scripted().await;
    let request = r#"{"jsonrpc":"2.0","id":"a","method":"m"}"#;
    let (reply, server, arrived) = arrive(&link, request, &mut connections).await;
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#;
    assert!(all(call(&link, cancel)).await.is_empty());
    let cancellation = soon(server.receive()).await.unwrap();
    assert_eq!(cancellation.cancelled_id(), arrived.id());
    assert!(all(reply).await.is_empty());

    let reply = call(&link, request);
    let id = server.expect("m").await;
    server.answer(&id, "{}");
    assert_eq!(only(reply).await, r#"{"jsonrpc":"2.0","id":"a","result":{}}"#);
}

#[tokio::test]
async fn what_belongs_to_no_call_reaches_who_listens() {
    let (link, mut connections) = scripted().await;
    let mut listening = link.call(Call::listen(Context::default()));
    let (reply, server, arrived) =
        arrive(&link, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#, &mut connections).await;
    server.answer(&arrived.id().unwrap(), "{}");
    all(reply).await;
    let change = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}"#;
    server.send(change);
    assert_eq!(text(&soon(listening.next()).await.unwrap().unwrap()), change);
}

#[tokio::test]
async fn a_session_ends_from_either_side() {
    let (link, mut connections) = scripted().await;
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#;
    let (reply, server, _) = arrive(&link, request, &mut connections).await;
    drop(server);
    let error = only(reply).await;
    assert!(error.contains("sent, unknown") || error.starts_with("Unknown"), "{error}");

    let (link, mut connections) = scripted().await;
    let (reply, server, _) = arrive(&link, request, &mut connections).await;
    drop((reply, link));
    while let Some(message) = soon(server.receive()).await {
        assert!(message.is_method("notifications/cancelled"));
    }
}

#[tokio::test]
async fn it_nests_in_axum_under_any_prefix() {
    let echoing = Scripted::answering(|message| {
        message.id().map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)).into_iter().collect()
    });
    let service = HttpSse::new(echoing, Config::default());
    let app = axum::Router::new()
        .route("/", axum::routing::get(|| async { "hello" }))
        .nest_service("/servers/one", service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let url = format!("http://{address}/servers/one/sse");
    let link = HttpSseUpstream::new(&url, Options::default()).unwrap().connect(Scope::Session);
    let answer = only(call(&link, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)).await;
    assert_eq!(answer, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
}

#[tokio::test]
async fn a_client_of_one_session_does_not_see_what_another_is_told() {
    let (upstream, mut connections) = Scripted::new();
    let address = serve(HttpSse::new(upstream, Config::default())).await;
    let (mut one, _) = Http::open(address, "/sse").await;
    let (_, server_of_one) = soon(connections.recv()).await.unwrap();
    let (mut two, endpoint_of_two) = Http::open(address, "/sse").await;
    let (_, server_of_two) = soon(connections.recv()).await.unwrap();
    assert_eq!(post(address, &endpoint_of_two, r#"{"jsonrpc":"2.0","id":1,"method":"secret"}"#).await, 202);
    let id = server_of_two.expect("secret").await;
    server_of_two.answer(&id, r#"{"secret":2}"#);
    server_of_one.send(r#"{"jsonrpc":"2.0","method":"notifications/one"}"#);
    assert_eq!(two.message().await, r#"{"jsonrpc":"2.0","id":1,"result":{"secret":2}}"#);
    assert_eq!(one.message().await, r#"{"jsonrpc":"2.0","method":"notifications/one"}"#);
}

#[tokio::test]
async fn the_server_serves_http_2_as_well() {
    let echoing = Scripted::answering(|message| {
        message.id().map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)).into_iter().collect()
    });
    let address = serve(HttpSse::new(echoing, Config::default())).await;
    let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let get = http::Request::get(format!("http://{address}/sse")).body(Full::<Bytes>::default()).unwrap();
    let mut stream = sender.send_request(get).await.unwrap();
    let mut piece = async || {
        let data = soon(stream.body_mut().frame()).await.unwrap().unwrap().into_data().unwrap();
        String::from_utf8(data.to_vec()).unwrap()
    };
    let endpoint = piece().await.trim().rsplit(' ').next().unwrap().to_owned();
    let post = http::Request::post(format!("http://{address}/{endpoint}"))
        .header("content-type", "application/json")
        .body(Full::from(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#))
        .unwrap();
    assert_eq!(sender.send_request(post).await.unwrap().status(), 202);
    assert_eq!(piece().await, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n");
}
