//! Serves faces on a listener until shutdown.

use std::io::{ErrorKind, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossway_http_sse::{HttpSse, ServerLimits};
use crossway_openapi::face;
use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_router::SealedSessions;
use crossway_router::guard::IdleTimeout;
use crossway_service::Upstream;
use crossway_streamable_http::server::http::{HttpLimits, HttpService, Listeners, serve_with};
use crossway_streamable_http::server::{Config, Limits, StreamableHttp};
use futures_util::FutureExt as _;
use futures_util::future::{join, select};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::banner;
use crate::config::file::LimitsFile;
use crate::config::{Listening, Loaded};
use crate::cors::CorsService;
use crate::faces::{Faces, Pair};
use crate::limits::LAST_ANSWERS;
use crate::plan::Serving;
use crate::shutdown::{Hangup, Signals};
use crate::tls::MaybeTls;

/// Why an upstream can't be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("can't listen on {address}{at}; {}", instead(source.kind()))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What says so, unless it is the clients' address.
        at: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Listening beyond loopback without names.
    #[error(
        "{0} can be reached from other machines: name in the config's allow_hosts what clients call it by, such as \
         allow_hosts: [gateway.example.com]"
    )]
    NoAllowedHosts(SocketAddr),
    /// A name for the `Host` check is none.
    #[error("--allow-host {0:?} is not a host name")]
    BadHost(String),
    /// An origin for the `Origin` check is none.
    #[error("--allow-origin {0:?} is not an origin; one is written as https://chat.example.com")]
    BadOrigin(String),
    /// The URLs could not be told, or signals not be listened for.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// What to do about an address that can't be had.
fn instead(why: ErrorKind) -> &'static str {
    match why {
        ErrorKind::AddrInUse => "choose another port, or 0, which takes a free one",
        ErrorKind::AddrNotAvailable => {
            "take an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them"
        }
        ErrorKind::PermissionDenied => "choose a port from 1024 on: those below are for root",
        _ => "choose another one",
    }
}

/// An address that is bound, so that nothing is started in vain.
#[derive(Debug)]
pub struct BoundListener {
    listeners: Listeners,
    hosts: AllowedHosts,
    origins: AllowedOrigins,
    serving: Serving,
    /// Whether nobody is authenticated.
    is_open: bool,
    /// Where tools alone are served, what stands before the names of servers in their paths.
    tools_below: Option<String>,
    /// Whether what is served speaks revisions from 2026-07-28 on alone, so that HTTP+SSE would be of no use.
    is_modern_only: bool,
    limits: Bounds,
    /// What asks to end is heard from before anything is started.
    signals: Signals,
}

/// How much faces and connections take on.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    http: HttpLimits,
    mcp: Limits,
    sse: ServerLimits,
}

impl From<&LimitsFile> for Bounds {
    fn from(file: &LimitsFile) -> Self {
        let mut limits = Self::default();
        limits.http.connections = file.connections;
        // Another replica takes what finds this one's address closed, and is not asked after a refusal by 503.
        limits.http.accepts_in_drain = false;
        (limits.mcp.sessions, limits.sse.sessions) = (file.sessions, file.sessions);
        (limits.mcp.session_idle, limits.mcp.session_life) = (file.session_idle.0, file.session_life.0);
        (limits.mcp.body_idle, limits.sse.body_stall) = (file.body_idle.0, file.body_idle.0);
        limits.mcp.message.message_bytes = file.message.0;
        limits.sse.message.message_bytes = file.message.0;
        limits
    }
}

impl Bounds {
    /// The same in front of a command, which has at most this many sessions.
    fn of_command(mut self, sessions: usize) -> Self {
        (self.mcp.sessions, self.sse.sessions) = (sessions, sessions);
        self.mcp.evicts_sessions = true;
        self
    }
}

