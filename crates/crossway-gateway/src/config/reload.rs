//! Watches the config and reloads it when it changes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crossway_policy::Policy;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::limits::{LOOK, SETTLED, UNSETTLED};
use super::{ConfigErrors, Loaded, load_with, variable};
use crate::background::in_background;

/// Detects changes of a config: of the file itself, of a file of a secret, or by SIGHUP.
///
/// Files are polled every [`LOOK`], since that notices redirected links, such as Kubernetes' for a ConfigMap or a Secret,
/// and works on all file systems. A changed file is read once it has stayed the same for [`SETTLED`], since it may still
/// be being written.
#[derive(Debug)]
pub struct Reloads {
    path: PathBuf,
    seen: Stamps,
    /// The policy of the last config that was returned, of which the next one reuses much.
    policy: Policy,
    #[cfg(unix)]
    hangup: Signal,
}

/// The reason for a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    BySignal,
    ByChange,
}

/// The state of each file when it was last checked.
pub(super) type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

/// The state of a file, without its contents: the target of links, the time of its last change, and its length.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    leads_to: PathBuf,
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Reloads {
    /// Watches the files that `loaded` was read from. Changes since then are noticed at the first check.
    ///
    /// # Errors
    ///
    /// When signals can't be listened for.
    pub fn new(path: &Path, loaded: &Loaded) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            seen: loaded.files.clone(),
            policy: loaded.policy.clone(),
            #[cfg(unix)]
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until something has changed or SIGHUP came, and reads the config again. TLS certificates and the files of
    /// `credentials` are watched elsewhere.
    ///
    /// # Errors
    ///
    /// When the new config can't be used. Keep the previous one in force, and call this again for the next change.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call notices a change that was not returned. A signal may be lost.
    pub async fn next(&mut self) -> Result<Loaded, ConfigErrors> {
        loop {
            let asked = self.changed().await;
            let (path, policy) = (self.path.clone(), self.policy.clone());
            // A large config takes some tens of milliseconds.
            let reading = in_background("reload", move || {
                let mut files = Stamps::new();
                (load_with(&path, variable, &mut files, Some(&policy)), files)
            });
            let reading = match reading {
                Ok(reading) => reading,
                Err(error) => {
                    tracing::error!(%error, "no thread can be started to read the config; a change is looked for again, a signal is not");
                    continue;
                }
            };
            // This does not panic; if it did, the next change would cause the next attempt.
            let nothing = |_| (Err(ConfigErrors(Vec::new())), stamps(self.seen.keys().cloned()));
            let (read, files) = reading.await.unwrap_or_else(nothing);
            // A file that was written meanwhile may have been read in part.
            if asked == Asked::BySignal || stamps(files.keys().cloned()) == files {
                self.seen = files;
                if let Ok(loaded) = &read {
                    self.policy = loaded.policy.clone();
                }
                return read;
            }
        }
    }

    /// Waits until the files have changed and are no longer being written, or a signal came: its sender has finished writing.
    async fn changed(&mut self) -> Asked {
        let mut before: Option<Stamps> = None;
        let mut unsettled = Duration::ZERO;
        loop {
            let pause = if before.is_some() { SETTLED } else { LOOK };
            if self.asked(pause).await {
                return Asked::BySignal;
            }
            let now = stamps(self.seen.keys().cloned());
            let is_settled = before.as_ref() == Some(&now);
            unsettled = if before.is_some() { unsettled + pause } else { Duration::ZERO };
            if unsettled == UNSETTLED && !is_settled {
                let file = self.path.display();
                tracing::warn!(%file, "the config, or a file of a secret, is written again and again, and not read before that ends; SIGHUP has it read at once");
            }
            before = (now != self.seen).then_some(now);
            // Half of a config may be valid, but without its deny rules.
            if is_settled && before.is_some() {
                return Asked::ByChange;
            }
        }
    }

    /// Waits for a pause, or returns `true` if a signal comes before its end.
    #[cfg(unix)]
    async fn asked(&mut self, pause: Duration) -> bool {
        tokio::select! {
            signal = self.hangup.recv() => signal.is_some(),
            () = tokio::time::sleep(pause) => false,
        }
    }

    #[cfg(not(unix))]
    async fn asked(&mut self, pause: Duration) -> bool {
        tokio::time::sleep(pause).await;
        false
    }
}

/// Returns the states of files.
fn stamps(files: impl Iterator<Item = PathBuf>) -> Stamps {
    files
        .map(|file| {
            let stamp = stamp(&file);
            (file, stamp)
        })
        .collect()
}

