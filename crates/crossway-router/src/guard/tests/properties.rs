//! Properties over random calls, failures and cancellations.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context as TaskContext, Poll, Waker};

use futures_core::Stream;
use proptest::prelude::*;

use super::*;

/// One step of a run. Numbers select among the open calls.
#[derive(Debug, Clone)]
enum Step {
    /// A client calls a tool that is repeatable or not.
    Call { is_repeatable: bool },
    /// A client polls its reply.
    Poll(usize),
    /// A client drops its reply.
    Drop(usize),
    /// A client cancels.
    Cancel(usize),
    /// The upstream handles a call.
    Serve(usize, Deed),
    /// Time passes.
    Wait(u16),
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Say,
    Answer,
    NotSent,
    Unknown,
    Busy,
    SessionEnded,
}

fn step() -> impl Strategy<Value = Step> {
    let deed = prop_oneof![
        1 => Just(Deed::Say),
        3 => Just(Deed::Answer),
        2 => Just(Deed::NotSent),
        2 => Just(Deed::Unknown),
        1 => Just(Deed::Busy),
        1 => Just(Deed::SessionEnded),
    ];
    prop_oneof![
        3 => any::<bool>().prop_map(|is_repeatable| Step::Call { is_repeatable }),
        4 => any::<usize>().prop_map(Step::Poll),
        1 => any::<usize>().prop_map(Step::Drop),
        1 => any::<usize>().prop_map(Step::Cancel),
        4 => (any::<usize>(), deed).prop_map(|(at, deed)| Step::Serve(at, deed)),
        2 => (0..3000u16).prop_map(Step::Wait),
    ]
}

/// A client's side of a call.
struct Client {
    reply: Option<Reply>,
    ends: usize,
    /// Whether the client has gone away, or has cancelled.
    has_left: bool,
}

impl Client {
    /// Takes all available items.
    fn poll(&mut self) {
        let mut cx = TaskContext::from_waker(Waker::noop());
        while let Some(reply) = &mut self.reply {
            match Pin::new(reply).poll_next(&mut cx) {
                Poll::Pending => return,
                Poll::Ready(None) => self.reply = None,
                Poll::Ready(Some(Ok(message))) => self.ends += usize::from(message.is_response()),
                Poll::Ready(Some(Err(_))) => self.ends += 1,
            }
        }
    }
}

/// How often the upstream has seen each call, unless it says that it has not.
type Times = HashMap<u64, usize>;

async fn run(steps: Vec<Step>, options: GuardOptions) {
    let repeatable = Arc::new(|request: &Message| request.name().as_deref() == Some("harmless"));
    let mut bench = Bench::new(options.repeatable(repeatable));
    let mut clients: Vec<Client> = Vec::new();
    let mut harmless = Vec::new();
    let mut served: Vec<Seen> = Vec::new();
    let times = Mutex::new(Times::new());
    for step in steps {
        while let Ok(seen) = bench.seen.try_recv() {
            if let Some(id) = seen.message.request_id() {
                *times.lock().unwrap().entry(id.as_u64().unwrap()).or_default() += 1;
                served.push(seen);
            }
        }
        let at = |index: usize, len: usize| (len > 0).then(|| index % len);
        match step {
            Step::Call { is_repeatable } => {
                let (id, name) = (clients.len(), if is_repeatable { "harmless" } else { "harmful" });
                let text = format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}"}}}}"#
                );
                clients.push(Client { reply: Some(bench.ask(&text)), ends: 0, has_left: false });
                harmless.push(is_repeatable);
            }
            Step::Poll(index) => {
                if let Some(at) = at(index, clients.len()) {
                    clients[at].poll();
                }
            }
            Step::Drop(index) => {
                if let Some(at) = at(index, clients.len()) {
                    clients[at].has_left |= clients[at].reply.take().is_some();
                }
            }
            Step::Cancel(index) => {
                if let Some(at) = at(index, clients.len()) {
                    clients[at].has_left = true;
                    bench.cancel(u32::try_from(at).unwrap());
                }
            }
            Step::Serve(index, deed) => {
                let Some(at) = at(index, served.len()) else { continue };
                if served[at].reply.is_closed() || served[at].reply.capacity() == 0 {
                    served.swap_remove(at);
                    continue;
                }
                if let Deed::Say = deed {
                    served[at].say();
                    continue;
                }
                let seen = served.swap_remove(at);
                match deed {
                    Deed::Say | Deed::Answer => seen.answer(),
                    Deed::NotSent => {
                        let id = seen.message.id().unwrap().as_u64().unwrap();
                        *times.lock().unwrap().get_mut(&id).unwrap() -= 1;
                        seen.fail(unreachable());
                    }
                    Deed::Unknown => seen.fail(away()),
                    Deed::Busy => seen.fail(busy(1)),
                    Deed::SessionEnded => seen.fail(CallError::unknown(Reason::SessionEnded)),
                }
            }
            Step::Wait(millis) => tokio::time::advance(Duration::from_millis(millis.into())).await,
        }
        let health = bench.guard.health();
        assert!(health.in_flight <= 3 && health.queued <= 4, "{health:?}");
    }
    // All remaining calls are answered, until none is left.
    for _ in 0..10_000 {
        if clients.iter().all(|client| client.reply.is_none()) {
            break;
        }
        clients.iter_mut().for_each(Client::poll);
        while let Ok(seen) = bench.seen.try_recv() {
            if let Some(id) = seen.message.request_id() {
                *times.lock().unwrap().entry(id.as_u64().unwrap()).or_default() += 1;
                served.push(seen);
            }
        }
        for seen in served.drain(..) {
            if !seen.reply.is_closed() && seen.reply.capacity() > 0 {
                seen.answer();
            }
        }
        tokio::time::advance(Duration::from_millis(500)).await;
    }
    assert!(clients.iter().all(|client| client.reply.is_none()), "each call ends");
    for client in &clients {
        assert!(client.ends == 1 || client.has_left && client.ends == 0, "{} ends", client.ends);
    }
    for (id, times) in times.into_inner().unwrap() {
        let is_harmless = harmless[usize::try_from(id).unwrap()];
        assert!(times <= if is_harmless { 3 } else { 1 }, "{id} was seen {times} times");
    }
    let health = bench.guard.health();
    assert_eq!((health.in_flight, health.queued), (0, 0));
    assert!(!bench.guard.shared.has_waiting());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn calls_end_once_are_sent_once_and_leave_nothing_behind(steps in prop::collection::vec(step(), 0..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let options = GuardOptions::new().bounds(3, 4).idle(Duration::from_secs(20));
        runtime.unwrap().block_on(run(steps, options));
    }
}
