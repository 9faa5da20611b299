//! The reply of a guarded call.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crossway_proto::{Message, RequestId};
use crossway_service::{Ask, Call, CallError, Outcome, Reason, Reply, later};
use futures_core::Stream;
use futures_util::future::BoxFuture;
use pin_project::pin_project;
use tokio::time::Instant;

use super::Line;
use super::group::Group;
use super::questions::{Asked, Awaits};
use super::shared::{Flight, Shared};
use super::timer::Timer;
use super::turn::{NoTurn, full, turn};
use crate::jitter::jittered;
use crate::limits::RETRY_FIRST;

/// The reply to a guarded call.
#[pin_project]
pub(super) struct Guarded {
    course: Course,
    #[pin]
    timer: Timer,
}

/// The progress of the call so far.
struct Course {
    shared: Arc<Shared>,
    line: Arc<Line>,
    /// The caller's group, if its share of the bounds is limited.
    group: Option<Arc<Group>>,
    /// The call, as long as it may have to be sent.
    call: Option<Call>,
    stage: Stage,
    /// When the call has to be over, and how long that is from its start.
    until: Option<(Instant, Duration)>,
    /// How often the call was retried.
    retries: u32,
    /// Whether the upstream may have seen the call.
    was_sent: bool,
    /// Whether the client has received part of the reply: then the call must not be retried.
    has_spoken: bool,
    is_tool_list: bool,
    asked: Asked,
}

enum Stage {
    Waiting(BoxFuture<'static, Result<Flight, NoTurn>>),
    /// The call gets no turn.
    Failed(CallError),
    Flying(Reply, Flight),
    Over,
}

impl Guarded {
    pub(super) fn new(shared: &Arc<Shared>, line: &Arc<Line>, call: Call) -> Self {
        let options = &shared.options;
        let until = until(options.total, &call);
        let timer = Timer::new(options.idle, until);
        let is_tool_list = options.repeatable.is_some() && call.is_method("tools/list");
        let mut course = Course {
            shared: Arc::clone(shared),
            line: Arc::clone(line),
            group: shared.group_of(&call.context),
            call: Some(call),
            stage: Stage::Over,
            until,
            retries: 0,
            was_sent: false,
            has_spoken: false,
            is_tool_list,
            asked: Asked::new(&line.questions),
        };
        course.stage = match shared.turn_now(course.group.as_ref(), until.map(|(until, _)| until)) {
            Ok(Some(flight)) => course.fly(flight),
            Ok(None) => match course.wait(None) {
                Some(waiting) => waiting,
                None => Stage::Failed(full("too many calls wait for the MCP server")),
            },
            Err(error) => Stage::Failed(error),
        };
        Self { course, timer }
    }
}

impl Course {
    /// Sends the call.
    fn fly(&mut self, flight: Flight) -> Stage {
        self.asked.call_is_sent();
        let may_go_again = self.retries < self.shared.options.retries;
        let call = if may_go_again { self.call.clone() } else { self.call.take() };
        match call {
            Some(call) => Stage::Flying(self.line.link.call(call), flight),
            None => Stage::Over,
        }
    }

    /// Waits for a turn, if there is room in the queue.
    fn wait(&self, pause: Option<Duration>) -> Option<Stage> {
        let (origin, id) = self.call.as_ref().and_then(name_of)?;
        let place = self.shared.enter_queue(self.group.clone())?;
        let waiting = self.shared.note_waiting(origin, id);
        let until = self.until.map(|(until, _)| until);
        let turn = turn(Arc::clone(&self.shared), (waiting, place), pause, until);
        Some(Stage::Waiting(Box::pin(turn)))
    }

    /// Decides what follows a failure: the call waits for a retry, or the client gets the error.
    fn failed(&mut self, error: CallError, is_dead: bool) -> Result<Stage, CallError> {
        let was_seen = error.outcome() != Outcome::NotSent;
        let may_go_again = self.retries < self.shared.options.retries
            && !self.has_spoken
            && !is_dead
            && helps(&error)
            && (!was_seen || self.is_repeatable());
        self.was_sent |= was_seen;
        let pause = self.pause(&error).filter(|_| may_go_again);
        match pause.and_then(|pause| self.wait(Some(pause))) {
            Some(waiting) => {
                self.retries += 1;
                Ok(waiting)
            }
            None => Err(self.outcome_of_all(error)),
        }
    }

    /// The error for all attempts: if an earlier one may have been seen, the outcome is unknown.
    fn outcome_of_all(&self, error: CallError) -> CallError {
        if !self.was_sent || error.outcome() != Outcome::NotSent {
            return error;
        }
        let unknown = CallError::unknown(error.reason().clone());
        match error.retry_after() {
            Some(after) => unknown.with_retry_after(after),
            None => unknown,
        }
    }

