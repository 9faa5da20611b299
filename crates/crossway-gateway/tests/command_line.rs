//! What the binary says to those who type, and with which code it ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use support::run;

/// Runs the binary; gives its code and what it said on standard error.
fn fails(args: &[&str]) -> (i32, String) {
    let output = run(args);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what_to_do() {
    for (args, wanted) in [
        (&["bridge"][..], "Add a command behind `--`"),
        (&["bridge", "--upstream", "http://h/", "--", "cat"], "put it into the --config file"),
        (&["bridge", "--listen", "0.0.0.0:0", "--", "cat"], "add --allow-host NAME"),
        (&["bridge", "--listen", "nowhere", "--", "cat"], "such as 127.0.0.1:8808"),
        (&["bridge", "--header", "A: b", "--", "cat"], "--header is for --upstream"),
        (&["bridge", "--upstream", "http://h/", "--header", "Auth"], "written as 'Name: value'"),
        (
            &["bridge", "--upstream", "http://h/", "--header", "A: ${CROSSWAY_NOT_SET}"],
            "CROSSWAY_NOT_SET is not set",
        ),
        (&["bridge", "--allow-host", "a b", "--", "cat"], "is not a host name"),
        (&["bridge", "--log", "no such=level=x", "--", "cat"], "\"level=x\", which is no level"),
        (&["bridge", "--log", "inof", "--", "cat"], "did you mean info?"),
        (&["stdio", "ftp://h/"], "http:// or https://"),
        (&["demo", "--era", "middle"], "possible values: both, legacy, modern"),
        (&["demo", "--threads", "0"], "a number of threads from 1 to 1024 is wanted"),
        (&["demo", "--threads", "100000"], "a number of threads from 1 to 1024 is wanted"),
        (
            &["demo", "--drain", "99999999999999999999"],
            "a number of seconds from 0 to 31536000 (a year) is wanted",
        ),
        (&["demo", "--drain=-1"], "a number of seconds from 0 to 31536000 (a year) is wanted"),
        (&["demo", "--drain", "soon"], "such as 10 or 0.5"),
        (&["openapi", "--", "http://h/mcp"], "say --server-type streamable-http, or sse"),
        (&["openapi", "--server-type", "sse", "--", "crossway"], "it has to begin with http:// or https://"),
        (&["check", "good.yaml"], "--config good.yaml"),
        (&["stdio", "http://user:pw@h/mcp"], "user"),
        (&["brigde"], "bridge"),
    ] {
        let (code, said) = fails(args);
        assert_eq!(code, 2, "{args:?}: {said}");
        assert!(said.contains(wanted), "{args:?}: {said}");
    }
}

#[test]
fn a_command_that_does_not_exist_ends_with_1() {
    let (code, said) = fails(&["bridge", "--listen", "127.0.0.1:0", "--", "crossway-no-such-command"]);
    assert_eq!(code, 1);
    assert!(said.contains(r#"the command "crossway-no-such-command" was not found"#), "{said}");
    for (command, hint) in [("crossway demo --stdio", "give them apart"), ("~/bin/x", "write the whole path")]
    {
        let (code, said) = fails(&["bridge", "--listen", "127.0.0.1:0", "--", command]);
        assert_eq!(code, 1);
        assert!(said.contains(hint), "{said}");
    }
}

#[test]
#[cfg(unix)]
fn a_server_that_exits_at_start_ends_with_1_and_its_last_words() {
    let (code, said) =
        fails(&["bridge", "--listen", "127.0.0.1:0", "--", "sh", "-c", "echo it is broken >&2; exit 3"]);
    assert_eq!(code, 1);
    assert!(said.contains("it is broken") && said.contains('3'), "{said}");
}

#[test]
fn an_address_that_is_taken_ends_with_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = fails(&["demo", "--listen", &address]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("can't listen on {address}; choose another port")), "{said}");
    // An address for documentation (RFC 5737), which is no machine's.
    let (code, said) = fails(&["demo", "--listen", "192.0.2.1:0", "--allow-host", "x"]);
    assert_eq!(code, 1);
    assert!(said.contains("can't listen on 192.0.2.1:0; take an address of this machine"), "{said}");
}

#[test]
fn a_url_where_nobody_is_ends_with_1() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", free.local_addr().unwrap());
    drop(free);
    for command in [&["bridge", "--listen", "127.0.0.1:0", "--upstream", &url][..], &["stdio", &url]] {
        let (code, said) = fails(command);
        assert_eq!(code, 1);
        // Of a URL its origin is shown: what follows may be a secret.
        assert!(said.contains(origin(&url)), "{said}");
    }
}

fn origin(url: &str) -> &str {
    url.strip_suffix("/mcp").unwrap()
}

