//! An rmcp handler as an upstream.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crossway_proto::Message;
use crossway_service::{Ask, Call, CallError, Connection, Limits, Link, Reply, Scope, Upstream, duplex};
use futures_core::Stream;
use rmcp::model::{GetExtensions, JsonRpcMessage};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::{RoleServer, ServerHandler, ServiceExt};

use crate::ConvertError;
use crate::convert::{from_message, refusal, to_message};
use crate::limits::PIPE_MESSAGES;

/// An rmcp handler as an upstream: each session is served by a handler of its own, and so is each stateless request
/// ([`Scope::Shared`]), since rmcp does not say to which request a log message belongs.
///
/// Needs a tokio runtime to connect in. A request's [`Extensions`](crossway_service::Extensions) (what layers and transports put into
/// [`Context::extensions`](crossway_service::Context)) are found by the handler in rmcp's extensions, under that type.
pub struct HandlerUpstream<F> {
    handler: Arc<F>,
}

impl<F, S> HandlerUpstream<F>
where
    F: Fn() -> S + Send + Sync + 'static,
    S: ServerHandler,
{
    /// Creates an upstream whose connections are served by the handlers that `handler` makes.
    pub fn new(handler: F) -> Self {
        Self { handler: Arc::new(handler) }
    }
}

impl<F, S> Upstream for HandlerUpstream<F>
where
    F: Fn() -> S + Send + Sync + 'static,
    S: ServerHandler,
{
    fn connect(&self, scope: Scope) -> Link {
        match scope {
            Scope::Shared => Link::new(PerRequestConnection(self.clone())),
            Scope::Session | Scope::Pooled => self.serve(scope),
        }
    }
}

impl<F, S> HandlerUpstream<F>
where
    F: Fn() -> S + Send + Sync + 'static,
    S: ServerHandler,
{
    fn serve(&self, scope: Scope) -> Link {
        let (ours, theirs) = duplex::pair(PIPE_MESSAGES);
        let (link, carry) = ours.connect_with(Limits::default(), scope.into());
        let handler = Arc::clone(&self.handler);
        let theirs = Arc::new(theirs);
        tokio::spawn(carry);
        tokio::spawn(async move {
            // rmcp leaves when a handshake fails; the connection stays, for a client that tries again.
            while !theirs.is_closed() {
                match handler().serve(HandlerTransport(Some(Arc::clone(&theirs)))).await {
                    Ok(running) => drop(running.waiting().await),
                    Err(error) => tracing::debug!(%error, "an rmcp handler's handshake failed"),
                }
            }
        });
        link
    }
}

/// The connection that stateless requests share: nothing but the handler's maker.
struct PerRequestConnection<F>(HandlerUpstream<F>);

impl<F, S> Connection for PerRequestConnection<F>
where
    F: Fn() -> S + Send + Sync + 'static,
    S: ServerHandler,
{
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            Ask::Message(message) if message.is_request() => {
                let link = self.0.serve(Scope::Session);
                let reply = link.call(call);
                // The link ends with the reply, and the handler with the link.
                Reply::stream(Served { reply, _link: link })
            }
            Ask::Listen => Reply::silent(),
            // With stateless requests, a client sends no notifications and no responses.
            Ask::Message(_) => Reply::accepted(),
        }
    }
}

/// A reply, with the link that it needs. The reply is dropped first: it may have to send a cancellation.
struct Served {
    reply: Reply,
    _link: Link,
}

impl Stream for Served {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.reply).poll_next(cx)
    }
}

impl<F> Clone for HandlerUpstream<F> {
    fn clone(&self) -> Self {
        Self { handler: Arc::clone(&self.handler) }
    }
}

impl<F> fmt::Debug for HandlerUpstream<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerUpstream")
    }
}

/// The handler's end of the pipe.
struct HandlerTransport(Option<Arc<duplex::End>>);

impl Transport<RoleServer> for HandlerTransport {
    type Error = ConvertError;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), ConvertError>> + Send + 'static {
        let pipe = self.0.clone();
        async move {
            let Some(pipe) = pipe else { return Ok(()) };
            pipe.send_when_ready(to_message(&item)?).await.map_err(ConvertError::Ended)
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let pipe = self.0.as_ref()?;
        loop {
            let (message, extensions) = pipe.receive_with_extensions().await?;
            match from_message::<RxJsonRpcMessage<RoleServer>>(&message) {
                Ok(mut decoded) => {
                    if let JsonRpcMessage::Request(request) = &mut decoded {
                        request.request.extensions_mut().insert(extensions);
                    }
                    return Some(decoded);
                }
                Err(error) => refuse(pipe, &message, &error),
            }
        }
    }

    async fn close(&mut self) -> Result<(), ConvertError> {
        self.0 = None;
        Ok(())
    }
}

/// Answers a request that rmcp can't decode, so that its client does not wait.
fn refuse(pipe: &duplex::End, message: &Message, error: &serde_json::Error) {
    tracing::debug!(%error, ?message, "rmcp can't decode this message");
    if !message.is_request() {
        return;
    }
    // When the pipe is full or closed, the client is not waiting any more.
    let _ = pipe.send(refusal(message.id().as_ref()));
}
