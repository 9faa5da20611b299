//! Waits for signals that ask the process to end.

use tokio::time::Instant;

use crate::limits::SAME_WISH;

/// The signals that ask the process to end: Ctrl-C, and on Unix SIGTERM, and SIGHUP unless it has another meaning.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
    /// The time of the last signal.
    last: Option<Instant>,
}

/// The meaning of SIGHUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// The terminal is gone: the process is to end, unless it was started to outlive its terminal (`nohup`).
    Ends,
    /// SIGHUP reloads, and other code listens for it.
    Reloads,
}

impl Signals {
    /// Starts to listen for signals.
    ///
    /// # Errors
    ///
    /// When signals can't be listened for.
    #[cfg(unix)]
    pub(crate) fn new(hangup: Hangup) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = match hangup {
            Hangup::Ends if !is_hangup_ignored() => Some(signal(SignalKind::hangup())?),
            _ => None,
        };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
            last: None,
        })
    }

    /// Starts to listen for signals.
    ///
    /// # Errors
    ///
    /// None.
    #[cfg(not(unix))]
    pub(crate) fn new(_: Hangup) -> std::io::Result<Self> {
        Ok(Self { last: None })
    }

    /// Waits until the process is asked to end, or asked again. Signals within [`SAME_WISH`] count as one: `timeout` sends its signal
    /// twice, to the process and to its group.
    ///
    /// # Errors
    ///
    /// When signals can't be listened for.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe on Unix: no signal is lost.
    pub(crate) async fn asked(&mut self) -> std::io::Result<()> {
        loop {
            self.signalled().await?;
            let (now, last) = (Instant::now(), self.last);
            if last.is_none_or(|last| now.duration_since(last) >= SAME_WISH) {
                self.last = Some(now);
                return Ok(());
            }
        }
    }

    #[cfg(unix)]
    async fn signalled(&mut self) -> std::io::Result<()> {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hangup => {}
        }
        Ok(())
    }

    #[cfg(not(unix))]
    async fn signalled(&mut self) -> std::io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}

/// Whether the process was started with SIGHUP ignored, as by `nohup`. Listening for the signal would undo that.
#[cfg(target_os = "linux")]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is 1, the lowest bit.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// The closest check on other systems: under `nohup`, none of the three standard streams is a terminal.
#[cfg(all(unix, not(target_os = "linux")))]
fn is_hangup_ignored() -> bool {
    use std::io::IsTerminal as _;
    !(std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal())
}
