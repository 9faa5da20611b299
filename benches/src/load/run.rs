//! A run of calls: set up, warm up, measure, end.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinSet;

use super::check::check_echo;
use super::phase::{Phase, Stage};
use super::progress::Progress;
use super::report::{ProcessReport, Report, transport_name};
use super::session::{FIRST_ID, Session, Slot};
use super::tally::{Durations, Tally};
use super::template::Template;
use super::work::{Length, LoadError, Target, Work};
use crate::descriptors;
use crate::limits::{
    MAX_FAULTS_IN_A_ROW, PAUSE_AFTER_FAULT, PROGRESS_TICK, SETUP_CONCURRENCY, SPARE_DESCRIPTORS,
};
use crate::procfs::Sample;

/// A thread's message to the leading thread.
enum News {
    /// The thread's sessions are set up: the times that took, and their processes.
    Ready(Result<(Durations, Vec<u32>), LoadError>),
    /// All its calls have ended.
    Done(Tally),
}

/// Runs the work and returns the report.
///
/// # Errors
///
/// When sessions can't be set up, or the watched processes don't run. Faults of calls are counted.
pub fn run(work: &Work) -> Result<Report, LoadError> {
    descriptors::raise_limit((work.sessions * (work.concurrency + 2)) as u64 + SPARE_DESCRIPTORS);
    let stage = Arc::new(Stage::new(work.length));
    let (news, threads) = start_threads(work, &stage)?;
    let result = lead(work, &stage, &news, threads.len());
    // In any case the threads end their sessions.
    stage.set(Phase::Close);
    let mut strays = Tally::default();
    for thread in threads {
        strays.strays(thread.join().map_err(|_| LoadError::BrokeOff)?);
    }
    let (mut report, mut tally) = result?;
    tally.add(strays);
    report.counts = tally.counts;
    report.failures = tally.quoted;
    Ok(report)
}

type Threads = Vec<thread::JoinHandle<u64>>;

fn start_threads(work: &Work, stage: &Arc<Stage>) -> Result<(mpsc::Receiver<News>, Threads), LoadError> {
    let work = Arc::new(work.clone());
    let template = Arc::new(Template::new(&work, run_number()));
    let count = work.threads.clamp(1, work.sessions.max(1));
    let (sender, news) = mpsc::channel();
    let threads = (0..count).map(|index| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sessions: Vec<usize> = (index..work.sessions).step_by(count).collect();
        let crew = Crew { work: work.clone(), template: template.clone(), stage: stage.clone(), sessions };
        let sender = sender.clone();
        let thread = thread::Builder::new().name(format!("load-{index}"));
        thread.spawn(move || runtime.block_on(crew.run(&sender)))
    });
    let threads = threads.collect::<Result<_, _>>().map_err(LoadError::Start)?;
    Ok((news, threads))
}

/// A number for this run, since several may use one server at the same time.
fn run_number() -> u32 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id()) as u32
}

fn lead(
    work: &Work,
    stage: &Stage,
    news: &mpsc::Receiver<News>,
    threads: usize,
) -> Result<(Report, Tally), LoadError> {
    let mut set_up = Durations::default();
    let mut watch = work.watch.clone();
    for _ in 0..threads {
        match news.recv() {
            Ok(News::Ready(ready)) => {
                let (durations, pids) = ready?;
                set_up.add(&durations);
                if work.watch.is_empty() {
                    watch.pids.extend(pids);
                }
            }
            _ => return Err(LoadError::BrokeOff),
        }
    }
    // Without a warm-up no call may begin before the measured ones.
    if !work.warmup.is_zero() {
        stage.set(Phase::WarmUp);
        thread::sleep(work.warmup);
    }

    let before =
        if watch.is_empty() { Sample::default() } else { watch.sample().map_err(LoadError::Watch)? };
    let start = Instant::now();
    stage.set(Phase::Measure);
    let mut tally = Tally::default();
    let ended = follow(work, stage, news, start, &mut tally, threads);
    let elapsed = start.elapsed();
    let after = watch.sample();
    stage.set(Phase::Stop);
    for _ in ended..threads {
        match news.recv() {
            Ok(News::Done(other)) => tally.add(other),
            _ => return Err(LoadError::BrokeOff),
        }
    }
    let processes = if watch.is_empty() {
        None
    } else {
        let memory = watch.memory().unwrap_or_default();
        // A process that ended meanwhile shows in the counts; its use can't be known.
        after.ok().map(|after| {
            let cpu_seconds = after.seconds_since(&before);
            ProcessReport {
                cpu_seconds,
                cpu_us_per_call: cpu_seconds * 1e6 / tally.calls.max(1) as f64,
                memory,
            }
        })
    };
    let report = Report {
        transport: transport_name(work),
        revision: work.revision.as_str(),
        sessions: work.sessions,
        concurrency: work.concurrency,
        payload_bytes: work.payload,
        seconds: elapsed.as_secs_f64(),
        calls: tally.calls,
        calls_per_second: tally.calls as f64 / elapsed.as_secs_f64(),
        counts: tally.counts,
        failures: Vec::new(),
        latency_us: tally.durations.latency(),
        set_up_us: set_up.latency(),
        processes,
    };
    Ok((report, tally))
}

