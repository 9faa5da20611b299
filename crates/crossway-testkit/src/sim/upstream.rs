//! A simulated upstream whose server a test scripts.

use std::fmt;
use std::sync::Arc;

use crossway_service::{Ask, Call, CallError, Connection, Link, Reason, Reply, Scope, Upstream};
use parking_lot::{Mutex, MutexGuard};

use super::lane::Cut;
use super::server::ServerEnd;
use super::{Shape, Weather, pipe, streams};

/// An upstream whose connections a test serves, cuts and restores. Clones are the same upstream.
#[derive(Clone)]
pub struct SimUpstream(Arc<Inner>);

struct Inner {
    shape: Shape,
    weather: Weather,
    host: Box<dyn Fn(ServerEnd) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_down: bool,
    open: Vec<Cut>,
}

impl SimUpstream {
    /// Makes an upstream whose connections `host` serves.
    pub fn new(shape: Shape, weather: Weather, host: impl Fn(ServerEnd) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { shape, weather, host: Box::new(host), state: Mutex::default() }))
    }

    /// Stops the server, with all its connections. It can't be reached until it [comes up](Self::come_up).
    pub fn go_down(&self) {
        let open = {
            let mut state = self.state();
            state.is_down = true;
            std::mem::take(&mut state.open)
        };
        open.iter().for_each(Cut::cut);
    }

    /// Makes the server reachable again.
    pub fn come_up(&self) {
        self.state().is_down = false;
    }

    /// Breaks one of the connections, chosen by `number`.
    pub fn cut_one(&self, number: usize) {
        let mut state = self.state();
        state.open.retain(|cut| !cut.is_cut());
        if !state.open.is_empty() {
            let at = number % state.open.len();
            state.open.swap_remove(at).cut();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    /// Opens a connection, and returns what ends it; `None` while the server is down.
    fn open(&self, scope: Scope) -> Option<(Link, Cut)> {
        let cut = Cut::new();
        {
            let mut state = self.state();
            if state.is_down {
                return None;
            }
            state.open.push(cut.clone());
        }
        let (link, end) = match self.0.shape {
            Shape::Pipe => pipe::connect(&self.0.weather, &cut, scope),
            Shape::Streams => streams::connect(&self.0.weather, &cut, scope.is_session()),
        };
        (self.0.host)(end);
        Some((link, cut))
    }
}

impl Upstream for SimUpstream {
    fn connect(&self, scope: Scope) -> Link {
        match scope {
            Scope::Session | Scope::Pooled => {
                self.open(scope).map_or_else(|| Link::new(Nobody), |(link, _)| link)
            }
            Scope::Shared => {
                Link::new(StatelessConnection { upstream: self.clone(), current: Mutex::default() })
            }
        }
    }
}

impl fmt::Debug for SimUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimUpstream({:?})", self.0.shape)
    }
}

/// The connection of stateless requests, reopened when it has ended.
struct StatelessConnection {
    upstream: SimUpstream,
    current: Mutex<Option<(Link, Cut)>>,
}

impl Connection for StatelessConnection {
    fn call(&self, call: Call) -> Reply {
        if matches!(call.ask, Ask::Listen) {
            return Reply::silent();
        }
        let link = {
            let mut current = self.current.lock();
            if current.as_ref().is_none_or(|(_, cut)| cut.is_cut()) {
                *current = self.upstream.open(Scope::Shared);
            }
            current.as_ref().map(|(link, _)| link.clone())
        };
        link.unwrap_or_else(|| Link::new(Nobody)).call(call)
    }
}

/// A server that is down.
struct Nobody;

impl Connection for Nobody {
    fn call(&self, _: Call) -> Reply {
        Reply::failed(CallError::not_sent(Reason::Unavailable("the simulated server is down".into())))
    }
}