impl BoundListener {
    /// Checks what `serving` says, and binds its address.
    ///
    /// # Errors
    ///
    /// When a name can't be one, or the address is taken.
    pub async fn new(serving: Serving) -> Result<Self, ServeError> {
        let signals = Signals::new(Hangup::Ends)?;
        let mut hosts = AllowedHosts::loopback();
        for host in &serving.allow_hosts {
            hosts = hosts.and(host).map_err(|_| ServeError::BadHost(host.clone()))?;
        }
        let mut origins = AllowedOrigins::loopback();
        for origin in &serving.allow_origins {
            origins = origins.and(origin).map_err(|_| ServeError::BadOrigin(origin.clone()))?;
        }
        let address = serving.address;
        let listeners = listener(address, None, "").await?.into();
        let limits = Bounds::default();
        Ok(Self {
            listeners,
            hosts,
            origins,
            serving,
            is_open: true,
            tools_below: None,
            is_modern_only: false,
            limits,
            signals,
        })
    }

    /// Ready when the process is asked to end before it serves.
    pub(crate) async fn asked(&mut self) -> std::io::Result<()> {
        self.signals.asked().await
    }

    /// Binds the address of a config whose callers are known.
    ///
    /// # Errors
    ///
    /// When the address is taken.
    pub(crate) async fn listening(
        loaded: &Loaded,
        bound: Vec<std::net::TcpListener>,
    ) -> Result<Self, ServeError> {
        let signals = Signals::new(Hangup::Reloads)?;
        let Listening { address, hosts, origins, .. } = loaded.listening.clone();
        let serving = Serving {
            address,
            allow_hosts: Vec::new(),
            allow_origins: Vec::new(),
            drain: loaded.limits.drain.0,
            // Each upstream has times of its own.
            timeout: Duration::ZERO,
        };
        let mut bound = bound.into_iter();
        let mut listeners = Listeners::from(listener(address, bound.next(), "").await?);
        for more in bound {
            listeners = listeners.and(listener(address, Some(more), "").await?);
        }
        let limits = Bounds::from(&loaded.limits);
        Ok(Self {
            listeners,
            hosts,
            origins,
            serving,
            is_open: false,
            tools_below: None,
            is_modern_only: false,
            limits,
            signals,
        })
    }

    /// Serves tools as OpenAPI alone, whose face has seen to who may call.
    pub(crate) fn of_tools(mut self, face: &face::Config) -> Self {
        (self.is_open, self.tools_below) = (false, Some(face.path_prefix.clone()));
        (self.hosts, self.origins) = (face.hosts.clone(), face.origins.clone());
        self
    }

    /// Serves revisions from 2026-07-28 on alone, if `is_modern_only`.
    pub(crate) fn modern_only(mut self, is_modern_only: bool) -> Self {
        self.is_modern_only = is_modern_only;
        self
    }

    /// Serves a command, with at most this many sessions.
    pub(crate) fn of_command(mut self, sessions: usize) -> Self {
        self.limits = self.limits.of_command(sessions);
        self
    }

    /// What makes the faces of an upstream here. `is_embedded` says whether the upstream is in this process.
    pub(crate) fn maker(&self, is_embedded: bool) -> Maker {
        Maker {
            hosts: self.hosts.clone(),
            origins: self.origins.clone(),
            timeout: self.serving.timeout,
            drain: self.serving.drain,
            is_embedded,
            is_modern_only: self.is_modern_only,
            limits: self.limits,
        }
    }
}

/// The socket that is bound already, or one at the address.
pub(crate) async fn listener(
    address: SocketAddr,
    bound: Option<std::net::TcpListener>,
    at: &'static str,
) -> Result<TcpListener, ServeError> {
    let listener = match bound {
        Some(bound) => TcpListener::from_std(bound),
        None => TcpListener::bind(address).await,
    };
    listener.map_err(|source| ServeError::Listen { address, at, source })
}

/// Makes the faces of upstreams, all with the same rules.
#[derive(Clone)]
pub(crate) struct Maker {
    hosts: AllowedHosts,
    origins: AllowedOrigins,
    timeout: Duration,
    drain: Duration,
    is_embedded: bool,
    is_modern_only: bool,
    limits: Bounds,
}

