//! Waits for what asks the process to end.

use tokio::time::Instant;

use crate::limits::SAME_WISH;

/// The ways in which the process can be asked to end: by Ctrl-C, or on Unix by SIGTERM, and by SIGHUP where that has no other meaning.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
    /// When it was asked last.
    last: Option<Instant>,
}

/// What SIGHUP means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// That the terminal is gone: the process is asked to end, unless it was started so that it outlives that (`nohup`).
    Ends,
    /// Something else, which others listen for.
    Reloads,
}

impl Signals {
    /// Listens from now on.
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

    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// None.
    #[cfg(not(unix))]
    pub(crate) fn new(_: Hangup) -> std::io::Result<Self> {
        Ok(Self { last: None })
    }

    /// Ready when it is asked to end, once more if it was before. What comes within [`SAME_WISH`] is the same wish: `timeout` sends its
    /// signal twice, to the process and to its group.
    ///
    /// # Errors
    ///
    /// When signals can't be listened for.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe on Unix: nothing that was asked is forgotten.
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

/// Whether the process was started with SIGHUP ignored, as by `nohup`. Listening for it would end that.
#[cfg(target_os = "linux")]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is 1, the lowest bit.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// The same as far as it can be told elsewhere: `nohup` leaves none of the three at a terminal.
#[cfg(all(unix, not(target_os = "linux")))]
fn is_hangup_ignored() -> bool {
    use std::io::IsTerminal as _;
    !(std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal())
}
