//! The upstream and its links.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{self, Poll, ready};
use std::time::Instant;

use crossway_proto::{Era, Kind, Message};
use crossway_service::{
    Ask, Call, CallError, Closing, Connection, Context, Link, Reason, Reply, Scope, TraceContext, Upstream,
};
use http::HeaderMap;
use tokio::time::timeout;

use super::alias::{Alias, Numbers};
use super::endpoint::Endpoint;
use super::ends::{Ending, Ends};
use super::errands::{Errand, Errands};
use super::exchange::Exchange;
use super::http::HttpClient;
use super::listen::Listening;
use super::mirror::Mirrored;
use super::open::Manner;
use super::session::Session;
use super::{Limits, Options, OptionsError, headers, limits, post};

/// An MCP server at a URL, spoken to over Streamable HTTP.
///
/// Clones share the connections.
///
/// A reply that is dropped outside of a tokio runtime tells the server nothing: its call is cancelled within a runtime only.
///
/// # Panics
///
/// Replies panic when they are polled outside of a tokio runtime with I/O and time.
#[derive(Clone)]
pub struct StreamableHttpUpstream(Arc<Shared>);

/// The state that all links of an upstream share.
pub(super) struct Shared {
    pub(super) http: HttpClient,
    /// The headers that all POSTs share.
    pub(super) headers: HeaderMap,
    /// Whether something that is sent with each request may be a secret: a header of the options, a proxy's password,
    /// a query, or a path other than the usual one.
    pub(super) sends_secrets: bool,
    pub(super) era: Option<Era>,
    pub(super) limits: Limits,
    pub(super) mirrored: Mirrored,
    pub(super) errands: Errands,
    /// The ids of requests on links that clients share, unless they keep their own.
    numbers: Option<Numbers>,
    pub(super) ends: Ends,
    /// Whether waiting for a session's standing stream has ever timed out.
    pub(super) heads_are_late: AtomicBool,
    strays: AtomicU64,
}

impl StreamableHttpUpstream {
    /// Creates an upstream for the server whose MCP endpoint is `url`. Connects at the first call.
    ///
    /// # Errors
    ///
    /// When `url` can't be an MCP endpoint's.
    pub fn new(url: &str, options: Options) -> Result<Self, OptionsError> {
        let http = HttpClient::new(Endpoint::parse(url)?, &options);
        Ok(Self::over(http, &options))
    }

    pub(super) fn over(http: HttpClient, options: &Options) -> Self {
        Self(Arc::new(Shared {
            headers: headers::base(http.endpoint(), options),
            sends_secrets: !options.headers.is_empty()
                || http.sends_proxy_authorization()
                || http
                    .endpoint()
                    .absolute
                    .path_and_query()
                    .is_some_and(|path| !matches!(path.as_str(), "/" | "/mcp")),
            http,
            era: options.era,
            limits: options.limits,
            mirrored: Mirrored::default(),
            errands: Errands::default(),
            numbers: (!options.keeps_ids).then(Numbers::default),
            ends: Ends::default(),
            heads_are_late: AtomicBool::new(false),
            strays: AtomicU64::new(0),
        }))
    }

    /// The number of the upstream's messages that belonged to no call: unexpected answers, second answers, and invalid
    /// messages.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.0.strays.load(Ordering::Relaxed)
    }

    /// Ends all sessions, and waits until the server was told, for 5 seconds at most. From then on, links return errors.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the sessions' ends continue in the background.
    pub async fn close(&self) {
        for session in self.0.ends.close() {
            if let Some(badge) = session.close() {
                self.0.run(Errand::Delete(badge));
            }
        }
        if tokio::time::timeout(limits::CLOSE, self.0.ends.wait_until_told()).await.is_err() {
            tracing::debug!(upstream = %self.0.http.endpoint().origin(), "no answer to the ends of sessions");
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Upstream for StreamableHttpUpstream {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(SessionConnection(Session::new(Arc::clone(&self.0), scope)))
    }
}

impl std::fmt::Debug for StreamableHttpUpstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamableHttpUpstream({})", self.0.http.endpoint().origin())
    }
}

impl Shared {
    /// Counts a message that belongs to no call, and logs its kind, never its content.
    pub(super) fn stray(&self, what: &str) {
        self.strays.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(upstream = %self.http.endpoint().origin(), what, "dropped a message of the server");
    }
}

/// The connection behind a link.
struct SessionConnection(Arc<Session>);

