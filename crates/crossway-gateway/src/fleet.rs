//! The servers of a bridge that has several: merged at the root, each alone below its name, changed while they are served.

mod file;

use std::path::PathBuf;
use std::sync::Arc;

use crossway_router::guard::GuardOptions;
use crossway_router::{Front, Router, RouterOptions, SealedSessions, Share};
use crossway_seal::Keyring;

use crate::RunError;
use crate::connect::by_plan;
use crate::faces::{Faces, encode_name};
use crate::member::Member;
use crate::serve::{Bound, Maker, run};
use crate::servers::Server;
use crate::serving::Edge;
use crate::tls::Door;
use file::Watched;

/// The servers of a bridge.
pub(crate) struct Fleet {
    file: Option<Watched>,
    /// Those of the command line, which stay.
    fixed: Vec<Server>,
    /// Those of the file when it was last read.
    listed: Vec<Server>,
    /// What session ids at the root are sealed with.
    keyring: Option<Arc<Keyring>>,
}

impl Fleet {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it can't be used, or gives a server the name of one of the command line.
    pub(crate) fn new(
        file: Option<PathBuf>,
        fixed: Vec<Server>,
        keyring: Option<Arc<Keyring>>,
    ) -> Result<Self, RunError> {
        let (file, listed) = match file {
            Some(path) => {
                let (watched, listed) = Watched::read(path, &fixed)?;
                (Some(watched), listed)
            }
            None => (None, Vec::new()),
        };
        Ok(Self { file, fixed, listed, keyring })
    }

    /// Serves them until asked to end.
    pub(crate) async fn serve(&mut self, bound: Bound) -> Result<(), RunError> {
        // Nobody is known to a bridge: all clients see the same.
        let router = Router::new(RouterOptions::default().same_for_all());
        let maker = bound.maker(false);
        // A session at the root is made of what its client said alone, so any process can take it on.
        let handles = self.keyring.clone().map(|keyring| SealedSessions::new(keyring, "/mcp"));
        let faces = Faces::new(maker.pair_with(Arc::new(Front::new(router.clone())), handles));
        let mut running = Running { router, maker, faces: faces.clone(), members: Vec::new() };
        let all = |listed: Vec<Server>, fixed: &[Server]| [fixed.to_vec(), listed].concat();
        running.apply(all(std::mem::take(&mut self.listed), &self.fixed));
        let names: Vec<String> = running.members.iter().map(|member| encode_name(member.name())).collect();
        let (file, fixed) = (self.file.take(), self.fixed.clone());
        let watching = async {
            let Some(mut file) = file else { return std::future::pending().await };
            loop {
                let listed = file.changed(&fixed).await;
                running.apply(all(listed, &fixed));
            }
        };
        tokio::select! {
            served = run(bound, Edge::open(faces), Door::Open, || {}, "crossway", &names) => served?,
            () = watching => {}
        }
        running.close().await;
        Ok(())
    }
}

/// The servers as they are served.
struct Running {
    router: Router,
    maker: Maker,
    faces: Faces,
    members: Vec<Member>,
}

impl Running {
    /// Makes the servers be these. What stays as it was is not touched, and calls in flight go on.
    fn apply(&mut self, servers: Vec<Server>) {
        let names: Vec<String> = servers.iter().map(|server| server.name.clone()).collect();
        let mut before = std::mem::take(&mut self.members);
        for server in servers {
            let same = before.iter().position(|member| *member.server() == server);
            if let Some(same) = same {
                self.members.push(before.swap_remove(same));
                continue;
            }
            let (router, name) = (self.router.clone(), server.name.clone());
            let guard = GuardOptions::new().name(name.as_str());
            let (member, modern, any_era) =
                Member::start(by_plan(), server, guard, Share::Shared, move || router.refresh(&name));
            self.router.insert(member.name(), &modern);
            if let Some(pair) = self.faces.insert(member.name(), self.maker.pair(Arc::new(any_era))) {
                self.maker.retire(pair);
            }
            self.members.push(member);
        }
        for gone in before {
            if !names.iter().any(|name| name == gone.name()) {
                self.router.remove(gone.name());
                if let Some(pair) = self.faces.remove(gone.name()) {
                    self.maker.retire(pair);
                }
            }
            gone.retire(self.maker.drain());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.router.arrange(&names);
    }

    async fn close(self) {
        futures_util::future::join_all(self.members.into_iter().map(Member::close)).await;
    }
}
