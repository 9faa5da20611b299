//! The child that stateless requests share: its era, and what happens when it crashes.

use std::path::Path;
use std::time::Duration;

use crossway_proto::Era;
use crossway_service::{Outcome, Reason, Scope, Upstream};
use crossway_stdio::{Command, Options, StartError, StdioUpstream};
use serde_json::json;

use crate::support::{Client, Lifelines, answer, command, options, upstream};

fn shared(upstream: &StdioUpstream) -> Client {
    Client::new(upstream.connect(Scope::Shared))
}

/// An upstream that counts how often it is started.
fn counted(script: &str, folder: &Path, options: Options) -> StdioUpstream {
    StdioUpstream::new(command(script).env("CROSSWAY_TEST_STARTS", folder.join("starts")), options)
}

fn starts(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("starts")).map_or(0, |starts| starts.lines().count())
}

fn impatient() -> Options {
    options().with(|options| options.probe_timeout = Duration::from_millis(50))
}

#[tokio::test]
async fn a_modern_server_is_found_out_once_and_serves_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = counted("modern", folder.path(), options());
    assert_eq!(upstream.probe().await.unwrap(), Era::Modern);
    assert_eq!(upstream.probe().await.unwrap(), Era::Modern);
    let (one, two) = (shared(&upstream), shared(&upstream));
    assert_eq!(one.call("pid", json!({})).await.unwrap(), two.call("pid", json!({})).await.unwrap());
    assert_eq!(starts(folder.path()), 1);
}

#[tokio::test]
async fn nothing_is_started_before_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = counted("modern", folder.path(), options());
    let client = shared(&upstream);
    let mut listener = client.listen();
    assert!(futures_util::FutureExt::now_or_never(listener.next()).is_none());
    assert_eq!(starts(folder.path()), 0);
    assert!(client.call("pid", json!({})).await.is_ok());
    assert_eq!(starts(folder.path()), 1);
    upstream.close().await;
    assert!(listener.next().await.is_none());
}

#[tokio::test]
async fn calls_that_come_before_the_verdict_wait_for_it() {
    let client = shared(&upstream("modern"));
    let (discover, call) =
        tokio::join!(client.call("server/discover", json!({})), client.call("pid", json!({})));
    assert_eq!(discover.unwrap()["supportedVersions"], json!(["2026-07-28"]));
    assert!(call.is_ok());
}

#[tokio::test]
async fn a_legacy_server_is_not_asked_and_its_child_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = counted("legacy", folder.path(), options());
    let client = shared(&upstream);
    for _ in 0..2 {
        let error = client.call("server/discover", json!({})).await.unwrap_err();
        assert_eq!((error.reason(), error.outcome()), (&Reason::LegacyOnly, Outcome::NotSent));
    }
    assert_eq!(upstream.probe().await.unwrap(), Era::Legacy);
    assert_eq!(starts(folder.path()), 1);
    // Sessions are as welcome as ever.
    assert!(Client::new(upstream.connect(Scope::Session)).call("pid", json!({})).await.is_ok());
    assert_eq!(starts(folder.path()), 2);
    // The verdict outlives a closed link.
    client.link.close().await;
    assert_eq!(upstream.probe().await.unwrap(), Era::Legacy);
    assert_eq!(starts(folder.path()), 2);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_a_legacy_one() {
    let upstream = StdioUpstream::new(command("silent-on-discover"), impatient());
    assert_eq!(upstream.probe().await.unwrap(), Era::Legacy);
    let error = shared(&upstream).call("pid", json!({})).await.unwrap_err();
    assert_eq!(error.reason(), &Reason::LegacyOnly);
}

#[tokio::test]
async fn a_server_that_answers_late_turns_out_modern_after_all() {
    let lifelines = Lifelines::new().await;
    let command = command("late").env("CROSSWAY_TEST_PORT", lifelines.port().to_string());
    let upstream = StdioUpstream::new(command, impatient());
    assert_eq!(upstream.probe().await.unwrap(), Era::Legacy);
    let known = upstream.era_when_known();
    assert_eq!(upstream.era(), None, "it has said nothing yet");
    lifelines.accept().await.cut();
    assert_eq!(known.await, Some(Era::Modern));
    let client = shared(&upstream);
    while client.call("pid", json!({})).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(upstream.probe().await.unwrap(), Era::Modern);
}

#[tokio::test]
async fn a_server_that_exits_when_it_is_asked_for_its_era_is_a_legacy_one() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = counted("exit-on-discover", folder.path(), options());
    assert_eq!(upstream.probe().await.unwrap(), Era::Legacy);
    assert_eq!(starts(folder.path()), 2);
}

/// Calls until the server is found to be modern.
async fn turns_out_modern(upstream: &StdioUpstream) {
    let client = shared(upstream);
    while client.call("pid", json!({})).await.is_err() {
        assert_ne!(upstream.era(), Some(Era::Legacy));
        tokio::task::yield_now().await;
    }
    assert_eq!(upstream.era(), Some(Era::Modern));
}

