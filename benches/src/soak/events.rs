//! The events of a soak: servers are killed, secrets are replaced, configs change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::plan::Server;
use super::site::{Shared, Site};

/// The average time between two events of each kind.
const KILLS: Duration = Duration::from_secs(20);
const SECRETS: Duration = Duration::from_secs(10);
const CONFIGS: Duration = Duration::from_secs(30);

/// The number of users whose secrets are replaced at a time, besides a tenant's.
const USERS_AT_A_TIME: usize = 20;

/// An event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    /// Seconds since the start.
    pub(crate) at: f64,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    Kill,
    Secrets,
    Reload,
    BrokenReload,
}

/// Causes the events, on a thread of its own.
pub(crate) struct Events {
    site: Site,
    shared: Arc<Shared>,
    is_over: Arc<AtomicBool>,
    start: Instant,
}

impl Events {
    pub(crate) fn new(site: Site, shared: Arc<Shared>, is_over: Arc<AtomicBool>) -> Self {
        Self { site, shared, is_over, start: Instant::now() }
    }

    /// Runs until the soak is over. Returns the events, and the first error: a server that did not restart, or a gateway that did not load
    /// a config.
    pub(crate) fn run(mut self) -> (Site, Vec<Event>, Option<anyhow::Error>) {
        let mut events = Vec::new();
        let broke = self.make(&mut events).err();
        (self.site, events, broke)
    }

    fn make(&mut self, events: &mut Vec<Event>) -> anyhow::Result<()> {
        let now = Instant::now();
        // Nothing happens before the first users are there.
        let mut due = [KILLS, SECRETS, CONFIGS].map(|every| now + every);
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(50));
            let now = Instant::now();
            let next = |every: Duration| now + every.mul_f64(0.5 + fastrand::f64());
            if now >= due[0] {
                due[0] = next(KILLS);
                events.push(self.event(What::Kill));
                self.kill()?;
            }
            if now >= due[1] {
                due[1] = next(SECRETS);
                events.push(self.event(What::Secrets));
                self.replace_secrets()?;
            }
            if now >= due[2] {
                due[2] = next(CONFIGS);
                if fastrand::u8(..4) == 0 {
                    events.push(self.event(What::BrokenReload));
                    self.site.reload_broken()?;
                }
                events.push(self.event(What::Reload));
                self.site.reload(&self.shared)?;
            }
        }
        Ok(())
    }

    fn event(&self, what: What) -> Event {
        Event { at: self.start.elapsed().as_secs_f64(), what }
    }

    fn kill(&mut self) -> anyhow::Result<()> {
        let server = Server::ALL[fastrand::usize(..Server::ALL.len())];
        self.site.kill(&self.shared, server)?;
        thread::sleep(Duration::from_millis(fastrand::u64(50..1500)));
        self.site.revive(&self.shared, server)
    }

    fn replace_secrets(&self) -> anyhow::Result<()> {
        let plan = self.shared.plan;
        let tenant = fastrand::usize(..plan.tenants);
        for server in [Server::Files, Server::Tickets, Server::Notes] {
            self.site.replace_secret(&self.shared, server, plan.user(tenant))?;
        }
        for _ in 0..USERS_AT_A_TIME {
            self.site.replace_secret(&self.shared, Server::Wiki, plan.user(fastrand::usize(..plan.users)))?;
        }
        Ok(())
    }
}
