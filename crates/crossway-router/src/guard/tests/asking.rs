//! Calls during which the server asks the client.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

impl Seen {
    /// Sends the client a question.
    fn question(&self, id: u32) {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"elicitation/create","params":{{}}}}"#);
        self.reply.try_send(Ok(message(&text))).expect("a reader");
    }
}

impl Bench {
    /// Sends the client's answer to a question.
    async fn tell(&mut self, id: u32) {
        drop(self.ask(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"accept"}}}}"#)));
        assert!(self.see().await.message.is_response());
    }
}

async fn is_asked(reply: &mut Reply) {
    assert!(reply.next().await.expect("a question").expect("no failure").is_request());
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_client_thinks_for_long_is_not_silent() {
    let mut bench = Bench::new(once().idle(MINUTE));
    let mut reply = bench.call(1);
    let seen = bench.see().await;
    seen.question(7);
    is_asked(&mut reply).await;
    // The reply is not polled meanwhile, as when the client is to come back with the answer.
    tokio::time::advance(MINUTE * 6).await;
    pump(&mut reply).await;
    tokio::time::advance(MINUTE * 3).await;
    bench.tell(7).await;
    pump(&mut reply).await;
    seen.answer();
    answered(&mut reply).await;
    assert_eq!(bench.guard.health().state, HealthState::Up);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_after_the_answer_is_given_its_time_from_there() {
    let mut bench = Bench::new(once().idle(MINUTE));
    let mut reply = bench.call(1);
    let seen = bench.see().await;
    seen.question(7);
    is_asked(&mut reply).await;
    let (error, answered) = tokio::join!(failure(&mut reply), async {
        tokio::time::sleep(MINUTE * 2 + MINUTE / 2).await;
        bench.tell(7).await;
        Instant::now()
    });
    assert_eq!(error, CallError::unknown(Reason::TimedOut(MINUTE)));
    assert_eq!(answered.elapsed(), MINUTE);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_outside_of_the_call_counts_too() {
    let mut bench = Bench::new(once().idle(MINUTE));
    let mut standing = bench.link.call(Call::listen(Context::default()));
    let listened = bench.see().await;
    let mut reply = bench.call(1);
    let seen = bench.see().await;
    listened.question(7);
    is_asked(&mut standing).await;
    pump(&mut reply).await;
    tokio::time::advance(MINUTE * 6).await;
    pump(&mut reply).await;
    bench.tell(7).await;
    seen.answer();
    answered(&mut reply).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_never_answered_has_its_hour() {
    let mut bench = Bench::new(once().idle(MINUTE));
    let mut reply = bench.call(1);
    let seen = bench.see().await;
    seen.question(7);
    let started = Instant::now();
    is_asked(&mut reply).await;
    assert_eq!(failure(&mut reply).await, CallError::unknown(Reason::TimedOut(MINUTE)));
    assert_eq!(started.elapsed(), limits::ANSWER_TIME);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_answers_takes_no_time_from_later_calls() {
    let mut bench = Bench::new(once().idle(MINUTE));
    let mut standing = bench.link.call(Call::listen(Context::default()));
    let listened = bench.see().await;
    listened.question(7);
    is_asked(&mut standing).await;
    let mut reply = bench.call(1);
    let _seen = bench.see().await;
    let started = Instant::now();
    assert_eq!(failure(&mut reply).await, CallError::unknown(Reason::TimedOut(MINUTE)));
    assert_eq!(started.elapsed(), MINUTE);
}

#[tokio::test(start_paused = true)]
async fn who_thinks_holds_up_nobody() {
    let mut bench = Bench::new(once().bounds(1, 8));
    let mut thinks = bench.call(1);
    let seen = bench.see().await;
    seen.question(7);
    is_asked(&mut thinks).await;
    let mut other = bench.call(2);
    bench.see().await.answer();
    answered(&mut other).await;
    // After the answer the call has its turn again.
    bench.tell(7).await;
    pump(&mut thinks).await;
    let mut waits = bench.call(3);
    pump(&mut waits).await;
    assert!(bench.sees_nothing());
    seen.answer();
    answered(&mut thinks).await;
    pump(&mut waits).await;
    bench.see().await.answer();
    answered(&mut waits).await;
}