impl Maker {
    /// Leaves it to each upstream's guard to end calls that are silent. Returns after how long.
    pub(crate) fn leave_timeout(&mut self) -> Duration {
        std::mem::take(&mut self.timeout)
    }

    /// For faces that nobody reaches.
    pub(crate) fn unserved(hosts: AllowedHosts, origins: AllowedOrigins) -> Self {
        Self {
            hosts,
            origins,
            timeout: Duration::ZERO,
            drain: Duration::ZERO,
            is_embedded: false,
            is_modern_only: false,
            limits: Bounds::default(),
        }
    }

    /// The same for a command, which has at most this many sessions.
    pub(crate) fn of_command(&self, sessions: usize) -> Self {
        Self { limits: self.limits.of_command(sessions), ..self.clone() }
    }

    /// Both faces of an upstream.
    pub(crate) fn pair(&self, upstream: Arc<dyn Upstream>) -> Pair {
        self.pair_with(upstream, None)
    }

    /// Both faces of an upstream whose sessions other processes may take on, if there are `handles`.
    pub(crate) fn pair_with(&self, upstream: Arc<dyn Upstream>, handles: Option<SealedSessions>) -> Pair {
        let upstream = Arc::new(IdleTimeout::new(upstream, self.timeout));
        let mut config = Config::new()
            .limits(self.limits.mcp)
            .hosts(self.hosts.clone())
            .origins(self.origins.clone())
            .stream_control(self.is_embedded)
            .modern_only(self.is_modern_only);
        if let Some(handles) = handles {
            config = config.session_handles(Arc::new(handles));
        }
        let mcp = StreamableHttp::new(Arc::clone(&upstream), config);
        if self.is_modern_only {
            return Pair::modern_only(mcp);
        }
        let sse = crossway_http_sse::Config::new()
            .limits(self.limits.sse)
            .hosts(self.hosts.clone())
            .origins(self.origins.clone());
        Pair::new(mcp, HttpSse::new(upstream, sse))
    }

    /// How an OpenAPI face behaves beside MCP.
    pub(crate) fn tools(&self) -> face::Config {
        let mut limits = face::Limits::default();
        limits.body_bytes = limits.body_bytes.min(self.limits.mcp.message.message_bytes);
        limits.body_idle = self.limits.mcp.body_idle;
        face::Config::new()
            .beside_mcp()
            .limits(limits)
            .hosts(self.hosts.clone())
            .origins(self.origins.clone())
    }

    /// The OpenAPI face of an upstream.
    pub(crate) fn tools_of(&self, upstream: Arc<dyn Upstream>, config: face::Config) -> face::OpenApi {
        face::OpenApi::new(Arc::new(IdleTimeout::new(upstream, self.timeout)), config)
    }

    /// How long calls in flight get at the end.
    pub(crate) fn drain(&self) -> Duration {
        self.drain
    }

    /// Ends faces that are no longer reached: calls in flight may finish.
    pub(crate) fn retire(&self, pair: Pair) {
        let drain = self.drain;
        pair.drain();
        tokio::spawn(async move {
            tokio::time::sleep(drain).await;
            pair.close().await;
        });
    }
}

/// What is told of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was asked for. Nothing has ended yet.
    Asked,
    /// Calls that are still in flight are cancelled.
    CutsOff,
}

