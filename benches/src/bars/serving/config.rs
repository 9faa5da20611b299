//! Configs of `crossway serve`, for measuring.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::open_webui::OpenWebUi;

/// The domain whose users are the tenant's.
pub(crate) const DOMAIN: &str = "bench.example";

/// The user whose calls are measured.
pub(crate) const USER: &str = "user@bench.example";

/// The file of the secret that is sent to all upstreams.
const SECRET_FILE: &str = "secret";

/// The upstream servers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Upstreams<'a> {
    /// This number of names for the server at this URL.
    Urls(usize, &'a str),
    /// This number of processes of this program, with this number of additional tools each.
    Commands(usize, &'a Path, usize),
}

/// The credential that upstreams get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A secret of the tenant.
    Tenant,
    /// No credential.
    None,
}

/// A config in which a call passes every feature, with limits that are never reached.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) upstreams: Upstreams<'a>,
    /// The scope in which an upstream's lists are shared.
    pub(crate) scope: &'static str,
    pub(crate) credential: Credential,
    pub(crate) grants: Vec<Value>,
    /// The number of tenants besides the calling one.
    pub(crate) tenants: usize,
    pub(crate) threads: Option<usize>,
    /// The config's own folder.
    pub(crate) folder: &'a Path,
}

impl<'a> Settings<'a> {
    /// Allows the tenant of [`USER`] all tools but one, under a condition that is checked for each call.
    pub(crate) fn new(upstreams: Upstreams<'a>, folder: &'a Path) -> Self {
        Self {
            upstreams,
            scope: "shared",
            credential: Credential::Tenant,
            grants: vec![
                json!({ "tenant": "bench", "upstream": "server-*", "tools": ["*"],
                    "when": "size(args) < 8 && user.email.endsWith('@bench.example')" }),
                json!({ "tenant": "bench", "upstream": "server-*", "tools": ["tool_13"], "effect": "deny" }),
            ],
            tenants: 0,
            threads: None,
            folder,
        }
    }

    /// Writes the config, and returns the arguments with which `crossway` serves it.
    ///
    /// # Errors
    ///
    /// When the config can't be written.
    pub(crate) fn write(&self) -> anyhow::Result<Vec<OsString>> {
        let file = self.file();
        let secret = self.folder.join(SECRET_FILE);
        std::fs::write(&secret, "a secret that only benches have\n")
            .with_context(|| format!("{} can't be written", secret.display()))?;
        std::fs::write(&file, self.config().to_string())
            .with_context(|| format!("{} can't be written", file.display()))?;
        Ok(vec!["serve".into(), "--config".into(), file.into()])
    }

    fn file(&self) -> PathBuf {
        self.folder.join("crossway.json")
    }

    fn config(&self) -> Value {
        let mut tenants = Map::new();
        tenants.insert("bench".to_owned(), json!({ "email_domains": [DOMAIN] }));
        for number in 0..self.tenants {
            tenants.insert(
                format!("tenant-{number}"),
                json!({ "email_domains": [format!("tenant-{number}.example")] }),
            );
        }
        let (upstreams, (place, name)) = self.upstreams();
        let credentials = match self.credential {
            Credential::Tenant => upstreams
                .keys()
                .map(|upstream| {
                    json!({
                        "upstream": upstream, "for": "tenant", "tenant": "bench", "from": { "file": SECRET_FILE },
                        place: name,
                    })
                })
                .collect(),
            Credential::None => Vec::new(),
        };
        let mut config = json!({
            "listen": "127.0.0.1:0",
            "identity": OpenWebUi::identity(),
            "upstreams": upstreams,
            "tenants": tenants,
            "grants": self.grants,
            "credentials": credentials,
            "quotas": [{
                "tenant": "bench", "requests": "100000000/s", "calls": "1000000000/min", "bytes": "1000GiB/min", "in_flight": 100_000,
                "per_user": { "calls": "500000000/min", "in_flight": 50_000 },
            }],
            "audit": { "file": "audit.jsonl", "key": "a key that only benches hash with" },
            "log": { "filter": "error" },
        });
        if let Some(threads) = self.threads {
            config["limits"] = json!({ "threads": threads });
        }
        config
    }

    /// The upstreams, and where their credential goes.
    fn upstreams(&self) -> (Map<String, Value>, (&'static str, &'static str)) {
        let (count, server, place) = match self.upstreams {
            Upstreams::Urls(count, url) => (count, json!({ "url": url }), ("header", "X-Bench-Secret")),
            Upstreams::Commands(count, program, tools) => (
                count,
                json!({ "command": program, "args": ["stdio", "--more-tools", tools.to_string()] }),
                ("env", "BENCH_SECRET"),
            ),
        };
        let mut upstreams = Map::new();
        for number in 0..count {
            let mut server = server.clone();
            server["scope"] = self.scope.into();
            upstreams.insert(format!("server-{number}"), server);
        }
        (upstreams, place)
    }
}
