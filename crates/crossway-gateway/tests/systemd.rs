//! Sockets from a service manager, taken over by a real process: this test plays the manager and, started anew, the
//! service.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

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

/// A gateway that is given two sockets.
fn gateway(folder: &Path, sockets: [TcpListener; 2], names: &str) -> Command {
    std::fs::write(folder.join("crossway.yaml"), "identity: { proof: none }\nupstreams: {}\n").unwrap();
    let script = format!(
        "exec 3<&0 4<&1 0</dev/null 1>&2; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES={names} exec \"$@\""
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_crossway"), "serve", "--config"]);
    let [one, other] = sockets.map(|socket| Stdio::from(OwnedFd::from(socket)));
    command.arg(folder.join("crossway.yaml")).stdin(one).stdout(other).stderr(Stdio::piped());
    command
}

fn two_sockets() -> [TcpListener; 2] {
    [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap())
}

#[test]
fn each_socket_for_clients_is_served() {
    let (folder, sockets) = (tempfile::tempdir().unwrap(), two_sockets());
    let addresses = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    let mut child = gateway(folder.path(), sockets, "mcp:more").stderr(Stdio::null()).spawn().unwrap();
    for address in addresses {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "GET /nothing HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_socket_that_nobody_would_serve_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let output = gateway(folder.path(), two_sockets(), "operations:operations").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("one more socket that is called operations"), "{told}");
}
