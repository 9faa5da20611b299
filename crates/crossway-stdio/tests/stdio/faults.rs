//! What a child can do wrong, and what the calls on it get.

use crossway_service::{Fault, Outcome, Reason, Scope, Upstream};
use crossway_stdio::{Command, StdioUpstream};
use serde_json::json;

use crate::support::{Client, answer, command, message, options, upstream};

fn session(script: &str) -> Client {
    Client::new(upstream(script).connect(Scope::Session))
}

fn say(text: &str) -> serde_json::Value {
    json!({ "text": text })
}

const ANSWER: &str = "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":\"here\"}\n";

#[tokio::test]
async fn garbage_before_an_answer_is_skipped() {
    let client = session("legacy");
    let garbage = "Listening...\n{\"level\":30}\n[]\n{\n\0\u{1b}[2J\n\"id\":1\n";
    assert_eq!(client.call("say", say(&format!("{garbage}{ANSWER}"))).await.unwrap(), "here");
    assert!(client.call("pid", json!({})).await.unwrap().is_u64());
}

#[tokio::test]
async fn an_answer_to_no_question_and_a_second_answer_reach_nobody() {
    let client = session("legacy");
    let stray = "{\"jsonrpc\":\"2.0\",\"id\":424242,\"result\":{}}\n{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}\n";
    let second = ANSWER.replace("here", "again");
    assert_eq!(client.call("say", say(&format!("{stray}{ANSWER}{second}"))).await.unwrap(), "here");
    assert_eq!(client.call("say", say(ANSWER)).await.unwrap(), "here");
}

#[tokio::test]
async fn an_answer_without_a_newline_before_the_exit_is_an_answer() {
    let client = session("legacy");
    assert_eq!(client.call("say-and-exit", say(ANSWER.trim_end())).await.unwrap(), "here");
}

#[tokio::test]
async fn half_an_answer_before_the_exit_is_none() {
    let client = session("legacy");
    let error = client.call("say-and-exit", say("{\"jsonrpc\":\"2.0\",\"id\":ID,\"resul")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn calls_in_flight_fail_with_the_status_and_the_last_words_when_the_child_exits() {
    let client = session("legacy");
    let silent = client.ask("silence", &json!({}));
    let error = client.call("exit", json!({ "status": 7 })).await.unwrap_err();
    assert_eq!((error.outcome(), error.fault()), (Outcome::Unknown, Fault::Upstream));
    assert!(matches!(error.reason(), Reason::Ended(_)));
    let text = error.to_string();
    assert!(text.contains("exit status: 7") && text.contains("panic: out of cheese"), "{text}");
    assert_eq!(answer(silent).await.unwrap_err(), error);
    // The session is over.
    let later = client.call("pid", json!({})).await.unwrap_err();
    assert_eq!((later.outcome(), later.to_string()), (Outcome::NotSent, text));
}

#[tokio::test]
async fn a_crash_is_told_with_its_signal() {
    let error = session("legacy").call("abort", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("SIGABRT"), "{error}");
}

#[tokio::test]
async fn a_listener_ends_with_the_error_when_the_child_exits() {
    let client = session("legacy");
    let mut listener = client.listen();
    let _ = client.call("exit", json!({})).await.unwrap_err();
    let error = listener.next().await.unwrap().unwrap_err();
    assert!(matches!(error.reason(), Reason::Ended(_)));
    assert!(listener.next().await.is_none());
}

#[tokio::test]
async fn a_child_that_exits_at_start_fails_the_calls_that_wait_for_it() {
    let client = session("exit-at-start");
    let error = client.call("pid", json!({})).await.unwrap_err();
    assert!(
        error.to_string().contains("exit status: 3; last on stderr: no configuration |  at start"),
        "{error}"
    );
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_told_by_each_call_as_not_sent() {
    let upstream = StdioUpstream::new(Command::new("crossway-no-such-command"), options());
    assert!(upstream.check().is_err());
    let client = Client::new(upstream.connect(Scope::Session));
    for _ in 0..2 {
        let error = client.call("pid", json!({})).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(error.to_string().contains("\"crossway-no-such-command\" was not found"), "{error}");
    }
}

#[tokio::test]
async fn a_script_whose_interpreter_is_missing_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server");
    std::fs::write(&path, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let upstream = StdioUpstream::new(Command::new(path), options());
    upstream.check().unwrap();
    let error = Client::new(upstream.connect(Scope::Session)).call("pid", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("could not be started: No such file"), "{error}");
}

#[tokio::test]
async fn what_never_left_is_told_as_not_sent_when_the_child_dies() {
    // It never reads: the first message fills the pipe in part, the second waits wholly.
    let sleeper =
        StdioUpstream::new(Command::new("sh").args(["-c", "head -c 1 >/dev/null; exit 4"]), options());
    let client = Client::new(sleeper.connect(Scope::Session));
    let text = "x".repeat(4 << 20);
    let (first, second) = (client.ask("echo", &say(&text)), client.ask("line", &say(&text)));
    let (first, second) = (answer(first).await.unwrap_err(), answer(second).await.unwrap_err());
    assert_eq!((first.outcome(), second.outcome()), (Outcome::Unknown, Outcome::NotSent));
    assert!(first.to_string().contains("exit status: 4"), "{first}");
}

#[tokio::test]
async fn a_child_that_closes_its_stdin_and_lives_on_fails_the_calls() {
    let deaf = StdioUpstream::new(
        Command::new("sh").args(["-c", "exec <&-; echo deaf >&2; exec sleep 1000"]),
        options(),
    );
    let client = Client::new(deaf.connect(Scope::Session));
    let error = client.call("pid", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("closed its output without exiting; last on stderr: deaf"), "{error}");
}

#[tokio::test]
async fn a_child_that_closes_its_stdout_and_lives_on_fails_the_calls() {
    let mute = StdioUpstream::new(Command::new("sh").args(["-c", "exec >&-; exec sleep 1000"]), options());
    let error = Client::new(mute.connect(Scope::Session)).call("pid", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("without exiting"), "{error}");
}

fn narrow(message_bytes: usize) -> Client {
    let mut options = options();
    options.message.message_bytes = message_bytes;
    Client::new(StdioUpstream::new(command("legacy"), options).connect(Scope::Session))
}

#[tokio::test]
async fn an_answer_that_is_too_long_fails_its_call_alone_wherever_its_id_stands() {
    let client = narrow(10_000);
    // Another call in flight must not be taken for it.
    let silent = client.ask("silence", &json!({}));
    for id_at in ["head", "tail"] {
        for bytes in [10_000, 300_000] {
            let error = client.call("long", json!({ "bytes": bytes, "id_at": id_at })).await.unwrap_err();
            let is_told = matches!(error.reason(), Reason::InvalidAnswer(what) if what.is_public());
            assert!(is_told, "{id_at} {bytes}: {error}");
            assert_eq!(error.outcome(), Outcome::Unknown);
        }
    }
    assert!(client.call("answer-it", json!({})).await.is_ok());
    assert!(answer(silent).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_is_too_long_and_tells_no_id_fails_all_that_it_may_be_for() {
    let client = narrow(10_000);
    let ask = json!({ "bytes": 30_000, "id_at": "middle" });
    let error = client.call("long", ask.clone()).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::InvalidAnswer(_)));
    let silent = client.ask("silence", &json!({}));
    assert!(client.call("long", ask).await.is_err());
    assert!(matches!(answer(silent).await.unwrap_err().reason(), Reason::InvalidAnswer(_)));
    // The connection goes on.
    assert!(client.call("pid", json!({})).await.is_ok());
}

#[tokio::test]
async fn a_long_line_of_noise_fails_nobody() {
    let client = narrow(10_000);
    let noise = client.ask("long", &json!({ "bytes": 300_000, "id_at": "nowhere" }));
    assert!(client.call("pid", json!({})).await.is_ok());
    drop(noise);
}

#[tokio::test]
async fn an_answer_that_is_not_valid_fails_its_call() {
    let client = session("legacy");
    for text in [
        "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{\"a\":}}\n",
        "{\"result\":{\"a\":01},\"jsonrpc\":\"2.0\",\"id\":ID}\n",
        "{\"jsonrpc\":\"1.0\",\"id\":ID,\"result\":{}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{},\"error\":{}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":ID}\n",
    ] {
        let error = client.call("say", say(text)).await.unwrap_err();
        assert!(matches!(error.reason(), Reason::InvalidAnswer(_)), "{text}: {error}");
    }
}

#[tokio::test]
async fn a_request_of_the_server_that_can_not_be_read_is_answered_with_an_error() {
    let client = narrow(10_000);
    let long = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":55,\"method\":\"x\",\"params\":{{\"t\":\"{}\"}}}}\n",
        "x".repeat(20_000)
    );
    assert_eq!(client.call("say", say(&format!("{long}{ANSWER}"))).await.unwrap(), "here");
    let refusals = client.call("refusals", json!({})).await.unwrap();
    assert_eq!((&refusals[0]["id"], &refusals[0]["error"]["code"]), (&json!(55), &json!(-32600)));
}

#[tokio::test]
async fn a_batch_of_the_child_is_taken_apart() {
    let client = session("legacy");
    let mut listener = client.listen();
    let changed = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}";
    let batch = format!(" [{changed},{}]\n", ANSWER.trim_end());
    assert_eq!(client.call("say", say(&batch)).await.unwrap(), "here");
    assert_eq!(listener.next().await.unwrap().unwrap(), message(changed));
}

