//! Servers of a bridge with several: merged at the root, each alone below its name, replaced at run time.

mod file;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossway_openapi::face::{self, Directory, OpenApi, encode_segment};
use crossway_router::guard::GuardOptions;
use crossway_router::{FromLegacy, Router, RouterOptions, SealedSessions, SharedBy, ToLegacyOptions};
use crossway_seal::Keyring;

use crate::RunError;
use crate::face_maker::FaceMaker;
use crate::faces::{Faces, UpstreamFaces};
use crate::limits::COMMAND_SESSIONS;
use crate::listener::BoundListener;
use crate::openapi_face::{self, OpenApiFace};
use crate::plan::UpstreamPlan;
use crate::run::run;
use crate::serve::Edge;
use crate::servers::Server;
use crate::tls::MaybeTls;
use crate::upstream::attempts::Attempts;
use crate::upstream::connect::by_plan;
use crate::upstream::member::Member;
use file::Watched;

/// The servers of a bridge.
pub(crate) struct Fleet {
    file: Option<Watched>,
    /// The servers of the command line, which stay.
    fixed: Vec<Server>,
    /// The servers of the file when it was last read.
    listed: Vec<Server>,
    /// The keys that seal session ids at the root.
    keyring: Option<Arc<Keyring>>,
    /// The environment of the file's commands, unless an entry sets a variable itself.
    env: Vec<(OsString, OsString)>,
    /// How many sessions each command may have.
    sessions: usize,
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
        Ok(Self { file, fixed, listed, keyring, env: Vec::new(), sessions: COMMAND_SESSIONS })
    }

    /// Serves them until asked to end: over MCP, and their tools as OpenAPI.
    pub(crate) async fn serve(&mut self, bound: BoundListener) -> Result<(), RunError> {
        // A bridge knows no callers, so all clients see the same.
        let router = Router::new(RouterOptions::default().same_for_all());
        let mut maker = bound.maker(false);
        let idle = maker.leave_timeout();
        // A session at the root is made of what its client said alone, so any process can take it on.
        let handles = self.keyring.clone().map(|keyring| SealedSessions::new(keyring, "/mcp"));
        let tools = maker.openapi_config();
        let directory = Directory::new(tools.clone());
        let root = maker.faces_with(Arc::new(FromLegacy::new(router.clone())), handles);
        let faces = Faces::telling_names(root.with_openapi(Some(OpenApiFace::Many(directory.clone()))));
        let mcp = Some((router, faces.clone()));
        let sessions = self.sessions;
        let running = Running { maker, idle, tools, directory, mcp, members: Vec::new(), sessions };
        self.run(running, bound, faces, MaybeTls::Plain).await
    }

    /// Serves their tools as OpenAPI alone, until asked to end.
    pub(crate) async fn serve_tools(
        &mut self,
        bound: BoundListener,
        tools: face::Config,
        door: MaybeTls,
    ) -> Result<(), RunError> {
        let directory = Directory::new(tools.clone());
        let faces = Faces::new(UpstreamFaces::openapi_only(OpenApiFace::Many(directory.clone())));
        // The title and the like of the flags are for the first document. Each server's document has what the server says of itself.
        let of_each = tools.info(None, None, None);
        let mut maker = bound.maker(false);
        let idle = maker.leave_timeout();
        let sessions = self.sessions;
        let running =
            Running { maker, idle, tools: of_each, directory, mcp: None, members: Vec::new(), sessions };
        self.run(running, bound, faces, door).await
    }

    async fn run(
        &mut self,
        mut running: Running,
        bound: BoundListener,
        faces: Faces,
        door: MaybeTls,
    ) -> Result<(), RunError> {
        let env = std::mem::take(&mut self.env);
        let all =
            |listed: Vec<Server>, fixed: &[Server]| [fixed.to_vec(), in_environment(listed, &env)].concat();
        running.apply(all(std::mem::take(&mut self.listed), &self.fixed));
        let names: Vec<String> = running.members.iter().map(|(member, _)| member.name().to_owned()).collect();
        let (file, fixed) = (self.file.take(), self.fixed.clone());
        let watching = async {
            let Some(mut file) = file else { return std::future::pending::<Infallible>().await };
            loop {
                let listed = file.changed(&fixed).await;
                running.apply(all(listed, &fixed));
            }
        };
        let served = tokio::select! {
            served = run(bound, faces.clone(), Edge::open(faces), door, |_| {}, "crossway", &names) => served?,
            never = watching => match never {},
        };
        served.close(running.close()).await;
        Ok(())
    }

    /// Gives the commands of the file these variables, unless they say others.
    pub(crate) fn in_environment(mut self, env: Vec<(OsString, OsString)>) -> Self {
        self.env = env;
        self
    }

    /// How many of the servers are commands.
    pub(crate) fn commands(&self) -> usize {
        let servers = self.fixed.iter().chain(&self.listed);
        servers.filter(|server| matches!(server.upstream, UpstreamPlan::Command(_))).count()
    }

    /// Sets how many sessions each command may have.
    pub(crate) fn sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions;
        self
    }

    /// Leaves the servers as they are, whatever becomes of the file.
    pub(crate) fn fixed(mut self) -> Self {
        self.file = None;
        self
    }
}

