//! Socket activation: `sd_listen_fds(3)`.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

/// Sockets that were bound before this process was started, by name. A restart then loses no connection: the kernel
/// keeps those that come in meanwhile.
pub struct Sockets {
    taken_over: ListenFd,
    /// In the order of the sockets. `None` for those that were taken.
    names: Vec<Option<String>>,
}

/// Why a socket can't be taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// It is none that listens for TCP.
    #[error("the socket {name} from the service manager is no TCP socket that listens")]
    Kind {
        /// Its name (`FileDescriptorName=`).
        name: String,
        /// Why, where the system says.
        source: io::Error,
    },
    /// There are more than are served. Whoever connects to one of these would wait for an answer without end.
    #[error(
        "nobody would serve one more socket that is called {names}; pass one for operators (ListenStream=9808 takes IPv4 and IPv6), and call those for clients otherwise"
    )]
    Left {
        /// Their names.
        names: String,
    },
}

impl Sockets {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self { taken_over: ListenFd::empty(), names: Vec::new() }
    }

    /// Takes what `LISTEN_FDS` of this process's environment says, if `LISTEN_PID` is this process. To be called once,
    /// at the start. `variable` gives the environment's variables.
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
    /// When it does not listen for TCP connections.
    pub fn take(&mut self, name: &str) -> Result<Option<TcpListener>, SocketError> {
        self.take_where(|it| it == name)
    }

    /// Takes the first socket that is left whose name is not among those that mean something else. systemd names a
    /// socket after its unit where `FileDescriptorName=` says nothing, so that the only one needs no name.
    ///
    /// # Errors
    ///
    /// When it does not listen for TCP connections.
    pub fn take_other_than(&mut self, names: &[&str]) -> Result<Option<TcpListener>, SocketError> {
        self.take_where(|it| !names.contains(&it))
    }

    /// The names of those that are left: nothing will take them.
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
            // As tokio wants it.
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
