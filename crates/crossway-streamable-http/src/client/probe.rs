//! Detects what a URL speaks.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crossway_proto::{ErrorCode, Kind, Message, RequestId, Revision, keys};
use crossway_service::{CallError, ErrorText, Reason, Scope};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;

use super::answer::{self, Answer};
use super::http::{Outbound, Purpose, Response};
use super::session::{Badge, Session};
use super::{StreamableHttpUpstream, headers, limits, session};

/// The transport and revisions that a server at a URL speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Streamable HTTP of 2026-07-28 or later, and maybe of earlier revisions as well.
    Modern {
        /// The revisions that the server names; empty if it named none.
        supported: Vec<String>,
    },
    /// Streamable HTTP of 2025-03-26 to 2025-11-25, with sessions.
    LegacyStreamable,
    /// Not Streamable HTTP. A GET may show it to be HTTP+SSE (2024-11-05), by an `endpoint` event.
    NotStreamable {
        /// The status with which a POST was refused: 400, 404 or 405.
        status: u16,
    },
}

/// Why a probe failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The server requires authorization.
    #[error("the MCP server wants authorization (HTTP status 401); add a header, `Authorization: {scheme} ...`{sent}", sent = sent_hint(*.was_sent))]
    Unauthorized {
        /// The scheme that the server asks for.
        scheme: String,
        /// Whether an `Authorization` header was sent, and not accepted.
        was_sent: bool,
    },
    /// The server could not be reached, or its answer could not be read.
    #[error(transparent)]
    Failed(#[from] CallError),
}

fn sent_hint(was_sent: bool) -> &'static str {
    if was_sent { "; the one that was sent is not accepted" } else { "" }
}

/// Boxed, because code that polls an unboxed future would contain another copy of its code, here an HTTP client.
type Probing<'a> = Pin<Box<dyn Future<Output = Result<Verdict, ProbeError>> + Send + 'a>>;

impl StreamableHttpUpstream {
    /// Detects what the server speaks, with at most two requests and without leaving a session behind.
    ///
    /// Follows 2026-07-28, basic/transports/streamable-http, Backward Compatibility: a modern request first, which
    /// either succeeds or is refused with an error that only modern servers know; else `initialize`, whose session is
    /// ended at once. A server that refuses with 400, 404 or 405 may speak HTTP+SSE, which is not tried here.
    ///
    /// The verdict is valid until the server changes: keep it, and make an upstream with it as [`Options::era`](super::Options::era).
    ///
    /// # Errors
    ///
    /// When the server can't be reached or requires authorization, or when it answers neither request in time and in a
    /// readable form.
    pub fn probe(&self) -> impl Future<Output = Result<Verdict, ProbeError>> + Send {
        let probing: Probing<'_> = Box::pin(async {
            let prober = Prober { session: Session::new(Arc::clone(self.shared()), Scope::Shared) };
            if let Some(supported) = prober.discover().await? {
                return Ok(Verdict::Modern { supported });
            }
            prober.initialize().await
        });
        probing
    }
}

struct Prober {
    session: Arc<Session>,
}

/// The response to a probe.
struct Probed {
    status: StatusCode,
    session: Option<HeaderValue>,
    /// The answer, or why there is none.
    answer: Result<Message, CallError>,
}

