//! State shared by all calls of one upstream.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossway_proto::RequestId;
use crossway_service::{CallError, Context, later};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tracing::{info, warn};

use super::breaker::TrialId;
use super::gate::{Gate, Verdict, Wait, verdict};
use super::group::{Group, GroupTurn, Groups};
use super::turn::worth;
use super::{GuardOptions, Health, HealthState};
use crate::jitter::jittered;
use crate::limits::PAUSE_MOST;

type Waiters = HashMap<(u64, RequestId), Arc<Notify>>;

/// The state that all calls of one upstream share.
pub(super) struct Shared {
    pub(super) options: GuardOptions,
    pub(super) permits: Arc<Semaphore>,
    groups: Groups,
    in_flight: AtomicUsize,
    queued: AtomicUsize,
    gate: Mutex<Gate>,
    /// [`Gate::is_open`] to be read without the lock: whether calls pass.
    is_open: AtomicBool,
    /// [`Gate::is_clear`], to be read without the lock.
    is_clear: AtomicBool,
    /// Waiting calls, by origin and request id, so that they can be cancelled.
    waiters: Mutex<Waiters>,
    waiting: AtomicUsize,
    changes: watch::Sender<HealthState>,
}

/// A call in flight. It counts until it is dropped.
pub(super) struct Flight {
    shared: Arc<Shared>,
    trial: Option<TrialId>,
    /// Whether the call has shown something about the upstream.
    has_told: bool,
    /// `None` while the upstream waits for the client.
    turn: Option<Turn>,
}

/// A turn, and the turn of the caller's group.
pub(super) type Turn = (OwnedSemaphorePermit, Option<GroupTurn>);

/// A place in the queue.
pub(super) struct Place {
    shared: Arc<Shared>,
    group: Option<Arc<Group>>,
}

/// A waiting call that can be cancelled.
pub(super) struct Waiting {
    shared: Arc<Shared>,
    key: (u64, RequestId),
    word: Arc<Notify>,
}

impl Shared {
    pub(super) fn new(options: GuardOptions) -> Self {
        let permits = options.concurrent.clamp(1, Semaphore::MAX_PERMITS);
        let gate = Mutex::new(Gate::new(options.breaker));
        Self {
            options,
            permits: Arc::new(Semaphore::new(permits)),
            groups: Groups::default(),
            in_flight: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            gate,
            is_open: AtomicBool::new(true),
            is_clear: AtomicBool::new(true),
            waiters: Mutex::default(),
            waiting: AtomicUsize::new(0),
            changes: watch::Sender::new(HealthState::Up),
        }
    }

