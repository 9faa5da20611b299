//! `crossway serve`: many upstreams for many tenants, where each caller sees and calls only what is granted.
//!
//! ```text
//! request -> identity: who calls -> actor: as one of which tenant, with which rights -> face -> FromLegacy (legacy clients become modern)
//!         -> audit -> Router, which asks the policy -> gate: no permit, no call -> sanitize -> owner: whose question it is -> quotas
//!         -> metrics -> credentials -> key: which instance -> the instance of the caller's scope -> guard -> server
//! ```

mod access;
mod actor;
mod ask;
mod audit_file;
mod current_policy;
mod edge;
mod endings;
mod instances;
mod limits;
mod manager;
mod operating;
mod owned;
mod question;
mod quotas;
mod recorded;
mod redacted;
mod running;
mod sent;
mod session_limiters;
mod supply;
mod upstream;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use crossway_layers::audit::AuditLayer;
use crossway_layers::credentials::{NamedSource, SecretStore};
use crossway_layers::trace::TraceLayer;
use crossway_openapi::face::{Directory, NeedsBearer, OpenApi, encode_segment};
use crossway_policy::TenantName;
use crossway_router::{FromLegacy, Router, RouterOptions, SealedSessions};
use crossway_seal::Keyring;
use crossway_service::{Upstream, extension_of};
use parking_lot::Mutex;

use crate::args::{Listen, LogArgs, ServeArgs};
use crate::background::in_background;
use crate::config::{self, Loaded, UpstreamSpec};
use crate::face_maker::FaceMaker;
use crate::faces::Faces;
use crate::listener::ServeError;
use crate::metrics::Metrics;
use crate::openapi_face::OpenApiFace;
use crate::otlp::Telemetry;
use crate::upstream::connect::Connect;
use crate::{RunError, Running};
pub(crate) use ask::list;
pub use ask::{explain, tools};
pub(crate) use edge::Edge;

use access::PolicyAccess;
use actor::Actor;
use current_policy::{CurrentPolicy, PolicySnapshot};
use instances::MonitoredUpstream;
use manager::{Manager, Sockets};
use recorded::Recorded;
use redacted::RedactLayer;
use upstream::{Counts, Served};

/// A loaded config and the sockets of the service manager. Everything that can be wrong before the start has been checked.
pub struct Prepared {
    file: PathBuf,
    loaded: Loaded,
    manager: Manager,
    sockets: Sockets,
    telemetry: Telemetry,
}

impl Prepared {
    /// Loads the config, and starts logging as it says.
    ///
    /// # Errors
    ///
    /// When the config can't be used, or what the environment says of sockets and collectors.
    pub fn new(args: ServeArgs, log: &LogArgs) -> Result<Self, RunError> {
        let (manager, sockets) = Manager::from_env()?;
        let mut loaded = config::load(&args.config.file)?;
        let (telemetry, spans) = Telemetry::from_env(|name| std::env::var(name).ok())?;
        crate::log::start_with(log, &loaded.log, spans)?;
        crate::log::warn_of_authorities();
        warn(&loaded);
        if let Some(address) = args.listen.map(Listen::address) {
            if !address.ip().is_loopback() && loaded.listening.hosts.is_loopback() {
                return Err(ServeError::NoAllowedHosts(address).into());
            }
            loaded.listening.address = address;
        }
        Ok(Self { file: args.config.file, loaded, manager, sockets, telemetry })
    }

    /// The number of worker threads, if the config sets it.
    #[must_use]
    pub fn threads(&self) -> Option<NonZeroUsize> {
        self.loaded.limits.threads
    }

    /// How many connections of clients there may be.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.loaded.limits.connections
    }

    /// Serves until asked to end.
    ///
    /// # Errors
    ///
    /// When an address is taken, or certificates or the audit log can't be used.
    #[must_use]
    pub fn serve(self) -> Running {
        Box::pin(running::serve(self))
    }
}

/// Logs the warnings about a config that is being applied.
fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("file", &self.file).finish_non_exhaustive()
    }
}

