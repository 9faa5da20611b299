//! Starts, probes and restarts the shared child.

use std::pin::pin;
use std::sync::Arc;

use crossway_proto::{Era, Kind, Message};
use crossway_service::{Link, Reply, Scope};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::backoff::chance;
use super::{Phase, Shared, probe};
use crate::StartError;
use crate::child::{self, Ended};
use crate::limits::LATE_VERDICT;

/// A child's reaction to a request.
enum Heard {
    Answer(Message),
    /// The child runs, and has not answered in time.
    Silence,
    /// The child has ended before its silence was taken for a legacy server's.
    Death(StartError),
    /// The child has ended after that.
    LateDeath(StartError),
}

impl Shared {
    /// Supervises the child until it is closed or found to be legacy, or fails before its era is known.
    pub(super) async fn supervise(self: Arc<Self>) {
        let mut phase = self.phase.subscribe();
        let closed = async move {
            // The sender outlives this future.
            let _ = phase.wait_for(|phase| matches!(phase, Phase::Closed)).await;
        };
        // Dropping their links tells the children.
        let mut current = None;
        tokio::select! {
            biased;
            () = closed => {}
            () = self.keep_up(&mut current) => {}
        }
        if let Some(link) = current.take() {
            link.close().await;
        }
    }

    async fn keep_up(&self, current: &mut Option<Link>) {
        if self.plan.era() == Some(Era::Legacy) {
            return self.go_to(Phase::Legacy);
        }
        loop {
            let (link, mut keeper) = child::connect(&self.plan, Scope::Shared);
            *current = Some(link.clone());
            let mut probes = 0;
            if self.plan.era() != Some(Era::Modern) {
                probes = 1;
                match self.probe(&link, &mut keeper).await {
                    Ok(Era::Modern) => {}
                    Ok(Era::Legacy) => return,
                    Err(error) => return self.go_down(error, false),
                }
            }
            self.go_to(Phase::Up(link.clone()));
            let ended = keeper.await;
            let (error, answers) = explain(ended);
            if answers > probes {
                self.backoff.lock().reset();
            }
            self.go_down(error, true);
            let until = match &*self.phase.borrow() {
                Phase::Down { until, .. } => *until,
                _ => return,
            };
            tokio::time::sleep_until(until).await;
        }
    }

    /// Detects the child's era, and records it.
    async fn probe(&self, link: &Link, keeper: &mut JoinHandle<Ended>) -> Result<Era, StartError> {
        let era = match self.ask(probe::discover(link), keeper).await {
            Heard::Answer(answer) => probe::judge(&answer),
            Heard::Silence => Era::Legacy,
            Heard::Death(error @ StartError::Exited(_)) => self.probe_another(error).await?,
            // A crash shows nothing about the next child.
            Heard::Death(error) | Heard::LateDeath(error) => return Err(error),
        };
        self.plan.set_era(era);
        if era == Era::Legacy {
            self.go_to(Phase::Legacy);
        }
        Ok(era)
    }

    /// The child has ended, either because it always does, or because it is one of the legacy servers that exit on an
    /// unknown method. Another child that gets `initialize` first tells which: a result means legacy.
    async fn probe_another(&self, error: StartError) -> Result<Era, StartError> {
        let (link, mut keeper) = child::connect(&self.plan, Scope::Shared);
        let heard = self.ask(probe::initialize(&link), &mut keeper).await;
        link.close().await;
        match heard {
            Heard::Answer(answer) if answer.kind() == Kind::Result => Ok(Era::Legacy),
            Heard::Answer(_) | Heard::Silence => Err(error),
            Heard::Death(error) | Heard::LateDeath(error) => Err(error),
        }
    }

    /// Waits for a child's answer. A silent child is taken for legacy until it turns out otherwise.
    async fn ask(&self, mut reply: Reply, keeper: &mut JoinHandle<Ended>) -> Heard {
        let mut response = pin!(probe::response(&mut reply));
        match timeout(self.plan.options.probe_timeout, response.as_mut()).await {
            Ok(Ok(answer)) => return Heard::Answer(answer),
            Ok(Err(_)) => return Heard::Death(explain(keeper.await).0),
            Err(_) => self.go_to(Phase::Legacy),
        }
        match timeout(LATE_VERDICT, response).await {
            Ok(Ok(answer)) => Heard::Answer(answer),
            Ok(Err(_)) => Heard::LateDeath(explain(keeper.await).0),
            Err(_) => Heard::Silence,
        }
    }

    fn go_down(&self, error: StartError, is_supervised: bool) {
        let pause = self.backoff.lock().pause(chance());
        let why = error.describe();
        let upstream = self.plan.command.name().map(|name| &**name);
        let tenant = self.plan.command.tenant().map(|tenant| &**tenant);
        tracing::warn!(
            upstream,
            tenant,
            why,
            pause_ms = pause.as_millis(),
            "the MCP server that calls share has ended"
        );
        self.go_to(Phase::Down { error, until: Instant::now() + pause, is_supervised });
    }

    fn go_to(&self, next: Phase) {
        self.phase.send_if_modified(|phase| {
            let is_open = !matches!(phase, Phase::Closed);
            if is_open {
                *phase = next;
            }
            is_open
        });
    }
}

/// Returns why a child has ended, and the number of its answers.
fn explain(ended: Result<Ended, tokio::task::JoinError>) -> (StartError, u64) {
    match ended {
        Ok(Ended { how: Ok(exit), answers }) => (StartError::Exited(exit), answers),
        Ok(Ended { how: Err(error), answers }) => (error, answers),
        // The task was cancelled with the runtime.
        Err(_) => (StartError::Closing, 0),
    }
}
