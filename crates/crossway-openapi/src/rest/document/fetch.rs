//! Fetches documents from URLs.

use std::time::Duration;

use bytes::Bytes;
use crossway_proto::http_rules::content_encoding::coding;
use crossway_service::CallError;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use super::limits;
use crate::calling::{Attached, HttpClient, Outgoing};

/// Why a document could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The request failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The response has another status than success.
    #[error("the answer is HTTP {0}")]
    Status(StatusCode),
    /// The response is compressed, though that was not asked for.
    #[error("it is encoded as {0}, which was not asked for")]
    Encoded(String),
    /// The document is too long.
    #[error("it has more than {0} bytes")]
    TooLong(usize),
}

/// The validators of a fetched document (RFC 9110, section 8.8): `ETag` and `Last-Modified`. Empty for one that was never fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

impl Validators {
    fn of(answer: &HeaderMap) -> Self {
        let short = |name| {
            let value: Option<&HeaderValue> = answer.get(name);
            value.filter(|value| value.len() <= limits::VALIDATOR_BYTES).cloned()
        };
        Self { etag: short(header::ETAG), modified: short(header::LAST_MODIFIED) }
    }

    fn put(&self, headers: &mut HeaderMap) {
        // Both: "a recipient MUST ignore If-Modified-Since if the request contains an If-None-Match header field" (RFC 9110, section
        // 13.1.3), and older servers know only `If-Modified-Since`.
        let both = [(header::IF_NONE_MATCH, &self.etag), (header::IF_MODIFIED_SINCE, &self.modified)];
        for (name, value) in both {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.etag.is_none() && self.modified.is_none()
    }
}

/// Fetches a document, within `time`. Follows redirects within its origin only. Returns `None` if the document is unchanged according to
/// `before`, the validators of the last fetch.
///
/// # Errors
///
/// When the document can't be fetched, or is longer than [`limits::DOCUMENT_BYTES`].
pub async fn fetch(
    client: &HttpClient,
    url: &Uri,
    attached: &Attached,
    before: &Validators,
    time: Duration,
) -> Result<Option<(Bytes, Validators)>, FetchError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, application/yaml, */*;q=0.8"));
    headers.insert(header::USER_AGENT, crate::calling::USER_AGENT);
    attached.put_headers(&mut headers);
    before.put(&mut headers);
    let request = Outgoing { method: Method::GET, uri: url.clone(), headers, body: Bytes::new() };
    let answer = client.send(request, time, limits::DOCUMENT_BYTES).await?;
    if answer.status == StatusCode::NOT_MODIFIED && !before.is_empty() {
        return Ok(None);
    }
    if !answer.status.is_success() {
        return Err(FetchError::Status(answer.status));
    }
    if let Some(coding) = coding(&answer.headers) {
        return Err(FetchError::Encoded(coding));
    }
    if answer.is_cut {
        return Err(FetchError::TooLong(limits::DOCUMENT_BYTES));
    }
    let validators = Validators::of(&answer.headers);
    Ok(Some((answer.body, validators)))
}
