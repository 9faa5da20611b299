//! Helpers for the tests of all layers.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{self, Waker};

use crossway_policy::{Principal, Proof};
use crossway_proto::Message;
use crossway_service::{Call, CallError, Connection, Context, Link, Reply, Scope, Upstream};
use crossway_testkit::{Scripted, Server};
pub(crate) use crossway_testkit::{message, settle};
use futures_core::Stream;
use tower_layer::Layer;

/// A call of a user; `params` is JSON text.
pub(crate) fn call_of(user: &str, id: u64, method: &str, params: &str) -> Call {
    let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
    let mut context = Context::default();
    context.extensions.insert(Principal::new("https://issuer.example", user, Proof::Jwt));
    Call::message(message(&text), context)
}

/// A layer around a connection whose server side the test plays.
pub(crate) async fn around<L>(layer: &L) -> (Link, Server)
where
    L: Layer<Link>,
    L::Service: Connection,
{
    let (upstream, mut servers) = Scripted::new();
    let link = Link::new(layer.layer(upstream.connect(Scope::Shared)));
    let (_, server) = servers.recv().await.unwrap();
    (link, server)
}

/// The response of a reply, whatever comes before it.
pub(crate) async fn response(mut reply: Reply) -> Result<Message, CallError> {
    loop {
        match reply.next().await {
            Some(Ok(message)) if !message.is_response() => {}
            Some(next) => return next,
            None => panic!("no response"),
        }
    }
}

/// Whether there is nothing to hear of a reply yet. What is heard is lost.
pub(crate) fn is_pending(reply: &mut Reply) -> bool {
    Pin::new(reply).poll_next(&mut task::Context::from_waker(Waker::noop())).is_pending()
}

/// A subscriber that writes all it gets into a text.
pub(crate) fn recorded(
    level: tracing::Level,
) -> (Arc<Mutex<Vec<u8>>>, impl tracing::Subscriber + Send + Sync) {
    #[derive(Clone, Default)]
    struct Text(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Text {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let text = Text::default();
    let bytes = Arc::clone(&text.0);
    let subscriber = tracing_subscriber::fmt()
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_max_level(level)
        .with_ansi(false)
        .with_writer(move || text.clone())
        .finish();
    (bytes, subscriber)
}
