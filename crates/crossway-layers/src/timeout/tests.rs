use std::time::Duration;

use crossway_service::{Outcome, Reason};
use tokio::time::Instant;

use super::*;
use crate::script::{around, call_of, response};

const IDLE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_silent_call_ends_and_the_upstream_is_told() {
    let (link, server) = around(&TimeoutLayer::new().idle(IDLE).total(IDLE * 10)).await;
    let mut reply = link.call(call_of("alice", 1, "m", "{}"));
    let began = Instant::now();
    let error = reply.next().await.unwrap().unwrap_err();
    assert_eq!((began.elapsed(), error.outcome()), (IDLE, Outcome::Unknown));
    assert_eq!(error.reason(), &Reason::TimedOut(IDLE));
    let id = server.expect("m").await;
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
    assert!(reply.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn progress_is_a_sign_of_life_and_no_excuse_for_ever() {
    let (link, server) = around(&TimeoutLayer::new().idle(IDLE).total(IDLE * 3)).await;
    let mut reply = link.call(call_of("alice", 1, "m", r#"{"_meta":{"progressToken":1}}"#));
    let began = Instant::now();
    let id = server.expect("m").await;
    let told = tokio::spawn(async move {
        let often = IDLE * 2 / 3;
        let mut ticks = tokio::time::interval_at(began + often, often);
        loop {
            tokio::select! {
                message = server.receive() => return message.unwrap().cancelled_id() == Some(id),
                _ = ticks.tick() => server.send(&format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
                )),
            }
        }
    });
    let mut heard = 0;
    let error = loop {
        match reply.next().await.unwrap() {
            Ok(_) => heard += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((heard, began.elapsed(), error.reason()), (4, IDLE * 3, &Reason::TimedOut(IDLE * 3)));
    assert!(told.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_own_deadline_if_that_is_sooner() {
    let (link, _server) = around(&TimeoutLayer::new().total(IDLE)).await;
    let began = Instant::now();
    let mut call = call_of("alice", 1, "m", "{}");
    call.context.deadline = Some((began + IDLE / 2).into_std());
    response(link.call(call)).await.unwrap_err();
    assert_eq!(began.elapsed(), IDLE / 2);
    response(link.call(call_of("alice", 2, "m", "{}"))).await.unwrap_err();
    assert_eq!(began.elapsed(), IDLE / 2 + IDLE);
}

#[tokio::test(start_paused = true)]
async fn standing_streams_are_silent_for_as_long_as_they_are() {
    let (link, server) = around(&TimeoutLayer::new().idle(IDLE).total(IDLE)).await;
    let mut reply = link.call(call_of("alice", 1, "subscriptions/listen", "{}"));
    let id = server.expect("subscriptions/listen").await;
    let waited = tokio::time::timeout(IDLE * 100, reply.next()).await;
    assert!(waited.is_err());
    server.answer(&id, "{}");
    response(reply).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_layer_without_times_changes_nothing() {
    let (link, server) = around(&TimeoutLayer::new().idle(Duration::ZERO).total(Duration::ZERO)).await;
    let reply = link.call(call_of("alice", 1, "m", "{}"));
    let id = server.expect("m").await;
    tokio::time::advance(IDLE * 1000).await;
    server.answer(&id, "{}");
    response(reply).await.unwrap();
}
