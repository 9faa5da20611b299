//! A renewable session: the state that it is opened again from, and how.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use crossway_era::to_legacy;
use crossway_proto::{Kind, Message, ParseError, Part, RequestId};
use crossway_service::{Call, CallError, Context, ErrorText, Link, Reason, Scope, Upstream};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout};

use crate::limits::{OPEN_TIME, RENEW_PAUSE, RENEWED_SUBSCRIPTIONS};

/// One client's session, which continues on one session of the server after another.
pub(super) struct Session {
    upstream: Arc<dyn Upstream>,
    scope: Scope,
    state: Mutex<State>,
    /// Held while the session is renewed; other calls wait for the same attempt.
    renewing: tokio::sync::Mutex<()>,
    /// The number of failed attempts, and the error of the last one.
    failed: Mutex<(u64, Option<CallError>)>,
}

struct State {
    link: Link,
    /// The number of earlier sessions with the server.
    era: u64,
    /// When the server's session was opened to replace another one.
    renewed: Option<Instant>,
    opened: Option<Opened>,
    is_initialized: bool,
    /// The `params` of `logging/setLevel`.
    level: Option<Bytes>,
    /// The URIs of subscriptions, as JSON text.
    subscribed: BTreeSet<Bytes>,
}

/// The client's `initialize`, and the revision that was agreed upon.
#[derive(Clone)]
struct Opened {
    params: Bytes,
    version: String,
    context: Context,
}

impl Session {
    pub(super) fn new(upstream: Arc<dyn Upstream>, scope: Scope) -> Self {
        let state = State {
            link: upstream.connect(scope),
            era: 0,
            renewed: None,
            opened: None,
            is_initialized: false,
            level: None,
            subscribed: BTreeSet::new(),
        };
        let renewing = tokio::sync::Mutex::new(());
        Self { upstream, scope, state: Mutex::new(state), renewing, failed: Mutex::default() }
    }

    /// The link to the server's session, and the session's number.
    pub(super) fn link(&self) -> (Link, u64) {
        let state = self.state();
        (state.link.clone(), state.era)
    }

    /// Records that the client has sent `notifications/initialized`.
    pub(super) fn initialized(&self) {
        self.state().is_initialized = true;
    }

    /// Whether the server's session has replaced another one just now.
    pub(super) fn is_new(&self) -> bool {
        self.state().renewed.is_some_and(|renewed| renewed.elapsed() < RENEW_PAUSE)
    }

    /// Records what a request has set in the server's session.
    pub(super) fn note(&self, request: &Message, answer: &Message, context: &Context) {
        let params = || Bytes::copy_from_slice(request.params().unwrap_or(b"{}"));
        let uri = || request.member(Part::Params, "uri").map(Bytes::copy_from_slice);
        match request.method().as_deref() {
            Some("initialize") => {
                let version = answer.initialize_version().unwrap_or_default().into_owned();
                let mut state = self.state();
                state.opened = Some(Opened { params: params(), version, context: context.clone() });
                (state.is_initialized, state.level) = (false, None);
                state.subscribed.clear();
            }
            Some("logging/setLevel") => self.state().level = Some(params()),
            Some("resources/subscribe") => {
                let mut state = self.state();
                if state.subscribed.len() < RENEWED_SUBSCRIPTIONS {
                    state.subscribed.extend(uri());
                }
            }
            Some("resources/unsubscribe") => {
                if let Some(uri) = uri() {
                    self.state().subscribed.remove(&uri);
                }
            }
            _ => {}
        }
    }

    /// The link to the session after the one with this number, which has ended. Concurrent callers wait for
    /// one attempt, and get the same error if it fails.
    ///
    /// # Errors
    ///
    /// When no session could be opened.
    pub(super) async fn renewed(&self, ended: u64) -> Result<(Link, u64), CallError> {
        let failed_before = self.failures().0;
        let _one_at_a_time = self.renewing.lock().await;
        let (link, era) = self.link();
        if era != ended {
            return Ok((link, era));
        }
        if let (failed, Some(why)) = &*self.failures()
            && *failed > failed_before
        {
            return Err(why.clone());
        }
        let opened = self.state().opened.clone().ok_or(CallError::not_sent(Reason::SessionEnded))?;
        let link = self.upstream.connect(self.scope);
        let is_open = timeout(OPEN_TIME, self.open(&link, &opened)).await;
        is_open.unwrap_or(Err(CallError::unknown(Reason::TimedOut(OPEN_TIME)))).inspect_err(|error| {
            tracing::warn!(%error, "the MCP server has ended the session, and opens no other like it");
            let mut failures = self.failures();
            *failures = (failures.0 + 1, Some(error.clone()));
        })?;
        tracing::info!("the MCP server has ended the session; another was opened");
        let mut state = self.state();
        (state.link, state.era, state.renewed) = (link.clone(), era + 1, Some(Instant::now()));
        Ok((link, era + 1))
    }

    async fn open(&self, link: &Link, opened: &Opened) -> Result<(), CallError> {
        let Opened { params, version, context } = opened;
        let answer = ask(link, context, "initialize", params).await?;
        if answer.initialize_version().as_deref() != Some(version) {
            return Err(CallError::unknown(Reason::InvalidAnswer(
                "it speaks another revision than before".into(),
            )));
        }
        let (is_initialized, level, subscribed) = {
            let state = self.state();
            (state.is_initialized, state.level.clone(), state.subscribed.clone())
        };
        if is_initialized {
            tell(link, context, Message::notification_of("notifications/initialized", None)).await;
        }
        let level = level.map(|params| ("logging/setLevel", params));
        let subscriptions = subscribed
            .into_iter()
            .map(|uri| ("resources/subscribe", Bytes::from([br#"{"uri":"#, &uri[..], b"}"].concat())));
        for (method, params) in level.into_iter().chain(subscriptions) {
            // The client was told that this was set, and gets no error now: losing it is better than losing
            // the session.
            if let Err(error) = ask(link, context, method, &params).await {
                tracing::warn!(%error, method, "what the client had set is not set in the new session");
            }
        }
        Ok(())
    }

    fn failures(&self) -> MutexGuard<'_, (u64, Option<CallError>)> {
        self.failed.lock()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Makes a request on the client's behalf. The client is not asked for anything that the server requests
/// meanwhile.
async fn ask(link: &Link, context: &Context, method: &str, params: &Bytes) -> Result<Message, CallError> {
    // "The request ID **MUST NOT** have been previously used by the requestor within the same session" (2025-11-25, basic, Requests).
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let unreadable =
        |error: ParseError| CallError::not_sent(Reason::InvalidAnswer(ErrorText::private(error.to_string())));
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let id = RequestId::from(format!("crossway-renewed-{number}").as_str());
    let request = Message::request_of(&id, method, Some(params)).map_err(unreadable)?;
    let mut reply = link.call(Call::message(request, context.clone()));
    while let Some(item) = reply.next().await {
        let message = item?;
        match message.kind() {
            Kind::Result => return Ok(message),
            Kind::Error => break,
            Kind::Request if message.is_method("ping") => {
                tell(link, context, Ok(to_legacy::pong(&message))).await
            }
            Kind::Request => tell(link, context, Ok(to_legacy::refuse(&message))).await,
            Kind::Notification => {}
        }
    }
    Err(CallError::answered(Reason::InvalidAnswer(ErrorText::private(format!("it refuses {method}")))))
}

async fn tell(link: &Link, context: &Context, message: Result<Message, ParseError>) {
    let Ok(message) = message else { return };
    link.call(Call::message(message, context.clone())).drain().await;
}
