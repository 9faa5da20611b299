//! A server at a URL is replaced by one of another era, and the bridge goes on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::process::Command;

use support::{CROSSWAY, Serving};

const LIST: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{}}"#;
const MODERN_LIST: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"0"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;

fn demo(address: &str, era: &str) -> Serving {
    Serving::spawn(Command::new(CROSSWAY).args(["demo", "--listen", address, "--era", era, "--log", "off"]))
}

fn modern_list(bridge: &Serving) -> String {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(&bridge.address).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n\
         Content-Length: {}\r\n\r\n{MODERN_LIST}",
        bridge.address,
        MODERN_LIST.len()
    )
    .unwrap();
    support::read(stream)
}

/// Clients of both eras, each of which may have to open another session.
fn all_are_answered(bridge: &Serving, session: &str) -> String {
    let modern = modern_list(bridge);
    assert!(modern.contains(r#""result""#) && modern.contains("resultType"), "{modern}");
    let in_session = bridge.post(LIST, Some(session));
    let is_ended = in_session.starts_with("HTTP/1.1 404");
    assert!(is_ended || in_session.contains(r#""tools""#), "{in_session}");
    let session = if is_ended { bridge.open() } else { session.to_owned() };
    let in_session = bridge.post(LIST, Some(&session));
    assert!(in_session.contains(r#""tools""#), "{in_session}");
    session
}

#[test]
fn a_server_that_is_upgraded_in_place_or_taken_back_is_found_out_anew() {
    let mut server = demo("127.0.0.1:0", "legacy");
    let address = server.address.clone();
    let bridge = Serving::start(&["bridge", "--upstream", &server.url("/mcp")]);
    let mut session = bridge.open();
    for era in ["legacy", "modern", "legacy", "both", "modern"] {
        drop(server);
        server = demo(&address, era);
        session = all_are_answered(&bridge, &session);
    }
}
