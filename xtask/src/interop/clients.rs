//! The clients that are tried with the servers, and how each is started.

use std::path::Path;
use std::process::Command;

use super::Lab;
use super::servers::Transport;

/// A client script in one of its modes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    script: Script,
    mode: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
enum Script {
    /// The Python SDK, in this generation.
    Python(u8),
    /// The TypeScript SDK, in this generation.
    Node(u8),
    /// FastMCP, which builds on the second Python SDK.
    FastMcp,
    /// `mcp-remote`, reached by the TypeScript SDK's first generation on stdio.
    McpRemote,
    /// `interop_rmcp` of `crossway-examples`.
    Rmcp,
}

/// The clients, in the order of the report's columns.
pub(super) const CLIENTS: [Client; 15] = [
    Client { name: "py1", title: "Python mcp 1.30.0", script: Script::Python(1), mode: "legacy" },
    Client {
        name: "py2-legacy",
        title: "Python mcp 2.3.0, legacy",
        script: Script::Python(2),
        mode: "legacy",
    },
    Client { name: "py2-auto", title: "Python mcp 2.3.0, auto", script: Script::Python(2), mode: "auto" },
    Client { name: "ts1", title: "TypeScript sdk 1.32.2", script: Script::Node(1), mode: "legacy" },
    Client {
        name: "ts2-legacy",
        title: "TypeScript client 2.4.0, legacy",
        script: Script::Node(2),
        mode: "legacy",
    },
    Client {
        name: "ts2-auto",
        title: "TypeScript client 2.4.0, auto",
        script: Script::Node(2),
        mode: "auto",
    },
    Client {
        name: "fastmcp-legacy",
        title: "fastmcp 4.2.3, legacy",
        script: Script::FastMcp,
        mode: "legacy",
    },
    Client { name: "fastmcp-auto", title: "fastmcp 4.2.3, auto", script: Script::FastMcp, mode: "auto" },
    Client {
        name: "mcp-remote-legacy",
        title: "mcp-remote 0.15.1, legacy",
        script: Script::McpRemote,
        mode: "legacy",
    },
    Client {
        name: "mcp-remote-auto",
        title: "mcp-remote 0.15.1, auto",
        script: Script::McpRemote,
        mode: "auto",
    },
    Client {
        name: "rmcp-2024-11-05",
        title: "rmcp 3.9.0, 2024-11-05",
        script: Script::Rmcp,
        mode: "2024-11-05",
    },
    Client {
        name: "rmcp-2025-03-26",
        title: "rmcp 3.9.0, 2025-03-26",
        script: Script::Rmcp,
        mode: "2025-03-26",
    },
    Client {
        name: "rmcp-2025-06-18",
        title: "rmcp 3.9.0, 2025-06-18",
        script: Script::Rmcp,
        mode: "2025-06-18",
    },
    Client {
        name: "rmcp-2025-11-25",
        title: "rmcp 3.9.0, 2025-11-25",
        script: Script::Rmcp,
        mode: "2025-11-25",
    },
    Client { name: "rmcp-auto", title: "rmcp 3.9.0, auto", script: Script::Rmcp, mode: "auto" },
];

/// The clients once more, asking for a revision before the newest legacy one: fastmcp by what the SDK below it asks for, mcp-remote by its
/// own client, whose `initialize` it passes on. rmcp can do that by itself, and does above.
pub(super) const OLDER: [Client; 18] = [
    older("py1-2024-11-05", "Python mcp 1.30.0, 2024-11-05", Script::Python(1), "2024-11-05"),
    older("py1-2025-03-26", "Python mcp 1.30.0, 2025-03-26", Script::Python(1), "2025-03-26"),
    older("py1-2025-06-18", "Python mcp 1.30.0, 2025-06-18", Script::Python(1), "2025-06-18"),
    older("py2-2024-11-05", "Python mcp 2.3.0, 2024-11-05", Script::Python(2), "2024-11-05"),
    older("py2-2025-03-26", "Python mcp 2.3.0, 2025-03-26", Script::Python(2), "2025-03-26"),
    older("py2-2025-06-18", "Python mcp 2.3.0, 2025-06-18", Script::Python(2), "2025-06-18"),
    older("ts1-2024-11-05", "TypeScript sdk 1.32.2, 2024-11-05", Script::Node(1), "2024-11-05"),
    older("ts1-2025-03-26", "TypeScript sdk 1.32.2, 2025-03-26", Script::Node(1), "2025-03-26"),
    older("ts1-2025-06-18", "TypeScript sdk 1.32.2, 2025-06-18", Script::Node(1), "2025-06-18"),
    older("ts2-2024-11-05", "TypeScript client 2.4.0, 2024-11-05", Script::Node(2), "2024-11-05"),
    older("ts2-2025-03-26", "TypeScript client 2.4.0, 2025-03-26", Script::Node(2), "2025-03-26"),
    older("ts2-2025-06-18", "TypeScript client 2.4.0, 2025-06-18", Script::Node(2), "2025-06-18"),
    older("fastmcp-2024-11-05", "fastmcp 4.2.3, 2024-11-05", Script::FastMcp, "2024-11-05"),
    older("fastmcp-2025-03-26", "fastmcp 4.2.3, 2025-03-26", Script::FastMcp, "2025-03-26"),
    older("fastmcp-2025-06-18", "fastmcp 4.2.3, 2025-06-18", Script::FastMcp, "2025-06-18"),
    older("mcp-remote-2024-11-05", "mcp-remote 0.15.1, 2024-11-05", Script::McpRemote, "2024-11-05"),
    older("mcp-remote-2025-03-26", "mcp-remote 0.15.1, 2025-03-26", Script::McpRemote, "2025-03-26"),
    older("mcp-remote-2025-06-18", "mcp-remote 0.15.1, 2025-06-18", Script::McpRemote, "2025-06-18"),
];