/// The running gateway: the policy in force, the upstreams, and the faces that clients see.
struct Gateway {
    current: CurrentPolicy,
    maker: FaceMaker,
    keyring: Option<Arc<Keyring>>,
    /// The keys that bind `requestState` to callers: the session keys, or a key of this process if there are none.
    states: Arc<Keyring>,
    secrets: SecretStore,
    counts: Counts,
    faces: Faces,
    /// The OpenAPI face of all upstreams together.
    directory: Directory,
    /// Whether OpenAPI documents declare bearer authentication.
    needs_bearer: NeedsBearer,
    /// The router that joins all upstreams.
    merged: Router,
    served: Vec<Served>,
    /// The open endpoints that choose a tenant.
    endpoints: Vec<String>,
    metrics: Metrics,
    audit: Option<AuditLayer>,
    /// Whether calls have spans.
    is_traced: bool,
    /// Connects to upstreams.
    connect: Connect,
    /// The upstreams that are shown to operators.
    monitored: Arc<Mutex<Vec<MonitoredUpstream>>>,
}

impl Gateway {
    fn new(
        current: CurrentPolicy,
        maker: FaceMaker,
        keyring: Option<Arc<Keyring>>,
        metrics: Metrics,
        audit: Option<AuditLayer>,
        is_traced: bool,
        connect: Connect,
    ) -> Result<Self, RunError> {
        let merged = Router::new(
            RouterOptions::default().access(PolicyAccess::by_prefix(current.clone(), metrics.clone())),
        );
        let handles = keyring.clone().map(|keyring| SealedSessions::new(keyring, "/mcp"));
        let needs_bearer = NeedsBearer::default();
        needs_bearer.set(wants_proof(&current));
        let directory = Directory::for_callers(
            maker.openapi_config().needs_bearer(needs_bearer.clone()).tells_of_unlisted(),
            reaches,
        );
        let root = maker.faces_with(face(&merged, audit.as_ref(), is_traced), handles);
        let faces = Faces::new(root.with_openapi(Some(OpenApiFace::Many(directory.clone()))));
        let named: [(String, Arc<dyn NamedSource>); 0] = [];
        let secrets =
            SecretStore::through(current.get().proxies.clone(), named).ok_or(RunError::NoRandomness)?;
        let counts = Counts::new(&current, &metrics);
        let states = keyring.clone().map_or_else(|| Keyring::random().map(Arc::new), Ok);
        let states = states.map_err(|_| RunError::NoRandomness)?;
        let mut gateway = Self {
            current,
            maker,
            keyring,
            states,
            secrets,
            counts,
            faces,
            directory,
            needs_bearer,
            merged,
            served: Vec::new(),
            endpoints: Vec::new(),
            metrics,
            audit,
            is_traced,
            connect,
            monitored: Arc::default(),
        };
        gateway.open_endpoints();
        Ok(gateway)
    }

    /// Puts a config into force. Calls in flight finish under the old one. Sessions get their new rights with their next message, and
    /// clients are told that their lists may have changed.
    fn reload(&mut self, mut loaded: Loaded) {
        let upstreams = std::mem::take(&mut loaded.upstreams);
        let before = self.current.get();
        loaded.identity.take_over(&before.identity);
        loaded.identity.start(&self.metrics, &loaded.proxies);
        let tenants = std::mem::take(&mut loaded.tenants);
        let snapshot = PolicySnapshot::of(loaded, &upstreams, Some(&before), &self.metrics);
        let generation = snapshot.actors.generation();
        drop(before);
        let before = self.current.set(snapshot);
        // Where no thread can be started, it is dropped here.
        let _ = in_background("reloaded", move || drop(before));
        self.needs_bearer.set(wants_proof(&self.current));
        // Before the upstreams, because a new upstream may have the name of an endpoint that is gone.
        self.close_endpoints();
        self.apply(upstreams);
        let upstreams = self.served.iter().map(|served| served.spec.name.as_str()).collect();
        self.metrics.keep(&tenants.iter().map(TenantName::as_str).collect(), &upstreams);
        self.open_endpoints();
        self.merged.announce();
        self.served.iter().for_each(Served::announce);
        tracing::info!(generation, upstreams = self.served.len(), "the config has changed");
    }

