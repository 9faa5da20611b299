//! A config that changes again and again while calls run: none is lost, and none is decided by rights that were never there.
//!
//! 100 reloads; `CROSSWAY_RELOADS` says how many else.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use support::tenants::{ALICE, ANN, BOB, GRANTS, by, config, eventually, started};
use support::{CROSSWAY, Serving};

/// Calls `tool` in a session that is open.
fn call(serving: &support::Serving, key: &str, session: &str, tool: &str) -> String {
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"message":"hi","steps":0}}}}}}"#
    );
    by(key).within(session).post(serving, "/mcp", &call)
}

/// Ends what calls without end, also when a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_call_is_lost_or_wrongly_decided_while_the_config_changes() {
    let reloads = std::env::var("CROSSWAY_RELOADS").ok().and_then(|count| count.parse().ok()).unwrap_or(100);
    let (dir, serving) = started(GRANTS);
    let sessions = [ALICE, ANN, BOB].map(|key| (key, by(key).open(&serving, "/mcp")));
    let without = GRANTS.replace("tools: [slow]", "tools: [test_simple_text]");
    let (is_over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // What is granted before and after is granted all the time, and what is not never is.
        for (key, session) in &sessions {
            let (serving, is_over, made) = (&serving, &is_over, &made);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    if *key == BOB {
                        let never = call(serving, key, session, "demo__echo");
                        assert!(never.contains("Unknown tool: demo__echo"), "{never}");
                    } else {
                        let always = call(serving, key, session, "demo__echo");
                        assert!(always.contains(r#""text":"hi""#), "{always}");
                        let never = call(serving, key, session, "demo__slow");
                        assert!(never.contains("Unknown tool: demo__slow"), "{never}");
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // What changes is so as soon as it is so at all: each change is waited for.
        let bob = &sessions[2].1;
        let _over = Over(&is_over);
        for reload in 0..reloads {
            let is_granted = reload % 2 == 1;
            config(&dir, if is_granted { GRANTS } else { &without });
            serving.signal("HUP");
            eventually("the change holds", || {
                let answer = call(&serving, BOB, bob, "demo__slow");
                let is_unknown = answer.contains("Unknown tool: demo__slow");
                assert!(is_unknown || answer.contains(r#""result""#), "{answer}");
                is_unknown != is_granted
            });
        }
    });
    let made = made.into_inner();
    println!("{reloads} reloads, {made} rounds of calls beside them");
    assert!(made > reloads);
}

#[test]
fn a_server_is_switched_off_while_its_grants_stay() {
    const ADMIN: &str = "an-admin-key-0123456789abcdef0123456789";
    let dir = tempfile::tempdir().unwrap();
    let operations = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let path = config(&dir, &format!("{GRANTS}  - {{ tenant: acme, upstream: time, tools: [echo] }}\n"));
    let rest = format!("operations: {{ listen: '{operations}', admin_key: {ADMIN} }}\n");
    let text = fs::read_to_string(&path).unwrap() + &rest;
    let write = |is_off: bool| {
        let entry = format!("command: '{CROSSWAY}', args: [demo, --stdio], disabled: {is_off}");
        fs::write(&path, format!("{text}mcpServers: {{ time: {{ {entry} }} }}\n")).unwrap();
    };
    write(false);
    let serving = Serving::start(&["serve", "--config", &path]);
    let called = |tool| by(ALICE).call(&serving, "/mcp", tool);
    eventually("the server is there", || called("time__echo").contains("hi"));
    write(true);
    eventually("the server is gone", || called("time__echo").contains("Unknown tool: time__echo"));
    assert!(called("demo__echo").contains("hi"));

    let why = support::run(
        &[
            &["explain", "--config", &path, "--upstream", "time", "--tool", "echo"][..],
            &["--subject", "alice", "--group", "acme"],
        ]
        .concat(),
    );
    let told = String::from_utf8(why.stdout).unwrap();
    assert!(why.status.code() == Some(1) && told.contains("switched off in `mcpServers`"), "{told}");
    let question = r#"{"user":{"subject":"alice","groups":["acme"]},"upstream":"time","tool":"echo"}"#;
    let mut stream = TcpStream::connect(operations).unwrap();
    let length = question.len();
    let head = format!("Host: {operations}\r\nAuthorization: Bearer {ADMIN}\r\nContent-Length: {length}\r\n");
    write!(stream, "POST /admin/explain HTTP/1.1\r\n{head}Connection: close\r\n\r\n{question}").unwrap();
    let told = support::read(stream);
    assert!(told.contains(r#""permitted":false"#) && told.contains("switched off in `mcpServers`"), "{told}");

    write(false);
    eventually("the server is back", || called("time__echo").contains("hi"));
}

#[test]
fn only_the_errors_of_a_changed_config_are_why_it_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(&dir, GRANTS);
    let log = dir.path().join("log");
    let mut command = Command::new(CROSSWAY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--config", &path]);
    let _serving = Serving::spawn(command.stderr(fs::File::create(&log).unwrap()));
    // A pattern that means no upstream is warned of, and a name is an error.
    let grants = "  - { tenant: acme, upstream: 'no*', tools: [echo] }\n  - { tenant: acme, upstream: nosuch, tools: [echo] }\n";
    config(&dir, grants);
    let told = || fs::read_to_string(&log).unwrap();
    let prefix = "the changed config can't be used, and changes nothing";
    eventually("the config is refused", || told().contains("there is no upstream \"nosuch\""));
    let told = told();
    let lines: Vec<&str> = told.lines().filter(|line| line.contains("grants[")).collect();
    assert!(lines.iter().any(|line| line.contains("grants[0]") && line.contains(" WARN ")), "{told}");
    for line in lines {
        let is_error = line.contains("grants[1]");
        assert_eq!((line.contains("ERROR"), line.contains(prefix)), (is_error, is_error), "{line}");
    }
}
