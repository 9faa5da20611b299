//! Why a source does not work, in the log.

use super::*;

#[tokio::test]
async fn why_a_source_does_not_work_is_logged_once_in_a_while() {
    let (text, subscriber) = crate::script::recorded(tracing::Level::WARN);
    let _guard = tracing::subscriber::set_default(subscriber);
    let directory = tempfile::tempdir().unwrap();
    let of = |from: Value| {
        policy(
            json!([{ "upstream": "jira", "for": "shared", "header": "X-Key", "value": "{secret}", "from": from }]),
        )
    };
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        of(json!({ "file": path }))
    };
    std::fs::write(directory.path().join("bob_40acme.example"), format!("{PLANTED}\n\n")).unwrap();
    let script = format!("echo {PLANTED} >&2; exit 7");
    let command = json!({ "command": { "program": "/bin/sh", "args": ["-c", script], "keep_seconds": 60 } });
    for (policy, wanted) in [
        (of_files(directory.path()), None),
        (of_files(&directory.path().join("none")), Some("its folder is not there")),
        (of(json!({ "file": directory.path().join("none") })), Some("its file is not there")),
        (of(json!({ "file": "no-such-file" })), Some("its file is not there")),
        (of(json!({ "file": directory.path() })), Some("it is no file")),
        (of(json!({ "env": "CROSSWAY_TEST_NOT_SET" })), Some("its variable is not set")),
        (of(json!({ "command": { "program": "/none/such" } })), Some("it can't be read: entity not found")),
        (file("empty", "\n"), Some("it gives nothing")),
        (file("space", &format!("{PLANTED} ")), Some("does not fit where it goes")),
        (file("lines", &format!("{PLANTED}\nx")), Some("does not fit where it goes")),
        (of(json!({ "command": { "program": "true" } })), Some("it gives nothing")),
        (of(command), Some("it has ended with the exit code 7")),
    ] {
        text.lock().unwrap().clear();
        let store = store();
        for name in ["alice", "bob", "alice"] {
            assert!(supplied(&policy, &store, name).await.is_err());
        }
        let logged = String::from_utf8(text.lock().unwrap().clone()).unwrap();
        assert_eq!(logged.lines().count(), usize::from(wanted.is_some()), "{logged}");
        assert!(wanted.is_none_or(|why| logged.contains(why) && logged.contains("jira")), "{logged}");
        assert!(!logged.contains(PLANTED), "{logged}");
    }
}
