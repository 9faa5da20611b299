//! The tracing layer.

use crossway_proto::{Message, Part};
use crossway_service::{Call, Reply, TraceContext};
use http::HeaderMap;
use tower_layer::Layer;
use tracing::Span;
use tracing::field::Empty;

use super::NoTrace;
use super::reply::Traced;
use crate::stage::{self, Entry, Stage, Staged};

/// Adds calls to traces; see the [module](super).
#[derive(Debug, Clone, Copy, Default)]
pub struct TraceLayer {
    begins_anew: bool,
}

impl TraceLayer {
    /// Continues the clients' traces.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a trace with each call, whatever the client sends: for clients that are not trusted to name traces.
    #[must_use]
    pub fn anew(mut self) -> Self {
        self.begins_anew = true;
        self
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Staged<Self, S>;

    fn layer(&self, inner: S) -> Staged<Self, S> {
        Staged::new(*self, inner)
    }
}

/// The trace of an HTTP request, in the extensions of its calls. It is not sent to servers; the [`TraceContext`] that a layer adds for
/// the call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTrace(pub TraceContext);

/// Reads the trace of an HTTP request from its headers.
///
/// # Errors
///
/// When the headers hold no valid trace.
pub fn from_headers(headers: &HeaderMap) -> Result<TraceContext, NoTrace> {
    let mut values = headers.get_all("traceparent").iter();
    let (first, second) = (values.next().ok_or(NoTrace::Absent)?, values.next());
    let parent = first.to_str().ok().filter(|_| second.is_none()).ok_or(NoTrace::NotOneText)?;
    let context: TraceContext = parent.trim_matches([' ', '\t']).parse()?;
    // "Multiple `tracestate` header fields MUST be handled as specified by RFC 7230": as one list.
    let states = headers.get_all("tracestate").iter().map(|value| value.to_str().unwrap_or_default());
    Ok(context.with_state(&states.collect::<Vec<_>>().join(",")))
}

fn new_span(request: &Message) -> Span {
    tracing::info_span!(
        target: crate::names::CALL,
        "mcp.call",
        mcp.method.name = request.method().as_deref().map(stage::short),
        trace_id = Empty,
        span_id = Empty,
        parent_span_id = Empty,
        outcome = Empty,
    )
}

/// A call's span until the call is over.
pub(crate) struct Pass(Option<Span>);

impl Stage for TraceLayer {
    type Pass = Pass;

    fn enter(&self, call: &mut Call) -> Entry<Pass> {
        let Some(request) = call.request() else { return Entry::Pass(Pass(None)) };
        let told = if self.begins_anew { Err(NoTrace::Absent) } else { from_meta(request) };
        let has_meta = told.is_ok();
        let parent = match told {
            Ok(context) => Some(context),
            Err(_) if self.begins_anew => None,
            Err(_) => call.context.extensions.get().map(|ClientTrace(context)| context.clone()),
        };
        // If the parent is not recorded, this span would stand alone.
        let is_wanted = parent.as_ref().is_none_or(TraceContext::is_sampled);
        let span = if is_wanted { new_span(request) } else { Span::none() };
        let is_recorded = !span.is_disabled();
        let context = match &parent {
            Some(parent) => parent.child(fastrand::u64(1..)),
            None => begin(is_recorded),
        };
        if is_recorded {
            span.record("trace_id", tracing::field::display(format_args!("{:032x}", context.trace())));
            span.record("span_id", tracing::field::display(format_args!("{:016x}", context.span())));
            if let Some(parent) = &parent {
                span.record(
                    "parent_span_id",
                    tracing::field::display(format_args!("{:016x}", parent.span())),
                );
            }
        }
        if let crossway_service::Ask::Message(request) = &mut call.ask {
            hand_on(request, &context, has_meta);
        }
        call.context.extensions.insert(context);
        Entry::Pass(Pass(is_recorded.then_some(span)))
    }

    fn within<R>(pass: &Pass, make: impl FnOnce() -> R) -> R {
        match &pass.0 {
            Some(span) => span.in_scope(make),
            None => make(),
        }
    }

    fn leave(pass: Pass, reply: Reply) -> Reply {
        match pass.0 {
            Some(span) => Reply::stream(Traced::new(reply, span)),
            None => reply,
        }
    }
}

/// Reads the trace from a request's `_meta`.
fn from_meta(request: &Message) -> Result<TraceContext, NoTrace> {
    let (mut parent, mut state) = (None, None);
    for (name, value) in request.members(Part::Meta) {
        let place = match &*name {
            "traceparent" => &mut parent,
            "tracestate" => &mut state,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(NoTrace::NotOneText);
        }
    }
    let text = |json| serde_json::from_slice::<String>(json).map_err(|_| NoTrace::NotOneText);
    let context: TraceContext = text(parent.ok_or(NoTrace::Absent)?)?.parse()?;
    // An unreadable state is left out: the trace is valid without it.
    let state = state.and_then(|state| text(state).ok()).unwrap_or_default();
    Ok(context.with_state(&state))
}

/// Begins a trace. It is marked as sampled if it is recorded here: servers may leave out their part otherwise.
fn begin(is_recorded: bool) -> TraceContext {
    let flags = if is_recorded { TraceContext::SAMPLED } else { 0 };
    let context = TraceContext::new(fastrand::u128(1..), fastrand::u64(1..), flags);
    context.unwrap_or_else(|| unreachable!("neither is zero"))
}

/// Writes the call's trace context into its `_meta`. A `tracestate` of the request that is not used is removed, as it belongs to
/// its parent. `params` that are no object can have no `_meta`, and stay.
fn hand_on(request: &mut Message, context: &TraceContext, has_meta: bool) {
    let mut parent = [b'"'; 57];
    parent[1..56].copy_from_slice(&context.to_traceparent());
    let state = context.state().map(|state| serde_json::Value::from(state).to_string());
    let put = [("traceparent", &parent[..]), ("tracestate", state.as_deref().unwrap_or_default().as_bytes())];
    let put = if state.is_some() { &put[..] } else { &put[..1] };
    let remove: &[&str] = if has_meta && state.is_some() { &[] } else { &["tracestate"] };
    if request.meta().is_none()
        && let Ok(fresh) = request.reread()
    {
        // `_meta` may have been added on the way.
        *request = fresh;
    }
    if request.edit(Part::Meta, remove, put).is_err() {
        tracing::trace!(target: crate::names::CALL, "a request has no object to tell its trace in");
    }
}
