//! Retries: which calls are repeated, and which are not.

use super::*;

/// Plays an upstream that fails with these errors, and then answers if it is called again. Returns how often it was called.
async fn play(
    bench: &mut Bench,
    reply: &mut Reply,
    failures: &[CallError],
) -> (Result<(), CallError>, usize) {
    let mut asked = 0;
    let Bench { seen, .. } = bench;
    let ends = async {
        match reply.next().await.expect("an end") {
            Ok(message) => {
                assert!(message.is_response());
                Ok(())
            }
            Err(error) => Err(error),
        }
    };
    let plays = async {
        loop {
            let call = seen.recv().await.expect("a call");
            match failures.get(asked) {
                Some(error) => call.fail(error.clone()),
                None => call.answer(),
            }
            asked += 1;
        }
    };
    let end = tokio::select! {
        biased;
        () = plays => unreachable!("it plays for ever"),
        end = ends => end,
    };
    assert!(reply.next().await.is_none());
    (end, asked)
}

fn repeats() -> GuardOptions {
    GuardOptions::new().repeatable(Arc::new(|request: &Message| request.name().as_deref() == Some("t")))
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_tried_again() {
    let mut bench = Bench::new(GuardOptions::new());
    let started = Instant::now();
    let mut reply = bench.call(1);
    let (end, asked) = play(&mut bench, &mut reply, &[unreachable(), unreachable()]).await;
    assert_eq!((end, asked), (Ok(()), 3));
    let waited = started.elapsed();
    assert!(limits::RETRY_FIRST <= waited && waited <= limits::RETRY_FIRST * 3, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_not_tried_for_ever() {
    let mut bench = Bench::new(GuardOptions::new());
    let mut reply = bench.call(1);
    let failures = vec![unreachable(); 9];
    let (end, asked) = play(&mut bench, &mut reply, &failures).await;
    assert_eq!((end, asked), (Err(unreachable()), 1 + limits::RETRIES as usize));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_seen_is_never_sent_twice() {
    let mut bench = Bench::new(GuardOptions::new());
    for error in [away(), busy(1)] {
        let mut reply = bench.call(1);
        assert_eq!(play(&mut bench, &mut reply, std::slice::from_ref(&error)).await, (Err(error), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_no_harm_twice_is_tried_again() {
    let mut bench = Bench::new(repeats());
    let mut reply = bench.call(1);
    assert_eq!(play(&mut bench, &mut reply, &[away()]).await, (Ok(()), 2));
    let other = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"other"}}"#;
    let mut reply = bench.ask(other);
    assert_eq!(play(&mut bench, &mut reply, &[away()]).await, (Err(away()), 1));
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_upstream_asks_for_is_kept_before_the_next_attempt() {
    let mut bench = Bench::new(repeats());
    let started = Instant::now();
    let mut reply = bench.call(1);
    assert_eq!(play(&mut bench, &mut reply, &[busy(7)]).await, (Ok(()), 2));
    assert_eq!(started.elapsed().as_secs(), 7);
    let mut reply = bench.call(2);
    assert_eq!(play(&mut bench, &mut reply, &[busy(11)]).await, (Err(busy(11)), 1), "that is too long");
}

#[tokio::test(start_paused = true)]
async fn if_one_attempt_may_have_been_seen_the_call_may() {
    let mut bench = Bench::new(repeats());
    let mut reply = bench.call(1);
    let failures = [away(), unreachable(), unreachable()];
    let (end, asked) = play(&mut bench, &mut reply, &failures).await;
    assert_eq!(asked, 3);
    assert_eq!(end, Err(CallError::unknown(unreachable().reason().clone())));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_said_something_is_not_begun_anew() {
    let mut bench = Bench::new(repeats());
    let mut reply = bench.call(1);
    let seen = bench.see().await;
    seen.say();
    assert!(!reply.next().await.unwrap().unwrap().is_response());
    seen.fail(away());
    assert_eq!(failure(&mut reply).await, away());
    assert!(bench.sees_nothing());
}

#[tokio::test(start_paused = true)]
async fn what_would_fail_again_is_not_tried_again() {
    let mut bench = Bench::new(repeats());
    for reason in [Reason::SessionEnded, Reason::LegacyOnly, Reason::Closing, Reason::OverLimit("x".into())] {
        let error = CallError::not_sent(reason);
        let mut reply = bench.call(1);
        assert_eq!(play(&mut bench, &mut reply, std::slice::from_ref(&error)).await, (Err(error), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_can_be_cancelled_between_two_attempts() {
    let mut bench = Bench::new(GuardOptions::new());
    let mut reply = bench.call(1);
    bench.see().await.fail(unreachable());
    pump(&mut reply).await;
    assert_eq!((bench.guard.health().in_flight, bench.guard.health().queued), (0, 1));
    bench.cancel(1);
    assert!(reply.next().await.is_none());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(bench.sees_nothing());
    assert_eq!(bench.guard.health().queued, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_not_tried_again_where_nobody_may_wait() {
    let mut bench = Bench::new(GuardOptions::new().bounds(1, 0));
    let mut reply = bench.call(1);
    assert_eq!(play(&mut bench, &mut reply, &[unreachable()]).await, (Err(unreachable()), 1));
}

#[tokio::test(start_paused = true)]
async fn hints_are_learnt_from_the_lists_that_pass_by() {
    let hints = Arc::new(ToolHints::new());
    let mut bench = Bench::new(GuardOptions::new().repeatable(Arc::clone(&hints) as Arc<dyn Repeatable>));
    let is_repeatable = |tool: &str| {
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
        hints.is_repeatable(&message(&text))
    };
    let tools = |reads: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[
                {{"name":"reads","annotations":{{"readOnlyHint":{reads}}}}},
                {{"name":"sets","annotations":{{"readOnlyHint":false,"idempotentHint":true,"title":"x"}}}},
                {{"name":"adds","annotations":{{"destructiveHint":false}}}},
                {{"name":"plain"}}]}}}}"#
        )
    };
    for (reads, wanted) in [("true", true), ("false", false)] {
        let mut reply = bench.ask(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        let seen = bench.see().await;
        seen.reply.try_send(Ok(message(tools(reads)))).unwrap();
        answered(&mut reply).await;
        assert_eq!(is_repeatable("reads"), wanted, "the newest hint counts");
        assert!(is_repeatable("sets"));
        assert!(!is_repeatable("adds") && !is_repeatable("plain") && !is_repeatable("unknown"));
    }
    assert!(hints.is_repeatable(&message(r#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#)));
    assert!(!hints.is_repeatable(&message(r#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel"}"#)));
}
