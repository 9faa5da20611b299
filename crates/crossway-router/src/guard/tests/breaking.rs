//! The circuit breaker: when it opens and closes.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_upstream_that_fails_in_a_row_is_left_alone() {
    let mut bench = Bench::new(once());
    bench.break_down().await;
    let error = failure(&mut bench.call(9)).await;
    assert!(matches!(error.reason(), Reason::Unavailable(_)));
    assert_eq!(error.outcome(), Outcome::NotSent);
    let after = error.retry_after().unwrap();
    assert!(limits::BREAKER_FIRST / 2 <= after && after <= limits::BREAKER_FIRST, "{after:?}");
    assert!(bench.sees_nothing());
    assert_eq!(bench.guard.health().last_error, Some(away()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_between_begins_the_count_anew() {
    let mut bench = Bench::new(once());
    for round in 0..3 {
        for id in 1..limits::BREAKER_FAILURES {
            let mut reply = bench.call(id);
            bench.see().await.fail(away());
            failure(&mut reply).await;
        }
        let mut reply = bench.call(round);
        bench.see().await.answer();
        answered(&mut reply).await;
    }
    assert_eq!(bench.guard.health().state, HealthState::Up);
}

#[tokio::test(start_paused = true)]
async fn one_call_tries_whether_it_is_back_and_the_others_wait_for_what_it_finds() {
    let mut bench = Bench::new(once());
    let mut changes = bench.guard.watch();
    bench.break_down().await;
    assert_eq!(*changes.borrow_and_update(), HealthState::Down);
    tokio::time::advance(limits::BREAKER_FIRST).await;
    let mut trial = bench.call(1);
    assert_eq!(bench.guard.health().state, HealthState::Trying);
    let mut waiting = bench.call(2);
    pump(&mut waiting).await;
    let tried = bench.see().await;
    assert!(bench.sees_nothing());
    tried.answer();
    answered(&mut trial).await;
    assert_eq!(*changes.borrow_and_update(), HealthState::Up);
    let (_, ()) = tokio::join!(waiting.next(), async {
        bench.see().await.answer();
    });
    let mut reply = bench.call(3);
    bench.see().await.answer();
    answered(&mut reply).await;
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_fails_fails_those_who_wait_for_what_it_finds() {
    let mut bench = Bench::new(once());
    bench.break_down().await;
    tokio::time::advance(limits::BREAKER_FIRST).await;
    let (mut trial, mut waiting) = (bench.call(1), bench.call(2));
    pump(&mut waiting).await;
    bench.see().await.fail(unreachable());
    assert_eq!(failure(&mut trial).await, unreachable());
    let error = failure(&mut waiting).await;
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.to_string().contains("left alone"), "{error}");
    assert!(bench.sees_nothing());
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_has_said_something_holds_nobody_up_however_long_it_takes() {
    let mut bench = Bench::new(once());
    bench.break_down().await;
    tokio::time::advance(limits::BREAKER_FIRST).await;
    let mut trial = bench.call(1);
    let long = bench.see().await;
    long.say();
    trial.next().await.unwrap().unwrap();
    assert_eq!(bench.guard.health().state, HealthState::Up);
    let mut reply = bench.call(2);
    bench.see().await.answer();
    answered(&mut reply).await;
    long.fail(away());
    assert_eq!(failure(&mut trial).await, away());
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_says_nothing_is_waited_for_once_and_followed_by_another() {
    let mut bench = Bench::new(once());
    bench.break_down().await;
    tokio::time::advance(limits::BREAKER_FIRST).await;
    let began = Instant::now();
    let mut silent = bench.call(1);
    let held = bench.see().await;
    let (mut second, mut third) = (bench.call(2), bench.call(3));
    pump(&mut second).await;
    pump(&mut third).await;
    // One of the waiting calls is the next trial, and the other has waited long enough.
    tokio::time::advance(limits::BREAKER_FIRST).await;
    pump(&mut second).await;
    let seen = bench.see().await;
    let error = failure(&mut third).await;
    assert!(error.to_string().contains("left alone"), "{error}");
    assert_eq!(began.elapsed(), limits::BREAKER_FIRST);
    seen.answer();
    answered(&mut second).await;
    assert_eq!(bench.guard.health().state, HealthState::Up);
    // The first call's failure is one among others.
    held.fail(away());
    assert_eq!(failure(&mut silent).await, away());
    assert_eq!(bench.guard.health().state, HealthState::Up);
}

#[tokio::test(start_paused = true)]
async fn with_each_trial_that_fails_it_is_left_alone_for_longer_up_to_a_bound() {
    let mut bench = Bench::new(once());
    bench.break_down().await;
    let mut wanted = limits::BREAKER_FIRST;
    for _ in 0..10 {
        let rest = failure(&mut bench.call(1)).await.retry_after().unwrap();
        assert!(wanted / 2 <= rest && rest <= wanted, "{rest:?} of {wanted:?}");
        tokio::time::advance(rest).await;
        let mut trial = bench.call(2);
        bench.see().await.fail(unreachable());
        assert_eq!(failure(&mut trial).await, unreachable());
        wanted = (wanted * 2).min(limits::BREAKER_MOST);
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_given_up_leaves_the_trial_to_the_next_call() {
    let mut bench = Bench::new(once());
    bench.break_down().await;
    tokio::time::advance(limits::BREAKER_FIRST).await;
    drop(bench.call(1));
    assert!(bench.see().await.reply.is_closed());
    let mut trial = bench.call(2);
    bench.see().await.answer();
    answered(&mut trial).await;
    assert_eq!(bench.guard.health().state, HealthState::Up);
}

#[tokio::test(start_paused = true)]
async fn calls_that_were_sent_before_neither_prolong_the_rest_nor_are_held_up_by_it() {
    let mut bench = Bench::new(once());
    let (mut early, mut late) = (bench.call(101), bench.call(102));
    let (early_seen, late_seen) = (bench.see().await, bench.see().await);
    bench.break_down().await;
    early_seen.fail(away());
    assert_eq!(failure(&mut early).await, away());
    tokio::time::advance(limits::BREAKER_FIRST).await;
    drop(bench.call(1));
    bench.see().await;
    late_seen.answer();
    answered(&mut late).await;
    assert_eq!(bench.guard.health().state, HealthState::Up, "it lives");
}

#[tokio::test(start_paused = true)]
async fn errors_that_the_upstream_answers_with_do_not_count() {
    let mut bench = Bench::new(once());
    for id in 0..10 {
        let mut reply = bench.call(id);
        let refused = CallError::answered(Reason::Refused { status: 403, retry_after: None, said: None });
        bench.see().await.fail(refused.clone());
        assert_eq!(failure(&mut reply).await, refused);
    }
    assert_eq!(bench.guard.health().state, HealthState::Up);
}

#[tokio::test(start_paused = true)]
async fn a_dead_session_that_is_called_again_and_again_says_nothing_of_the_upstream() {
    let mut bench = Bench::of(GuardOptions::new(), Scope::Session);
    let dead = CallError::not_sent(Reason::Ended("the child has ended".into()));
    for id in 0..20 {
        let mut reply = bench.call(id);
        let fails = async {
            bench.seen.recv().await.unwrap().fail(dead.clone());
        };
        let (error, ()) = tokio::join!(failure(&mut reply), fails);
        assert_eq!(error, dead);
        assert!(bench.sees_nothing(), "what is dead is not asked again");
    }
    assert_eq!(bench.guard.health().state, HealthState::Up);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_upstream_asks_for_is_kept_by_all_calls() {
    let mut bench = Bench::new(once());
    let mut reply = bench.call(1);
    bench.see().await.fail(busy(4));
    assert_eq!(failure(&mut reply).await, busy(4), "it is passed on");
    let started = Instant::now();
    let mut waiting = bench.call(2);
    pump(&mut waiting).await;
    assert!(bench.sees_nothing());
    let (_, ()) = tokio::join!(waiting.next(), async {
        bench.see().await.answer();
    });
    assert_eq!(started.elapsed().as_secs(), 4);
    assert_eq!(bench.guard.health().state, HealthState::Up);
    drop(bench.call(3));
    bench.see().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_longer_than_calls_wait_fails_them_at_once() {
    let mut bench = Bench::new(once());
    let mut reply = bench.call(1);
    bench.see().await.fail(busy(100_000));
    failure(&mut reply).await;
    let error = failure(&mut bench.call(2)).await;
    assert_eq!((error.outcome(), error.retry_after()), (Outcome::NotSent, Some(limits::PAUSE_MOST)));
    tokio::time::advance(limits::PAUSE_MOST).await;
    drop(bench.call(3));
    bench.see().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_can_be_left_to_the_clients() {
    let mut bench = Bench::new(once().heed_retry_after(false));
    let mut reply = bench.call(1);
    bench.see().await.fail(busy(60));
    assert_eq!(failure(&mut reply).await, busy(60));
    drop(bench.call(2));
    bench.see().await;
}

#[tokio::test(start_paused = true)]
async fn an_upstream_is_not_left_alone_without_a_breaker() {
    let mut bench = Bench::new(once().breaker(None));
    for id in 0..50 {
        let mut reply = bench.call(id);
        bench.see().await.fail(away());
        failure(&mut reply).await;
    }
    assert_eq!(bench.guard.health().state, HealthState::Up);
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_given_up_late_tells_nothing_while_a_newer_one_runs() {
    for is_dropped in [true, false] {
        let mut bench = Bench::new(once());
        bench.break_down().await;
        tokio::time::advance(limits::BREAKER_FIRST).await;
        let mut old = bench.call(1);
        let old_seen = bench.see().await;
        tokio::time::advance(limits::BREAKER_FIRST).await;
        let mut newer = bench.call(2);
        let newer_seen = bench.see().await;
        if is_dropped {
            drop(old);
        } else {
            old_seen.fail(away());
            failure(&mut old).await;
        }
        assert_eq!(bench.guard.health().state, HealthState::Trying, "the newer one decides");
        let mut waiting = bench.call(3);
        pump(&mut waiting).await;
        assert!(bench.sees_nothing(), "it waits for the newer one's result");
        newer_seen.fail(away());
        failure(&mut newer).await;
        let after = failure(&mut waiting).await.retry_after().unwrap();
        // One trial has failed: twice the first time.
        assert!(limits::BREAKER_FIRST <= after && after <= limits::BREAKER_FIRST * 2, "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn pings_take_no_turn_and_show_nothing_of_the_upstream() {
    let mut bench = Bench::new(once().bounds(1, 0));
    let _working = bench.call(1);
    let _working_seen = bench.see().await;
    for id in 2..2 + limits::BREAKER_FAILURES {
        let mut ping = bench.ping(id);
        bench.seen.try_recv().expect("it waits for no turn").fail(away());
        assert_eq!(failure(&mut ping).await, away());
    }
    assert_eq!(bench.guard.health().state, HealthState::Up);
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_in_a_row_open_the_breaker_though_pings_between_them_are_answered() {
    let mut bench = Bench::new(once());
    for id in 0..limits::BREAKER_FAILURES {
        let mut reply = bench.call(id);
        bench.see().await.fail(away());
        failure(&mut reply).await;
        let mut ping = bench.ping(100 + id);
        bench.see().await.answer();
        answered(&mut ping).await;
    }
    assert_eq!(bench.guard.health().state, HealthState::Down);
}
