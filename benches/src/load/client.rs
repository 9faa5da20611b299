//! An HTTP/1.1 connection, opened on demand and reopened when it was closed.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::address::Address;
use super::check::{Fault, quote};
use crate::body::{Chunks, Slices, read_whole};
use crate::limits::{MAX_MESSAGE, MAX_REFUSAL};
use crate::scan;
use crate::sse::Decoder;

/// A connection to one server.
#[derive(Debug)]
pub(crate) struct Client {
    address: Address,
    sender: Option<SendRequest<Chunks>>,
}

impl Client {
    /// A client that connects at its first request.
    pub(crate) fn new(address: &Address) -> Self {
        Self { address: address.clone(), sender: None }
    }

    /// Sends a request and waits for the head of its response. After a fault the next request opens
    /// a new connection.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &Uri,
        headers: HeaderMap,
        body: Slices,
    ) -> Result<Response<Incoming>, Fault> {
        // A connection that the server has closed meanwhile reports that before anything is sent.
        let mut kept = self.sender.take();
        if let Some(sender) = &mut kept
            && sender.ready().await.is_err()
        {
            kept = None;
        }
        let mut sender = match kept {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let mut request = Request::new(Chunks::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.clone();
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, self.address.host().clone());
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| Fault::lost("the connection broke off", &error))?;
        self.sender = Some(sender);
        Ok(response)
    }

    /// Closes the connection, which may still hold the rest of an unwanted answer.
    pub(crate) fn disconnect(&mut self) {
        self.sender = None;
    }

    async fn connect(&self) -> Result<SendRequest<Chunks>, Fault> {
        let failed = |error: &dyn std::error::Error| {
            Fault::failed(&format!("could not connect to {}", self.address.socket()), error)
        };
        let stream = TcpStream::connect(self.address.socket()).await.map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        // The sender notices its end.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Refuses a response whose status is not 2xx, with the beginning of its body.
pub(crate) async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, Fault> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = read_whole(response.into_body(), MAX_REFUSAL).await.unwrap_or_default();
    Err(Fault::Failed(format!("HTTP status {status}: {}", quote(&body))))
}

/// Reads the response to a notification, or to a message that is answered elsewhere.
pub(crate) async fn read_acceptance(response: Response<Incoming>) -> Result<(), Fault> {
    let response = accepted(response).await?;
    let read = read_whole(response.into_body(), MAX_REFUSAL).await;
    read.map(drop).map_err(|error| Fault::lost("the response broke off", &error))
}

/// Reads the answer to the request `id`: a JSON body, or the last message of an event stream.
pub(crate) async fn read_answer(response: Response<Incoming>, id: u64) -> Result<Bytes, Fault> {
    read_body(accepted(response).await?, id).await
}

/// Reads the answer in a response whose status was checked.
pub(crate) async fn read_body(response: Response<Incoming>, id: u64) -> Result<Bytes, Fault> {
    let is_stream = response.headers().get(CONTENT_TYPE).is_some_and(|value| {
        value.as_bytes().get(..17).is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
    });
    if is_stream {
        return read_stream(response.into_body(), id).await;
    }
    let body = read_whole(response.into_body(), MAX_MESSAGE).await;
    body.map_err(|error| Fault::lost("the answer broke off", &error))
}

/// Reads to the end of the stream, which must follow soon after the answer.
async fn read_stream(mut body: Incoming, id: u64) -> Result<Bytes, Fault> {
    let mut decoder = Decoder::default();
    let mut answer = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Fault::lost("the event stream broke off", &error))?;
        let Ok(data) = frame.into_data() else { continue };
        decoder.push(&data);
        while let Some(event) =
            decoder.next().map_err(|error| Fault::lost("the event stream can't be read", &error))?
        {
            if event.data.is_empty() || scan::member(&event.data, "method").is_some() {
                continue;
            }
            if answer.replace(event.data).is_some() {
                return Err(Fault::Wrong(format!("request {id} was answered twice")));
            }
        }
    }
    answer.ok_or_else(|| Fault::Lost("the event stream ended without an answer".to_owned()))
}
