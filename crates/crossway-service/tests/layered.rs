//! Layers around an upstream: their order, and what is closed.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use crossway_service::{Call, Closing, Connection, Context, Link, Reply, Scope, ServiceLayer, Upstream};
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tower_layer::{Layer, layer_fn};
use tower_service::Service;

type Steps = Arc<Mutex<Vec<&'static str>>>;

/// A server, or a layer before one, that notes its name with each call and with its end.
#[derive(Clone)]
struct Noting {
    name: &'static str,
    steps: Steps,
    inner: Option<Link>,
}

impl Connection for Noting {
    fn call(&self, call: Call) -> Reply {
        self.steps.lock().push(self.name);
        self.inner.as_ref().map_or_else(Reply::silent, |inner| inner.call(call))
    }

    fn close(&self) -> Closing {
        self.steps.lock().push(self.name);
        self.inner.as_ref().map_or_else(|| Box::pin(ready(())) as Closing, Link::close)
    }
}

impl Upstream for Noting {
    fn connect(&self, _: Scope) -> Link {
        Link::new(self.clone())
    }
}

fn noting(name: &'static str, steps: &Steps) -> impl Layer<Link, Service = Noting> + Send + Sync + 'static {
    let steps = Arc::clone(steps);
    layer_fn(move |link| Noting { name, steps: Arc::clone(&steps), inner: Some(link) })
}

/// The same as a mere `tower` service, which can't be closed.
#[derive(Clone)]
struct Served(Noting);

impl Service<Call> for Served {
    type Response = Reply;
    type Error = Infallible;
    type Future = Ready<Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        ready(Ok(self.0.call(call)))
    }
}

#[tokio::test]
async fn the_layer_that_is_added_last_sees_a_call_first_and_closing_reaches_the_server() {
    let steps = Steps::default();
    let server = Noting { name: "server", steps: Arc::clone(&steps), inner: None };
    let mere = noting("mere service", &steps);
    let link = server
        .layered(noting("first", &steps))
        .layered(ServiceLayer(layer_fn(move |link| Served(mere.layer(link)))))
        .layered(noting("last", &steps))
        .connect(Scope::Shared);
    let mut reply = link.call(Call::listen(Context::default()));
    assert!(reply.next().now_or_never().is_none(), "the server is silent");
    assert_eq!(*steps.lock(), ["last", "mere service", "first", "server"]);
    steps.lock().clear();
    link.close().await;
    assert_eq!(*steps.lock(), ["last", "first", "server"]);
}