/// Returns the state of a file, or `None` if it does not exist.
pub(super) fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some(Stamp {
        leads_to: fs::canonicalize(file).ok()?,
        modified: metadata.modified().ok(),
        bytes: metadata.len(),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::load;

    const CONFIG: &str = "upstreams: { time: { command: uvx } }\n";

    fn upstreams(loaded: &Loaded) -> Vec<&str> {
        loaded.upstreams.iter().map(|upstream| upstream.name.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_the_file_is_read_and_a_broken_one_is_told_and_passed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crossway.yaml");
        fs::write(&path, CONFIG).unwrap();
        let first = load(&path).unwrap();
        let mut reloads = Reloads::new(&path, &first).unwrap();

        fs::write(&path, "upstreams: { time: { comand: uvx } }\n").unwrap();
        let errors = reloads.next().await.unwrap_err();
        assert!(errors.to_string().contains("is \"command\" meant?"), "{errors}");

        fs::write(&path, "upstreams: { other: { command: uvx } }\n").unwrap();
        let other = reloads.next().await.unwrap();
        assert_eq!(upstreams(&other), ["other"]);
        // What is in force is what was read, whatever the file has become.
        assert_ne!(first.hash, other.hash);
        fs::write(&path, CONFIG).unwrap();
        assert_eq!(first.hash, reloads.next().await.unwrap().hash);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_being_written_is_read_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crossway.yaml");
        fs::write(&path, CONFIG).unwrap();
        let mut reloads = Reloads::new(&path, &load(&path).unwrap()).unwrap();
        let text = "upstreams:\n  time: { command: uvx }\n  other: { command: uvx }\n";
        let written = async {
            // Each piece comes just before the one before it would be read.
            let just_before = |wait: Duration| wait - Duration::from_millis(1);
            let ends = text.match_indices('\n').map(|(at, _)| at + 1);
            for (end, wait) in ends.zip([LOOK + SETTLED, SETTLED, SETTLED]) {
                fs::write(&path, &text[..end]).unwrap();
                tokio::time::sleep(just_before(wait)).await;
            }
        };
        let (loaded, ()) = tokio::join!(reloads.next(), written);
        assert_eq!(upstreams(&loaded.unwrap()), ["other", "time"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_was_emptied_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crossway.yaml");
        fs::write(&path, CONFIG).unwrap();
        let mut reloads = Reloads::new(&path, &load(&path).unwrap()).unwrap();
        fs::write(&path, "\n").unwrap();
        let errors = reloads.next().await.unwrap_err();
        assert!(errors.to_string().contains("there is nothing in it"), "{errors}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_is_turned_to_a_file_of_the_same_length_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, name) in [("..1", "a"), ("..2", "b")] {
            fs::create_dir(at(version)).unwrap();
            let text = format!("upstreams: {{ {name}: {{ command: uvx }} }}\n");
            fs::write(at(version).join("crossway.yaml"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/crossway.yaml", at("crossway.yaml")).unwrap();
        let path = at("crossway.yaml");
        let mut reloads = Reloads::new(&path, &load(&path).unwrap()).unwrap();

        // As Kubernetes does: the new link is made beside the old one, and renamed onto it.
        symlink("..2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert_eq!(upstreams(&reloads.next().await.unwrap()), ["b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_secrets_file_that_was_missing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crossway.yaml");
        fs::write(&path, CONFIG).unwrap();
        let mut reloads = Reloads::new(&path, &load(&path).unwrap()).unwrap();

        let text = "upstreams: { wiki: { url: 'http://w/', headers: { Authorization: 'file:token' } } }\n";
        fs::write(&path, text).unwrap();
        let errors = reloads.next().await.unwrap_err();
        assert!(errors.to_string().contains("the secret's file"), "{errors}");

        fs::write(folder.path().join("token"), "one\n").unwrap();
        assert_eq!(upstreams(&reloads.next().await.unwrap()), ["wiki"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_secrets_file_that_changes_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crossway.yaml");
        let secret = folder.path().join("token");
        fs::write(&secret, "one\n").unwrap();
        let text = "upstreams: { wiki: { url: 'http://w/', headers: { Authorization: 'file:token' } } }\n";
        fs::write(&path, text).unwrap();
        let loaded = load(&path).unwrap();
        let is_literal =
            |finding: &super::super::Finding| matches!(finding.problem, super::super::Problem::LiteralSecret);
        assert!(!loaded.warnings.iter().any(is_literal));
        let mut reloads = Reloads::new(&path, &loaded).unwrap();

        fs::write(&secret, "another\n").unwrap();
        let before = loaded.fixed;
        let loaded = reloads.next().await.unwrap();
        assert_eq!(before, loaded.fixed);
        let crate::plan::UpstreamPlan::Url(plan) = &loaded.upstreams[0].plan else { panic!("no URL") };
        assert_eq!(plan.headers[0].1, "another");
    }

    #[tokio::test(start_paused = true)]
    async fn certificates_that_can_not_be_used_hold_up_no_other_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crossway.yaml");
        fs::write(&path, CONFIG).unwrap();
        let mut reloads = Reloads::new(&path, &load(&path).unwrap()).unwrap();
        let tls = "tls: { certificate: none.pem, key: none.pem }\n";
        fs::write(&path, format!("{tls}upstreams: {{ other: {{ command: uvx }} }}\n")).unwrap();
        let loaded = reloads.next().await.unwrap();
        assert_eq!(upstreams(&loaded), ["other"]);
        assert!(loaded.warnings.iter().any(|warning| warning.path == "tls.certificate"));
        assert!(load(&path).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_secrets_file_of_what_holds_from_the_next_start_on_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crossway.yaml");
        let secret = folder.path().join("key");
        fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
        let operations = "operations: { listen: '127.0.0.1:9808', admin_key: 'file:key' }\n";
        fs::write(&path, format!("{CONFIG}{operations}audit: {{ file: stderr, key: 'file:key' }}\n"))
            .unwrap();
        let loaded = load(&path).unwrap();
        let mut reloads = Reloads::new(&path, &loaded).unwrap();

        fs::write(&secret, "another-0123456789abcdef0123456789abcdef\n").unwrap();
        let after = reloads.next().await.unwrap();
        assert_eq!(loaded.fixed.changed_in(&after.fixed), ["operations", "audit"]);
    }
}