/// Serves faces, behind what decides who gets to them, until asked to end, which `ending` is told first. Calls in flight may finish
/// within the drain time then; the rest is for [`Drained::close`]. `named` are the servers that are below their names.
///
/// # Errors
///
/// When the URLs can't be printed.
pub(crate) async fn run<E: FnMut(Ending)>(
    bound: BoundListener,
    faces: Faces,
    edge: impl HttpService<Body: http_body::Body<Data = Bytes>>,
    door: MaybeTls,
    mut ending: E,
    name: &str,
    named: &[String],
) -> Result<Drained<E>, ServeError> {
    let BoundListener {
        listeners,
        hosts,
        origins,
        serving,
        is_open,
        tools_below,
        is_modern_only,
        limits,
        mut signals,
    } = bound;
    let edge = CorsService::new(hosts, origins, edge);
    let address = listeners.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let is_secure = door.is_secure();
    let server = tokio::spawn(serve_with(listeners, door, edge, limits.http, async { drop(stopped.await) }));
    tell(address, is_secure, |base, for_people| match tools_below.as_deref() {
        Some(prefix) => banner::of_tools(base, prefix, named),
        None if is_modern_only => banner::modern_only(base),
        None => banner::text(base, name, named, for_people),
    })?;
    if is_open && !address.ip().is_loopback() {
        tracing::warn!(%address, "nobody is authenticated: whoever reaches this address can call the server behind it");
    }

    signals.asked().await?;
    ending(Ending::Asked);
    tracing::info!(seconds = serving.drain.as_secs_f64(), "ending; calls in flight may finish");
    faces.drain();
    let _ = stop.send(());
    let mut server = server;
    let is_cut_off = tokio::select! {
        drained = tokio::time::timeout(serving.drain, &mut server) => {
            if drained.is_err() {
                tracing::warn!("calls were still in flight when the time to drain was over; they are cancelled");
            }
            drained.is_err()
        }
        again = signals.asked() => {
            again?;
            tracing::warn!("asked to end once more; calls that are still in flight are cancelled");
            true
        }
    };
    Ok(Drained { faces, server, is_cut_off, ending })
}

/// What is left to end when calls in flight have had their time.
#[must_use]
pub(crate) struct Drained<E> {
    faces: Faces,
    server: JoinHandle<()>,
    is_cut_off: bool,
    ending: E,
}

impl<E: FnMut(Ending)> Drained<E> {
    /// Cancels the calls that are still in flight, and ends all sessions and `upstreams` at once: the time that one takes to end is no
    /// other's.
    pub(crate) async fn close(mut self, upstreams: impl Future<Output = ()>) {
        let closing = self.faces.close().shared();
        if self.is_cut_off {
            (self.ending)(Ending::CutsOff);
            // Calls get their outcome from the faces, and connections have to be there for it.
            let sessions = closing.clone().then(|()| std::future::pending::<()>());
            let told = select(&mut self.server, Box::pin(sessions));
            let _ = tokio::time::timeout(LAST_ANSWERS, told).await;
            self.server.abort();
        }
        join(closing, upstreams).await;
    }
}

/// Prints where the server is: for programs, and for people more than that.
fn tell(
    address: SocketAddr,
    is_secure: bool,
    text: impl FnOnce(&str, bool) -> String,
) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let text = text(&banner::base(address, is_secure), out.is_terminal());
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use crossway_service::{Call, Closing, Connection, Link, Reply, Scope};
    use tokio::sync::Barrier;

    use super::*;
    use crate::tools::Tools;

    /// An upstream whose links end when another upstream does, and not before.
    struct Together(Arc<Barrier>);

    impl Upstream for Together {
        fn connect(&self, _: Scope) -> Link {
            Link::new(Together(Arc::clone(&self.0)))
        }
    }

    impl Connection for Together {
        fn call(&self, _: Call) -> Reply {
            Reply::accepted()
        }

        fn close(&self) -> Closing {
            let barrier = Arc::clone(&self.0);
            Box::pin(async move {
                barrier.wait().await;
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_and_upstreams_end_at_once() {
        for is_cut_off in [false, true] {
            let barrier = Arc::new(Barrier::new(2));
            let face = face::OpenApi::new(Arc::new(Together(Arc::clone(&barrier))), face::Config::new());
            let faces = Faces::new(Pair::of_tools(Tools::One(face)));
            let server = tokio::spawn(std::future::pending());
            let drained = Drained { faces, server, is_cut_off, ending: |_| {} };
            let closed = drained.close(async {
                barrier.wait().await;
            });
            tokio::time::timeout(Duration::from_secs(60), closed).await.expect("an end");
        }
    }
}
