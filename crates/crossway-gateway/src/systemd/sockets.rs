//! Socket activation: `sd_listen_fds(3)`.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

/// Sockets that were bound before this process was started, by name. A restart then loses no connections: the kernel
/// queues those that arrive meanwhile.
pub struct Sockets {
    taken_over: ListenFd,
    /// In the order of the sockets. `None` for a socket that was taken.
    names: Vec<Option<String>>,
}

/// Why a socket can't be taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The socket is not a listening TCP socket.
    #[error("the socket {name} from the service manager is no TCP socket that listens")]
    Kind {
        /// Its name (`FileDescriptorName=`).
        name: String,
        /// Why, where the system says.
        source: io::Error,
    },
    /// There are more sockets than are served. Clients of these would wait for an answer forever.
    #[error(
        "nobody would serve one more socket that is called {names}; pass one for operators (ListenStream=9808 takes IPv4 and IPv6), and call those for clients otherwise"
    )]
    Left {
        /// Their names.
        names: String,
    },
}

impl Sockets {
    /// Returns no sockets.
    #[must_use]
    pub fn none() -> Self {
        Self { taken_over: ListenFd::empty(), names: Vec::new() }
    }

    /// Takes the sockets of `LISTEN_FDS` in this process's environment, if `LISTEN_PID` is this process. Call this once, at
    /// the start. `variable` returns the environment's variables.
    #[must_use]
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| variable(name)?.into_string().ok();
        let is_for_us = text("LISTEN_PID").and_then(|pid| pid.parse().ok()) == Some(std::process::id());
        if !is_for_us {
            return Self::none();
        }
        let taken_over = ListenFd::from_env();
        let given = text("LISTEN_FDNAMES").unwrap_or_default();
        let given = given.split(':').map(|name| Some(name.to_owned()));
        // Without names, systemd's functions say `unknown`.
        let unknown = std::iter::repeat_with(|| Some("unknown".to_owned()));
        let names = given.filter(|name| name.as_deref() != Some("")).chain(unknown);
        Self { names: names.take(taken_over.len()).collect(), taken_over }
    }

    /// Takes the socket with a name.
    ///
    /// # Errors
    ///
    /// When the socket does not listen for TCP connections.
    pub fn take(&mut self, name: &str) -> Result<Option<TcpListener>, SocketError> {
        self.take_where(|it| it == name)
    }

    /// Takes the first remaining socket whose name is not among `names`, which have other meanings. Without
    /// `FileDescriptorName=`, systemd names a socket after its unit, so that a single socket needs no name.
    ///
    /// # Errors
    ///
    /// When the socket does not listen for TCP connections.
    pub fn take_other_than(&mut self, names: &[&str]) -> Result<Option<TcpListener>, SocketError> {
        self.take_where(|it| !names.contains(&it))
    }

    /// The names of the remaining sockets.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(Option::as_deref)
    }

    fn take_where(&mut self, is_it: impl Fn(&str) -> bool) -> Result<Option<TcpListener>, SocketError> {
        let index = self.names.iter().position(|name| name.as_deref().is_some_and(&is_it));
        let Some(index) = index else { return Ok(None) };
        let name = self.names[index].take().unwrap_or_default();
        let taken = self.taken_over.take_tcp_listener(index).and_then(|listener| {
            let Some(listener) = listener else { return Ok(None) };
            if !rustix::net::sockopt::socket_acceptconn(&listener)? {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            // Required by tokio.
            listener.set_nonblocking(true)?;
            Ok(Some(listener))
        });
        taken.map_err(|source| SocketError::Kind { name, source })
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sockets").field(&self.names).finish()
    }
}
