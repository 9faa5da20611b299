//! The URLs and hints that are printed once the server listens.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crossway_openapi::face::encode_segment;

/// Returns the start of all URLs: the scheme and the address.
#[must_use]
pub(crate) fn base(address: SocketAddr, is_secure: bool) -> String {
    let scheme = if is_secure { "https" } else { "http" };
    format!("{scheme}://{}", reachable(address))
}

/// Returns the URLs of the MCP endpoints, including those of named servers. For people, adds examples of their use.
#[must_use]
pub(crate) fn text(base: &str, name: &str, named: &[String], for_people: bool) -> String {
    let mut text = format!("Streamable HTTP  {base}/mcp\nHTTP+SSE         {base}/sse\n");
    text.push_str(&list(named, base, "/mcp"));
    if for_people {
        let entry =
            format!(r#"{{ "mcpServers": {{ "{name}": {{ "type": "http", "url": "{base}/mcp" }} }} }}"#);
        let _ = write!(
            text,
            "\nFor a client's mcpServers file:\n  {entry}\n\nTo try it:\n  \
             curl -s {base}/mcp -H 'Content-Type: application/json' \\\n    \
             -H 'Accept: application/json, text/event-stream' -d '{INITIALIZE}'\n\nCtrl-C ends it.\n"
        );
    }
    text
}

/// Returns the URL of a server that speaks only revisions from 2026-07-28 on.
#[must_use]
pub(crate) fn modern_only(base: &str) -> String {
    format!("Streamable HTTP  {base}/mcp\n")
}

/// Returns the URLs of the OpenAPI document and its page, and of the documents of named servers below `prefix`.
#[must_use]
pub(crate) fn of_tools(base: &str, prefix: &str, named: &[String]) -> String {
    let mut text = format!("OpenAPI          {base}/openapi.json\nTo try it        {base}/docs\n");
    text.push_str(&list(named, &format!("{base}{prefix}"), "/openapi.json"));
    text
}

/// Lists named servers with their URLs, one per line.
fn list(named: &[String], base: &str, at: &str) -> String {
    let shown = |name: &String| name.replace(char::is_control, "?");
    let width = named.iter().map(|name| shown(name).chars().count()).max().unwrap_or_default().max(15);
    let lines =
        named.iter().map(|name| format!("{:width$}  {base}/{}{at}\n", shown(name), encode_segment(name)));
    lines.collect()
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"0"}}}"#;

/// Returns an address that clients on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_where_their_prefix_says() {
        let told = of_tools(&base("127.0.0.1:1".parse().unwrap(), true), "/api", &["a b".to_owned()]);
        assert!(told.contains("https://127.0.0.1:1/openapi.json\n"), "{told}");
        assert!(told.contains("https://127.0.0.1:1/api/a%20b/openapi.json\n"), "{told}");
    }

    #[test]
    fn programs_get_the_urls_and_people_get_more() {
        let local = base("127.0.0.1:8808".parse().unwrap(), false);
        assert_eq!(
            text(&local, "demo", &[], false),
            "Streamable HTTP  http://127.0.0.1:8808/mcp\nHTTP+SSE         http://127.0.0.1:8808/sse\n"
        );
        assert_eq!(modern_only(&local), "Streamable HTTP  http://127.0.0.1:8808/mcp\n");
        let everywhere = base("[::]:9".parse().unwrap(), false);
        let for_people = text(&everywhere, "demo", &["git".to_owned(), "my server".to_owned()], true);
        assert!(for_people.contains("my server        http://[::1]:9/my%20server/mcp\n"), "{for_people}");
        assert!(for_people.contains("curl -s http://[::1]:9/mcp"), "{for_people}");
        assert!(for_people.contains("git              http://[::1]:9/git/mcp\n"), "{for_people}");
        assert!(for_people.contains(r#""demo": { "type": "http", "url": "http://[::1]:9/mcp" }"#));
    }
}
