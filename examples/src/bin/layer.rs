//! A `tower` layer between a client and a server: this one says who called what, and how long it took.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use std::convert::Infallible;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use crossway::proto::{Message, RequestId};
use crossway::service::{Ask, Call, Context, Layered, Link, Reply, Scope, Upstream};
use crossway_examples::Shouting;
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
            // A reply may stream: here only its first message is waited for.
            let first = reply.next().await;
            println!("{method} was answered within {} us", started.elapsed().as_micros());
            first.map_or_else(Reply::accepted, |first| first.map_or_else(Reply::failed, Reply::once))
        })))
    }
}

fn timed() -> impl Layer<Link, Service = Timed> + Send + Sync + 'static {
    layer_fn(Timed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let link = Layered::new(Shouting, timed()).connect(Scope::Session);
    let ping = Message::request_of(&RequestId::from("one"), "ping", None)?;
    let answer = link.call(Call::message(ping, Context::default())).next().await;
    println!("{:?}", answer.transpose()?);
    Ok(())
}
