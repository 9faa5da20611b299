//! The service manager and the sockets that it passed: systemd, on Unix.

use std::net::TcpListener;

use crate::RunError;
#[cfg(unix)]
use crate::systemd::SocketError;

/// The service manager. Without one, notifications do nothing and there are no sockets.
#[derive(Debug, Clone, Default)]
pub(super) struct Manager {
    #[cfg(unix)]
    notifier: crate::systemd::Notifier,
}

/// The sockets that the service manager has bound.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    /// For clients.
    pub(super) clients: Vec<TcpListener>,
    /// For operators.
    pub(super) operations: Option<TcpListener>,
}

#[cfg(unix)]
impl Manager {
    /// Reads the service manager and its sockets from the environment.
    pub(super) fn from_env() -> Result<(Self, Sockets), RunError> {
        let variable = |name: &str| std::env::var_os(name);
        let notifier = crate::systemd::Notifier::from_env(variable)?;
        let mut sockets = crate::systemd::Sockets::from_env(variable);
        let operations = sockets.take("operations")?;
        let mut clients = Vec::new();
        while let Some(socket) = sockets.take_other_than(&["operations"])? {
            clients.push(socket);
        }
        let left: Vec<&str> = sockets.left().collect();
        if !left.is_empty() {
            return Err(SocketError::Left { names: left.join(", ") }.into());
        }
        Ok((Self { notifier }, Sockets { clients, operations }))
    }

    /// Tells the manager that calls are served, and lets the watchdog's messages begin.
    pub(super) fn ready(&self, upstreams: usize) {
        self.notifier.ready(&format!("serving {upstreams} upstreams"));
    }

    /// Sends the watchdog's messages for as long as the future is polled.
    pub(super) async fn keep_alive(self) {
        self.notifier.keep_alive(|| true).await;
    }

    /// Tells the manager that the config is being reloaded.
    pub(super) fn reloading(&self) {
        self.notifier.reloading();
    }

    /// Tells the manager that the process is stopping.
    pub(super) fn stopping(&self) {
        self.notifier.stopping("calls in flight may finish");
    }
}

#[cfg(not(unix))]
impl Manager {
    pub(super) fn from_env() -> Result<(Self, Sockets), RunError> {
        Ok((Self::default(), Sockets::default()))
    }

    pub(super) fn ready(&self, _: usize) {}

    pub(super) async fn keep_alive(self) {}

    pub(super) fn reloading(&self) {}

    pub(super) fn stopping(&self) {}
}
