//! The bad neighbours.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::open_webui::OpenWebUi;

/// A bad neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Neighbour {
    /// A server that takes two seconds for each call.
    Slow,
    /// A command that does not exist.
    Dead,
    /// A server that ends with every third call.
    Flapping,
    /// A server that sends 10,000 notifications a second.
    Noisy,
    /// A process that never reads.
    NeverReading,
    /// A tenant that calls without a pause, far beyond its quota.
    Tenant,
}

impl Neighbour {
    pub(crate) const ALL: [Self; 6] =
        [Self::Slow, Self::Dead, Self::Flapping, Self::Noisy, Self::NeverReading, Self::Tenant];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Slow => "a slow server (2 s a call)",
            Self::Dead => "a dead server",
            Self::Flapping => "a flapping server (ends with every third call)",
            Self::Noisy => "a noisy server (10,000 notifications a second)",
            Self::NeverReading => "a server that never reads",
            Self::Tenant => "a tenant beyond its quota",
        }
    }

    /// The bad server, as an entry of `mcpServers`.
    fn server(self, echo: &Path) -> Value {
        let echo = |vice: &[&str]| {
            let arguments = [&["stdio", "--era", "legacy"], vice].concat();
            json!({ "command": echo, "args": arguments })
        };
        match self {
            Self::Slow => echo(&["--delay", "2000"]),
            Self::Dead => json!({ "command": "/nonexistent/server" }),
            Self::Flapping => echo(&["--die-after", "2"]),
            Self::Noisy => echo(&["--noise", "10000"]),
            Self::NeverReading => json!({ "command": "sleep", "args": ["1000000"] }),
            Self::Tenant => echo(&[]),
        }
    }

    /// The arguments of `crossway`, and its config. The servers are `good`, behind `url`, and `bad`.
    pub(crate) fn config(self, url: &str, echo: &Path) -> (&'static [&'static str], Value) {
        if self != Self::Tenant {
            let servers = json!({ "good": { "type": "http", "url": url }, "bad": self.server(echo) });
            return (&["bridge", "--listen", "127.0.0.1:0", "--config"], json!({ "mcpServers": servers }));
        }
        let tenants: Map<String, Value> = ["good", "bad"]
            .map(|name| (name.to_owned(), json!({ "email_domains": [format!("{name}.example")] })))
            .into_iter()
            .collect();
        let config = json!({
            "listen": "127.0.0.1:0",
            "identity": OpenWebUi::identity(),
            "upstreams": { "good": { "url": url, "scope": "tenant" } },
            "tenants": tenants,
            "grants": [{ "everyone": true, "upstream": "good", "tools": ["*"] }],
            "quotas": [{ "tenant": "bad", "calls": "600/min", "in_flight": 8 }],
            "log": { "filter": "error" },
        });
        (&["serve", "--config"], config)
    }
}
