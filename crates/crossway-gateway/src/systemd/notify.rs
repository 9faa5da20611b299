//! Messages to the service manager: `sd_notify(3)`.
//!
//! The crates for this read the socket's address only from this process's environment, and do not support abstract names; all
//! they would save is the sending of a datagram.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// Sends this process's state to the service manager. Clones share the socket. Without a manager, nothing is sent.
///
/// Failures are only logged.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

/// Why the service manager can't be notified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// The socket's address is invalid.
    #[error("NOTIFY_SOCKET is neither a path nor an abstract name")]
    Address,
    /// The socket can't be reached.
    #[error("the socket of NOTIFY_SOCKET can't be reached")]
    Socket(#[source] io::Error),
    /// The time of the watchdog is invalid.
    #[error("WATCHDOG_USEC is not a number of microseconds")]
    Watchdog,
}

impl Notifier {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` by a function that returns variables.
    ///
    /// # Errors
    ///
    /// When one of them is not what systemd sets.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, NotifyError> {
        let Some(address) = variable("NOTIFY_SOCKET") else { return Ok(Self::default()) };
        let socket = connect(address.as_bytes())?;
        Ok(Self { socket: Some(Arc::new(socket)), watchdog: watchdog(variable)? })
    }

    /// Reports that the gateway accepts calls, after a start or a reload.
    pub fn ready(&self, status: &str) {
        self.send(format_args!("READY=1\nSTATUS={}\n", OneLine(status)));
    }

    /// Reports that a reload of the configuration begins; [`ready`](Self::ready) reports its end. systemd needs the time of
    /// this (`Type=notify-reload`), by its own clock.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(format_args!("RELOADING=1\nMONOTONIC_USEC={microseconds}\n"));
    }

    /// Reports that the gateway ends; calls in flight may finish.
    pub fn stopping(&self, status: &str) {
        self.send(format_args!("STOPPING=1\nSTATUS={}\n", OneLine(status)));
    }

    /// Reports what the gateway is doing, in a line for people.
    pub fn status(&self, status: &str) {
        self.send(format_args!("STATUS={}\n", OneLine(status)));
    }

    /// The longest time that the manager waits for a sign of life.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Sends signs of life, twice as often as required, and only while `is_alive` returns `true`. Since this is an ordinary
    /// task, a runtime that hangs sends none either. Returns at once if there is no watchdog.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the signs of life; after the watchdog's time, the manager takes this process for dead.
    pub async fn keep_alive(self, is_alive: impl Fn() -> bool) {
        let Some(watchdog) = self.watchdog else { return };
        let mut moments = interval(watchdog / 2);
        moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            moments.tick().await;
            if is_alive() {
                self.send(format_args!("WATCHDOG=1\n"));
            }
        }
    }

    fn send(&self, text: fmt::Arguments<'_>) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(text.to_string().as_bytes()) {
            warn!(%error, "the service manager can't be told");
        }
    }
}

/// Connects to a path, or to an abstract name, which begins with `@` (`sd_notify(3)`).
fn connect(address: &[u8]) -> Result<UnixDatagram, NotifyError> {
    let socket = UnixDatagram::unbound().map_err(NotifyError::Socket)?;
    match address {
        [b'/', ..] => socket.connect(std::ffi::OsStr::from_bytes(address)),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name);
            address.and_then(|address| socket.connect_addr(&address))
        }
        _ => return Err(NotifyError::Address),
    }
    .map_err(NotifyError::Socket)?;
    // A manager that does not read must not block this process.
    socket.set_nonblocking(true).map_err(NotifyError::Socket)?;
    Ok(socket)
}

/// Reads the watchdog's time, if it is meant for this process (`sd_watchdog_enabled(3)`).
fn watchdog(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Duration>, NotifyError> {
    let number = |name| -> Result<Option<u64>, NotifyError> {
        let Some(text) = variable(name) else { return Ok(None) };
        let number = text.to_str().and_then(|text| text.parse().ok());
        number.map(Some).ok_or(NotifyError::Watchdog)
    };
    let is_other = number("WATCHDOG_PID")?.is_some_and(|process| process != u64::from(std::process::id()));
    match number("WATCHDOG_USEC")? {
        Some(0) => Err(NotifyError::Watchdog),
        Some(time) if !is_other => Ok(Some(Duration::from_micros(time))),
        _ => Ok(None),
    }
}

/// A text that is shown without line breaks, which would begin another assignment.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.split(['\n', '\r']).try_for_each(|line| f.write_str(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Manager {
        socket: UnixDatagram,
        _folder: tempfile::TempDir,
        address: OsString,
    }

    impl Manager {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            Self { socket, _folder: folder, address: path.into() }
        }

        fn receive(&self) -> String {
            let mut buffer = [0; 4096];
            let length = self.socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        }

        fn notifier(&self, watchdog: &[(&str, String)]) -> Result<Notifier, NotifyError> {
            Notifier::from_env(|name| match name {
                "NOTIFY_SOCKET" => Some(self.address.clone()),
                _ => watchdog.iter().find(|(it, _)| *it == name).map(|(_, value)| value.into()),
            })
        }
    }

    #[test]
    fn the_manager_is_told_what_happens() {
        let manager = Manager::new();
        let notifier = manager.notifier(&[]).unwrap();
        notifier.ready("serving 3 upstreams");
        assert_eq!(manager.receive(), "READY=1\nSTATUS=serving 3 upstreams\n");
        let before = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        notifier.reloading();
        let told = manager.receive();
        let at = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
        let before = before.tv_sec * 1_000_000 + before.tv_nsec / 1000;
        assert!((before..before + 60_000_000).contains(&at.parse().unwrap()), "{told}");
        notifier.stopping("draining\nREADY=1");
        assert_eq!(manager.receive(), "STOPPING=1\nSTATUS=drainingREADY=1\n");
        notifier.status("");
        assert_eq!(manager.receive(), "STATUS=\n");
        assert_eq!(notifier.watchdog(), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_abstract_name_is_an_address_too() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("crossway-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let of = |variable: &str| (variable == "NOTIFY_SOCKET").then(|| format!("@{name}").into());
        Notifier::from_env(of).unwrap().ready("");
        let mut buffer = [0; 64];
        assert_eq!(socket.recv(&mut buffer).unwrap(), "READY=1\nSTATUS=\n".len());
    }

    #[test]
    fn without_a_manager_nothing_is_told() {
        let notifier = Notifier::from_env(|_| None).unwrap();
        notifier.ready("");
        notifier.reloading();
        assert_eq!(notifier.watchdog(), None);
    }

    #[test]
    fn what_systemd_would_not_set_is_refused() {
        let of = |address: &'static str| {
            Notifier::from_env(move |name| (name == "NOTIFY_SOCKET").then(|| address.into()))
        };
        assert!(matches!(of("relative"), Err(NotifyError::Address)));
        assert!(matches!(of(""), Err(NotifyError::Address)));
        assert!(matches!(of("/nowhere/notify"), Err(NotifyError::Socket(_))));
        let manager = Manager::new();
        for time in ["0", "-1", "soon"] {
            let notifier = manager.notifier(&[("WATCHDOG_USEC", time.to_owned())]);
            assert!(matches!(notifier, Err(NotifyError::Watchdog)), "{time}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_hears_of_this_process_while_it_lives() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let manager = Manager::new();
        let own = ("WATCHDOG_PID", std::process::id().to_string());
        let notifier = manager.notifier(&[("WATCHDOG_USEC", "30000000".to_owned()), own]).unwrap();
        assert_eq!(notifier.watchdog(), Some(Duration::from_secs(30)));
        let asked = Arc::new(AtomicUsize::new(0));
        let asks = Arc::clone(&asked);
        // It lives twice, and is asked a third time.
        let alive = tokio::spawn(notifier.keep_alive(move || asks.fetch_add(1, Ordering::Relaxed) < 2));
        tokio::time::sleep(Duration::from_secs(31)).await;
        alive.abort();
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        assert_eq!(
            (manager.receive(), manager.receive()),
            ("WATCHDOG=1\n".to_owned(), "WATCHDOG=1\n".to_owned())
        );
        manager.socket.set_nonblocking(true).unwrap();
        assert!(manager.socket.recv(&mut [0; 64]).is_err());
    }

    #[tokio::test]
    async fn a_watchdog_of_another_process_is_none() {
        let manager = Manager::new();
        let other = ("WATCHDOG_PID", (std::process::id() + 1).to_string());
        let notifier = manager.notifier(&[("WATCHDOG_USEC", "30000000".to_owned()), other]).unwrap();
        assert_eq!(notifier.watchdog(), None);
        notifier.keep_alive(|| panic!("nobody asks")).await;
    }
}
