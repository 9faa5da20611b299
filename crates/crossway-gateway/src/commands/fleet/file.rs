//! Watches a servers file and reloads it when it changes.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use crossway_service::with_causes;

use crate::RunError;
use crate::limits::SERVERS_FILE_LOOK;
use crate::plan::PlanError;
use crate::servers::{Server, ServersFile};

/// The file of servers.
pub(super) struct Watched {
    path: PathBuf,
    seen: Option<Stamp>,
}

/// What tells one state of a file from another without reading it.
type Stamp = (SystemTime, u64);

impl Watched {
    pub(super) fn read(path: PathBuf, fixed: &[Server]) -> Result<(Self, Vec<Server>), RunError> {
        let seen = stamp(&path);
        let watched = Self { path, seen };
        let servers = watched.servers(fixed)?;
        Ok((watched, servers))
    }

    /// Waits until the file has changed and can be used. A file that can't is logged, and changes nothing.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a change that was not given is seen by the next call.
    pub(super) async fn changed(&mut self, fixed: &[Server]) -> Vec<Server> {
        loop {
            tokio::time::sleep(SERVERS_FILE_LOOK).await;
            let now = stamp(&self.path);
            if now == self.seen {
                continue;
            }
            self.seen = now;
            match self.servers(fixed) {
                Ok(servers) => {
                    tracing::info!(file = %self.path.display(), servers = servers.len(), "the file has changed");
                    return servers;
                }
                Err(error) => {
                    tracing::error!(
                        "the changed file can't be used, and changes nothing: {}",
                        with_causes(&error)
                    );
                }
            }
        }
    }

    fn servers(&self, fixed: &[Server]) -> Result<Vec<Server>, RunError> {
        let ServersFile { servers, ignored } = ServersFile::read(&self.path)?;
        let with_oauth = ignored.iter().filter_map(|member| member.strip_suffix(".oauth"));
        let with_oauth: Vec<&str> = with_oauth.collect();
        if !with_oauth.is_empty() {
            tracing::warn!(
                servers = with_oauth.join(", "),
                "no OAuth is done for servers of a file: their oauth means nothing here, and they are reached without; give them a token in headers"
            );
        }
        if !ignored.is_empty() {
            tracing::info!(ignored = ignored.join(", "), "the file says what means nothing here");
        }
        match servers.iter().find(|server| fixed.iter().any(|fixed| fixed.name == server.name)) {
            Some(twice) => Err(PlanError::Twice(twice.name.clone()).into()),
            None => {
                if servers.is_empty() {
                    tracing::warn!(file = %self.path.display(), "the file has no server that is switched on");
                }
                Ok(servers)
            }
        }
    }
}

fn stamp(path: &std::path::Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
