//! What a failed call says to its client.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use crossway_service::{CallError, Reason};

fn data(error: &CallError) -> serde_json::Value {
    let message: serde_json::Value = serde_json::from_slice(&error.to_message(None).to_bytes()).unwrap();
    message["error"].clone()
}

#[test]
fn each_outcome_has_its_code_and_its_words() {
    let gone = || Reason::Ended("it is gone".into());
    for (error, code, outcome) in [
        (CallError::not_sent(gone()), -31001, "not sent"),
        (CallError::unknown(gone()), -31002, "sent, unknown"),
        (CallError::answered(gone()), -32603, "answered with an error"),
        (CallError::not_sent(Reason::OverLimit("x".into())), -31003, "not sent"),
        (CallError::unknown(Reason::OverLimit("x".into())), -31003, "sent, unknown"),
        (CallError::not_sent(Reason::OverQuota("x".into())), -31003, "not sent"),
        (CallError::answered(Reason::SessionEnded), -32600, "answered with an error"),
    ] {
        let said = data(&error);
        assert_eq!((&said["code"], &said["data"]["outcome"]), (&code.into(), &outcome.into()), "{error:?}");
        assert!(said["data"].get("retryAfterSeconds").is_none());
    }
}

#[test]
fn when_to_try_again_is_said_in_whole_seconds_and_never_too_early() {
    let refused = Reason::Refused { status: 429, retry_after: Some(Duration::from_secs(3)), said: None };
    let said = data(&CallError::answered(refused.clone()));
    assert_eq!((&said["data"]["retryAfterSeconds"], &said["data"]["httpStatus"]), (&3.into(), &429.into()));
    let error = CallError::answered(refused).with_retry_after(Duration::from_millis(4001));
    assert_eq!(error.retry_after(), Some(Duration::from_millis(4001)), "what is said last counts");
    assert_eq!(data(&error)["data"]["retryAfterSeconds"], 5);

    let soon = Reason::Refused { status: 503, retry_after: Some(Duration::from_millis(400)), said: None };
    let said = data(&CallError::answered(soon));
    assert_eq!(said["data"]["retryAfterSeconds"], 1);
    assert!(said["message"].as_str().unwrap().ends_with("; try again in 1 s"), "{said}");
}
