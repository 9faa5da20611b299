//! What happens in a run, and when.

use std::sync::Arc;
use std::time::Duration;

use crossway_proto::Revision;
use crossway_router::{
    AnyEra, EraSupport, FromLegacy, Router, RouterOptions, SharedBy, ToLegacy, ToLegacyOptions,
};
use crossway_service::Upstream;
use crossway_testkit::sim::{Shape, SimUpstream, Weather};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::{Client, Order, Who};
use crate::server::Host;
use crate::world::World;

/// By what a client reaches the server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route {
    /// The server alone, under its own names.
    AnyEra,
    /// The server merged with another one: everybody is translated to the modern shape.
    Router,
}

/// One thing that happens, and how long after it the next one does.
#[derive(Debug, Clone)]
struct Step {
    what: What,
    pause: u64,
}

#[derive(Debug, Clone)]
enum What {
    /// A client is told to do something.
    Order(usize, Order),
    /// A connection with the server breaks.
    Cut(usize),
    /// The server dies, and is back after so many milliseconds.
    Restart(u64),
}

/// A run.
#[derive(Debug, Clone)]
struct Run {
    steps: Vec<Step>,
    seed: u64,
    server: Shape,
    clients: [(Shape, bool); 3],
    share: SharedBy,
}

impl Run {
    /// Whether no connection with the server breaks, and all that it says goes one way.
    fn is_calm(&self) -> bool {
        let breaks = |step: &Step| match &step.what {
            What::Order(_, Order::Call(deeds)) => deeds.contains(&"die"),
            What::Order(..) => false,
            What::Cut(_) | What::Restart(_) => true,
        };
        self.server == Shape::Pipe && !self.steps.iter().any(breaks)
    }
}

/// How many schedules each pair goes through, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 24;

/// How long a run goes on after its last step: all that is not for ever has ended then.
const REST: Duration = Duration::from_secs(200);

fn deed() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just("progress"),
        3 => Just("log"),
        3 => Just("wait"),
        2 => prop::sample::select(vec!["ask-roots", "ask-sample", "ask-elicit", "ask-url"]),
        2 => prop::sample::select(vec!["audio", "link", "structured", "changed", "updated"]),
        1 => prop::sample::select(vec!["fail", "missing", "die", "hang"]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let order = prop_oneof![
        8 => prop::collection::vec(deed(), 0..5).prop_map(Order::Call),
        1 => Just(Order::List),
        1 => Just(Order::Listen),
        2 => any::<usize>().prop_map(Order::Cancel),
        1 => Just(Order::Leave),
    ];
    let what = prop_oneof![
        12 => (0..3usize, order).prop_map(|(client, order)| What::Order(client, order)),
        1 => any::<usize>().prop_map(What::Cut),
        1 => (0..3000u64).prop_map(What::Restart),
    ];
    (what, prop_oneof![Just(0), 0..40u64]).prop_map(|(what, pause)| Step { what, pause })
}

fn run() -> impl Strategy<Value = Run> {
    let shape = || prop::sample::select(vec![Shape::Pipe, Shape::Streams]);
    let client = move || (shape(), any::<bool>());
    let share = prop::sample::select(vec![
        SharedBy::ClientSession,
        SharedBy::ScopeKey,
        SharedBy::Everyone,
        SharedBy::Everyone,
    ]);
    let steps = prop::collection::vec(step(), 1..40);
    (steps, any::<u64>(), shape(), [client(), client(), client()], share)
        .prop_map(|(steps, seed, server, clients, share)| Run { steps, seed, server, clients, share })
}

/// A run in which no connection breaks, of clients that listen to what they change.
fn calm_run() -> impl Strategy<Value = Run> {
    let deed =
        prop::sample::select(vec!["updated", "updated", "wait", "wait", "ask-elicit", "ask-roots", "hang"]);
    let order = prop_oneof![
        6 => prop::collection::vec(deed, 0..4).prop_map(Order::Call),
        1 => Just(Order::List),
        2 => Just(Order::Listen),
        1 => any::<usize>().prop_map(Order::Cancel),
    ];
    let step = (0..3usize, order, 0..40u64);
    let step = step.prop_map(|(client, order, pause)| Step { what: What::Order(client, order), pause });
    let shape = || prop::sample::select(vec![Shape::Pipe, Shape::Streams]);
    let client = move || (shape(), prop::bool::weighted(0.8));
    let share = prop::sample::select(vec![SharedBy::ScopeKey, SharedBy::Everyone]);
    let steps = prop::collection::vec(step, 1..40);
    (steps, any::<u64>(), [client(), client(), client()], share)
        .prop_map(|(steps, seed, clients, share)| Run { steps, seed, server: Shape::Pipe, clients, share })
}

/// Runs a pair of revisions through many schedules.
///
/// # Panics
///
/// With the shortest schedule that was found after which something is wrong.
pub(crate) fn check(client: Revision, server: Revision, route: Route) {
    check_all(run(), client, server, route);
}

