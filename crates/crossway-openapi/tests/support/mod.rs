//! A scripted HTTP server that records its requests; and helpers for calls.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use crossway_proto::{Message, RequestId};
use crossway_service::{Call, CallError, Context, Scope, Upstream};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// An HTTP server on a socket.
pub(crate) struct Fake {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Fake {
    /// Starts a server.
    pub(crate) async fn start(
        answer: impl Fn(&Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answer, asked) = (Arc::new(answer), Arc::new(Mutex::new(Vec::new())));
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                    async move {
                        let (head, body) = request.into_parts();
                        let request = Request::from_parts(head, body.collect().await?.to_bytes());
                        let response = answer(&request).map(Full::new);
                        kept.lock().unwrap().push(request);
                        Ok::<_, hyper::Error>(response)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, asked }
    }

    /// Takes the recorded requests.
    pub(crate) fn asked(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Takes the only recorded request.
    pub(crate) fn asked_once(&self) -> Request<Bytes> {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }
}

pub(crate) fn json_answer(status: u16, body: Value) -> Response<Bytes> {
    answer(status, "application/json; charset=utf-8", body.to_string())
}

pub(crate) fn answer(status: u16, mime: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).header("content-type", mime).body(body.into()).unwrap()
}

/// An upstream's answer to a request.
pub(crate) async fn ask(upstream: &impl Upstream, method: &str, params: Value) -> Result<Value, CallError> {
    ask_in(upstream, method, params, Context::default()).await
}

pub(crate) async fn ask_in(
    upstream: &impl Upstream,
    method: &str,
    params: Value,
    context: Context,
) -> Result<Value, CallError> {
    ask_as(upstream, method, &params.to_string(), context).await
}

/// Like [`ask`], with the parameters as literal text.
pub(crate) async fn ask_as(
    upstream: &impl Upstream,
    method: &str,
    params: &str,
    context: Context,
) -> Result<Value, CallError> {
    let link = upstream.connect(Scope::Shared);
    let request = Message::request_of(&RequestId::from("a"), method, Some(params.as_bytes())).unwrap();
    let mut reply = link.call(Call::message(request, context));
    let message = reply.next().await.unwrap()?;
    assert!(reply.next().await.is_none());
    Ok(serde_json::from_slice(&message.to_bytes()).unwrap())
}

/// The result of a tool.
pub(crate) async fn call(upstream: &impl Upstream, tool: &str, arguments: Value) -> Value {
    let answer = ask(upstream, "tools/call", json!({ "name": tool, "arguments": arguments })).await;
    let mut answer = answer.unwrap();
    assert!(answer.get("error").is_none(), "{answer}");
    answer["result"].take()
}

/// The text of a tool's result.
pub(crate) fn text(result: &Value) -> &str {
    assert_eq!(result["content"].as_array().unwrap().len(), 1, "{result}");
    result["content"][0]["text"].as_str().unwrap()
}
