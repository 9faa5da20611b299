//! How children and their descendants are ended.

use std::time::Duration;

use crossway_proto::Message;
use crossway_service::{Outcome, Reason, Scope, Upstream};
use crossway_stdio::{Command, StdioUpstream};
use serde_json::json;

use crate::support::{Client, Lifeline, Lifelines, answer, command, options, upstream};

/// A child that lives as long as its stdin does.
async fn child_with_lifeline(upstream: &StdioUpstream, lifelines: &Lifelines) -> (Client, Lifeline) {
    let client = Client::new(upstream.connect(Scope::Session));
    client.call("grandchild", json!({ "port": lifelines.port() })).await.unwrap();
    let lifeline = lifelines.accept().await;
    (client, lifeline)
}

fn is_alive(pid: i32) -> bool {
    rustix::process::test_kill_process(rustix::process::Pid::from_raw(pid).unwrap()).is_ok()
}

async fn pid(client: &Client) -> i32 {
    client.call("pid", json!({})).await.unwrap().as_i64().unwrap() as i32
}

#[tokio::test]
async fn a_child_whose_link_is_dropped_ends_with_its_descendants() {
    let lifelines = Lifelines::new().await;
    let (client, grandchild) = child_with_lifeline(&upstream("legacy"), &lifelines).await;
    drop(client);
    grandchild.cut_off().await;
}

#[tokio::test]
async fn closing_a_link_waits_until_the_child_is_gone() {
    let lifelines = Lifelines::new().await;
    let (client, grandchild) = child_with_lifeline(&upstream("legacy"), &lifelines).await;
    let pid = pid(&client).await;
    let silent = client.ask("silence", &json!({}));
    client.link.close().await;
    assert!(!is_alive(pid));
    grandchild.cut_off().await;
    let error = answer(silent).await.unwrap_err();
    assert_eq!((error.reason(), error.outcome()), (&Reason::Closing, Outcome::Unknown));
    let later = client.call("pid", json!({})).await.unwrap_err();
    assert_eq!((later.reason(), later.outcome()), (&Reason::Closing, Outcome::NotSent));
}

#[tokio::test]
async fn descendants_that_outlive_a_child_that_exits_by_itself_are_ended() {
    let lifelines = Lifelines::new().await;
    let (client, grandchild) = child_with_lifeline(&upstream("legacy"), &lifelines).await;
    let error = client.call("exit", json!({})).await.unwrap_err();
    // They hold its output open, and nobody waits for that.
    assert!(error.to_string().contains("exit status: 3"), "{error}");
    grandchild.cut_off().await;
}

#[tokio::test]
async fn a_child_that_heeds_neither_the_end_of_its_stdin_nor_a_signal_is_killed() {
    let stubborn = "trap '' TERM; echo '{\"jsonrpc\":\"2.0\",\"method\":\"notifications/ready\"}'; sleep 1000 & wait; sleep 1000";
    let wait = Duration::from_millis(50);
    let options = options().with(|options| {
        options.close_wait = wait;
        options.term_wait = wait;
    });
    let upstream = StdioUpstream::new(Command::new("sh").args(["-c", stubborn]), options);
    let client = Client::new(upstream.connect(Scope::Session));
    let ready = client.listen().next().await.unwrap().unwrap();
    assert!(ready.is_method("notifications/ready"));
    client.link.close().await;
    // The order in which the steps are taken, not how long they take: it was not killed before its time.
    let alive = client.call("pid", json!({})).await.unwrap_err();
    assert_eq!(alive.reason(), &Reason::Closing);
}

#[tokio::test]
async fn a_child_is_given_time_to_say_what_it_has_to_say_at_the_end() {
    // It would block on a full pipe if nobody read it any more, and then not exit.
    let talker = "cat >/dev/null; head -c 3000000 /dev/zero; echo; echo done >&2";
    let lifelines = Lifelines::new().await;
    let upstream = StdioUpstream::new(Command::new("sh").args(["-c", talker]), options());
    let client = Client::new(upstream.connect(Scope::Session));
    drop(client.listen());
    let start = std::time::Instant::now();
    client.link.close().await;
    assert!(start.elapsed() < options().close_wait);
    drop(lifelines);
}

#[tokio::test]
async fn closing_the_upstream_ends_the_children_of_all_sessions() {
    let upstream = upstream("legacy");
    let (one, two) =
        (Client::new(upstream.connect(Scope::Session)), Client::new(upstream.connect(Scope::Session)));
    let pids = [pid(&one).await, pid(&two).await];
    assert_ne!(pids[0], pids[1]);
    upstream.close().await;
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    for link in [Scope::Session, Scope::Shared] {
        let error = Client::new(upstream.connect(link)).call("pid", json!({})).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
}

#[tokio::test]
async fn what_is_left_when_the_runtime_goes_is_killed() {
    let lifelines = Lifelines::new().await;
    let port = lifelines.port();
    let (end, ended) = tokio::sync::oneshot::channel();
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::new(upstream("legacy").connect(Scope::Session));
            client.call("grandchild", json!({ "port": port })).await.unwrap();
            let () = ended.await.unwrap();
        });
    });
    let grandchild = lifelines.accept().await;
    end.send(()).unwrap();
    grandchild.cut_off().await;
    other.join().unwrap();
}

#[tokio::test]
async fn sessions_share_nothing() {
    let upstream = StdioUpstream::new(command("legacy"), options());
    let (one, two) =
        (Client::new(upstream.connect(Scope::Session)), Client::new(upstream.connect(Scope::Session)));
    let (first, second) = tokio::join!(pid(&one), pid(&two));
    assert_ne!(first, second);
    let mut listener = two.listen();
    let note = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":1}\n";
    one.call("say", json!({ "text": note })).await.unwrap();
    let _ = one.call("exit", json!({})).await.unwrap_err();
    assert_eq!(pid(&two).await, second);
    assert!(futures_util::FutureExt::now_or_never(listener.next()).is_none());
    // A message of its own reaches it.
    two.call("say", json!({ "text": note })).await.unwrap();
    let heard: Message = listener.next().await.unwrap().unwrap();
    assert!(heard.is_method("notifications/tools/list_changed"));
}