/// Waits until the measured time is over or all threads are done, and returns the number of these.
fn follow(
    work: &Work,
    stage: &Stage,
    news: &mpsc::Receiver<News>,
    start: Instant,
    tally: &mut Tally,
    threads: usize,
) -> usize {
    let (bar, limit) = match work.length {
        Length::Time(time) => (Progress::of_time(work.progress, "calls", time), time),
        Length::Calls(calls) => (Progress::new(work.progress, "calls", calls), Duration::MAX),
    };
    let mut ended = 0;
    while ended < threads {
        let elapsed = start.elapsed();
        let Some(left) = limit.checked_sub(elapsed).filter(|left| !left.is_zero()) else { break };
        match news.recv_timeout(left.min(PROGRESS_TICK)) {
            Ok(News::Done(other)) => {
                tally.add(other);
                ended += 1;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            _ => break,
        }
        match work.length {
            Length::Time(_) => bar.at_time(elapsed),
            Length::Calls(_) => bar.at(stage.done()),
        }
        bar.say(format!("{:.0}/s", stage.done() as f64 / elapsed.as_secs_f64().max(0.001)));
    }
    ended
}

/// One thread's part of a run.
struct Crew {
    work: Arc<Work>,
    template: Arc<Template>,
    stage: Arc<Stage>,
    /// The numbers of its sessions.
    sessions: Vec<usize>,
}

impl Crew {
    /// Runs all phases, and returns the number of stray answers.
    async fn run(self, news: &mpsc::Sender<News>) -> u64 {
        let opened = self.open_sessions().await;
        let (sessions, durations) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let _ = news.send(News::Ready(Err(error)));
                return 0;
            }
        };
        let pids = sessions.iter().filter_map(Session::pid).collect();
        // If the receiver is gone, the stage ends the run.
        let _ = news.send(News::Ready(Ok((durations, pids))));
        self.stage.reached(Phase::WarmUp).await;
        let _ = news.send(News::Done(self.make_calls(&sessions).await));
        self.stage.reached(Phase::Close).await;
        let strays = sessions.iter().map(Session::strays).sum();
        let close = |session: Session| async {
            // Ends of sessions are measured elsewhere.
            let _ = session.close(&self.work, &mut None).await;
        };
        stream::iter(sessions).for_each_concurrent(SETUP_CONCURRENCY, close).await;
        strays
    }

    async fn open_sessions(&self) -> Result<(Vec<Session>, Durations), LoadError> {
        let open = |number: usize| async move {
            let start = Instant::now();
            let session = Session::open(&self.work, &mut None).await;
            session.map(|session| (session, start.elapsed())).map_err(|fault| LoadError::SetUp {
                number: number + 1,
                of: self.work.sessions,
                why: fault.to_string(),
            })
        };
        let numbers = stream::iter(self.sessions.iter().copied());
        let opened: Vec<_> = numbers.map(open).buffered(SETUP_CONCURRENCY).try_collect().await?;
        let mut durations = Durations::default();
        let sessions = opened.into_iter().map(|(session, duration)| {
            durations.record(duration);
            session
        });
        let sessions = sessions.collect();
        Ok((sessions, durations))
    }

    async fn make_calls(&self, sessions: &[Session]) -> Tally {
        let mut slots = JoinSet::new();
        for (session, number) in sessions.iter().zip(&self.sessions) {
            for index in 0..self.work.concurrency {
                let caller = Caller {
                    work: self.work.clone(),
                    template: self.template.clone(),
                    stage: self.stage.clone(),
                    session: *number,
                    next_id: FIRST_ID + 1 + index as u64,
                };
                slots.spawn(caller.run(session.slot(None)));
            }
        }
        let mut tally = Tally::default();
        while let Some(slot) = slots.join_next().await {
            if let Ok(slot) = slot {
                tally.add(slot);
            }
        }
        tally
    }
}

/// Makes the calls of one slot, one after the other.
struct Caller {
    work: Arc<Work>,
    template: Arc<Template>,
    stage: Arc<Stage>,
    session: usize,
    next_id: u64,
}

impl Caller {
    async fn run(mut self, mut slot: Slot) -> Tally {
        let mut tally = Tally::default();
        let mut faults_in_a_row = 0;
        while let Some(leave) = self.stage.begin_call() {
            let id = self.next_id;
            self.next_id += self.work.concurrency as u64;
            let call = self.template.call(self.session, id);
            let start = Instant::now();
            let answer = slot.call(id, call.request, self.work.timeout).await;
            let duration = start.elapsed();
            let counts = self.stage.end_call(leave);
            let checked = answer.and_then(|answer| {
                let filler = self.template.filler();
                check_echo(&answer, id, &self.work.answer_prefix, call.unique.as_bytes(), filler)
            });
            if let Err(fault) = checked {
                tally.fault(&fault);
                faults_in_a_row += 1;
                if faults_in_a_row == MAX_FAULTS_IN_A_ROW {
                    break;
                }
                tokio::time::sleep(PAUSE_AFTER_FAULT).await;
                continue;
            }
            faults_in_a_row = 0;
            if counts {
                tally.calls += 1;
                tally.durations.record(duration);
            }
        }
        tally
    }
}

impl Work {
    /// The number of descriptors of one open session.
    pub(crate) fn descriptors_per_session(&self) -> u64 {
        match self.target {
            Target::StreamableHttp(_) => u64::from(self.with_get_stream),
            Target::OpenApi(_) => 0,
            Target::HttpSse(_) => 1,
            Target::Stdio(_) => 3,
        }
    }
}
