use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crossway_policy::Principal;
use crossway_service::extension_of;
use futures_util::FutureExt as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower_service::Service;

use super::tokens::{KEY, SECRET, hs256, statement};
use super::*;
use crate::identity::Identified;

/// A service that keeps the requests that reach it.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Request<()>>>>);

impl Service<Request<()>> for Kept {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        self.0.lock().unwrap().push(request);
        std::future::ready(Ok(Response::new("served".to_owned())))
    }
}

fn served(builder: Builder) -> (Kept, Response<Vec<u8>>) {
    let file = json!({ "proof": "open-webui-jwt", "secret": SECRET, "connection_key": KEY });
    let kept = Kept::default();
    let mut service = Identified::new(identity(&file), crate::metrics::Metrics::new(), kept.clone());
    let response = service.call(builder.body(()).unwrap()).now_or_never().unwrap().unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().now_or_never().unwrap().unwrap().to_bytes().to_vec();
    (kept, Response::from_parts(parts, body))
}

#[test]
fn a_request_goes_on_with_its_principal_and_owners_and_without_its_proof() {
    let token = hs256(&statement("alice", SystemTime::now()), SECRET.as_bytes());
    let request = post("/mcp")
        .header(AUTHORIZATION, format!("Bearer {KEY}"))
        .header("x-openwebui-user-jwt", token)
        .extension(Connection::default());
    let (kept, response) = served(request);
    assert_eq!(response.into_body(), b"served");
    let requests = kept.0.lock().unwrap();
    let [request] = &requests[..] else { panic!("one request") };
    assert!(request.headers().is_empty(), "{:?}", request.headers());
    let extensions = request.extensions();
    assert_eq!(extension_of::<Principal>(extensions).unwrap().subject(), "alice");
    let owner = "10:open-webui5:alice";
    // Both faces read this one.
    let owner = crossway_service::SessionOwner::new(owner);
    assert_eq!(extension_of::<crossway_streamable_http::server::SessionOwner>(extensions), Some(&owner));
    assert_eq!(extension_of::<crossway_http_sse::SessionOwner>(extensions), Some(&owner));
    assert!(extensions.get::<Connection>().is_none());
}

#[test]
fn a_refusal_is_a_json_rpc_error_that_says_what_to_do() {
    let (kept, response) = served(post("/mcp"));
    assert!(kept.0.lock().unwrap().is_empty());
    assert_eq!(response.status().as_u16(), 401);
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!((&body["jsonrpc"], &body["id"]), (&json!("2.0"), &Value::Null));
    assert_eq!(body["error"]["code"], -32600);
    assert!(body["error"]["message"].as_str().unwrap().contains("Authorization: Bearer KEY"));
}

#[test]
fn a_principal_that_came_with_the_request_is_replaced() {
    let forged = Principal::new("open-webui", "root", crossway_policy::Proof::Jwt);
    let request = post("/mcp").header(AUTHORIZATION, format!("Bearer {KEY}")).extension(forged);
    let (kept, _) = served(request);
    let requests = kept.0.lock().unwrap();
    assert_eq!(extension_of::<Principal>(requests[0].extensions()).unwrap().subject(), "anonymous");
}
