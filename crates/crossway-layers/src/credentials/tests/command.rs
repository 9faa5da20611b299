//! Processes that commands of credentials start.

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::*;

#[tokio::test]
async fn a_command_that_is_no_longer_waited_for_is_killed_with_what_it_has_started() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("held");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut held = pipe::OpenOptions::new().open_receiver(&path).unwrap();
    let script = format!("exec 3>{}; sleep 1000 & printf x >&3; wait", path.display());
    let policy = policy(json!([{ "upstream": "jira", "for": "shared", "env": "T",
        "from": { "command": { "program": "/bin/sh", "args": ["-c", script], "timeout_seconds": 60 } } }]));
    let store = store();
    // A timeout drops the same future.
    tokio::select! {
        ended = supplied(&policy, &store, "alice") => panic!("{ended:?}"),
        started = held.read_u8() => assert_eq!(started.unwrap(), b'x'),
    }
    // The pipe ends when no process holds it open any longer.
    assert_eq!(held.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}
