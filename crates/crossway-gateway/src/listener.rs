//! The address that faces are served at, bound before anything is started.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use crossway_openapi::face;
use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_streamable_http::server::http::Listeners;
use tokio::net::TcpListener;

use crate::config::{Listening, Loaded};
use crate::face_maker::FaceLimits;
use crate::plan::ListenPlan;
use crate::shutdown::{Hangup, Signals};

/// Why an upstream can't be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("can't listen on {address}{at}; {}", instead(source.kind()))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The setting that names the address, unless it is the clients' address.
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

/// What to do about an address that can't be listened on.
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
    pub(crate) listeners: Listeners,
    pub(crate) hosts: AllowedHosts,
    pub(crate) origins: AllowedOrigins,
    pub(crate) plan: ListenPlan,
    /// Whether callers are not authenticated.
    pub(crate) is_open: bool,
    /// If only OpenAPI is served, the prefix of servers' names in paths.
    pub(crate) tools_below: Option<String>,
    /// Whether only revisions from 2026-07-28 on are served, so that HTTP+SSE would be of no use.
    pub(crate) is_modern_only: bool,
    pub(crate) limits: FaceLimits,
    /// The signals to end, which are caught before anything is started.
    pub(crate) signals: Signals,
}

impl BoundListener {
    /// Checks what `plan` says, and binds its address.
    ///
    /// # Errors
    ///
    /// When a name can't be one, or the address is taken.
    pub async fn new(plan: ListenPlan) -> Result<Self, ServeError> {
        let signals = Signals::new(Hangup::Ends)?;
        let mut hosts = AllowedHosts::loopback();
        for host in &plan.allow_hosts {
            hosts = hosts.and(host).map_err(|_| ServeError::BadHost(host.clone()))?;
        }
        let mut origins = AllowedOrigins::loopback();
        for origin in &plan.allow_origins {
            origins = origins.and(origin).map_err(|_| ServeError::BadOrigin(origin.clone()))?;
        }
        let address = plan.address;
        let listeners = listener(address, None, "").await?.into();
        let limits = FaceLimits::default();
        Ok(Self {
            listeners,
            hosts,
            origins,
            plan,
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
        let plan = ListenPlan {
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
        let limits = FaceLimits::from(&loaded.limits);
        Ok(Self {
            listeners,
            hosts,
            origins,
            plan,
            is_open: false,
            tools_below: None,
            is_modern_only: false,
            limits,
            signals,
        })
    }

    /// Serves OpenAPI alone. The face checks who may call.
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