    pub(super) fn health(&self) -> Health {
        let gate = self.gate();
        Health {
            state: gate.breaker.state(),
            since: gate.since,
            last_error: gate.last_error.clone(),
            in_flight: self.in_flight.load(Ordering::Acquire),
            queued: self.queued.load(Ordering::Acquire),
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<HealthState> {
        self.changes.subscribe()
    }

    /// Takes a turn at once; `None` when the call has to wait for one.
    ///
    /// # Errors
    ///
    /// When the upstream gets no calls before the wait would end.
    pub(super) fn turn_now(
        self: &Arc<Self>,
        group: Option<&Arc<Group>>,
        until: Option<Instant>,
    ) -> Result<Option<Flight>, CallError> {
        let waits = match self.free_turn(group) {
            Some(turn) if self.is_open.load(Ordering::Acquire) => return Ok(Some(self.fly(turn, None))),
            Some(turn) => match self.admit() {
                Ok(trial) => return Ok(Some(self.fly(turn, trial))),
                Err(wait) => Err(wait),
            },
            None if self.is_open.load(Ordering::Acquire) => Ok(()),
            None => self.outlook(),
        };
        waits.or_else(|wait| worth(wait, self.deadline(until)).map(drop)).map(|()| None)
    }

    fn free_turn(&self, group: Option<&Arc<Group>>) -> Option<Turn> {
        let of_group = match group {
            Some(group) => Some(group.turn_now()?),
            None => None,
        };
        let of_all = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some((of_all, of_group))
    }

    /// The group of a call.
    pub(super) fn group_of(&self, context: &Context) -> Option<Arc<Group>> {
        let key = self.options.group_of.as_ref()?(context)?;
        Some(self.groups.get(key, self.options.concurrent, self.options.queued))
    }

    /// When a call that begins to wait now has to give up.
    pub(super) fn deadline(&self, until: Option<Instant>) -> Instant {
        let deadline = later(Instant::now(), self.options.queue_time);
        until.map_or(deadline, |until| until.min(deadline))
    }

    pub(super) fn fly(self: &Arc<Self>, turn: Turn, trial: Option<TrialId>) -> Flight {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Flight { shared: Arc::clone(self), trial, has_told: false, turn: Some(turn) }
    }

    pub(super) fn outlook(&self) -> Result<(), Wait> {
        self.change(|gate| gate.outlook(Instant::now()))
    }

    /// Decides on a call. Gives the trial that it is, if it is one.
    pub(super) fn admit(&self) -> Result<Option<TrialId>, Wait> {
        self.change(|gate| gate.admit(Instant::now()))
    }

    /// Takes a place in the queue, if one is free.
    pub(super) fn enter_queue(self: &Arc<Self>, group: Option<Arc<Group>>) -> Option<Place> {
        let group = match group {
            Some(group) if !group.enter() => return None,
            group => group,
        };
        let most = self.options.queued;
        let entered = self.queued.fetch_update(Ordering::AcqRel, Ordering::Acquire, |queued| {
            (queued < most).then_some(queued + 1)
        });
        match (entered, group) {
            (Ok(_), group) => Some(Place { shared: Arc::clone(self), group }),
            (Err(_), group) => {
                group.inspect(|group| group.leave());
                None
            }
        }
    }

    /// Registers a waiting call.
    pub(super) fn note_waiting(self: &Arc<Self>, origin: u64, id: RequestId) -> Waiting {
        let (key, word) = ((origin, id), Arc::new(Notify::new()));
        let mut waiters = self.waiters();
        waiters.insert(key.clone(), Arc::clone(&word));
        self.waiting.store(waiters.len(), Ordering::Release);
        drop(waiters);
        Waiting { shared: Arc::clone(self), key, word }
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Cancels a waiting call; `false` if there is none.
    pub(super) fn cancel_waiting(&self, origin: u64, id: RequestId) -> bool {
        let waiters = self.waiters();
        let waiter = waiters.get(&(origin, id));
        if let Some(word) = waiter {
            word.notify_one();
        }
        waiter.is_some()
    }

    /// Records a failure. Returns whether it showed something about the upstream.
    fn failed(&self, error: &CallError, trial: Option<TrialId>) -> bool {
        let now = Instant::now();
        let verdict = verdict(error);
        let pause = error.retry_after().filter(|_| self.options.heed_retry_after);
        self.change(|gate| {
            gate.last_error = Some(error.clone());
            if let Some(pause) = pause {
                gate.pause(now + pause.min(PAUSE_MOST));
            }
            match verdict {
                Verdict::Alive => gate.breaker.succeeded(),
                Verdict::Failing => {
                    if let Some(rest) = gate.breaker.failed(trial, now, jittered) {
                        let name = &self.options.name;
                        warn!(%name, %error, rest_ms = rest.as_millis(), "an MCP server is left alone");
                    }
                }
                Verdict::Nothing => {}
            }
        });
        verdict != Verdict::Nothing
    }

    fn succeeded(&self) {
        if !self.is_clear.load(Ordering::Acquire) {
            self.change(|gate| gate.breaker.succeeded());
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Gate) -> T) -> T {
        let mut gate = self.gate();
        let before = gate.breaker.state();
        let result = change(&mut gate);
        let state = gate.breaker.state();
        self.is_open.store(gate.is_open(), Ordering::Release);
        self.is_clear.store(gate.is_clear(), Ordering::Release);
        if state != before {
            gate.since = Instant::now();
            if state == HealthState::Up {
                let name = &self.options.name;
                info!(%name, "an MCP server is back");
            }
            self.changes.send_replace(state);
        }
        result
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock()
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock()
    }
}

impl Flight {
    /// The upstream has sent a message before its answer, perhaps its only one for long: it works.
    pub(super) fn spoke(&mut self) {
        if self.trial.is_some() && !self.has_told {
            self.has_told = true;
            self.shared.succeeded();
        }
    }

    /// The upstream waits for the client, which may take minutes: other calls may have the turn.
    pub(super) fn rest(&mut self) {
        self.turn = None;
    }

    pub(super) fn is_resting(&self) -> bool {
        self.turn.is_none()
    }

    /// The upstream works again. It does not wait for a turn, so the bounds may be exceeded for a moment.
    pub(super) fn resume(&mut self, group: Option<&Arc<Group>>) {
        self.turn = self.shared.free_turn(group);
    }

    /// The upstream has answered.
    pub(super) fn succeeded(mut self) {
        self.has_told = true;
        self.shared.succeeded();
    }

    /// The call has failed. `is_stale` marks a failure whose reason is known already.
    pub(super) fn failed(mut self, error: &CallError, is_stale: bool) {
        self.has_told = !is_stale && self.shared.failed(error, self.trial);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(trial) = self.trial.filter(|_| !self.has_told) {
            self.shared.change(|gate| gate.breaker.trial_ended(trial, Instant::now()));
        }
        self.shared.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Place {
    /// The group whose queue this place is in.
    pub(super) fn group(&self) -> Option<Arc<Group>> {
        self.group.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.queued.fetch_sub(1, Ordering::AcqRel);
        if let Some(group) = &self.group {
            group.leave();
        }
    }
}

impl Waiting {
    /// Waits until the call is cancelled.
    pub(super) async fn cancelled(&self) {
        self.word.notified().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiters = self.shared.waiters();
        // A second call with the same id may have taken its place.
        if waiters.get(&self.key).is_some_and(|word| Arc::ptr_eq(word, &self.word)) {
            waiters.remove(&self.key);
        }
        self.shared.waiting.store(waiters.len(), Ordering::Release);
    }
}
