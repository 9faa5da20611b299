//! Being asked to end.

/// Ready when the process is asked to end: by Ctrl-C, or on Unix by SIGTERM.
///
/// # Errors
///
/// When signals can't be listened for.
#[cfg(unix)]
pub(crate) async fn asked() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Ready when the process is asked to end by Ctrl-C.
///
/// # Errors
///
/// When signals can't be listened for.
#[cfg(not(unix))]
pub(crate) async fn asked() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
