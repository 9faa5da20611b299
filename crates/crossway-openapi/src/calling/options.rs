//! Options of the HTTP requests that tools make.

use std::time::Duration;

use crossway_service::{CallError, Context};

use super::client::{Incoming, Outgoing};
use super::secrets::Secrets;
use super::{Attached, HttpClient, left, limits};

/// How tools make their requests: the client, the caller's credentials, and limits.
#[derive(Debug, Clone)]
pub struct CallOptions {
    client: HttpClient,
    pub(crate) attached: Attached,
    secrets: Secrets,
    timeout: Option<Duration>,
    answer_bytes: usize,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            client: HttpClient::default(),
            attached: Attached::default(),
            secrets: Secrets::default(),
            timeout: None,
            answer_bytes: limits::ANSWER_BYTES,
        }
    }
}

impl CallOptions {
    /// The defaults of [`limits`](crate::limits).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes requests with this client, whose connections others may share.
    #[must_use]
    pub fn client(mut self, client: HttpClient) -> Self {
        self.client = client;
        self
    }

    /// Sets what every request carries: keys and tokens. Where an error of the server repeats them, `[secret]` replaces them.
    #[must_use]
    pub fn attached(mut self, attached: Attached) -> Self {
        self.secrets = attached.secrets();
        self.attached = attached;
        self
    }

    /// Sets how long an answer may take in all. By default a minute for APIs, and two for webhooks.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how long an answer may be. A longer answer is dropped as a whole.
    #[must_use]
    pub fn answer_bytes(mut self, most: usize) -> Self {
        self.answer_bytes = most;
        self
    }

    /// Sends a call's request. `usual` is the time limit if the options set none.
    pub(crate) fn send(
        &self,
        request: Outgoing,
        usual: Duration,
        context: &Context,
    ) -> impl Future<Output = Result<Incoming, CallError>> + Send + use<> {
        let (client, most, secrets) = (self.client.clone(), self.answer_bytes, self.secrets.clone());
        let time = left(self.timeout.unwrap_or(usual), context.deadline);
        async move { Ok(secrets.taken_out(client.send(request, time, most).await?)) }
    }
}
