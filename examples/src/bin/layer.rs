//! A `tower` layer between a client and a server: this one says what was called, and how long it took until something came.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use std::convert::Infallible;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use crossway::proto::{Message, RequestId};
use crossway::service::{Ask, Call, Context, Link, Reply, Scope, ServiceLayer, Upstream};
use crossway_examples::Shouting;
use futures_util::stream::{StreamExt, iter};
use tower_layer::{Layer, layer_fn};
use tower_service::Service;

#[derive(Clone)]
struct Timed(Link);

impl Service<Call> for Timed {
    type Response = Reply;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Reply, Infallible>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let Ask::Message(message) = &call.ask else { return Service::call(&mut self.0, call) };
        let (method, started) = (message.method().unwrap_or_default().into_owned(), Instant::now());
        let mut reply = self.0.call(call);
        std::future::ready(Ok(Reply::pending(async move {
            // A reply may stream, progress before the answer: a layer hands all of it on. One that drops it cancels the call.
            let first = reply.next().await;
            println!("{method} was answered within {} us", started.elapsed().as_micros());
            Reply::stream(iter(first).chain(reply))
        })))
    }
}

fn timed() -> impl Layer<Link, Service = Timed> + Send + Sync + 'static {
    layer_fn(Timed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let link = Shouting.layered(ServiceLayer(timed())).connect(Scope::Session);
    let params = br#"{"name":"shout","arguments":{"text":"hello"},"_meta":{"progressToken":1}}"#;
    let shout = Message::request_of(&RequestId::from("one"), "tools/call", Some(params))?;
    let mut reply = link.call(Call::message(shout, Context::default()));
    while let Some(message) = reply.next().await {
        println!("{}", String::from_utf8_lossy(&message?.to_bytes()));
    }
    Ok(())
}
