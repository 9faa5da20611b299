//! Measures costs of `crossway serve` that a load of calls does not show.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::json;
use smallvec::smallvec;
use tempfile::TempDir;

use super::config::{Credential, DOMAIN, Settings, USER, Upstreams};
use crate::bars::measure::Effort;
use crate::bars::outcome::median;
use crate::bars::rigs::{MERGED, Programs, TOKEN_LIFE, http_server, words};
use crate::limits::SETUP_CONCURRENCY;
use crate::load::{Address, Client, Session, Slot, Target, Work, tool_pages};
use crate::open_webui::OpenWebUi;
use crate::procfs::Watch;
use crate::program::Program;
use crate::revision::Revision;

/// A cost to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cost {
    /// Processor time of a user's first list, in microseconds.
    FirstList,
    /// The longest call while the config is reloaded, in microseconds.
    Reload,
    /// Memory of a user who has called once, in bytes.
    User,
    /// Memory of a session, in bytes.
    Session,
    /// Time from the start to the first URL, in microseconds.
    Start,
}

/// The measured cost.
#[derive(Debug, Serialize)]
pub(crate) struct Costed {
    /// The median.
    pub(crate) ours: f64,
    /// The reference value, if there is one.
    pub(crate) reference: Option<f64>,
    /// Further notes.
    pub(crate) notes: Vec<String>,
    /// Every single run.
    pub(crate) runs: Vec<f64>,
}

/// The number of users that list for the first time, each with rights of their own.
const LISTING_USERS: usize = 200;

/// The number of tools each of them sees: of each server `echo`, and those whose names begin with `tool_1`.
const LISTED_TOOLS: usize = MERGED.0 * 112;

/// The number of known users, with a session each.
const KNOWN_USERS: usize = 5_000;

/// The number of users known before, so that everything shared exists already.
const KNOWN_BEFORE: usize = 500;

/// The number of grants and of tenants in a reload.
const GRANTS: (usize, usize) = (10_000, 1_000);

/// The number of sessions that listen meanwhile, the number that call, and the pause between calls.
const LISTENING: usize = 200;
const CALLING: usize = 4;
const BETWEEN_CALLS: Duration = Duration::from_millis(2);

/// How long calls are observed after a reload was requested.
const AFTER_RELOAD: Duration = Duration::from_millis(1500);

/// How long a thread of this program computes, for comparison: about as long as the gateway's thread reads these grants.
const COMPUTING: Duration = Duration::from_millis(100);

/// The number of upstreams at a start, and the number of starts in each round.
const STARTING: usize = 100;
const STARTS: usize = 3;

/// Measures a cost.
///
/// # Errors
///
/// When programs don't start, or an answer is wrong.
pub(crate) fn measure_cost(
    cost: Cost,
    programs: &Programs,
    crossway: &Path,
    effort: Effort,
) -> anyhow::Result<Costed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match cost {
            Cost::FirstList => first_lists(programs, crossway, effort).await,
            Cost::Reload => reloads(programs, crossway, effort).await,
            Cost::User | Cost::Session => memory(programs, crossway, effort, cost).await,
            Cost::Start => starts(crossway, effort),
        }
    })
}

impl Costed {
    fn new(runs: Vec<f64>) -> anyhow::Result<Self> {
        let ours = median(runs.clone()).context("there was no run")?;
        Ok(Self { ours, reference: None, notes: Vec::new(), runs })
    }
}

/// A gateway in front of a server, and its users' credentials.
struct Site {
    gateway: Program,
    server: Program,
    folder: TempDir,
    work: Work,
    open_webui: OpenWebUi,
}

