//! The measured calls, and those of the neighbour.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::load::{Durations, Latency, Session, Work};

/// The number of calling sessions, and the interval between calls of each.
const SESSIONS: usize = 4;
const EVERY: Duration = Duration::from_millis(20);

/// The number of the neighbour's concurrent calls, and the pause after a failed one.
const NEIGHBOURS: usize = 16;
const PAUSE: Duration = Duration::from_millis(20);

/// Calls at fixed times for a while. A call that is delayed by the one before is measured from when it was due.
///
/// # Errors
///
/// When a call is answered wrongly: a neighbour must not cause that.
pub(crate) fn calls(work: &Work, time: Duration) -> anyhow::Result<Latency> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let callers = (0..SESSIONS).map(|number| async move {
            let mut control = None;
            let session = Session::open(work, &mut control).await?;
            let mut slot = session.slot(control.take());
            slot.echo(work, 2, "warm").await?;
            let mut durations = Durations::default();
            let begun = Instant::now() + EVERY * number as u32 / SESSIONS as u32;
            let mut due = begun;
            while due < begun + time {
                tokio::time::sleep_until(due.into()).await;
                slot.echo(work, 2, "good").await?;
                durations.record(due.elapsed());
                due += EVERY;
            }
            let mut control = slot.into_client();
            session.close(work, &mut control).await?;
            anyhow::Ok(durations)
        });
        let mut all = Durations::default();
        for durations in futures_util::future::try_join_all(callers).await? {
            all.add(&durations);
        }
        Ok(all.latency())
    })
}

/// The neighbour's calls, on their own thread, until this is dropped.
pub(crate) struct Calling {
    is_over: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Calling {
    /// Begins the calls. Their outcome does not matter.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub(crate) fn begin(work: Work) -> anyhow::Result<Self> {
        let (is_over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&asked));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("neighbour".to_owned()).spawn(move || {
            runtime.block_on(async {
                let callers = (0..NEIGHBOURS).map(|_| call_on(&work, &over, &count));
                futures_util::future::join_all(callers).await;
            });
        });
        Ok(Self { is_over, asked, thread: Some(thread.context("no thread")?) })
    }

    /// The number of calls so far.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn call_on(work: &Work, is_over: &AtomicBool, asked: &AtomicU64) {
    while !is_over.load(Ordering::Relaxed) {
        let mut control = None;
        let Ok(session) = Session::open(work, &mut control).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let mut slot = session.slot(control.take());
        while !is_over.load(Ordering::Relaxed) {
            asked.fetch_add(1, Ordering::Relaxed);
            if slot.echo(work, 2, "bad").await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
