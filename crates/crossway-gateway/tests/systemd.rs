//! Sockets from a service manager, taken over by a real process: this test plays the manager and, started anew, the
//! service.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

use crossway_gateway::systemd::Sockets;

/// What makes of this test the service.
const SERVICE: &str = "CROSSWAY_TEST_SERVICE";

/// Starts this test as a service that is given a socket as its descriptor 3, as systemd would.
fn start(test: &str, socket: OwnedFd, variables: &str) -> Output {
    let script = format!("exec 3<&0 0</dev/null; {variables} exec \"$@\"");
    Command::new("sh")
        .args(["-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(SERVICE, "1")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"), "the service did not run: {}", text(&output.stdout));
}

fn is_service() -> bool {
    std::env::var_os(SERVICE).is_some()
}

#[test]
fn a_connection_from_before_the_start_is_served_on_the_socket_with_the_name() {
    if is_service() {
        let mut sockets = Sockets::from_env(|name| std::env::var_os(name));
        assert!(sockets.take("operations").unwrap().is_none());
        assert_eq!(sockets.left().collect::<Vec<_>>(), ["mcp"]);
        let listener = sockets.take("mcp").unwrap().unwrap();
        assert!(sockets.take("mcp").unwrap().is_none() && sockets.left().next().is_none());
        listener.set_nonblocking(false).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        return stream.write_all(b"taken over").unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // It waits in the kernel.
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let output = start(
        "a_connection_from_before_the_start_is_served_on_the_socket_with_the_name",
        listener.into(),
        "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=mcp",
    );
    succeeds(&output);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "taken over");
}

#[test]
fn the_only_socket_needs_no_name() {
    if is_service() {
        let mut sockets = Sockets::from_env(|name| std::env::var_os(name));
        assert!(sockets.take_other_than(&["operations"]).unwrap().is_some());
        return assert!(sockets.take_other_than(&["operations"]).unwrap().is_none());
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    succeeds(&start("the_only_socket_needs_no_name", listener.into(), "LISTEN_PID=$$ LISTEN_FDS=1"));
}

#[test]
fn sockets_of_another_process_are_left_alone() {
    if is_service() {
        let mut sockets = Sockets::from_env(|name| std::env::var_os(name));
        return assert!(sockets.take_other_than(&[]).unwrap().is_none() && sockets.left().next().is_none());
    }
    for variables in
        ["LISTEN_PID=1 LISTEN_FDS=1", "LISTEN_FDS=1", "LISTEN_PID= LISTEN_FDS=1", "LISTEN_PID=$$"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        succeeds(&start("sockets_of_another_process_are_left_alone", listener.into(), variables));
    }
}

#[test]
fn what_does_not_listen_for_tcp_is_refused_by_name() {
    if is_service() {
        let mut sockets = Sockets::from_env(|name| std::env::var_os(name));
        let error = sockets.take("mcp").unwrap_err();
        return assert!(error.to_string().contains("socket mcp"), "{error}");
    }
    let test = "what_does_not_listen_for_tcp_is_refused_by_name";
    let variables = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=mcp";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    succeeds(&start(test, connected.into(), variables));
    succeeds(&start(test, tempfile::tempfile().unwrap().into(), variables));
    succeeds(&start(test, std::net::UdpSocket::bind("127.0.0.1:0").unwrap().into(), variables));
}
