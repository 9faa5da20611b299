//! The common form of all layers: what each does with a call and with its reply.
//!
//! A layer is a [`Stage`], and this makes a connection or a service of it. A connection answers at once: nothing is allocated
//! for a call that has not to wait.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crossway_proto::Message;
use crossway_service::{Call, Closing, Connection, Reply};
use futures_util::future::BoxFuture;
use pin_project::pin_project;
use tower_service::Service;

use crate::limits::NAME_CHARS;

/// How a layer continues with a call.
pub(crate) enum Entry<P> {
    /// Forward it.
    Pass(P),
    /// Decide later: forward it or answer it.
    Wait(BoxFuture<'static, Result<P, Reply>>),
    /// Answer it without forwarding.
    Answer(Reply),
}

/// The hooks of a layer, from which [`Staged`] builds a tower service and a connection.
pub(crate) trait Stage: Send + Sync + 'static {
    /// What it keeps of a call until its reply is there.
    type Pass: Send + 'static;

    /// Takes a call on its way in.
    fn enter(&self, call: &mut Call) -> Entry<Self::Pass>;

    /// Puts into a call that goes on what it had to wait for.
    fn depart(_: &mut Self::Pass, _: &mut Call) {}

    /// Makes the call, in whatever has to be around that.
    fn within<R>(_: &Self::Pass, make: impl FnOnce() -> R) -> R {
        make()
    }

    /// Takes the reply on its way out.
    fn leave(pass: Self::Pass, reply: Reply) -> Reply;
}

/// Calls `inner` through a layer.
fn call<T: Stage, S: Connection + Clone>(stage: &T, inner: &S, mut call: Call) -> Reply {
    let go = |inner: &S, mut call: Call, mut pass: T::Pass| {
        T::depart(&mut pass, &mut call);
        let reply = T::within(&pass, || inner.call(call));
        T::leave(pass, reply)
    };
    match stage.enter(&mut call) {
        Entry::Pass(pass) => go(inner, call, pass),
        Entry::Wait(wait) => {
            let inner = inner.clone();
            Reply::pending(async move {
                match wait.await {
                    Ok(pass) => go(&inner, call, pass),
                    Err(reply) => reply,
                }
            })
        }
        Entry::Answer(reply) => reply,
    }
}

/// A connection, or a `tower` service, with one of the layers of this crate around it.
#[derive(Clone)]
pub struct Staged<L, S> {
    layer: L,
    inner: S,
}

impl<L, S> Staged<L, S> {
    pub(crate) fn new(layer: L, inner: S) -> Self {
        Self { layer, inner }
    }
}

impl<L, S> Service<Call> for Staged<L, S>
where
    L: Stage,
    S: Service<Call, Response = Reply, Error = Infallible> + Clone,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = StagedFuture<L, S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> StagedFuture<L, S> {
        StagedFuture(Course::new(&self.layer, &mut self.inner, call))
    }
}

impl<L: Stage, S: Connection + Clone> Connection for Staged<L, S> {
    fn call(&self, call: Call) -> Reply {
        self::call(&self.layer, &self.inner, call)
    }

    fn close(&self) -> Closing {
        self.inner.close()
    }
}

impl<L: fmt::Debug, S> fmt::Debug for Staged<L, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Staged").field(&self.layer).finish()
    }
}

/// A call through a [`Staged`] service.
#[pin_project]
#[expect(private_bounds, reason = "the layers of this crate are all that there are")]
pub struct StagedFuture<L: Stage, S: Service<Call>>(#[pin] Course<S, L>);

impl<L, S> Future for StagedFuture<L, S>
where
    L: Stage,
    S: Service<Call, Response = Reply, Error = Infallible>,
{
    type Output = Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().0.poll(cx)
    }
}

impl<L: Stage, S: Service<Call>> fmt::Debug for StagedFuture<L, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StagedFuture")
    }
}

/// A service's call through a layer.
#[pin_project(project = CourseProject)]
enum Course<S: Service<Call>, T: Stage> {
    Waiting {
        wait: BoxFuture<'static, Result<T::Pass, Reply>>,
        next: Option<Box<(S, Call)>>,
    },
    Calling {
        pass: Option<T::Pass>,
        #[pin]
        future: S::Future,
    },
    Answered(Option<Reply>),
}

impl<S, T> Course<S, T>
where
    S: Service<Call, Response = Reply, Error = Infallible> + Clone,
    T: Stage,
{
    /// Begins a call. `inner` has to be ready.
    fn new(stage: &T, inner: &mut S, mut call: Call) -> Self {
        match stage.enter(&mut call) {
            Entry::Pass(mut pass) => {
                T::depart(&mut pass, &mut call);
                let future = T::within(&pass, || inner.call(call));
                Self::Calling { pass: Some(pass), future }
            }
            Entry::Wait(wait) => {
                // The one that is ready goes with the call.
                let fresh = inner.clone();
                Self::Waiting { wait, next: Some(Box::new((std::mem::replace(inner, fresh), call))) }
            }
            Entry::Answer(reply) => Self::Answered(Some(reply)),
        }
    }
}

impl<S, T> Future for Course<S, T>
where
    S: Service<Call, Response = Reply, Error = Infallible>,
    T: Stage,
{
    type Output = Result<Reply, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project() {
                CourseProject::Waiting { wait, next } => {
                    match (ready!(wait.as_mut().poll(cx)), next.take()) {
                        (Ok(mut pass), Some(next)) => {
                            let (mut inner, mut call) = *next;
                            T::depart(&mut pass, &mut call);
                            let future = T::within(&pass, || inner.call(call));
                            Self::Calling { pass: Some(pass), future }
                        }
                        (Ok(_), None) => Self::Answered(None),
                        (Err(reply), _) => Self::Answered(Some(reply)),
                    }
                }
                CourseProject::Calling { pass, future } => {
                    let Ok(reply) = ready!(future.poll(cx));
                    let reply = match pass.take() {
                        Some(pass) => T::leave(pass, reply),
                        None => reply,
                    };
                    Self::Answered(Some(reply))
                }
                CourseProject::Answered(reply) => {
                    return Poll::Ready(Ok(reply.take().unwrap_or_else(Reply::accepted)));
                }
            };
            self.set(next);
        }
    }
}

/// Whether a request's reply is a standing stream, which is silent by nature and goes on as long as its client likes.
pub(crate) fn is_standing(request: &Message) -> bool {
    request.is_method("subscriptions/listen")
}

/// The client's words as they may stand in a span, a record or an answer: at most so many of them.
pub(crate) fn short(words: &str) -> &str {
    if words.len() <= NAME_CHARS {
        return words;
    }
    let end = words.char_indices().nth(NAME_CHARS).map_or(words.len(), |(at, _)| at);
    &words[..end]
}

/// Sixteen bytes as hexadecimal digits, in ASCII.
pub(crate) fn hex(bytes: [u8; 16]) -> [u8; 32] {
    let digit = |four: u8| b"0123456789abcdef"[usize::from(four & 15)];
    std::array::from_fn(|at| match at % 2 {
        0 => digit(bytes[at / 2] >> 4),
        _ => digit(bytes[at / 2]),
    })
}
