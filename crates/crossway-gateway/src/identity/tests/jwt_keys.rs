//! Keys at the URL of a real server, and the metadata for clients.

use std::convert::Infallible;
use std::task::{Context, Poll};

use crossway_dial::Proxies;
use crossway_service::extension_of;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower_service::Service;

use super::tokens::issuer::{AUDIENCE, ISSUER, SigningKey, access, jwks};
use super::tokens::server::Server;
use super::*;
use crate::identity::Identified;
use crate::metrics::Metrics;

/// A service that answers with the caller.
#[derive(Clone)]
struct WhoCalls;

impl Service<Request<()>> for WhoCalls {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let principal = extension_of::<crossway_policy::Principal>(request.extensions()).unwrap();
        assert!(request.headers().is_empty(), "nothing of the proof goes on");
        std::future::ready(Ok(Response::new(principal.subject().to_owned())))
    }
}

/// The edge of a config, and its metrics.
fn started(json: &Value) -> (Identified<WhoCalls>, Identity, Metrics) {
    let (identity, metrics) = (identity(json), Metrics::new());
    identity.start(&metrics, &Proxies::none());
    (Identified::new(identity.clone(), metrics.clone(), WhoCalls), identity, metrics)
}

fn at(url: &str) -> Value {
    json!({
        "proof": "jwt", "issuer": ISSUER, "audience": [AUDIENCE], "jwks_url": url, "scopes": ["mcp"],
        "resource": "https://gateway.example",
    })
}

async fn ask(edge: &mut Identified<WhoCalls>, request: Builder) -> Response<String> {
    let (parts, body) = edge.call(request.body(()).unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, String::from_utf8(body.to_vec()).unwrap())
}

async fn by(edge: &mut Identified<WhoCalls>, key: &SigningKey, subject: &str) -> Response<String> {
    let token = key.sign(&access(subject, SystemTime::now()));
    ask(edge, post("/mcp").header(AUTHORIZATION, format!("Bearer {token}"))).await
}

fn reads(metrics: &Metrics, result: &str) -> bool {
    metrics.scrape(&[], &[], None).contains(&format!("crossway_jwks_reads_total{{result=\"{result}\"}}"))
}

#[tokio::test]
async fn the_first_request_waits_for_the_keys() {
    let key = SigningKey::p256("a");
    let server = Server::saying(&jwks(&[&key]).to_string());
    let (mut edge, identity, metrics) = started(&at(&server.url("/keys?policy=1")));
    assert_eq!(by(&mut edge, &key, "alice").await.into_body(), "alice");
    identity.keys_there().await;
    assert_eq!(server.paths(), ["/keys?policy=1"]);
    assert!(reads(&metrics, "ok"));
}

#[tokio::test]
async fn a_key_that_is_not_known_is_asked_for_once_and_not_again_soon() {
    let (old, new, made_up) = (SigningKey::p256("old"), SigningKey::p256("new"), SigningKey::p256("made up"));
    let server = Server::saying(&jwks(&[&old]).to_string());
    let (mut edge, ..) = started(&at(&server.url("/")));
    assert_eq!(by(&mut edge, &old, "alice").await.into_body(), "alice");
    server.say(200, "", &jwks(&[&old, &new]).to_string());
    assert_eq!(by(&mut edge, &new, "alice").await.into_body(), "alice");
    assert_eq!(server.paths().len(), 2);
    for _ in 0..20 {
        let refused = by(&mut edge, &made_up, "alice").await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.paths().len(), 2, "whoever makes up keys makes nobody ask");
    assert_eq!(by(&mut edge, &old, "alice").await.into_body(), "alice");
}