#[test]
fn a_url_where_nobody_is_is_told_to_the_client_of_stdio_by_its_first_request() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", free.local_addr().unwrap());
    drop(free);
    let mut child = Command::new(support::CROSSWAY)
        .args(["stdio", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It stays open, as clients keep it.
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", support::INITIALIZE).unwrap();
    let output = child.wait_with_output().unwrap();
    let (answer, said) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(answer.contains(r#""id":1,"error":{"code":-31001"#) && answer.contains(origin(&url)), "{answer}");
    assert!(said.contains(origin(&url)), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// What becomes of a command whose output nobody reads.
fn unread(args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(support::CROSSWAY);
    let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn who_reads_no_further_is_told_nothing() {
    for command in ["limits", "schema", "man"] {
        assert_eq!(unread(&[command]), (Some(0), String::new()), "{command}");
    }
}

#[test]
fn a_config_that_can_not_be_used_is_not_taken_for_a_good_one_where_nobody_reads_why() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("crossway.yaml");
    std::fs::write(&file, "grants: 5\n").unwrap();
    assert_eq!(unread(&["check", "--config", file.to_str().unwrap()]), (Some(1), String::new()));
}

#[test]
fn a_file_of_authorities_that_is_not_there_is_told() {
    let output = Command::new(support::CROSSWAY)
        .args(["stdio", "https://127.0.0.1:9/mcp"])
        .env("SSL_CERT_FILE", "/nonexistent/own.pem")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("SSL_CERT_FILE can't be used") && said.contains("/nonexistent/own.pem can't be read"),
        "{said}"
    );
}

#[test]
fn the_version_names_the_revisions() {
    let said = String::from_utf8(run(&["--version"]).stdout).unwrap();
    assert!(said.contains("2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25, 2026-07-28"), "{said}");
}

#[test]
fn help_completions_and_man_page_know_the_same_flags() {
    let flags = [
        "--listen",
        "--upstream",
        "--upstream-transport",
        "--header",
        "--env",
        "--cwd",
        "--allow-host",
        "--drain",
    ];
    let help = String::from_utf8(run(&["bridge", "--help"]).stdout).unwrap();
    let completions = String::from_utf8(run(&["completions", "bash"]).stdout).unwrap();
    let man = String::from_utf8(run(&["man"]).stdout).unwrap().replace("\\-", "-");
    for flag in flags {
        for (name, text) in [("help", &help), ("completions", &completions), ("man", &man)] {
            assert!(text.contains(flag), "{flag} is missing in {name}");
        }
    }
    assert!(
        help.contains("Exit codes")
            || String::from_utf8(run(&["--help"]).stdout).unwrap().contains("Exit codes")
    );
}

#[test]
fn health_says_whether_it_is_well_by_its_code() {
    for (status, code) in
        [("200 OK", 0), ("204 No Content", 0), ("503 Service Unavailable", 1), ("302 Found", 1)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/readyz", listener.local_addr().unwrap());
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
            head
        });
        let output = run(&["health", &url]);
        assert_eq!(asked.join().unwrap()[0], "GET /readyz HTTP/1.1");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{status}: {said}");
        assert_eq!(said.contains(&format!("{url} says {status}")), code == 1, "{said}");
    }
}

#[test]
fn health_of_nobody_ends_with_1_and_says_who_was_asked() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, said) = fails(&["health", &format!("http://{free}/readyz")]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("http://{free}/readyz can't be asked: ")), "{said}");
    let (code, said) = fails(&["health", "https://localhost/readyz"]);
    assert_eq!(code, 1);
    assert!(said.contains("one is written as http://"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_hard_limit_of_open_files_that_is_too_low_for_the_sessions_of_commands_is_told_at_the_start() {
    // The address is taken, so that each ends at once.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let servers = folder.path().join("servers.json");
    std::fs::write(&servers, r#"{"mcpServers":{"a":{"command":"false"},"b":{"command":"false"}}}"#).unwrap();
    let config = ["bridge", "--config", servers.to_str().unwrap()];
    let url = ["bridge", "--upstream", "http://127.0.0.1:9/mcp"];
    let command = |sessions| ["bridge", "--sessions", sessions, "--", "false"];
    let of_config = |sessions| [&config[..], &["--sessions", sessions]].concat();
    for (arguments, needed) in [
        (command("33").to_vec(), None),
        (command("34").to_vec(), Some(204)),
        (of_config("16"), None),
        (of_config("17"), Some(204)),
        // They have no such bound.
        (url.to_vec(), None),
        (vec!["openapi"], None),
    ] {
        let mut arguments = arguments;
        if arguments[0] == "bridge" {
            arguments.splice(1..1, ["--listen", &address]);
        }
        let script = ["-c", "ulimit -n 200; exec \"$0\" \"$@\"", support::CROSSWAY];
        let output = Command::new("sh").args(script).args(&arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?}: {said}");
        assert_eq!(said.contains("RLIMIT_NOFILE"), needed.is_some(), "{arguments:?}: {said}");
        if let Some(needed) = needed {
            let wanted = format!("needed={needed}");
            assert!(said.contains("WARN") && said.contains("limit=200") && said.contains(&wanted), "{said}");
        }
    }
}
