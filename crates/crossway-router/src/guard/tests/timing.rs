//! Idle and total timeouts.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_silent_call_ends_and_the_upstream_is_told() {
    let mut bench = Bench::new(once().idle(MINUTE));
    let mut reply = bench.call(1);
    let seen = bench.see().await;
    let started = Instant::now();
    let error = failure(&mut reply).await;
    assert_eq!(error, CallError::unknown(Reason::TimedOut(MINUTE)));
    assert_eq!(started.elapsed(), MINUTE);
    assert!(seen.reply.is_closed());
    assert_eq!(bench.guard.health().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_prolong_a_call_up_to_its_total() {
    let mut bench = Bench::new(once().idle(MINUTE).total(MINUTE * 3));
    let mut reply = bench.call(1);
    let seen = bench.see().await;
    let started = Instant::now();
    let says = async {
        let mut ticks = tokio::time::interval_at(started + MINUTE / 2, MINUTE / 2);
        loop {
            ticks.tick().await;
            seen.say();
        }
    };
    let ends = async {
        loop {
            if let Err(error) = reply.next().await.unwrap() {
                break error;
            }
        }
    };
    let error = tokio::select! {
        () = says => unreachable!("it speaks for ever"),
        error = ends => error,
    };
    assert_eq!(error, CallError::unknown(Reason::TimedOut(MINUTE * 3)));
    assert_eq!(started.elapsed(), MINUTE * 3);
}

#[tokio::test(start_paused = true)]
async fn the_total_counts_from_the_beginning_of_the_wait() {
    let mut bench = Bench::new(once().bounds(1, 1).total(Duration::from_secs(8)));
    let mut first = bench.call(1);
    let mut second = bench.call(2);
    pump(&mut second).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    bench.see().await.answer();
    answered(&mut first).await;
    let started = Instant::now();
    let error = failure(&mut second).await;
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(started.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_s_deadline_ends_its_wait() {
    let bench = Bench::new(once().bounds(1, 1));
    let _flying = bench.call(1);
    let mut context = Context::default();
    context.deadline = Some((Instant::now() + Duration::from_secs(2)).into_std());
    let text = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let mut waiting = bench.link.call(Call::message(message(text), context));
    let started = Instant::now();
    assert_eq!(failure(&mut waiting).await.outcome(), Outcome::NotSent);
    assert_eq!(started.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_too_slow_is_not_tried_again() {
    let options = GuardOptions::new().idle(MINUTE).repeatable(Arc::new(ReadsOnly));
    let mut bench = Bench::new(options);
    let mut reply = bench.ask(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let _seen = bench.see().await;
    assert_eq!(failure(&mut reply).await.outcome(), Outcome::Unknown);
    assert!(bench.sees_nothing());
}

#[tokio::test(start_paused = true)]
async fn each_attempt_may_be_silent_for_as_long() {
    let mut bench = Bench::new(GuardOptions::new().idle(MINUTE));
    let mut reply = bench.call(1);
    let seen = bench.see().await;
    pump(&mut reply).await;
    tokio::time::advance(MINUTE - Duration::from_secs(1)).await;
    seen.fail(unreachable());
    let started = Instant::now();
    let (error, seen) = tokio::join!(failure(&mut reply), bench.seen.recv());
    drop(seen);
    assert_eq!(error, CallError::unknown(Reason::TimedOut(MINUTE)));
    assert!(started.elapsed() >= MINUTE);
}

#[tokio::test(start_paused = true)]
async fn times_may_be_as_long_as_a_duration_can_say() {
    let max = Duration::MAX;
    let breaker = BreakerOptions { failures: 1, first: max, most: max };
    let options =
        GuardOptions::new().bounds(1, 1).queue_time(max).idle(max).total(max).breaker(Some(breaker));
    let mut bench = Bench::new(options.retries(1));
    let mut reply = bench.call(1);
    pump(&mut reply).await;
    let seen = bench.see().await;
    let mut waiting = bench.call(2);
    pump(&mut waiting).await;
    tokio::time::advance(Duration::from_secs(86_400)).await;
    seen.say();
    reply.next().await.expect("a message").expect("no failure");
    pump(&mut reply).await;
    seen.answer();
    answered(&mut reply).await;
    let (failed, ()) = tokio::join!(failure(&mut waiting), async { bench.see().await.fail(away()) });
    assert_eq!(failed, away());
    assert!(failure(&mut bench.call(3)).await.retry_after().is_some(), "it is left alone for ever");
}
