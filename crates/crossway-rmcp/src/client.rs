//! A link as the transport of an rmcp client.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossway_service::{Limits, Link, Pump};
use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;

use crate::convert::{ConvertError, from_message, to_message};

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
        Self { pump: Arc::new(Mutex::new(Pump::new(link, Limits::default()))) }
    }

    fn pump(&self) -> MutexGuard<'_, Pump> {
        self.pump.lock().unwrap_or_else(PoisonError::into_inner)
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
                    tracing::warn!(%error, ?message, "rmcp can't carry this message; it is dropped")
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
