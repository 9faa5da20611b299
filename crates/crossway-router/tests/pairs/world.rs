//! What all parts of a run share: who was seen doing what, and what must not have happened.

use std::collections::HashMap;

use parking_lot::{Mutex, MutexGuard};

/// The work that a client's call asks for, and the name of that call, which stands in all that has to do with it.
pub(crate) const MARK: char = '@';

#[derive(Default)]
pub(crate) struct World(Mutex<State>);

#[derive(Default)]
struct State {
    /// How often servers have seen each round of a call.
    seen: HashMap<String, usize>,
    wrongs: Vec<String>,
}

impl World {
    pub(crate) fn saw(&self, call: &str) {
        *self.state().seen.entry(call.to_owned()).or_default() += 1;
    }

    pub(crate) fn times_seen(&self, call: &str) -> usize {
        self.state().seen.get(call).copied().unwrap_or_default()
    }

    /// Notes what must not happen.
    pub(crate) fn wrong(&self, what: String) {
        self.state().wrongs.push(what);
    }

    pub(crate) fn expect(&self, is_right: bool, what: impl FnOnce() -> String) {
        if !is_right {
            self.wrong(what());
        }
    }

    pub(crate) fn wrongs(&self) -> Vec<String> {
        self.state().wrongs.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

/// The calls that a text is about: `@client-number@`.
pub(crate) fn marks(text: &str) -> impl Iterator<Item = &str> {
    text.split(MARK).skip(1).step_by(2)
}

/// Whose call that is.
pub(crate) fn client_of(mark: &str) -> &str {
    mark.split('-').next().unwrap_or_default()
}