#[tokio::test]
async fn a_key_that_was_withdrawn_counts_no_more_not_even_for_a_token_that_was_verified() {
    let (old, new) = (SigningKey::p256("old"), SigningKey::p256("new"));
    let server = Server::saying(&jwks(&[&old]).to_string());
    let (mut edge, ..) = started(&at(&server.url("/")));
    let token = old.sign(&access("alice", SystemTime::now()));
    let bearer = || post("/mcp").header(AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(ask(&mut edge, bearer()).await.into_body(), "alice");
    server.say(200, "", &jwks(&[&new]).to_string());
    assert_eq!(by(&mut edge, &new, "bob").await.into_body(), "bob");
    assert_eq!(ask(&mut edge, bearer()).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_no_set_of_keys_leaves_the_last_good_ones() {
    let (key, stranger) = (SigningKey::p256("a"), SigningKey::p256("b"));
    let elsewhere = Server::saying(&jwks(&[&stranger]).to_string());
    let redirect = format!("Location: {}\r\n", elsewhere.url("/"));
    let long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(300 * 1024));
    let answers = [
        (302, redirect.as_str(), ""),
        (500, "", ""),
        (200, "", "<html>"),
        (200, "", "{\"keys\":[]}"),
        (200, "", &long),
    ];
    for (status, headers, body) in answers {
        let server = Server::saying(&jwks(&[&key]).to_string());
        let (mut edge, _, metrics) = started(&at(&server.url("/")));
        assert_eq!(by(&mut edge, &key, "alice").await.into_body(), "alice");
        server.say(status, headers, body);
        assert_eq!(by(&mut edge, &stranger, "alice").await.status(), StatusCode::UNAUTHORIZED);
        assert!(reads(&metrics, "failed"), "{status}");
        assert_eq!(by(&mut edge, &key, "alice").await.into_body(), "alice", "{status}");
    }
    assert!(elsewhere.paths().is_empty(), "a redirect is not followed");
}

#[tokio::test]
async fn without_any_keys_a_caller_is_told_to_come_back_later() {
    let key = SigningKey::p256("a");
    let server = Server::saying("");
    server.say(503, "", "");
    let (mut edge, identity, _) = started(&at(&server.url("/")));
    let refused = by(&mut edge, &key, "alice").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"), "{:?}", refused.headers());
    // It is asked again by itself.
    server.say(200, "", &jwks(&[&key]).to_string());
    identity.keys_there().await;
    assert_eq!(by(&mut edge, &key, "alice").await.into_body(), "alice");
}

#[tokio::test]
async fn an_edge_takes_over_the_keys_of_the_one_before() {
    let key = SigningKey::p256("a");
    let server = Server::saying(&jwks(&[&key]).to_string());
    let (_, before, _) = started(&at(&server.url("/")));
    before.keys_there().await;
    let mut changed = at(&server.url("/"));
    changed["leeway_seconds"] = json!(1);
    let mut after = identity(&changed);
    after.take_over(&before);
    drop(before);
    let metrics = Metrics::new();
    after.start(&metrics, &Proxies::none());
    let mut edge = Identified::new(after, metrics, WhoCalls);
    assert_eq!(by(&mut edge, &key, "alice").await.into_body(), "alice");
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn a_refusal_says_where_a_token_can_be_had() {
    let key = SigningKey::p256("a");
    let server = Server::saying(&jwks(&[&key]).to_string());
    let (mut edge, identity, _) = started(&at(&server.url("/")));
    identity.keys_there().await;
    let challenge =
        |response: &Response<String>| response.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    const KNOWN: &str = "https://gateway.example/.well-known/oauth-protected-resource";
    for (path, resource) in [
        ("/mcp", "/mcp"),
        ("/mcp/", "/mcp"),
        ("/sse", "/sse"),
        ("/message?sessionId=1", "/sse"),
        ("/wiki/mcp", "/wiki/mcp"),
        ("/w%69ki/mcp", "/wiki/mcp"),
        ("/a%22b/mcp", "/a%22b/mcp"),
        ("/", ""),
        ("/other", ""),
    ] {
        let missing = ask(&mut edge, post(path)).await;
        assert_eq!(missing.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            challenge(&missing),
            format!("Bearer scope=\"mcp\", resource_metadata=\"{KNOWN}{resource}\"")
        );
        assert!(missing.body().contains("get an access token"), "{}", missing.body());
    }
    let invalid = ask(&mut edge, post("/mcp").header(AUTHORIZATION, "Bearer a.b.c")).await;
    assert!(
        challenge(&invalid).starts_with("Bearer error=\"invalid_token\", scope="),
        "{}",
        challenge(&invalid)
    );
    let mut claims = access("alice", SystemTime::now());
    claims["scope"] = json!("other");
    let bearer = format!("Bearer {}", key.sign(&claims));
    let narrow = ask(&mut edge, post("/mcp").header(AUTHORIZATION, bearer)).await;
    assert_eq!(narrow.status(), StatusCode::FORBIDDEN);
    assert!(challenge(&narrow).starts_with("Bearer error=\"insufficient_scope\", scope=\"mcp\""));
}

#[tokio::test]
async fn the_metadata_of_each_path_is_there_for_everybody_and_tells_nothing_of_what_is_behind() {
    let server = Server::saying("");
    let (mut edge, ..) = started(&at(&server.url("/")));
    for (path, resource) in [
        ("", "https://gateway.example"),
        ("/mcp", "https://gateway.example/mcp"),
        ("/sse", "https://gateway.example/sse"),
        ("/wiki/mcp", "https://gateway.example/wiki/mcp"),
        ("/no-such/mcp", "https://gateway.example/no-such/mcp"),
    ] {
        let url = format!("http://gateway.example/.well-known/oauth-protected-resource{path}");
        let told = ask(&mut edge, Request::get(&url)).await;
        assert_eq!(
            (told.status(), told.headers()["content-type"].to_str().unwrap()),
            (StatusCode::OK, "application/json")
        );
        let document: Value = serde_json::from_str(told.body()).unwrap();
        let wanted = json!({
            "resource": resource, "authorization_servers": [ISSUER], "scopes_supported": ["mcp"],
            "bearer_methods_supported": ["header"],
        });
        assert_eq!(document, wanted);
        // "The origin server MUST generate an Allow header field in a 405 response" (RFC 9110, section 15.5.6).
        let refused = ask(&mut edge, Request::post(&url)).await;
        assert_eq!(
            (refused.status(), &refused.headers()["allow"]),
            (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD".parse().unwrap())
        );
    }
    let none = ask(&mut edge, Request::get("http://g/.well-known/oauth-protected-resource/a/b/mcp")).await;
    assert_eq!(none.status(), StatusCode::UNAUTHORIZED);
}
