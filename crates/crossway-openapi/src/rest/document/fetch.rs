//! Documents that are at a URL.

use std::time::Duration;

use bytes::Bytes;
use crossway_service::CallError;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use super::limits;
use crate::calling::{Attached, HttpClient, Outgoing, is_success};

/// Why a document could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is none.
    #[error("the answer is HTTP {0}")]
    Status(StatusCode),
    /// It is too long.
    #[error("it has more than {0} bytes")]
    TooLong(usize),
}

/// Fetches a document, within `time`. Redirects are followed within its origin alone.
///
/// # Errors
///
/// When it can't be had, or is longer than [`limits::DOCUMENT_BYTES`].
pub async fn fetch(
    client: &HttpClient,
    url: &Uri,
    attached: &Attached,
    time: Duration,
) -> Result<Bytes, FetchError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, application/yaml, */*;q=0.8"));
    headers.insert(header::USER_AGENT, crate::calling::USER_AGENT);
    attached.put_headers(&mut headers);
    let request = Outgoing { method: Method::GET, uri: url.clone(), headers, body: Bytes::new() };
    let answer = client.send(request, time, limits::DOCUMENT_BYTES).await?;
    if !is_success(answer.status) {
        return Err(FetchError::Status(answer.status));
    }
    if answer.is_cut {
        return Err(FetchError::TooLong(limits::DOCUMENT_BYTES));
    }
    Ok(answer.body)
}
