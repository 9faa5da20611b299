//! A server that tells whose token it was given: from its environment, or with each request.

use axum::extract::Request;
use axum::middleware::map_request;
use crossway::http_sse::{Config as SseConfig, HttpSse};
use crossway::proto::{ErrorCode, ErrorObject, Message};
use crossway::service::{Ask, Call, Connection, Link, Reply, Scope, Upstream};
use crossway::streamable_http::server::{Config, StreamableHttp};
use serde_json::json;

/// Tells whose token it was given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whoami {
    /// The token of its environment, for a child process.
    pub(crate) own: Option<String>,
}

/// The token that came with a request.
#[derive(Clone)]
struct Token(String);

impl Upstream for Whoami {
    fn connect(&self, _: Scope) -> Link {
        Link::new(self.clone())
    }
}

impl Connection for Whoami {
    fn call(&self, call: Call) -> Reply {
        let came = call.context.extensions.get::<Token>().map(|token| token.0.clone());
        let token = self.own.clone().or(came).unwrap_or_else(|| "nobody's".to_owned());
        match call.ask {
            Ask::Message(message) if message.is_request() => {
                answer(&message, &token).map_or_else(Reply::accepted, Reply::once)
            }
            Ask::Listen => Reply::silent(),
            Ask::Message(_) => Reply::accepted(),
        }
    }
}

fn answer(request: &Message, token: &str) -> Option<Message> {
    let id = request.id()?;
    let tool = |name| json!({ "name": name, "inputSchema": { "type": "object" } });
    let result = match request.method()?.as_ref() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "whoami", "version": "1" },
        }),
        "ping" => json!({}),
        "tools/list" => json!({ "tools": [tool("whoami"), tool("delete_all")] }),
        "tools/call" => json!({ "content": [{ "type": "text", "text": token }] }),
        method => {
            let error = ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("no method {method}"));
            return Some(Message::error_of(Some(&id), &error));
        }
    };
    Message::result_of(&id, result.to_string().as_bytes()).ok()
}

/// Serves it at a URL over both HTTP transports; a request's token is in this header. Gives the URL, without a path.
pub(crate) async fn serve(header: &'static str) -> anyhow::Result<String> {
    let sse = HttpSse::new(Whoami::default(), SseConfig::default());
    let app = axum::Router::new()
        .route_service("/mcp", StreamableHttp::new(Whoami::default(), Config::default()))
        .route_service("/sse", sse.clone())
        .route_service("/message", sse)
        .layer(map_request(move |mut request: Request| async move {
            let token = request.headers().get(header).and_then(|value| value.to_str().ok());
            if let Some(token) = token.map(|token| Token(token.to_owned())) {
                request.extensions_mut().insert(token);
            }
            request
        }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}
