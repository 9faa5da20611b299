//! REST APIs behind an outgoing proxy.

#![cfg(feature = "rest")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use crossway_openapi::rest::{Api, ApiOptions, Document, RestUpstream};
use crossway_openapi::{Attached, CallOptions, HttpClient, Proxies};
use crossway_service::Outcome;
use crossway_testkit::proxy::{Manner, Proxy};
use serde_json::json;

use support::{Fake, ask, call, json_answer};

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Notes, version: "1" }
paths:
  /notes: { get: { operationId: listNotes, responses: { "200": { description: All. } } } }
"#;

/// The tools of an API under another host name, through a proxy with the password `s3cr3t`.
fn behind(proxy: &Proxy, server: &str) -> RestUpstream {
    let proxies = Proxies::all(&proxy.url_of("user", "s3cr3t")).unwrap();
    let client = HttpClient::default().through(proxies);
    let attached = Attached::new().header("Authorization", "Bearer of-alice").unwrap();
    let options = CallOptions::new().client(client).attached(attached);
    let document = Document::parse(DOCUMENT.as_bytes()).unwrap();
    RestUpstream::new(Api::new(&document, &ApiOptions::new().server(server)).unwrap(), options)
}

#[tokio::test]
async fn the_proxy_makes_requests_to_an_api_on_plain_http() {
    let fake = Fake::start(|_| json_answer(200, json!([]))).await;
    let address = fake.url.trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::start(Manner::LeadsWith(address, "Basic dXNlcjpzM2NyM3Q=")).await.unwrap();
    let upstream = behind(&proxy, "http://notes.test:8080/v1");
    for _ in 0..2 {
        call(&upstream, "listNotes", json!({})).await;
        let asked = fake.asked_once();
        assert_eq!(
            (asked.uri().path(), asked.headers()["host"].as_bytes()),
            ("/v1/notes", &b"notes.test:8080"[..])
        );
        assert_eq!(asked.headers()["authorization"], "Bearer of-alice");
        assert!(!asked.headers().contains_key("proxy-authorization"));
    }
    assert_eq!(proxy.lines(), ["GET http://notes.test:8080/v1/notes"; 2]);
}

#[tokio::test]
async fn a_proxy_that_refuses_has_sent_no_request_on() {
    for (server, line) in [
        ("http://notes.test/v1", "GET http://notes.test/v1/notes"),
        ("https://notes.test/v1", "CONNECT notes.test:443"),
    ] {
        let proxy = Proxy::start(Manner::Answers(407)).await.unwrap();
        let upstream = behind(&proxy, server);
        let params = json!({ "name": "listNotes", "arguments": {} });
        let error = ask(&upstream, "tools/call", params).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotSent);
        let told =
            format!("the proxy {} answered 407: it does not take the user and the password", proxy.url());
        assert!(
            error.to_string().contains(&told) && !format!("{error} {error:?}").contains("s3cr3t"),
            "{error}"
        );
        assert_eq!(proxy.lines(), [line]);
    }
}
