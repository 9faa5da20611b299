//! A link as the transport of an rmcp client.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use crossway_proto::Message;
use crossway_service::{CallError, Extensions, Limits, Link, Pump, Reason};
use parking_lot::{Mutex, MutexGuard};
use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;

use crate::ConvertError;
use crate::convert::{from_message, refusal, to_message};

/// A [`Link`] as the transport of an rmcp client: `().serve(ClientTransport::new(link))`.
///
/// The link should be the client's own ([`Scope::Session`](crossway_service::Scope)). Closing the transport closes
/// the link.
pub struct ClientTransport {
    pump: Arc<Mutex<Pump>>,
}

impl ClientTransport {
    /// A transport over `link`.
    #[must_use]
    pub fn new(link: Link) -> Self {
        Self::with_extensions(link, Extensions::new())
    }

    /// A transport with extensions of its client for layers and transports, such as its identity, from its
    /// first call on.
    #[must_use]
    pub fn with_extensions(link: Link, extensions: impl Into<Extensions>) -> Self {
        let pump = Pump::with_extensions(link, Limits::default(), extensions);
        Self { pump: Arc::new(Mutex::new(pump)) }
    }

    fn pump(&self) -> MutexGuard<'_, Pump> {
        self.pump.lock()
    }

    /// The replacement for a message that rmcp can't decode: the failure of the request that it answers,
    /// because rmcp's clients wait until there is an answer. A request of the server is refused, because the
    /// server waits too.
    fn instead_of(&self, message: &Message) -> Option<RxJsonRpcMessage<RoleClient>> {
        let id = message.id();
        if message.is_request() {
            self.pump().handle(refusal(id.as_ref()));
            return None;
        }
        let id = id.filter(|_| message.is_response())?;
        let failed = CallError::answered(Reason::InvalidAnswer("rmcp can't decode it".into()));
        from_message(&failed.to_message(Some(&id))).ok()
    }
}

impl Transport<RoleClient> for ClientTransport {
    type Error = ConvertError;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), ConvertError>> + Send + 'static {
        // Before the future: messages go out in the order of the calls of `send`.
        std::future::ready(to_message(&item).map(|message| self.pump().handle(message)))
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let message = poll_fn(|cx| self.pump().poll_next(cx)).await?;
            match from_message(&message) {
                Ok(message) => return Some(message),
                Err(error) => {
                    tracing::warn!(%error, ?message, "rmcp can't decode this message");
                    if let Some(failure) = self.instead_of(&message) {
                        return Some(failure);
                    }
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), ConvertError> {
        let closing = self.pump().link().close();
        closing.await;
        Ok(())
    }
}

impl fmt::Debug for ClientTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTransport")
    }
}