/// The servers as they are served.
struct Running {
    maker: FaceMaker,
    /// How long a call may be silent.
    idle: Duration,
    /// How the OpenAPI face of each behaves.
    tools: face::Config,
    directory: Directory,
    /// All servers as one, and the faces, where MCP is served.
    mcp: Option<(Router, Faces)>,
    /// Each with the router that its OpenAPI face has.
    members: Vec<(Member, Router)>,
    /// How many sessions each command may have.
    sessions: usize,
}

impl Running {
    /// Makes the servers be these. What stays as it was is not touched, and calls in flight go on.
    fn apply(&mut self, servers: Vec<Server>) {
        let names: Vec<String> = servers.iter().map(|server| server.name.clone()).collect();
        let mut before = std::mem::take(&mut self.members);
        for server in servers {
            let same = before.iter().position(|(member, _)| *member.server() == server);
            let member = match same {
                Some(same) => before.swap_remove(same),
                None => self.start(server),
            };
            self.members.push(member);
        }
        for (gone, _) in before {
            if !names.iter().any(|name| name == gone.name()) {
                self.retire_tools(self.directory.remove(gone.name()));
                if let Some((router, faces)) = &self.mcp {
                    router.remove(gone.name());
                    if let Some(removed) = faces.remove(gone.name()) {
                        self.maker.retire(removed);
                    }
                }
            }
            gone.retire(self.maker.drain());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.directory.arrange(&names);
        if let Some((router, _)) = &self.mcp {
            router.arrange(&names);
        }
    }

    fn start(&self, server: Server) -> (Member, Router) {
        let name = server.name.clone();
        let guard = GuardOptions::new().name(name.as_str()).idle(self.idle);
        let only = openapi_face::empty();
        let routers = [Some(only.clone()), self.mcp.as_ref().map(|(router, _)| router.clone())];
        let (mut maker, mut to_legacy) = (self.maker.clone(), ToLegacyOptions::shared_by(SharedBy::Everyone));
        if matches!(server.upstream, UpstreamPlan::Command(_)) {
            maker = maker.of_command(self.sessions);
            to_legacy = to_legacy.sessions(self.sessions);
        }
        let (member, modern, any_era) =
            Member::start(by_plan(), server, guard, to_legacy, Attempts::default(), move || {
                routers.iter().flatten().for_each(|router| router.refresh(&name));
            });
        let name = member.name();
        only.insert(name, &modern);
        let face = self.tools.clone().at(&format!("{}/{}", self.tools.path_prefix, encode_segment(name)));
        let face = self.maker.openapi(Arc::new(only.clone()), face.name(name));
        self.retire_tools(self.directory.insert(name, face.clone()));
        if let Some((router, faces)) = &self.mcp {
            router.insert(name, &modern);
            let own = maker.faces(Arc::new(any_era)).with_openapi(Some(OpenApiFace::One(face)));
            if let Some(replaced) = faces.insert(name, own) {
                self.maker.retire(replaced);
            }
        }
        (member, only)
    }

    fn retire_tools(&self, face: Option<OpenApi>) {
        if let Some(face) = face {
            self.maker.retire(UpstreamFaces::openapi_only(OpenApiFace::One(face)));
        }
    }

    async fn close(self) {
        futures_util::future::join_all(self.members.into_iter().map(|(member, _)| member.close())).await;
    }
}

/// The servers of a file, whose commands find these variables unless they say others.
fn in_environment(mut servers: Vec<Server>, env: &[(OsString, OsString)]) -> Vec<Server> {
    for server in &mut servers {
        if let UpstreamPlan::Command(command) = &mut server.upstream {
            let own: BTreeSet<OsString> = command.env.iter().map(|(name, _)| name.clone()).collect();
            let others = env.iter().filter(|(name, _)| !own.contains(name)).cloned();
            command.env.extend(others.collect::<Vec<_>>());
        }
    }
    servers
}