    fn is_repeatable(&self) -> bool {
        match (&self.shared.options.repeatable, self.call.as_ref().map(|call| &call.ask)) {
            (Some(repeatable), Some(Ask::Message(request))) => repeatable.is_repeatable(request),
            _ => false,
        }
    }

    /// The pause before a retry; `None` if that is longer than the call may wait.
    fn pause(&self, error: &CallError) -> Option<Duration> {
        let pause = error
            .retry_after()
            .unwrap_or_else(|| jittered(RETRY_FIRST.saturating_mul(1 << self.retries.min(16))));
        let is_soon = pause <= self.shared.options.queue_time
            && self.until.is_none_or(|(until, _)| later(Instant::now(), pause) < until);
        is_soon.then_some(pause)
    }

    /// Handles the failure of a call in flight.
    fn landed(&mut self, flight: Flight, error: CallError) -> Result<Stage, CallError> {
        let has_ended =
            self.line.is_session && matches!(error.reason(), Reason::Ended(_) | Reason::SessionEnded);
        let is_dead = has_ended && error.outcome() == Outcome::NotSent;
        let is_stale = has_ended && self.line.has_ended.swap(true, Ordering::AcqRel) && is_dead;
        flight.failed(&error, is_stale);
        self.failed(error, is_dead)
    }

    fn answered(&self, flight: Flight, response: &Message) {
        flight.succeeded();
        if self.line.has_ended.load(Ordering::Relaxed) {
            self.line.has_ended.store(false, Ordering::Release);
        }
        if let (true, Some(repeatable)) = (self.is_tool_list, &self.shared.options.repeatable) {
            repeatable.learn(response);
        }
    }
}

impl Stream for Guarded {
    type Item = Result<Message, CallError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let course = this.course;
        loop {
            let next = match &mut course.stage {
                Stage::Over => return Poll::Ready(None),
                Stage::Failed(error) => Some(Err(error.clone())),
                Stage::Waiting(turn) => match ready!(turn.as_mut().poll(cx)) {
                    Ok(flight) => {
                        this.timer.as_mut().restart();
                        course.stage = course.fly(flight);
                        continue;
                    }
                    Err(NoTurn::Cancelled) => None,
                    Err(NoTurn::Failed(error)) => Some(Err(course.outcome_of_all(error))),
                },
                Stage::Flying(reply, flight) => {
                    if flight.is_resting() && !matches!(course.asked.awaits(), Awaits::Client(_)) {
                        flight.resume(course.group.as_ref());
                    }
                    let next = match Pin::new(reply).poll_next(cx) {
                        Poll::Ready(next) => next,
                        // A call that timed out drops the reply, and so tells the upstream.
                        Poll::Pending => {
                            let time = ready!(this.timer.as_mut().poll_over(cx, &course.asked));
                            Some(Err(CallError::unknown(Reason::TimedOut(time))))
                        }
                    };
                    if let Some(Ok(message)) = &next
                        && !message.is_response()
                    {
                        if course.asked.hears(message) {
                            flight.rest();
                        }
                        this.timer.as_mut().heard();
                        flight.spoke();
                        course.has_spoken = true;
                        return Poll::Ready(next);
                    }
                    let Stage::Flying(reply, flight) = std::mem::replace(&mut course.stage, Stage::Over)
                    else {
                        return Poll::Ready(None);
                    };
                    drop(reply);
                    match next {
                        Some(Ok(response)) => {
                            course.answered(flight, &response);
                            Some(Ok(response))
                        }
                        Some(Err(error)) => match course.landed(flight, error) {
                            Ok(stage) => {
                                course.stage = stage;
                                continue;
                            }
                            Err(error) => Some(Err(error)),
                        },
                        None => None,
                    }
                }
            };
            course.stage = Stage::Over;
            return Poll::Ready(next);
        }
    }
}

/// When a call has to be over: the earlier of the options' total time and its client's deadline.
fn until(total: Option<Duration>, call: &Call) -> Option<(Instant, Duration)> {
    if total.is_none() && call.context.deadline.is_none() {
        return None;
    }
    let now = Instant::now();
    let deadline = call.context.deadline.map(|deadline| Instant::from_std(deadline).duration_since(now));
    total.into_iter().chain(deadline).min().map(|time| (later(now, time), time))
}

/// The origin and id by which a client cancels a call.
fn name_of(call: &Call) -> Option<(u64, RequestId)> {
    match &call.ask {
        Ask::Message(message) => Some((call.context.origin.as_u64(), message.id()?)),
        Ask::Listen => None,
    }
}

/// Whether a retry can help after this error.
fn helps(error: &CallError) -> bool {
    matches!(
        error.reason(),
        Reason::Unavailable(_) | Reason::Ended(_) | Reason::Refused { status: 408 | 429 | 502..=504, .. }
    )
}
