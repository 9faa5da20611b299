//! Reads secrets from an HTTP service with the API of Vault's key-value store, version 2.

use bytes::Bytes;
use crossway_dial::{Dialer, Forward, Proxies};
use crossway_proto::http_rules::content_encoding::IDENTITY;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;
use zeroize::Zeroizing;

use super::{SecretValue, SourceFailed};
use crate::limits::BROKER_BYTES;

/// Asks services for secrets. Redirects are not followed, because a token must go nowhere but to the configured URL.
#[derive(Default)]
pub(super) struct Broker {
    client: OnceLock<Option<Client<HttpsConnector<Dialer>, Empty<Bytes>>>>,
    proxies: Proxies,
}

/// `{"data":{"data":{FIELD: "..."}}}`.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    /// Null if the secret was deleted.
    #[serde(borrow)]
    data: Option<HashMap<String, &'a RawValue>>,
}

impl Broker {
    pub(super) fn through(proxies: Proxies) -> Self {
        Self { proxies, ..Self::default() }
    }

    /// Returns one field of the secret at `url`; `None` if there is no secret, or no such field.
    pub(super) async fn secret(
        &self,
        url: &str,
        field: &str,
        token: Option<&SecretValue>,
    ) -> Result<Option<SecretValue>, SourceFailed> {
        let client = self.client.get_or_init(|| client(self.proxies.clone()));
        let client = client.as_ref().ok_or(SourceFailed::Unreadable)?;
        let url = url.parse::<Uri>().map_err(|_| SourceFailed::Unreadable)?;
        let forward = self.proxies.forward(&url);
        let mut request = Request::get(url);
        if let Some(authorization) = forward.as_ref().and_then(Forward::authorization) {
            request = request.header(http::header::PROXY_AUTHORIZATION, authorization);
        }
        request = request.header(http::header::ACCEPT_ENCODING, IDENTITY);
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose()).map_err(|_| SourceFailed::NotText)?;
            value.set_sensitive(true);
            request = request.header("x-vault-token", value);
        }
        let request = request.body(Empty::new()).map_err(|_| SourceFailed::Unreadable)?;
        let response = client.request(request).await.map_err(|error| unreached(&error))?;
        if forward.is_some_and(|by| by.refused(response.status()).is_some()) {
            return Err(SourceFailed::Status(response.status().as_u16()));
        }
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(SourceFailed::Status(status.as_u16())),
        }
        let body = Limited::new(response.into_body(), BROKER_BYTES).collect().await;
        let body = body.map_err(|_| SourceFailed::TooLong)?.to_bytes();
        let body = Zeroizing::new(body.to_vec());
        let answer: Answer<'_> = serde_json::from_slice(&body).map_err(|_| SourceFailed::Shape)?;
        let Some(value) = answer.data.data.as_ref().and_then(|data| data.get(field)) else { return Ok(None) };
        let text = serde_json::from_str::<String>(value.get()).map_err(|_| SourceFailed::Shape)?;
        Ok(Some(SecretValue::new(text)))
    }
}

/// The operating system's reason for a failed connection, if it gives one.
fn unreached(error: &(dyn std::error::Error + 'static)) -> SourceFailed {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let io = causes.find_map(|error| error.downcast_ref::<std::io::Error>());
    io.map_or(SourceFailed::Unreadable, |error| SourceFailed::Io(error.kind()))
}

fn client(proxies: Proxies) -> Option<Client<HttpsConnector<Dialer>, Empty<Bytes>>> {
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .ok()?
        .https_or_http()
        .enable_http1()
        .wrap_connector(Dialer::new(HttpConnector::new(), proxies));
    Some(Client::builder(TokioExecutor::new()).build(connector))
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Broker")
    }
}