    /// Applies the configured upstreams: keeps unchanged ones, starts new ones, retires the rest. Calls in flight finish.
    fn apply(&mut self, specs: Vec<UpstreamSpec>) {
        let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
        let mut before = std::mem::take(&mut self.served);
        for spec in specs {
            if let Some(same) = before.iter().position(|served| served.spec == spec) {
                self.served.push(before.swap_remove(same));
                continue;
            }
            let name = spec.name.clone();
            let served = Served::new(
                spec,
                &self.current,
                &self.secrets,
                &self.counts,
                &self.metrics,
                &self.states,
                &self.connect,
            );
            match served.spec.instructions {
                true => self.merged.insert(&served.spec.prefix, &served.upstream),
                false => self.merged.insert_without_instructions(&served.spec.prefix, &served.upstream),
            }
            let openapi = self.openapi(&served);
            self.directory.insert(&name, openapi.clone());
            let handles = self.handles(&format!("/{name}/mcp"));
            let faces = self.maker.faces_with(self.face(&served.alone), handles);
            let faces = faces.with_openapi(Some(OpenApiFace::One(openapi)));
            if let Some(replaced) = self.faces.insert(&name, faces) {
                self.maker.retire(replaced);
            }
            self.served.push(served);
        }
        let prefixes: Vec<&str> = self.served.iter().map(|served| served.spec.prefix.as_str()).collect();
        for gone in before {
            if !prefixes.contains(&gone.spec.prefix.as_str()) {
                self.merged.remove(&gone.spec.prefix);
            }
            if !names.contains(&gone.spec.name)
                && let Some(removed) = self.faces.remove(&gone.spec.name)
            {
                self.directory.remove(&gone.spec.name);
                self.maker.retire(removed);
            }
            gone.retire(self.maker.drain());
        }
        self.merged.arrange(&prefixes);
        self.directory.arrange(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let monitored = self.served.iter().map(Served::monitored).collect();
        *self.monitored.lock() = monitored;
    }

    fn face(&self, router: &Router) -> Arc<dyn Upstream> {
        face(router, self.audit.as_ref(), self.is_traced)
    }

    /// The OpenAPI face of one upstream. It asks for the list of tools before each call; these requests are not recorded, because no
    /// caller made them.
    fn openapi(&self, served: &Served) -> OpenApi {
        let config = self.directory.config().at(&encode_segment(&served.spec.name));
        let recorded = recorded(&served.alone, self.audit.as_ref(), self.is_traced);
        let upstream = Recorded::new(Arc::new(served.alone.clone().layered(RedactLayer)), recorded);
        self.maker.openapi(Arc::new(upstream), config.name(&served.spec.name))
    }

    /// Closes the endpoints that the config no longer has.
    fn close_endpoints(&mut self) {
        let current = self.current.get();
        for gone in self.endpoints.extract_if(.., |endpoint| !current.endpoints.contains_key(endpoint)) {
            if let Some(removed) = self.faces.remove(&gone) {
                self.maker.retire(removed);
            }
        }
    }

    /// Opens the endpoints that choose a tenant. Like the root, each of them serves all upstreams together.
    fn open_endpoints(&mut self) {
        let endpoints = self.current.get().endpoints.clone();
        for endpoint in endpoints.keys().filter(|endpoint| !self.endpoints.contains(endpoint)) {
            let handles = self.handles(&format!("/{endpoint}/mcp"));
            let faces = self.maker.faces_with(self.face(&self.merged), handles);
            let openapi = OpenApiFace::Many(self.directory.at(&encode_segment(endpoint)));
            self.faces.insert(endpoint, faces.with_openapi(Some(openapi)));
        }
        self.endpoints = endpoints.into_keys().collect();
    }

    fn handles(&self, route: &str) -> Option<SealedSessions> {
        self.keyring.clone().map(|keyring| SealedSessions::new(keyring, route))
    }

    async fn close(self) {
        futures_util::future::join_all(self.served.iter().map(Served::close)).await;
        self.counts.endings.all().await;
    }
}

/// A router for clients of both eras. The audit log records its calls.
fn face(router: &Router, audit: Option<&AuditLayer>, is_traced: bool) -> Arc<dyn Upstream> {
    Arc::new(FromLegacy::new(recorded(router, audit, is_traced)))
}

/// A router whose calls the audit log records.
fn recorded(router: &Router, audit: Option<&AuditLayer>, is_traced: bool) -> Arc<dyn Upstream> {
    let inner: Arc<dyn Upstream> = match audit {
        Some(audit) => Arc::new(router.clone().layered(audit.clone())),
        None => Arc::new(router.clone()),
    };
    let inner = inner.layered(RedactLayer);
    if is_traced { Arc::new(inner.layered(TraceLayer::new())) } else { Arc::new(inner) }
}

/// Whether callers have to authenticate.
fn wants_proof(current: &CurrentPolicy) -> bool {
    current.get().identity.proof() != "none"
}

/// Whether a caller may reach an upstream.
fn reaches(upstream: &str, caller: &http::Extensions) -> bool {
    extension_of::<Actor>(caller).is_some_and(|actor| actor.rights().reaches(upstream))
}

#[cfg(test)]
mod tests;
