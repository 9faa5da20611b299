//! A REST API as an MCP server, and that one as an OpenAPI document again: the crate goes both ways.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::Request;
use axum::routing::get;
use crossway::openapi::face::{Config, OpenApi};
use crossway::openapi::rest::{Api, ApiOptions, Document, RestUpstream};
use crossway::openapi::{Attached, CallOptions};
use crossway::proto::{Message, RequestId};
use crossway::service::{Call, Context, Scope, Upstream};
use tower_service::Service;

const CARDS: &str = r#"
openapi: 3.1.0
info: { title: Cards, version: "1" }
paths:
  /cards/{id}:
    get:
      operationId: getCard
      parameters: [{ name: id, in: path, required: true, schema: { type: integer } }]
      responses: { "200": { description: The card. } }
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let cards = Router::new().route("/cards/{id}", get(async |Path(id): Path<u32>| format!("card {id}")));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, cards).await });

    let api = Api::new(&Document::parse(CARDS.as_bytes())?, &ApiOptions::new().server(url.as_str()))?;
    // Of one caller: what is attached is sent to the API with each request, and is no argument's to set.
    let attached = Attached::new().header("Authorization", "Bearer alice's")?;
    let upstream = RestUpstream::new(api, CallOptions::new().attached(attached));

    let params = br#"{"name":"getCard","arguments":{"id":7}}"#;
    let request = Message::request_of(&RequestId::from(1), "tools/call", Some(params))?;
    let mut reply = upstream.connect(Scope::Shared).call(Call::message(request, Context::default()));
    while let Some(message) = reply.next().await {
        println!("the tool answers {}", String::from_utf8_lossy(&message?.to_bytes()));
    }

    let mut face = OpenApi::new(upstream, Config::new());
    let asked = Request::get("/openapi.json").header("host", "localhost").body(Body::empty())?;
    let document = axum::body::to_bytes(Body::new(face.call(asked).await?.into_body()), 1 << 20).await?;
    println!("the document is {}", String::from_utf8_lossy(&document));
    Ok(())
}