/// The same where no connection breaks, and so no change is lost.
pub(crate) fn check_calm(client: Revision, server: Revision) {
    check_all(calm_run(), client, server, Route::AnyEra);
}

fn check_all(runs: impl Strategy<Value = Run>, client: Revision, server: Revision, route: Route) {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: asked.unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let checked = runner.run(&runs, |run| {
        let wrongs = in_virtual_time(&run, client, server, route);
        prop_assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
        Ok(())
    });
    if let Err(error) = checked {
        panic!(
            "a client of {client}, a server of {server}, {route:?}: {}",
            format!("{error:?}").replace("Value", "")
        );
    }
}

fn in_virtual_time(run: &Run, client: Revision, server: Revision, route: Route) -> Vec<String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(play(run, client, server, route))
}

async fn play(run: &Run, client: Revision, server: Revision, route: Route) -> Vec<String> {
    let world = Arc::new(World::default());
    let weather = Weather::new(run.seed, 5, 8);
    let any_era = |revision: Revision, shape: Shape| {
        let host = Host { revision, world: Arc::clone(&world) };
        let sim = SimUpstream::new(shape, weather.clone(), move |end| host.serve(end));
        let raw: Arc<dyn Upstream> = Arc::new(sim.clone());
        let speaks = if revision.is_modern() { EraSupport::Modern } else { EraSupport::Legacy };
        let to_legacy = ToLegacy::new("sim", Arc::clone(&raw), ToLegacyOptions::shared_by(run.share));
        let from_legacy = FromLegacy::new(Arc::clone(&raw));
        (sim, AnyEra::new(raw, speaks, Arc::new(from_legacy), Arc::new(to_legacy)))
    };
    let (sim, one) = any_era(server, run.server);
    let (upstream, tools): (Arc<dyn Upstream>, Vec<&'static str>) = match route {
        Route::AnyEra => (Arc::new(one), vec!["work"]),
        Route::Router => {
            let (_, other) = any_era(Revision::V2025_11_25, Shape::Pipe);
            let options = RouterOptions::default();
            let options = if run.share == SharedBy::Everyone { options.same_for_all() } else { options };
            let router = Router::new(options);
            router.insert("one", &*one.modern());
            router.insert("two", &*other.modern());
            (Arc::new(FromLegacy::new(router)), vec!["one__work", "one__work", "two__work"])
        }
    };
    let hears_its_changes = matches!(route, Route::AnyEra)
        && run.is_calm()
        && server.is_legacy()
        && run.share != SharedBy::ClientSession;
    let mut orders = Vec::new();
    let mut running = Vec::new();
    for (number, (shape, can_be_asked)) in run.clients.into_iter().enumerate() {
        let name = format!("c{number}");
        let who =
            Who { name, revision: client, shape, can_be_asked, tools: tools.clone(), hears_its_changes };
        let machine = Client::new(who, Arc::clone(&upstream), weather.clone(), Arc::clone(&world));
        let (sender, receiver) = mpsc::channel(1024);
        orders.push(sender);
        running.push(tokio::spawn(machine.run(receiver)));
    }
    let mut back_at: Option<Instant> = None;
    for step in &run.steps {
        match &step.what {
            What::Order(client, order) => orders[*client].send(order.clone()).await.unwrap(),
            What::Cut(number) => sim.cut_one(*number),
            What::Restart(down) => {
                sim.go_down();
                back_at = Some(Instant::now() + Duration::from_millis(*down));
            }
        }
        let next = Instant::now() + Duration::from_millis(step.pause);
        if back_at.is_some_and(|back_at| back_at <= next) {
            sim.come_up();
            back_at = None;
        }
        sleep_until(next).await;
    }
    sim.come_up();
    sleep(REST).await;
    for client in &orders {
        client.send(Order::Finish).await.unwrap();
    }
    sleep(REST).await;
    drop(orders);
    for client in running {
        for asked in client.await.unwrap() {
            asked.check(&world);
        }
    }
    world.wrongs()
}

#[test]
fn what_a_call_of_a_broken_session_was_asked_ends_no_other_call() {
    let call = |client, deeds: &[&'static str]| What::Order(client, Order::Call(deeds.to_vec()));
    for seed in 0..20 {
        let run = Run {
            steps: vec![
                Step { what: call(0, &["ask-roots"]), pause: 22 },
                Step { what: call(1, &[]), pause: 17 },
                Step { what: call(0, &[]), pause: 0 },
                Step { what: What::Cut(5791300299294163862), pause: 0 },
            ],
            seed,
            server: Shape::Streams,
            clients: [(Shape::Streams, true), (Shape::Streams, false), (Shape::Pipe, false)],
            share: SharedBy::ClientSession,
        };
        let wrongs = in_virtual_time(&run, Revision::V2025_11_25, Revision::V2025_11_25, Route::Router);
        assert!(wrongs.is_empty(), "{seed}: {}", wrongs.join("\n"));
    }
}
