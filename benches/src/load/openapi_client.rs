//! Calls an OpenAPI server: the arguments are the body, the answer is the tool's text as JSON.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

use super::address::Address;
use super::check::Fault;
use super::client::{Client, accepted};
use super::work::Work;
use crate::body::{Slices, read_whole};
use crate::limits::MAX_MESSAGE;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The tool's address. There is no session: nothing is set up or ended.
#[derive(Debug)]
pub(crate) struct OpenApiSession {
    tool: Address,
    headers: Arc<HeaderMap>,
}

/// A slot for one call at a time.
#[derive(Debug)]
pub(crate) struct OpenApiSlot {
    client: Client,
    tool: Address,
    headers: Arc<HeaderMap>,
}

impl OpenApiSession {
    pub(crate) fn new(work: &Work, base: &Address) -> Result<Self, Fault> {
        let tool = base.join(&work.tool).map_err(|error| Fault::failed("the tool's path", &error))?;
        let mut headers = HeaderMap::with_capacity(2 + work.headers.len());
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ACCEPT, JSON);
        headers.extend(work.headers.iter().cloned());
        Ok(Self { tool, headers: Arc::new(headers) })
    }

    pub(crate) fn slot(&self, client: Option<Client>) -> OpenApiSlot {
        let client = client.unwrap_or_else(|| Client::new(&self.tool));
        OpenApiSlot { client, tool: self.tool.clone(), headers: Arc::clone(&self.headers) }
    }
}

impl OpenApiSlot {
    /// Makes one call. The answer is converted to MCP's form, so that all are checked alike.
    pub(crate) async fn call(&mut self, id: u64, arguments: Slices) -> Result<Bytes, Fault> {
        let headers = self.headers.as_ref().clone();
        let response = self.client.send(Method::POST, self.tool.path(), headers, arguments).await?;
        let body = read_whole(accepted(response).await?.into_body(), MAX_MESSAGE).await;
        let body = body.map_err(|error| Fault::lost("the answer broke off", &error))?;
        let mut answer = BytesMut::with_capacity(body.len() + 64);
        answer.put_slice(format!(r#"{{"id":{id},"result":{{"content":[{{"text":"#).as_bytes());
        answer.put_slice(body.trim_ascii());
        answer.put_slice(b"}]}}");
        Ok(answer.freeze())
    }

    pub(crate) fn disconnect(&mut self) {
        self.client.disconnect();
    }

    pub(crate) fn into_client(self) -> Client {
        self.client
    }
}