impl Prober {
    /// Sends `server/discover`, like a modern client. Returns the revisions that the server names, if it is modern.
    async fn discover(&self) -> Result<Option<Vec<String>>, ProbeError> {
        let version = Revision::LATEST.as_str();
        let params = format!(
            r#"{{"_meta":{{"{}":"{version}","{}":{CLIENT_INFO},"{}":{{}}}}}}"#,
            keys::PROTOCOL_VERSION,
            keys::CLIENT_INFO,
            keys::CLIENT_CAPABILITIES,
        );
        let version = Some(HeaderValue::from_static(version));
        let probed = match self.ask("server/discover", &params, version, limits::PROBE).await {
            Ok(probed) => probed,
            // Legacy servers may never answer unknown methods.
            Err(ProbeError::Failed(error)) if matches!(error.reason(), Reason::TimedOut(_)) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        Ok(probed.answer.ok().and_then(|answer| modern(&answer)))
    }

    /// Sends `initialize`, like a legacy client.
    async fn initialize(&self) -> Result<Verdict, ProbeError> {
        let version = Revision::LATEST_LEGACY.as_str();
        let params =
            format!(r#"{{"protocolVersion":"{version}","capabilities":{{}},"clientInfo":{CLIENT_INFO}}}"#);
        let probed = self.ask("initialize", &params, None, limits::PROBE_INITIALIZE).await?;
        if let Some(session) = probed.session {
            let version = probed.answer.as_ref().ok().and_then(Message::initialize_version);
            let version = version.and_then(|version| HeaderValue::from_str(&version).ok());
            let badge = Badge { session: Some(session), version, ..Badge::of_probe() };
            let deleted = tokio::time::timeout(limits::CLOSE, self.session.shared.delete(&badge)).await;
            if deleted.is_err() {
                tracing::debug!("no answer to the end of a session that was opened to see whether it can be");
            }
        }
        match (probed.status, probed.answer) {
            (_, Ok(answer)) if modern(&answer).is_some() => {
                Ok(Verdict::Modern { supported: modern(&answer).unwrap_or_default() })
            }
            // "400 Bad Request", "404 Not Found" or "405 Method Not Allowed" (2025-11-25, basic/transports, Backwards
            // Compatibility)
            (
                status @ (StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED),
                _,
            ) => Ok(Verdict::NotStreamable { status: status.as_u16() }),
            // Also for an error: a server that answers a POST with JSON-RPC speaks this transport.
            (_, Ok(_)) => Ok(Verdict::LegacyStreamable),
            (_, Err(error)) => Err(error.into()),
        }
    }

    async fn ask(
        &self,
        method: &str,
        params: &str,
        version: Option<HeaderValue>,
        patience: Duration,
    ) -> Result<Probed, ProbeError> {
        let id = RequestId::from(format!("crossway-probe-{method}").as_str());
        let request = Message::request_of(&id, method, Some(params.as_bytes())).map_err(|error| {
            CallError::not_sent(Reason::InvalidAnswer(ErrorText::private(error.to_string())))
        })?;
        let asking = async {
            let response = self.post(&request, version).await?;
            let status = response.head.status;
            if status == StatusCode::UNAUTHORIZED {
                return Err(self.unauthorized(&response.head.headers));
            }
            let session = session::session_id(&response.head.headers).ok().flatten();
            let answer = match answer::read(&self.session, &Badge::of_probe(), &id, response).await {
                Ok(Answer::Final(answer)) => Ok(answer),
                Ok(Answer::Stream(events)) => {
                    events.answer_to(&id).await.ok_or_else(|| super::open::unanswered(""))
                }
                Ok(Answer::Batch(messages)) => messages
                    .into_iter()
                    .find_map(|message| answer::to_answer(message, &id).ok())
                    .ok_or_else(|| super::open::unanswered("")),
                Err(error) => Err(error),
            };
            Ok(Probed { status, session, answer })
        };
        match tokio::time::timeout(patience, asking).await {
            Ok(probed) => probed,
            Err(_) => Err(CallError::unknown(Reason::TimedOut(patience)).into()),
        }
    }

    async fn post(&self, request: &Message, version: Option<HeaderValue>) -> Result<Response, CallError> {
        let shared = &self.session.shared;
        let outbound = Outbound {
            method: Method::POST,
            headers: || {
                let mut headers = shared.headers.clone();
                if let Some(version) = &version {
                    headers::mirror(&mut headers, request, version);
                }
                headers
            },
            message: Some(request),
            purpose: Purpose::Call,
        };
        shared.http.send(outbound).await
    }

    fn unauthorized(&self, headers: &HeaderMap) -> ProbeError {
        let challenge = headers.get(header::WWW_AUTHENTICATE).and_then(|challenge| challenge.to_str().ok());
        let scheme = challenge.and_then(|challenge| challenge.split([' ', ',']).next());
        let is_name =
            |scheme: &&str| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let scheme =
            scheme.filter(is_name).unwrap_or("Bearer").chars().take(limits::QUOTED_SCHEME_CHARS).collect();
        let was_sent = self.session.shared.headers.contains_key(header::AUTHORIZATION);
        ProbeError::Unauthorized { scheme, was_sent }
    }
}

const CLIENT_INFO: &str = concat!(r#"{"name":"crossway","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// Returns the revisions that a modern server names in its answer; `None` if the answer is not from a modern server.
///
/// "If the body contains a recognized modern JSON-RPC error, the server speaks a modern version of MCP" (2026-07-28,
/// basic/transports/streamable-http, Backward Compatibility). A `-32601` is not among them here: a modern server must
/// know `server/discover`.
fn modern(answer: &Message) -> Option<Vec<String>> {
    let names_modern = |names: &[String]| {
        // Names of revisions are dates, so unknown later ones are modern.
        names.iter().any(|name| name.as_str() >= Revision::V2026_07_28.as_str() && name.starts_with("20"))
    };
    if answer.kind() == Kind::Result {
        let discovered: Discovered = serde_json::from_slice(answer.result()?).ok()?;
        return Some(discovered.supported_versions).filter(|names| names_modern(names));
    }
    let error: ModernError = serde_json::from_slice(answer.error()?).ok()?;
    match ErrorCode(error.code) {
        ErrorCode::UNSUPPORTED_PROTOCOL_VERSION => {
            let names = error.data.as_ref().and_then(|data| data.get("supported")?.as_array());
            let names = names.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned));
            let names: Vec<_> = names.take(limits::PROBE_VERSIONS).collect();
            // A server that names only legacy revisions has to be used with one of them.
            (names.is_empty() || names_modern(&names)).then_some(names)
        }
        ErrorCode::HEADER_MISMATCH | ErrorCode::MISSING_CLIENT_CAPABILITY => Some(Vec::new()),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Discovered {
    #[serde(rename = "supportedVersions")]
    supported_versions: Vec<String>,
}

#[derive(Deserialize)]
struct ModernError {
    code: i64,
    data: Option<serde_json::Value>,
}