impl Connection for SessionConnection {
    fn call(&self, call: Call) -> Reply {
        let Call { ask, mut context } = call;
        let result = match ask {
            Ask::Message(message) if message.is_request() => self.request(message, &mut context),
            Ask::Message(message) => Ok(self.post(message, &context)),
            Ask::Listen => self.listen(&context),
        };
        result.unwrap_or_else(Reply::failed)
    }

    fn close(&self) -> Closing {
        let Some(badge) = self.0.close() else { return Box::pin(std::future::ready(())) };
        let shared = Arc::clone(&self.0.shared);
        let ending = Ending::new(&shared);
        let delete = async move {
            let deleted = tokio::time::timeout(limits::CLOSE, shared.delete(&badge)).await;
            if deleted.is_err() {
                tracing::debug!(upstream = %shared.http.endpoint().origin(), "no answer to a session's end");
            }
            drop(ending);
        };
        Box::pin(ToTheEnd(Some(Box::pin(delete))))
    }
}

impl SessionConnection {
    fn request(&self, mut request: Message, context: &mut Context) -> Result<Reply, CallError> {
        let shared = &self.0.shared;
        let manner = manner(&request, context);
        if manner.is_modern() && shared.era == Some(Era::Legacy) {
            return Err(CallError::not_sent(Reason::LegacyOnly));
        }
        // A request always has an id.
        let Some(id) = request.id() else { return Ok(Reply::accepted()) };
        if matches!(manner, Manner::Initialize) {
            self.0.renew(&request);
        }
        let ticket = self.0.open(context.origin.as_u64(), Some(id.clone()), manner.is_modern())?;
        let numbers = shared.numbers.as_ref().filter(|_| manner.is_modern() && self.0.is_shared);
        let alias = numbers.map(|numbers| Alias::put_on(&mut request, id.clone(), numbers));
        let id = alias.as_ref().map_or(id, |alias| alias.number().clone());
        Ok(Reply::stream(Exchange::new(ticket, request, id, alias, manner, context.deadline)))
    }

    fn post(&self, message: Message, context: &Context) -> Reply {
        let mut manner = manner(&message, context);
        if message.kind() == Kind::Notification && message.is_method("notifications/cancelled") {
            let id = message.cancelled_id();
            match id.and_then(|id| self.0.cancel(context.origin.as_u64(), &id)) {
                // Dropping the response with its call is the cancellation: "no `notifications/cancelled` message is
                // expected" (2026-07-28, basic/transports/streamable-http).
                Some(true) => return Reply::accepted(),
                Some(false) => manner = Manner::Legacy { trace: None },
                None if manner.is_modern() || !self.0.has_session() => return Reply::accepted(),
                None => {}
            }
        }
        let session = Arc::clone(&self.0);
        let left = context.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = left.map_or(limits::ACCEPTANCE, |left| left.min(limits::ACCEPTANCE));
        Reply::pending(async move {
            match timeout(limit, post::post(session, message, manner)).await {
                Ok(Ok(())) => Reply::accepted(),
                Ok(Err(error)) => Reply::failed(error),
                Err(_) => Reply::failed(CallError::unknown(Reason::TimedOut(limit))),
            }
        })
    }

    fn listen(&self, context: &Context) -> Result<Reply, CallError> {
        let ticket = self.0.open(context.origin.as_u64(), None, false)?;
        Ok(Reply::stream(Listening::new(ticket)))
    }
}

/// A future that is completed in a task if it is dropped before its end.
struct ToTheEnd(Option<Closing>);

impl Future for ToTheEnd {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        if let Some(future) = &mut self.0 {
            ready!(future.as_mut().poll(cx));
            self.0 = None;
        }
        Poll::Ready(())
    }
}

impl Drop for ToTheEnd {
    fn drop(&mut self) {
        // Without a runtime nothing could be sent either.
        if let (Some(future), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(future);
        }
    }
}

impl Drop for SessionConnection {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

fn manner(message: &Message, context: &Context) -> Manner {
    let trace = context.extensions.get::<TraceContext>().cloned();
    if let Some(version) = headers::modern_version(message, context.revision) {
        // The headers belong to a call only. A router's own requests carry the context of some request of their caller.
        let params =
            context.extensions.get::<crate::ParamHeaders>().filter(|_| message.is_method("tools/call"));
        let params = params.map(|params| params.0.clone());
        return Manner::Modern { version, params, trace };
    }
    if message.is_request() && message.is_method("initialize") {
        Manner::Initialize
    } else {
        Manner::Legacy { trace }
    }
}