#[tokio::test]
async fn a_dropped_reply_cancels_and_a_late_answer_reaches_nobody() {
    let client = session("legacy");
    assert!(client.call("pid", json!({})).await.is_ok());
    drop(client.ask("silence", &json!({})));
    let cancelled = client.call("answer-it", json!({})).await.unwrap();
    assert_eq!(cancelled.as_array().unwrap().len(), 1);
    assert!(client.call("pid", json!({})).await.is_ok());
}

#[tokio::test]
async fn a_cancellation_ends_the_reply_and_reaches_the_child() {
    let client = session("legacy");
    assert!(client.call("pid", json!({})).await.is_ok());
    let mut silent = client.ask("silence", &json!({}));
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"silence"}}"#;
    assert!(client.send(message(cancel)).next().await.is_none());
    assert!(silent.next().await.is_none());
    let cancelled = client.call("answer-it", json!({})).await.unwrap();
    assert_eq!(cancelled.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_that_is_cancelled_before_it_left_is_never_heard_of() {
    let client = session("legacy");
    // Nothing leaves before the child has started.
    drop(client.ask("silence", &json!({})));
    assert_eq!(client.call("requests", json!({})).await.unwrap(), 1);
}

#[tokio::test]
async fn more_than_may_wait_is_refused_as_not_sent() {
    let options = options().with(|options| options.outgoing_bytes = 1 << 20);
    let stalled = StdioUpstream::new(Command::new("sleep").arg("1000"), options);
    let client = Client::new(stalled.connect(Scope::Session));
    let text = say(&"x".repeat(2 << 20));
    let (mut first, second) = (client.ask("echo", &text), client.ask("line", &text));
    let error = answer(second).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::OverLimit(_)) && error.outcome() == Outcome::NotSent);
    assert!(futures_util::FutureExt::now_or_never(first.next()).is_none());
}