impl Site {
    /// Starts the programs; `settle` adapts the default settings.
    fn start(
        programs: &Programs,
        crossway: &Path,
        upstreams: usize,
        settle: impl FnOnce(&mut Settings<'_>),
    ) -> anyhow::Result<Self> {
        let server = Program::start(&programs.echo, &http_server(MERGED.1), &["/mcp"])?;
        let folder = tempfile::tempdir()?;
        let mut settings = Settings::new(Upstreams::Urls(upstreams, server.url("/mcp")), folder.path());
        settle(&mut settings);
        let gateway = Program::start(crossway, &settings.write()?, &["/mcp"])?;
        let work = Work {
            watch: Watch { pids: vec![gateway.pid()], ..Watch::default() },
            tool: "server-1__echo".to_owned(),
            ..Work::new(Target::StreamableHttp(Address::parse(gateway.url("/mcp"))?))
        };
        Ok(Self { gateway, server, folder, work, open_webui: OpenWebUi::new() })
    }

    /// The work of one user.
    fn of(&self, email: &str) -> Work {
        Work { headers: self.open_webui.headers(email, "user", TOKEN_LIFE), ..self.work.clone() }
    }

    /// Opens a session for each user, some at a time.
    async fn open(&self, works: &[Work]) -> anyhow::Result<Vec<Session>> {
        let open = |work| async move { Session::open(work, &mut None).await };
        let opened = stream::iter(works).map(open).buffered(SETUP_CONCURRENCY).try_collect().await;
        Ok(opened?)
    }

    fn seconds(&self) -> anyhow::Result<impl FnOnce() -> anyhow::Result<f64>> {
        let watch = self.work.watch.clone();
        let before = watch.sample()?;
        Ok(move || Ok(watch.sample()?.seconds_since(&before)))
    }

    fn resident(&self) -> anyhow::Result<f64> {
        Ok(self.work.watch.memory()?.resident_bytes as f64)
    }
}

fn email(user: usize) -> String {
    format!("user-{user}@{DOMAIN}")
}

async fn first_lists(programs: &Programs, crossway: &Path, effort: Effort) -> anyhow::Result<Costed> {
    let users = if effort.quick { LISTING_USERS / 4 } else { LISTING_USERS };
    let (mut first, mut known) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let site = Site::start(programs, crossway, MERGED.0, |settings| {
            let of = |user: usize| json!({ "user": email(user), "upstream": "server-*", "tools": ["echo", "tool_1*", format!("only-{user}")] });
            settings.grants = (0..users).map(of).collect();
            settings.grants.push(json!({ "user": USER, "upstream": "server-*", "tools": ["*"] }));
        })?;
        // From here on the gateway knows its upstreams' lists.
        let work = site.of(USER);
        let mut slot = site.open(std::slice::from_ref(&work)).await?.remove(0).slot(None);
        let all = tool_pages(&work, &mut slot).await?;
        ensure!(count(&all) == MERGED.0 * (MERGED.1 + 2), "{} tools are listed in all", count(&all));
        let works: Vec<Work> = (0..users).map(|user| site.of(&email(user))).collect();
        let sessions = site.open(&works).await?;
        for figures in [&mut first, &mut known] {
            let spent = site.seconds()?;
            let mut control: Option<Client> = None;
            for (session, work) in sessions.iter().zip(&works) {
                let mut slot: Slot = session.slot(control.take());
                let pages = tool_pages(work, &mut slot).await?;
                ensure!(count(&pages) == LISTED_TOOLS, "{} tools are listed for a user", count(&pages));
                control = slot.into_client();
            }
            figures.push(spent()? * 1e6 / users as f64);
        }
    }
    let known = median(known).unwrap_or_default();
    let mut costed = Costed::new(first)?;
    costed.notes.push(format!("the same from memory, to the same users: {known:.0} us"));
    Ok(costed)
}

