//! Waits for Ctrl-C or SIGTERM.

/// The ways in which the process can be asked to end: by Ctrl-C, or on Unix by SIGTERM.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// When signals can't be listened for.
    #[cfg(unix)]
    pub(crate) fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// None.
    #[cfg(not(unix))]
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Ready when it is asked to end, once more if it was before.
    ///
    /// # Errors
    ///
    /// When signals can't be listened for.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe on Unix: nothing that was asked is forgotten.
    #[cfg(unix)]
    pub(crate) async fn asked(&mut self) -> std::io::Result<()> {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        Ok(())
    }

    /// Ready when it is asked to end by Ctrl-C.
    ///
    /// # Errors
    ///
    /// When signals can't be listened for.
    #[cfg(not(unix))]
    pub(crate) async fn asked(&mut self) -> std::io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}

/// Ready when the process is asked to end.
///
/// # Errors
///
/// When signals can't be listened for.
pub(crate) async fn asked() -> std::io::Result<()> {
    Signals::new()?.asked().await
}
