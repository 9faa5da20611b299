//! Bounds on concurrent and waiting calls.

use super::*;
use crate::ScopeKey;

fn one_at_a_time(queued: usize) -> GuardOptions {
    once().bounds(1, queued)
}

#[tokio::test(start_paused = true)]
async fn a_plain_call_passes_and_is_counted_while_it_lasts() {
    let mut bench = Bench::new(once());
    let mut reply = bench.call(1);
    let seen = bench.see().await;
    assert_eq!((bench.guard.health().in_flight, bench.guard.health().queued), (1, 0));
    seen.say();
    assert!(!reply.next().await.unwrap().unwrap().is_response());
    seen.answer();
    answered(&mut reply).await;
    assert_eq!(bench.guard.health().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_their_turn_in_order() {
    let mut bench = Bench::new(one_at_a_time(2));
    let (mut first, mut second, mut third) = (bench.call(1), bench.call(2), bench.call(3));
    pump(&mut second).await;
    pump(&mut third).await;
    assert_eq!((bench.guard.health().in_flight, bench.guard.health().queued), (1, 2));
    let seen = bench.see().await;
    assert!(bench.sees_nothing());
    seen.answer();
    answered(&mut first).await;
    pump(&mut third).await;
    pump(&mut second).await;
    let seen = bench.see().await;
    assert_eq!(seen.message.id(), Some(2.into()));
    seen.answer();
    answered(&mut second).await;
    pump(&mut third).await;
    bench.see().await.answer();
    answered(&mut third).await;
    assert_eq!((bench.guard.health().in_flight, bench.guard.health().queued), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_for_which_there_is_no_room_fails_at_once_and_is_told_when_to_come_back() {
    let mut bench = Bench::new(one_at_a_time(1));
    let _flying = bench.call(1);
    let _waiting = bench.call(2);
    let error = failure(&mut bench.call(3)).await;
    assert!(matches!(error.reason(), Reason::OverLimit(_)));
    assert_eq!((error.outcome(), error.retry_after()), (Outcome::NotSent, Some(limits::FULL_RETRY)));
    assert_eq!(bench.see().await.message.id(), Some(1.into()));
    assert!(bench.sees_nothing());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_too_long_was_not_sent() {
    let mut bench = Bench::new(one_at_a_time(1).queue_time(Duration::from_secs(3)));
    let _flying = bench.call(1);
    let started = Instant::now();
    let error = failure(&mut bench.call(2)).await;
    assert!(matches!(error.reason(), Reason::OverLimit(_)));
    assert_eq!((error.outcome(), started.elapsed().as_secs()), (Outcome::NotSent, 3));
    assert_eq!(bench.guard.health().queued, 0);
    drop(bench.see().await);
    assert!(bench.sees_nothing());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_is_cancelled_without_the_upstream() {
    let mut bench = Bench::new(one_at_a_time(1));
    let _flying = bench.call(1);
    let mut waiting = bench.call(2);
    pump(&mut waiting).await;
    bench.cancel(2);
    assert!(waiting.next().await.is_none());
    assert_eq!(bench.guard.health().queued, 0);
    assert_eq!(bench.see().await.message.id(), Some(1.into()));
    assert!(bench.sees_nothing(), "it has seen neither the call nor its end");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_cancelled_by_its_own_client_alone() {
    let mut bench = Bench::new(one_at_a_time(1));
    let _flying = bench.call(1);
    let mut waiting = bench.call(2);
    pump(&mut waiting).await;
    let text = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#;
    let stranger = Context::new(Origin::unique(), None);
    drop(bench.link.call(Call::message(message(text), stranger)));
    pump(&mut waiting).await;
    bench.see().await;
    assert!(
        bench.see().await.message.is_method("notifications/cancelled"),
        "whose it is, the upstream knows"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_gives_up_its_place_and_its_turn() {
    let mut bench = Bench::new(one_at_a_time(2));
    let flying = bench.call(1);
    let mut second = bench.call(2);
    let mut third = bench.call(3);
    pump(&mut second).await;
    pump(&mut third).await;
    drop(second);
    drop(flying);
    assert!(bench.see().await.reply.is_closed(), "the upstream is told");
    pump(&mut third).await;
    bench.see().await.answer();
    answered(&mut third).await;
    assert_eq!((bench.guard.health().in_flight, bench.guard.health().queued), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_came_to_a_call_which_is_dropped_goes_to_the_next() {
    let mut bench = Bench::new(one_at_a_time(2));
    let mut first = bench.call(1);
    let (mut second, mut third) = (bench.call(2), bench.call(3));
    pump(&mut second).await;
    pump(&mut third).await;
    bench.see().await.answer();
    answered(&mut first).await;
    // The second call has the turn now, but is not polled.
    drop(second);
    pump(&mut third).await;
    assert_eq!(bench.see().await.message.id(), Some(3.into()));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_call_takes_no_turn() {
    let mut bench = Bench::new(one_at_a_time(0));
    let _flying = bench.call(1);
    bench.see().await;
    for text in [
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":8,"method":"subscriptions/listen","params":{}}"#,
    ] {
        drop(bench.ask(text));
        bench.see().await;
    }
    assert_eq!(bench.guard.health().in_flight, 1);
}

#[tokio::test(start_paused = true)]
async fn a_group_takes_three_quarters_of_the_turns_and_of_the_queue_and_another_finds_room() {
    let options = once().bounds(4, 4).group_by(|context| context.extensions.get::<ScopeKey>().cloned());
    let mut bench = Bench::new(options);
    let call = |bench: &Bench, id: u32, group: Option<&str>| {
        let mut context = Context::default();
        if let Some(group) = group {
            context.extensions.insert(ScopeKey::new(group));
        }
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t"}}}}"#);
        bench.link.call(Call::message(message(&text), context))
    };
    let flying: Vec<_> = (1..=3).map(|id| call(&bench, id, Some("a"))).collect();
    let mut waiting: Vec<_> = (4..=6).map(|id| call(&bench, id, Some("a"))).collect();
    for reply in &mut waiting {
        pump(reply).await;
    }
    assert_eq!((bench.guard.health().in_flight, bench.guard.health().queued), (3, 3));
    assert!(matches!(failure(&mut call(&bench, 7, Some("a"))).await.reason(), Reason::OverLimit(_)));
    let mut of_another = call(&bench, 8, Some("b"));
    assert_eq!(bench.see().await.message.id(), Some(1.into()));
    assert_eq!(
        (bench.see().await.message.id(), bench.see().await.message.id()),
        (Some(2.into()), Some(3.into()))
    );
    let seen = bench.see().await;
    assert_eq!(seen.message.id(), Some(8.into()));
    seen.answer();
    answered(&mut of_another).await;
    // The free turn is not for this group; its next call goes when one of its own has ended.
    pump(&mut waiting[0]).await;
    assert!(bench.sees_nothing());
    drop(flying);
    for (reply, id) in waiting.iter_mut().zip(4_u64..) {
        pump(reply).await;
        let seen = bench.see().await;
        assert_eq!(seen.message.id(), Some(id.into()));
        seen.answer();
        answered(reply).await;
    }
    // A caller without a group takes all free turns.
    let _all: Vec<_> = (10..14).map(|id| call(&bench, id, None)).collect();
    assert_eq!((bench.guard.health().in_flight, bench.guard.health().queued), (4, 0));
}
