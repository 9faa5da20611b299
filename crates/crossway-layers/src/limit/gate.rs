//! Bounds concurrent calls, with fairness among the users who wait.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use foldhash::HashMap;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::{OverQuota, QuotaKey};
use crate::limits::{LIMIT_WAITING, LIMIT_WAITING_ALL};

/// Limits concurrent calls.
#[derive(Default)]
pub(super) struct Gate(Mutex<State>);

#[derive(Default)]
struct State {
    most: usize,
    held: usize,
    waiting: usize,
    users: HashMap<Option<QuotaKey>, User>,
    /// The users who wait, in the order in which they started to.
    order: VecDeque<Option<QuotaKey>>,
    next_number: u64,
}

/// One of the users who share the gate.
#[derive(Default)]
struct User {
    held: usize,
    queue: VecDeque<(u64, oneshot::Sender<Turn>)>,
}

impl User {
    fn is_idle(&self) -> bool {
        self.held == 0 && self.queue.is_empty()
    }
}

/// A call's turn. Dropping it passes the turn to the next call.
pub(crate) struct Turn {
    gate: Arc<Gate>,
    user: Option<QuotaKey>,
}

/// A call that waits for its turn. Dropping it gives up its place.
pub(super) struct Waiting {
    gate: Arc<Gate>,
    user: Option<QuotaKey>,
    number: u64,
    turn: oneshot::Receiver<Turn>,
}

/// A turn, or the wait for one.
pub(super) enum Admission {
    Now(Turn),
    Later(Waiting),
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// Sets how many calls pass at once.
    pub(super) fn set_most(self: &Arc<Self>, most: usize) {
        self.state().most = most;
        loop {
            let next = self.state().next();
            let Some((user, turn)) = next else { return };
            self.give(user, turn);
        }
    }

    /// Returns a turn for a user of the gate, or a place in the queue.
    pub(super) fn enter(self: &Arc<Self>, user: Option<&QuotaKey>) -> Result<Admission, OverQuota> {
        let user = user.cloned();
        let mut state = self.state();
        let state = &mut *state;
        if state.held < state.most {
            state.held += 1;
            state.users.entry(user.clone()).or_default().held += 1;
            return Ok(Admission::Now(Turn { gate: Arc::clone(self), user }));
        }
        let is_one = user.is_none();
        let entry = state.users.entry(user.clone()).or_default();
        if state.waiting >= LIMIT_WAITING_ALL || (entry.queue.len() >= LIMIT_WAITING && !is_one) {
            state.forget(&user);
            return Err(OverQuota::Waiting);
        }
        let (sender, turn) = oneshot::channel();
        let number = state.next_number;
        state.next_number += 1;
        state.waiting += 1;
        if entry.queue.is_empty() {
            state.order.push_back(user.clone());
        }
        entry.queue.push_back((number, sender));
        Ok(Admission::Later(Waiting { gate: Arc::clone(self), user, number, turn }))
    }

    /// Gives a turn to a waiting call. If that is gone, the turn is passed on, without the lock being held.
    fn give(self: &Arc<Self>, user: Option<QuotaKey>, to: oneshot::Sender<Turn>) {
        drop(to.send(Turn { gate: Arc::clone(self), user }));
    }

    /// Whether nobody has a turn or waits for one.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.held == 0 && state.waiting == 0
    }
}

impl State {
    /// The next waiting call, if there is room: of the user with the fewest calls, and among those of the one that has waited longest.
    fn next(&mut self) -> Option<(Option<QuotaKey>, oneshot::Sender<Turn>)> {
        if self.held >= self.most {
            return None;
        }
        let held = |user| self.users.get(user).map_or(0, |user| user.held);
        let (at, _) = self.order.iter().enumerate().min_by_key(|(_, user)| held(user))?;
        let user = self.order.remove(at)?;
        let entry = self.users.get_mut(&user)?;
        let (_, turn) = entry.queue.pop_front()?;
        entry.held += 1;
        let has_more = !entry.queue.is_empty();
        if has_more {
            self.order.push_back(user.clone());
        }
        self.waiting -= 1;
        self.held += 1;
        Some((user, turn))
    }

    /// Removes a user without calls.
    fn forget(&mut self, user: &Option<QuotaKey>) {
        if self.users.get(user).is_some_and(User::is_idle) {
            self.users.remove(user);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut state = self.gate.state();
            state.held -= 1;
            if let Entry::Occupied(mut user) = state.users.entry(self.user.take()) {
                user.get_mut().held -= 1;
                if user.get().is_idle() {
                    user.remove();
                }
            }
            state.next()
        };
        if let Some((user, turn)) = next {
            self.gate.give(user, turn);
        }
    }
}

impl Waiting {
    /// Waits for the turn.
    pub(super) async fn turn(mut self) -> Result<Turn, OverQuota> {
        // The gate lives as long as this, and keeps the sender.
        (&mut self.turn).await.map_err(|_| OverQuota::Waited)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // A turn that has been sent already is dropped with the receiver, and so passed on.
        let mut state = self.gate.state();
        let state = &mut *state;
        let Some(entry) = state.users.get_mut(&self.user) else { return };
        let Some(at) = entry.queue.iter().position(|(number, _)| *number == self.number) else { return };
        entry.queue.remove(at);
        state.waiting -= 1;
        if entry.queue.is_empty() {
            state.order.retain(|user| *user != self.user);
        }
        state.forget(&self.user);
    }
}