/// The number of tools on some pages.
fn count(pages: &[Bytes]) -> usize {
    pages.iter().map(|page| memchr::memmem::find_iter(page, br#""inputSchema""#).count()).sum()
}

async fn memory(programs: &Programs, crossway: &Path, effort: Effort, cost: Cost) -> anyhow::Result<Costed> {
    let users = if effort.quick { KNOWN_USERS / 5 } else { KNOWN_USERS };
    let site = Site::start(programs, crossway, 3, |settings| settings.scope = "tenant")?;
    let works: Vec<Work> = (0..KNOWN_BEFORE + users).map(|user| site.of(&email(user))).collect();
    let (before, works) = works.split_at(KNOWN_BEFORE);
    call_once(before).await?;
    let unknown = site.resident()?;
    call_once(works).await?;
    let idle = site.resident()?;
    let sessions = site.open(works).await?;
    // By now their connections have ended, if they end at all.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let held = site.resident()?;
    let (user, session) = ((idle - unknown) / users as f64, (held - idle) / users as f64);
    drop(sessions);
    let mut costed = Costed::new(vec![if cost == Cost::User { user } else { session }])?;
    costed.notes.push(format!("{users} of them; {:.1} MiB in all", held / 1024.0 / 1024.0));
    Ok(costed)
}

/// Makes a call for each user, as a modern client: only the gateway's knowledge of the user stays.
async fn call_once(works: &[Work]) -> anyhow::Result<()> {
    let call = |share: Vec<Work>| async move {
        let mut control: Option<Client> = None;
        for work in share {
            let work = Work { revision: Revision::V2026_07_28, ..work };
            let session = Session::open(&work, &mut control).await?;
            let mut slot = session.slot(control.take());
            slot.echo(&work, 2, "once").await?;
            control = slot.into_client();
        }
        anyhow::Ok(())
    };
    let workers = 8;
    let shares = (0..workers).map(|worker| works.iter().skip(worker).step_by(workers).cloned().collect());
    stream::iter(shares).map(call).buffer_unordered(workers).try_collect::<Vec<_>>().await?;
    Ok(())
}

async fn reloads(programs: &Programs, crossway: &Path, effort: Effort) -> anyhow::Result<Costed> {
    let (count, tenants) = GRANTS;
    let settle = |settings: &mut Settings<'_>, is_denied: bool| {
        settings.tenants = tenants;
        settings.grants.extend((0..count).map(|number| {
            json!({ "tenant": format!("tenant-{}", number % tenants), "upstream": "server-*",
                "tools": [format!("tool_{}", number / tenants), format!("some_{number}_*")] })
        }));
        if is_denied {
            settings.grants.push(
                json!({ "tenant": "bench", "upstream": "server-*", "tools": ["progress"], "effect": "deny" }),
            );
        }
    };
    let site = Site::start(programs, crossway, 3, |settings| settle(settings, false))?;
    let listening: Vec<Work> =
        (0..LISTENING).map(|user| Work { with_get_stream: true, ..site.of(&email(user)) }).collect();
    let _listening = site.open(&listening).await?;
    let works: Vec<Work> = (0..CALLING).map(|user| site.of(&email(user))).collect();
    let sessions = site.open(&works).await?;
    let mut slots: Vec<Slot> = sessions.iter().map(|session| session.slot(None)).collect();
    let server = site.server.url("/mcp").to_owned();
    let (mut with, mut without, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_denied = false;
    for _ in 0..effort.rounds * 2 {
        without.push(longest(&works, &mut slots).await?);
        let computing = std::thread::spawn(compute);
        beside.push(longest(&works, &mut slots).await?);
        ensure!(computing.join().is_ok(), "the thread that computes panicked");
        is_denied = !is_denied;
        let mut settings = Settings::new(Upstreams::Urls(3, &server), site.folder.path());
        settle(&mut settings, is_denied);
        settings.write()?;
        site.gateway.signal(rustix::process::Signal::HUP)?;
        with.push(longest(&works, &mut slots).await?);
        let answer = slots[0].call(3, smallvec![Bytes::from_static(PROGRESS)], works[0].timeout).await?;
        let denied = memchr::memmem::find(&answer, b"Unknown tool").is_some();
        ensure!(denied == is_denied, "the changed config was not taken up in time");
    }
    let reference = median(without);
    let mut costed = Costed::new(with)?;
    costed.reference = reference;
    costed.notes.push("the reference is the longest of as many calls without a reload".to_owned());
    let (beside, computing) = (median(beside).unwrap_or_default() / 1e3, COMPUTING.as_millis());
    costed.notes.push(format!(
        "without a reload, beside a thread of this program that computes for {computing} ms: {beside:.1} ms"
    ));
    Ok(costed)
}

/// Occupies a processor for [`COMPUTING`].
fn compute() {
    let start = Instant::now();
    while start.elapsed() < COMPUTING {
        std::hint::spin_loop();
    }
}

const PROGRESS: &[u8] = br#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"server-1__progress","arguments":{"steps":0}}}"#;

/// Calls for some time, and returns the longest call's duration in microseconds.
async fn longest(works: &[Work], slots: &mut [Slot]) -> anyhow::Result<f64> {
    let until = Instant::now() + AFTER_RELOAD;
    let calls = works.iter().zip(slots).map(|(work, slot)| async move {
        let mut longest = Duration::ZERO;
        while Instant::now() < until {
            tokio::time::sleep(BETWEEN_CALLS).await;
            let start = Instant::now();
            slot.echo(work, 2, "still there").await?;
            longest = longest.max(start.elapsed());
        }
        anyhow::Ok(longest)
    });
    let longest = futures_util::future::try_join_all(calls).await?;
    Ok(longest.into_iter().max().unwrap_or_default().as_secs_f64() * 1e6)
}

fn starts(crossway: &Path, effort: Effort) -> anyhow::Result<Costed> {
    let folder = tempfile::tempdir()?;
    // Nothing listens there: the gateway does not connect before a request needs it.
    let settings = Settings {
        credential: Credential::None,
        ..Settings::new(Upstreams::Urls(STARTING, "http://127.0.0.1:9/mcp"), folder.path())
    };
    let arguments = settings.write()?;
    let once = |arguments: &[_]| -> anyhow::Result<f64> {
        let start = Instant::now();
        let _gateway = Program::start(crossway, arguments, &["/mcp"])?;
        Ok(start.elapsed().as_secs_f64() * 1e6)
    };
    let runs = (0..effort.rounds * STARTS).map(|_| once(&arguments)).collect::<Result<_, _>>()?;
    let mut costed = Costed::new(runs)?;
    let start = Instant::now();
    drop(std::process::Command::new(crossway).args(words(&["--version"])).output()?);
    costed.notes.push(format!("`crossway --version`: {:.1} ms", start.elapsed().as_secs_f64() * 1e3));
    Ok(costed)
}
