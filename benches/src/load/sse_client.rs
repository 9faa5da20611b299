//! A session over HTTP+SSE (2024-11-05): messages by POST, answers on the stream.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::address::Address;
use super::check::{Fault, quote};
use super::client::{Client, accepted, read_acceptance};
use super::mailbox::Mailbox;
use super::work::Work;
use crate::body::Slices;
use crate::sse::Decoder;

/// A session with its stream being read and its endpoint known.
#[derive(Debug)]
pub(crate) struct SseSession {
    shared: Arc<Shared>,
    reader: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    endpoint: Address,
    headers: HeaderMap,
    mailbox: Arc<Mailbox>,
}

/// A slot for one call at a time.
#[derive(Debug)]
pub(crate) struct SseSlot {
    client: Client,
    shared: Arc<Shared>,
}

impl SseSession {
    /// Opens the stream and waits for the endpoint.
    pub(crate) async fn open(work: &Work, address: &Address) -> Result<Self, Fault> {
        let mut headers = HeaderMap::new();
        headers.extend(work.headers.iter().cloned());
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let mut client = Client::new(address);
        let response = client.send(Method::GET, address.path(), headers.clone(), Slices::new()).await?;
        let stream = accepted(response).await?.into_body();

        let mailbox = Arc::new(Mailbox::default());
        let (sender, endpoint) = oneshot::channel();
        let reader = tokio::spawn(read_stream(client, stream, mailbox.clone(), sender)).abort_handle();
        let endpoint = endpoint.await.map_err(|error| Fault::lost("the stream named no endpoint", &error));
        let endpoint =
            endpoint.and_then(|endpoint| resolve(address, &endpoint)).inspect_err(|_| reader.abort())?;

        headers.remove(ACCEPT);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self { shared: Arc::new(Shared { endpoint, headers, mailbox }), reader })
    }

    /// A slot for calls.
    pub(crate) fn slot(&self, client: Option<Client>) -> SseSlot {
        let client = client.unwrap_or_else(|| Client::new(&self.shared.endpoint));
        SseSlot { client, shared: self.shared.clone() }
    }

    /// The number of answers that no call expected.
    pub(crate) fn strays(&self) -> u64 {
        self.shared.mailbox.strays()
    }
}

impl Drop for SseSession {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl SseSlot {
    /// Makes one call.
    pub(crate) async fn call(&mut self, id: u64, request: Slices) -> Result<Bytes, Fault> {
        let answer = self.shared.mailbox.expect(id);
        self.post(request).await?;
        answer.await.map_err(|_| Fault::Lost("the event stream ended".to_owned()))
    }

    /// Sends one message.
    pub(crate) async fn post(&mut self, message: Slices) -> Result<(), Fault> {
        let (path, headers) = (self.shared.endpoint.path(), self.shared.headers.clone());
        let response = self.client.send(Method::POST, path, headers, message).await?;
        read_acceptance(response).await
    }

    /// Stops waiting for an answer.
    pub(crate) fn give_up(&mut self, id: u64) {
        self.client.disconnect();
        self.shared.mailbox.forget(id);
    }

    /// Returns the connection, for reuse.
    pub(crate) fn into_client(self) -> Client {
        self.client
    }
}

/// Resolves the endpoint, which must be of the stream's own origin to be trusted.
fn resolve(stream: &Address, endpoint: &[u8]) -> Result<Address, Fault> {
    let refused = || Fault::Failed(format!("the endpoint {} can't be used", quote(endpoint)));
    let reference = std::str::from_utf8(endpoint).map_err(|_| refused())?;
    let endpoint = stream.join(reference).map_err(|_| refused())?;
    if endpoint.has_origin_of(stream) { Ok(endpoint) } else { Err(refused()) }
}

async fn read_stream(
    client: Client,
    mut stream: Incoming,
    mailbox: Arc<Mailbox>,
    endpoint: oneshot::Sender<Bytes>,
) {
    let mut decoder = Decoder::default();
    let mut endpoint = Some(endpoint);
    'stream: while let Some(Ok(frame)) = stream.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        decoder.push(&data);
        loop {
            match decoder.next() {
                Ok(Some(event)) if event.name.as_deref() == Some(b"endpoint") => {
                    // A second one violates the protocol and is ignored.
                    if let Some(sender) = endpoint.take() {
                        let _ = sender.send(event.data);
                    }
                }
                Ok(Some(event)) => mailbox.deliver(event.data),
                Ok(None) => break,
                Err(_) => break 'stream,
            }
        }
    }
    mailbox.close();
    // The connection lives as long as its client.
    drop(client);
}
