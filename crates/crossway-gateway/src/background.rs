//! Work that gives way to calls.

use std::io;
use std::thread;

use tokio::sync::oneshot;

/// Does work on a thread of its own, to which threads that serve calls are preferred (on Linux).
///
/// A call waits for milliseconds while a thread of the same priority computes, if all processors have something to do.
///
/// # Errors
///
/// When no thread can be started. The receiver fails if the work panics.
pub(crate) fn in_background<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        give_way();
        // Nobody may be interested any more.
        let _ = done.send(work());
    })?;
    Ok(result)
}

/// Gives this thread a tenth of the usual share of processor time, for as long as others want theirs. With less, a reload would take many
/// seconds on a busy machine. Linux has a priority for each thread (setpriority(2), "C library/kernel differences"), other systems for the
/// whole process.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 10);
}
