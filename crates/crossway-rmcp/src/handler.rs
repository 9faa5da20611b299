//! An rmcp handler as an upstream.

use std::fmt;
use std::sync::Arc;

use crossway_proto::{ErrorCode, ErrorObject, Message};
use crossway_service::{Limits, Link, Scope, Upstream, duplex};
use rmcp::model::{GetExtensions, JsonRpcMessage};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::{RoleServer, ServerHandler, ServiceExt};

use crate::convert::{ConvertError, from_message, to_message};

/// How many messages may be on their way between a transport and a handler, each way.
const PIPE_MESSAGES: usize = 4096;

/// An rmcp handler as an upstream: each connection is served by a handler of its own.
///
/// Needs a tokio runtime to connect in. A request's `http::Extensions` (what layers and transports put into
/// [`Context::extensions`](crossway_service::Context)) are found by the handler in rmcp's extensions, under the type
/// `http::Extensions`.
pub struct HandlerUpstream<F> {
    handler: Arc<F>,
}

impl<F, S> HandlerUpstream<F>
where
    F: Fn() -> S + Send + Sync + 'static,
    S: ServerHandler,
{
    /// An upstream whose connections are served by what `handler` makes.
    pub fn new(handler: F) -> Self {
        Self { handler: Arc::new(handler) }
    }
}

impl<F, S> Upstream for HandlerUpstream<F>
where
    F: Fn() -> S + Send + Sync + 'static,
    S: ServerHandler,
{
    fn connect(&self, _: Scope) -> Link {
        let (ours, theirs) = duplex::pair(PIPE_MESSAGES);
        let (link, carry) = ours.connect(Limits::default());
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
    let refusal =
        ErrorObject::new(ErrorCode::INVALID_PARAMS, "the request's parameters don't fit its method");
    if let Ok(answer) = Message::error_of(message.id().as_ref(), &refusal) {
        // When the pipe is full or closed, the client is not waiting any more.
        let _ = pipe.send(answer);
    }
}