#[tokio::test]
async fn it_is_told_whether_a_child_has_ever_answered() {
    let mute = StdioUpstream::new(Command::new("sleep").arg("1000"), impatient());
    assert_eq!(mute.probe().await.unwrap(), Era::Legacy);
    assert!(!mute.answered()());
    let upstream = StdioUpstream::new(command("legacy"), options());
    let answered = upstream.answered();
    assert!(!answered());
    upstream.probe().await.unwrap();
    assert!(answered());
}

#[tokio::test]
async fn a_silent_child_that_dies_tells_nothing_of_the_next() {
    let (folder, lifelines) = (tempfile::tempdir().unwrap(), Lifelines::new().await);
    let command = command("crash-late-once")
        .env("CROSSWAY_TEST_STARTS", folder.path().join("starts"))
        .env("CROSSWAY_TEST_PORT", lifelines.port().to_string());
    let upstream = StdioUpstream::new(command, impatient());
    let silent = lifelines.accept();
    let (era, silent) = tokio::join!(upstream.probe(), silent);
    assert_eq!(era.unwrap(), Era::Legacy);
    silent.cut();
    turns_out_modern(&upstream).await;
    assert_eq!(starts(folder.path()), 2);
}

#[tokio::test]
async fn a_second_child_that_says_nothing_does_not_make_a_legacy_server() {
    let (folder, lifelines) = (tempfile::tempdir().unwrap(), Lifelines::new().await);
    let command = command("crash-once-then-late")
        .env("CROSSWAY_TEST_STARTS", folder.path().join("starts"))
        .env("CROSSWAY_TEST_PORT", lifelines.port().to_string());
    // The first one has to be heard of before it counts as silent.
    let options = options().with(|options| options.probe_timeout = Duration::from_secs(2));
    let upstream = StdioUpstream::new(command, options);
    assert_eq!(upstream.probe().await.unwrap(), Era::Legacy);
    assert_eq!(upstream.era(), None, "it has said nothing yet");
    lifelines.accept().await.cut();
    turns_out_modern(&upstream).await;
    assert_eq!(starts(folder.path()), 3);
}

#[tokio::test]
async fn a_server_that_crashes_once_and_knows_no_initialize_is_a_modern_one() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = counted("crash-once", folder.path(), options());
    assert!(matches!(upstream.probe().await.unwrap_err(), StartError::Exited(_)));
    turns_out_modern(&upstream).await;
    assert_eq!(starts(folder.path()), 3);
}

#[tokio::test]
async fn a_server_that_exits_at_start_is_told_with_its_last_words() {
    let StartError::Exited(exit) = upstream("exit-at-start").probe().await.unwrap_err() else { panic!() };
    assert_eq!(exit.status().unwrap().code(), Some(3));
    assert_eq!(exit.last_lines(), ["no configuration", " at start"]);
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_told_at_start() {
    let upstream = StdioUpstream::new(Command::new("crossway-no-such-command"), options());
    let error = upstream.probe().await.unwrap_err();
    assert!(matches!(&error, StartError::NotFound { program } if program == "crossway-no-such-command"));
    let error = shared(&upstream).call("pid", json!({})).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.to_string().contains("was not found; it is started again in"), "{error}");
}

#[tokio::test]
async fn a_crashed_child_is_started_anew_and_calls_in_between_fail_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pause = Duration::from_millis(200);
    let options = options().with(|options| {
        options.restart_first = pause;
        options.restart_most = pause;
    });
    let upstream = counted("modern", folder.path(), options);
    let client = shared(&upstream);
    let before = client.call("pid", json!({})).await.unwrap();
    let silent = client.ask("silence", &json!({}));
    let error = client.call("exit", json!({})).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(error.to_string().contains("out of cheese"), "{error}");
    assert_eq!(answer(silent).await.unwrap_err(), error);

    let mut refusals = 0;
    let after = loop {
        match client.call("pid", json!({})).await {
            Ok(pid) => break pid,
            Err(error) => {
                assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
                assert!(error.to_string().contains("out of cheese"), "{error}");
                refusals += 1;
                tokio::task::yield_now().await;
            }
        }
    };
    assert!(refusals > 0);
    assert_ne!(before, after);
    // It is known to be modern: nobody asks again.
    assert_eq!(client.call("requests", json!({})).await.unwrap(), 2);
    assert_eq!(starts(folder.path()), 2);
}

#[tokio::test]
async fn the_shared_child_ends_with_the_upstream_and_its_last_link() {
    let lifelines = Lifelines::new().await;
    let upstream = upstream("modern");
    let client = shared(&upstream);
    client.call("grandchild", json!({ "port": lifelines.port() })).await.unwrap();
    let grandchild = lifelines.accept().await;
    drop(upstream);
    assert!(client.call("pid", json!({})).await.is_ok());
    drop(client);
    grandchild.cut_off().await;
}
