//! The expected state over time: configs, secrets and servers, with validity intervals.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::plan::Server;

/// How long a replaced secret may still be used: files are checked once a second, and a file that has just changed is given a moment more.
/// A busy machine adds some time.
const OLD_SECRET: Duration = Duration::from_secs(5);

/// How long after a kill calls may fail, and lists lack the server: it restarts within two seconds, its sessions are reopened, and its
/// breaker may be open for a second more.
const AFTER_KILL: Duration = Duration::from_secs(15);

/// Versions of one thing: when each was written, and when it was certainly in force.
#[derive(Debug, Default)]
struct Versions(Vec<Version>);

#[derive(Debug)]
struct Version {
    from: Instant,
    /// When it was certainly in force: the gateway had confirmed it, or must have seen it.
    certain: Option<Instant>,
}

impl Versions {
    fn push(&mut self, from: Instant) -> u64 {
        self.0.push(Version { from, certain: None });
        self.0.len() as u64 - 1
    }

    /// The versions that may have been in force at some time from `start` to `end`.
    fn met(&self, start: Instant, end: Instant, old: Option<Duration>) -> impl Iterator<Item = u64> {
        let over = move |next: &Version| match (next.certain, old) {
            (Some(certain), _) => certain < start,
            (None, Some(old)) => next.from + old < start,
            (None, None) => false,
        };
        let versions = self.0.iter().enumerate();
        versions
            .filter(move |(number, version)| version.from <= end && !self.0.get(number + 1).is_some_and(over))
            .map(|(number, _)| number as u64)
    }
}

/// The holder of a secret: a tenant or a user, by number, at a server.
pub(crate) type Holder = (Server, usize);

/// The expected state.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    configs: Versions,
    secrets: HashMap<Holder, Versions>,
    kills: HashMap<Server, Vec<(Instant, Option<Instant>)>>,
    /// When a server with an unknown list was too slow to return it.
    slow: HashMap<Server, Vec<Instant>>,
}

impl Truth {
    /// Records that a config is written. Returns its number.
    pub(crate) fn config_written(&mut self, now: Instant) -> u64 {
        self.configs.push(now)
    }

    /// Records that the gateway has loaded the newest config.
    pub(crate) fn config_holds(&mut self, now: Instant) {
        if let Some(last) = self.configs.0.last_mut() {
            last.certain.get_or_insert(now);
        }
    }

    /// The configs that may have been in force at some time from `start` to `end`.
    pub(crate) fn configs(&self, start: Instant, end: Instant) -> Vec<u64> {
        self.configs.met(start, end, None).collect()
    }

    /// Records that a secret is about to be replaced. Returns the number of the new one.
    pub(crate) fn secret_written(&mut self, holder: Holder, now: Instant) -> u64 {
        self.secrets.entry(holder).or_default().push(now)
    }

    /// The secrets that may have been sent from `start` to `end`.
    pub(crate) fn secrets(&self, holder: Holder, start: Instant, end: Instant) -> Vec<u64> {
        self.secrets
            .get(&holder)
            .map_or_else(Vec::new, |versions| versions.met(start, end, Some(OLD_SECRET)).collect())
    }

    /// Records that a server is killed.
    pub(crate) fn killed(&mut self, server: Server, now: Instant) {
        self.kills.entry(server).or_default().push((now, None));
    }

    /// Records that it runs again.
    pub(crate) fn revived(&mut self, server: Server, now: Instant) {
        if let Some((_, until)) = self.kills.entry(server).or_default().last_mut() {
            *until = Some(now);
        }
    }

    /// Records that it was too slow to return its list.
    pub(crate) fn was_slow(&mut self, server: Server, now: Instant) {
        self.slow.entry(server).or_default().push(now);
    }

    /// Whether a list requested from `start` to `end` may lack it.
    pub(crate) fn may_be_missing(&self, server: Server, start: Instant, end: Instant) -> bool {
        let slow = self.slow.get(&server).map_or(&[][..], Vec::as_slice);
        self.was_killed(server, start, end)
            || slow.iter().rev().any(|slow| *slow <= end && start <= *slow + AFTER_KILL)
    }

    /// Whether a request from `start` to `end` may have been affected by a kill.
    pub(crate) fn was_killed(&self, server: Server, start: Instant, end: Instant) -> bool {
        let kills = self.kills.get(&server).map_or(&[][..], Vec::as_slice);
        kills
            .iter()
            .rev()
            .any(|(from, until)| *from <= end && until.is_none_or(|until| start <= until + AFTER_KILL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(origin: Instant, seconds: u64) -> Instant {
        origin + Duration::from_secs(seconds)
    }

    #[test]
    fn the_old_config_may_be_met_until_the_new_one_is_said_to_hold() {
        let (mut truth, start) = (Truth::default(), Instant::now());
        truth.config_written(start);
        truth.config_written(at(start, 10));
        assert_eq!(truth.configs(at(start, 5), at(start, 6)), [0]);
        assert_eq!(truth.configs(at(start, 9), at(start, 11)), [0, 1]);
        assert_eq!(truth.configs(at(start, 20), at(start, 21)), [0, 1]);
        truth.config_holds(at(start, 12));
        assert_eq!(truth.configs(at(start, 11), at(start, 21)), [0, 1]);
        assert_eq!(truth.configs(at(start, 13), at(start, 14)), [1]);
    }

    #[test]
    fn an_old_secret_is_met_for_some_seconds_and_no_longer() {
        let (mut truth, start) = (Truth::default(), Instant::now());
        let holder = (Server::Wiki, 7);
        assert_eq!(truth.secrets(holder, start, start), Vec::<u64>::new());
        truth.secret_written(holder, start);
        truth.secret_written(holder, at(start, 10));
        assert_eq!(truth.secrets(holder, at(start, 9), at(start, 9)), [0]);
        assert_eq!(truth.secrets(holder, at(start, 11), at(start, 12)), [0, 1]);
        assert_eq!(truth.secrets(holder, at(start, 16), at(start, 17)), [1]);
    }

    #[test]
    fn a_kill_explains_what_came_soon_after_and_nothing_else() {
        let (mut truth, start) = (Truth::default(), Instant::now());
        truth.killed(Server::Files, at(start, 10));
        assert!(!truth.was_killed(Server::Files, start, at(start, 9)));
        assert!(truth.was_killed(Server::Files, at(start, 9), at(start, 11)));
        assert!(!truth.was_killed(Server::Wiki, at(start, 9), at(start, 11)));
        truth.revived(Server::Files, at(start, 12));
        assert!(truth.was_killed(Server::Files, at(start, 13), at(start, 14)));
        assert!(!truth.was_killed(Server::Files, at(start, 60), at(start, 61)));
        truth.was_slow(Server::Wiki, at(start, 70));
        assert!(truth.may_be_missing(Server::Wiki, at(start, 65), at(start, 70)));
        assert!(!truth.may_be_missing(Server::Wiki, at(start, 90), at(start, 91)));
        assert!(!truth.was_killed(Server::Wiki, at(start, 65), at(start, 70)));
    }
}