const fn older(name: &'static str, title: &'static str, script: Script, mode: &'static str) -> Client {
    Client { name, title, script, mode }
}

impl Client {
    /// Whether the client speaks 2026-07-28 with a server that does.
    pub(super) fn is_modern(&self) -> bool {
        self.mode == "auto"
    }

    /// Whether the client has a transport.
    pub(super) fn speaks(&self, transport: Transport) -> bool {
        match self.script {
            Script::McpRemote => transport != Transport::Stdio,
            // rmcp has had no HTTP+SSE since 0.11.
            Script::Rmcp => transport != Transport::HttpSse,
            _ => true,
        }
    }

    /// The transports on which the client is tried with a server that is on `upstream`.
    ///
    /// The SDKs try all pairs. Clients that build on an SDK have the same transports, and try each of them once.
    pub(super) fn downstreams(&self, upstream: Transport) -> &'static [Transport] {
        match (&self.script, upstream) {
            // mcp-remote finds out what the server speaks, and on HTTP+SSE that is never 2026-07-28.
            (Script::McpRemote, _) if self.is_modern() => &[Transport::StreamableHttp],
            (Script::FastMcp, Transport::Stdio)
            | (Script::McpRemote, Transport::Stdio | Transport::HttpSse) => &[Transport::StreamableHttp],
            (Script::FastMcp, Transport::HttpSse) => &[Transport::Stdio],
            (Script::FastMcp | Script::McpRemote, Transport::StreamableHttp) => &[Transport::HttpSse],
            (Script::Rmcp, _) => &[Transport::Stdio, Transport::StreamableHttp],
            (Script::Python(_) | Script::Node(_), _) => &Transport::ALL,
        }
    }

    /// The client's transport in a place where others are on `transport`.
    pub(super) fn on(&self, transport: Transport) -> Transport {
        match self.script {
            // mcp-remote's own client is always on stdio, but mcp-remote itself is not.
            Script::McpRemote if transport == Transport::Stdio => Transport::StreamableHttp,
            _ => transport,
        }
    }

    /// The client program in its mode, without the server's address. `fixtures` lists what to try.
    pub(super) fn command(&self, lab: &Lab, fixtures: &Path) -> Command {
        let (program, script) = match self.script {
            Script::Python(generation) => {
                (lab.python(generation), lab.scripts.join(format!("client_py{generation}.py")))
            }
            Script::FastMcp => (lab.python(2), lab.scripts.join("client_fastmcp.py")),
            Script::Node(generation) => (lab.node(), lab.npm().join(format!("client_ts{generation}.mjs"))),
            Script::McpRemote => (lab.node(), lab.npm().join("client_ts1.mjs")),
            Script::Rmcp => {
                let mut command = Command::new(lab.rmcp_client());
                command.args(["--mode", self.mode, "--fixtures"]).arg(fixtures);
                return command;
            }
        };
        let mut command = Command::new(program);
        command.arg(script).args(["--mode", self.mode, "--fixtures"]).arg(fixtures);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Adds the server's address: a URL, or on stdio a command.
    pub(super) fn reach(&self, lab: &Lab, command: &mut Command, transport: Transport, target: Vec<String>) {
        if self.script != Script::McpRemote {
            command.args(["--transport", transport.name(), "--"]).args(target);
            return;
        }
        let strategy = match transport {
            Transport::HttpSse => "sse-only",
            Transport::Stdio | Transport::StreamableHttp => "http-only",
        };
        command.args(["--transport", Transport::Stdio.name(), "--"]).arg(lab.node());
        command.arg(lab.npm().join("node_modules/mcp-remote/dist/proxy.js")).args(target);
        let protocol = if self.is_modern() { "auto" } else { "legacy" };
        command.args(["--protocol", protocol]);
        command.args(["--transport", strategy]).env("MCP_REMOTE_CONFIG_DIR", lab.dir.join("mcp-remote"));
    }
}
