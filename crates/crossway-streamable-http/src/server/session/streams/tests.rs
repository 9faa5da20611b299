//! Tests streams against a model: plain lists of the sent messages.

use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::server::limits::Limits;

#[derive(Debug, Clone)]
enum Step {
    Open(bool),
    Push(usize, bool),
    TakeUp(usize, u32),
    Read(usize),
    Leave(usize),
    Finish(usize),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => any::<bool>().prop_map(Step::Open),
        6 => (0..4_usize, any::<bool>()).prop_map(|(stream, by_reader)| Step::Push(stream, by_reader)),
        2 => (0..4_usize, 0..6_u32).prop_map(|(stream, last)| Step::TakeUp(stream, last)),
        6 => (0..4_usize).prop_map(Step::Read),
        1 => (0..4_usize).prop_map(Step::Leave),
        1 => (0..4_usize).prop_map(Step::Finish),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 0..80)
}

/// The model of a stream.
struct Model {
    ticket: Ticket,
    sent: Vec<Bytes>,
    read: usize,
    is_over: bool,
    has_reader: bool,
}

fn message(stream: usize, number: usize) -> Message {
    let params = format!(r#"{{"stream":{stream},"number":{number}}}"#);
    Message::notification_of("notifications/x", Some(params.as_bytes())).unwrap()
}

/// Runs the steps. `is_kept` means that the limits drop nothing.
fn run(steps: Vec<Step>, limits: Limits, is_kept: bool) -> Result<(), TestCaseError> {
    let common = Arc::new(Common::new(limits));
    let mut streams = Streams::new(Arc::clone(&common), None);
    let mut models: Vec<Model> = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    for step in steps {
        let by_reader = matches!(step, Step::Push(_, true));
        let at = match step {
            Step::Open(_) | Step::Sweep => 0,
            Step::Push(at, _) | Step::TakeUp(at, _) | Step::Read(at) | Step::Leave(at) | Step::Finish(at) => {
                at
            }
        };
        let count = models.len();
        match (step, models.get_mut(at)) {
            (Step::Open(is_call), _) if count < 4 => {
                let kind = if is_call { StreamKind::Call } else { StreamKind::Standing };
                let ticket = streams.open(kind);
                let (sent, read) = (Vec::new(), 0);
                models.push(Model { ticket, sent, read, is_over: false, has_reader: true });
            }
            // Nothing is sent on a standing stream without a reader.
            (Step::Push(_, _), Some(model))
                if !model.is_over && (model.has_reader || model.ticket.kind == StreamKind::Call) =>
            {
                let message = message(at, model.sent.len() + 1);
                let number = u32::try_from(model.sent.len() + 1).unwrap();
                let id = EventId { number, ..model.ticket.priming() };
                model.sent.push(frame(Some(id), &message).into_bytes());
                if by_reader && model.has_reader {
                    let given = streams.push_read(model.ticket, &message).map(Slices::into_bytes);
                    let has_missed = model.read + 1 < model.sent.len();
                    if is_kept {
                        prop_assert_eq!(
                            given.is_none(),
                            has_missed,
                            "else it would come before what was missed"
                        );
                    }
                    if let Some(given) = given {
                        prop_assert_eq!(Some(&given), model.sent.last());
                        model.read = model.sent.len();
                    }
                } else {
                    streams.push(model.ticket.stream, &message);
                }
            }
            (Step::TakeUp(_, last), Some(model)) => {
                let last = EventId { number: last, ..model.ticket.priming() };
                match streams.take_up(last) {
                    Some((ticket, _)) => {
                        model.is_over &= ticket.kind == StreamKind::Call;
                        prop_assert!(last.number as usize <= model.sent.len());
                        (model.ticket, model.read, model.has_reader) = (ticket, last.number as usize, true);
                    }
                    // Unknown only if nothing can be got from it, now or later.
                    None if is_kept => prop_assert!(
                        last.number as usize > model.sent.len()
                            || model.sent.is_empty()
                                && !model.has_reader
                                && (model.is_over || model.ticket.kind == StreamKind::Standing)
                    ),
                    None => {}
                }
            }
            (Step::Read(_), Some(model)) if model.has_reader => {
                let next =
                    streams.poll_next(model.ticket, &mut cx).map(|frame| frame.map(Slices::into_bytes));
                if is_kept {
                    let expected = match model.sent.get(model.read) {
                        Some(frame) => Poll::Ready(Some(frame.clone())),
                        None if model.is_over => Poll::Ready(None),
                        None => Poll::Pending,
                    };
                    prop_assert_eq!(&next, &expected);
                }
                if let Poll::Ready(Some(frame)) = next {
                    // Never from another stream, never twice, never backwards.
                    let number = model.sent.iter().position(|sent| *sent == frame);
                    prop_assert!(number.is_some_and(|number| number >= model.read));
                    model.read = number.unwrap_or_default() + 1;
                }
            }
            (Step::Leave(_), Some(model)) => {
                streams.leave(model.ticket);
                model.has_reader = false;
            }
            (Step::Finish(_), Some(model)) => {
                streams.finish(model.ticket.stream);
                model.is_over = true;
            }
            (Step::Sweep, _) => streams.sweep(u32::MAX),
            _ => {}
        }
        let kept: usize = streams.events.iter().map(|event| event.frame.len()).sum();
        prop_assert_eq!(kept, streams.bytes);
        prop_assert_eq!(kept, common.kept_bytes.load(Ordering::Relaxed));
        prop_assert!(streams.events.len() <= limits.kept_events);
    }
    drop(streams);
    prop_assert_eq!(common.kept_bytes.load(Ordering::Relaxed), 0);
    Ok(())
}

proptest! {
    #[test]
    fn what_is_sent_on_a_stream_is_read_from_it_once_and_in_order(steps in steps()) {
        let limits = Limits { standing_streams: 9, ..Limits::default() };
        run(steps, limits, true)?;
    }

    #[test]
    fn what_is_kept_is_bounded_and_counted(steps in steps(), kept_events in 1..6_usize) {
        run(steps, Limits { kept_events, ..Limits::default() }, false)?;
    }
}

#[test]
fn what_a_reader_that_is_there_has_still_to_get_is_kept_before_what_others_have_read() {
    let common = Arc::new(Common::new(Limits { kept_events: 4, ..Limits::default() }));
    let mut streams = Streams::new(common, None);
    let mut cx = Context::from_waker(Waker::noop());
    let broken = streams.open(StreamKind::Call);
    streams.leave(broken);
    (1..=2).for_each(|number| streams.push(broken.stream, &message(0, number)));
    let (resumed, _) = streams.take_up(broken.priming()).unwrap();
    let other = streams.open(StreamKind::Call);
    for number in 1..=9 {
        assert!(streams.push_read(other, &message(1, number)).is_some());
    }
    for number in 1..=2 {
        let id = EventId { number: u32::try_from(number).unwrap(), ..resumed.priming() };
        let expected = frame(Some(id), &message(0, number)).into_bytes();
        let next = streams.poll_next(resumed, &mut cx).map(|frame| frame.map(Slices::into_bytes));
        assert_eq!(next, Poll::Ready(Some(expected)));
    }
}

#[test]
fn a_standing_stream_that_ended_is_taken_up_as_one_that_goes_on() {
    let mut streams = Streams::new(Arc::new(Common::new(Limits::default())), None);
    let mut cx = Context::from_waker(Waker::noop());
    let failed = streams.open(StreamKind::Standing);
    assert!(streams.push_read(failed, &message(0, 1)).is_some());
    streams.finish(failed.stream);
    streams.leave(failed);
    let (resumed, _) = streams.take_up(EventId { number: 1, ..failed.priming() }).unwrap();
    assert!(streams.poll_next(resumed, &mut cx).is_pending());
    assert!(streams.push_read(resumed, &message(0, 2)).is_some());
}

#[test]
fn the_bytes_of_all_sessions_are_bounded_together() {
    let frame = frame(None, &message(0, 1)).len();
    let common = Arc::new(Common::new(Limits { kept_bytes_in_all: 6 * frame, ..Limits::default() }));
    let mut sessions: Vec<Streams> = (0..4).map(|_| Streams::new(Arc::clone(&common), None)).collect();
    for _ in 0..5 {
        for streams in &mut sessions {
            let ticket = streams.open(StreamKind::Call);
            streams.push(ticket.stream, &message(0, 1));
            assert!(common.kept_bytes.load(Ordering::Relaxed) <= 6 * frame);
        }
    }
}

#[test]
fn an_owner_with_many_sessions_takes_nothing_that_is_kept_for_others() {
    let frame = frame(None, &message(0, 1)).len() + 64;
    let common = Arc::new(Common::new(Limits { kept_bytes_in_all: 64 * frame, ..Limits::default() }));
    let of = |owner: &str| Streams::new(Arc::clone(&common), Some(&SessionOwner::new(owner)));
    let kept = |streams: &Streams| streams.events.len();
    let push = |streams: &mut Streams| {
        let ticket = streams.open(StreamKind::Call);
        streams.push(ticket.stream, &message(0, 1));
    };
    let mut of_mallory: Vec<Streams> = (0..100).map(|_| of("mallory")).collect();
    for streams in &mut of_mallory {
        (0..2).for_each(|_| push(streams));
    }
    let all: usize = of_mallory.iter().map(kept).sum();
    assert!((8..=16).contains(&all), "{all}");
    let mut of_alice = of("alice");
    (0..4).for_each(|_| push(&mut of_alice));
    assert_eq!(kept(&of_alice), 4);
    // Dropped events count for nobody.
    drop(of_mallory);
    let mut of_mallory = of("mallory");
    (0..4).for_each(|_| push(&mut of_mallory));
    assert_eq!(kept(&of_mallory), 4);
    drop((of_alice, of_mallory));
    assert_eq!(common.kept_bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn owners_without_a_session_are_forgotten() {
    let common = Arc::new(Common::new(Limits::default()));
    let held = Streams::new(Arc::clone(&common), Some(&SessionOwner::new("alice")));
    for number in 0..1000 {
        drop(Streams::new(Arc::clone(&common), Some(&SessionOwner::new(number.to_string()))));
    }
    assert!(Arc::ptr_eq(held.of_owner.as_ref().unwrap(), &common.kept_of(&SessionOwner::new("alice"))));
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_waits_for_room_is_woken_once_others_have_taken_the_place_of_what_was_unread() {
    let limits = Limits { kept_events: 4, ..Limits::default() };
    let mut streams = Streams::new(Arc::new(Common::new(limits)), None);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let slow = streams.open(StreamKind::Call);
    for number in 1..=2 {
        streams.push(slow.stream, &message(0, number));
    }
    assert!(streams.poll_room(slow.stream, &mut cx).is_pending());
    let other = streams.open(StreamKind::Call);
    for number in 1..=4 {
        streams.push(other.stream, &message(1, number));
    }
    assert!(woken.0.load(Ordering::Relaxed));
    assert!(streams.poll_room(slow.stream, &mut cx).is_ready());
}

#[test]
fn who_waits_for_room_on_a_standing_stream_is_woken_when_a_newer_one_takes_its_place() {
    let limits = Limits { kept_events: 4, standing_streams: 1, ..Limits::default() };
    let mut streams = Streams::new(Arc::new(Common::new(limits)), None);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let old = streams.open(StreamKind::Standing);
    for number in 1..=2 {
        streams.push(old.stream, &message(0, number));
    }
    assert!(streams.poll_room(old.stream, &mut cx).is_pending());
    streams.open(StreamKind::Standing);
    assert!(woken.0.load(Ordering::Relaxed));
    assert!(streams.poll_room(old.stream, &mut cx).is_ready());
}
