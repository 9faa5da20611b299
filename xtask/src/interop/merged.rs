//! Clients at the `/mcp` of a bridge and of `crossway serve` with several servers, whose items have prefixed names there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::Lab;
use super::clients::{CLIENTS, Client};
use super::crossway::Serving;
use super::pairs::{Feature, Visit, at_once, describe};
use super::report::Outcome;
use super::servers::{Transport, empty_dir, everything, memory_command};

/// The clients that are tried: each SDK in each era.
const AMONG: [&str; 8] =
    ["py1", "py2-legacy", "py2-auto", "ts1", "ts2-legacy", "ts2-auto", "rmcp-2025-11-25", "rmcp-auto"];

/// One of the servers of the bridge.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The prefix of its tools' names.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// The fixture with its features, as `fixtures.json` spells it.
    fixture: &'static str,
    is_legacy: bool,
    /// Whether an earlier server has the same URIs, so that its own are wrapped.
    is_wrapped: bool,
}

pub(super) const PARTS: [Part; 4] = [
    Part {
        name: "everything",
        title: "server-everything, on stdio",
        fixture: "everything",
        is_legacy: true,
        is_wrapped: false,
    },
    Part {
        name: "demo",
        title: "demo, legacy alone, on stdio",
        fixture: "demo",
        is_legacy: true,
        is_wrapped: false,
    },
    Part {
        name: "modern",
        title: "demo, modern alone, on Streamable HTTP",
        fixture: "demo",
        is_legacy: false,
        is_wrapped: true,
    },
    Part {
        name: "memory",
        title: "server-memory, on stdio",
        fixture: "memory",
        is_legacy: true,
        is_wrapped: false,
    },
];

/// The gateway in front of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gateway {
    /// `crossway bridge --config`, at its `/mcp` on Streamable HTTP.
    Bridge,
    /// `crossway serve`, whose tenant's user is granted everything. Clients send no headers of their own, and go through `crossway stdio`.
    Serve,
}

impl Gateway {
    pub(super) const ALL: [Self; 2] = [Self::Bridge, Self::Serve];

    fn name(self) -> &'static str {
        match self {
            Self::Bridge => "merged",
            Self::Serve => "served",
        }
    }
}

/// One client with one of the servers.
#[derive(Debug, Clone, Copy)]
pub(super) struct MergedRun {
    pub(super) gateway: Gateway,
    pub(super) part: &'static Part,
    pub(super) client: &'static Client,
}

impl MergedRun {
    pub(super) fn name(&self) -> String {
        format!("{}/{}/{}", self.gateway.name(), self.part.name, self.client.name)
    }
}

pub(super) fn clients() -> impl Iterator<Item = &'static Client> {
    CLIENTS.iter().filter(|client| AMONG.contains(&client.name))
}

fn runs() -> impl Iterator<Item = MergedRun> {
    Gateway::ALL.into_iter().flat_map(|gateway| {
        PARTS.iter().flat_map(move |part| clients().map(move |client| MergedRun { gateway, part, client }))
    })
}

/// The names of all runs.
pub(super) fn names() -> impl Iterator<Item = String> {
    runs().map(|run| run.name())
}

/// Runs every client that is asked for.
pub(super) fn run(lab: &Lab, outcome: &mut Outcome) -> Result<()> {
    for gateway in Gateway::ALL {
        let wanted: Vec<MergedRun> =
            runs().filter(|run| run.gateway == gateway && lab.wanted(&run.name())).collect();
        if !wanted.is_empty() {
            outcome.merged.extend(run_at(lab, gateway, wanted)?);
        }
    }
    Ok(())
}

fn run_at(lab: &Lab, gateway: Gateway, wanted: Vec<MergedRun>) -> Result<Vec<(MergedRun, Vec<Feature>)>> {
    let (dir, demo) = (empty_dir(lab, gateway.name())?, lab.crossway.demo("modern")?);
    let serving = match gateway {
        Gateway::Bridge => bridge(lab, &dir, &demo)?,
        Gateway::Serve => self::gateway(lab, &dir, servers(lab, &demo)?)?,
    };
    let fixtures = dir.join("fixtures.json");
    let text = fs::read_to_string(lab.scripts.join("fixtures.json")).context("interop/fixtures.json")?;
    fs::write(&fixtures, merged(&serde_json::from_str(&text)?).to_string())?;
    // Here all are programs of one user, who has few sessions at once: programs beside each other have more of them opened in the course of
    // calls, and the servers' questions about roots come then. One run so lost a progress callback (TypeScript, under load); why was not found.
    let jobs = if gateway == Gateway::Serve { 1 } else { lab.options.jobs.max(1) };
    at_once(jobs, wanted, |run| {
        let (transport, target) = match gateway {
            Gateway::Bridge => (Transport::StreamableHttp, vec![serving.mcp.clone()]),
            Gateway::Serve => (Transport::Stdio, lab.crossway.stdio_command_as(&serving.mcp, KEY)),
        };
        let visit = Visit {
            client: run.client,
            fixtures: &fixtures,
            fixture: run.part.name,
            era: if run.part.is_legacy { "translated" } else { "both" },
            dir: &dir,
            transport,
            target,
        };
        let features = visit.run(lab).with_context(|| run.name())?;
        eprintln!("{:<60} {}", run.name(), describe(&features));
        Ok((run, features))
    })
}

/// The servers, as the configs of both gateways write them.
fn servers(lab: &Lab, demo: &Serving) -> Result<Value> {
    let node = [lab.node(), everything(lab), PathBuf::from("stdio")];
    let everything: Vec<String> = node.iter().map(|word| word.display().to_string()).collect();
    let command = |words: Vec<String>| {
        let (program, arguments) = words.split_first().context("no command")?;
        anyhow::Ok(json!({ "command": program, "args": arguments }))
    };
    Ok(json!({
        "everything": command(everything)?,
        "demo": command(lab.crossway.demo_command("legacy"))?,
        "modern": { "url": demo.mcp },
        "memory": command(memory_command(lab)?)?,
    }))
}

/// Starts the bridge, and waits until it has all servers.
fn bridge(lab: &Lab, dir: &Path, demo: &Serving) -> Result<Serving> {
    let config = dir.join("servers.json");
    fs::write(&config, json!({ "mcpServers": servers(lab, demo)? }).to_string())?;
    lab.crossway.bridge_config(&config)
}

/// The API key of the gateway's user.
pub(super) const KEY: &str = "a-key-that-only-interop-has-0123456789abcdef";
/// The SHA-256 of [`KEY`].
const SUM: &str = "f70dca7ef7504ff0f7796c8d26376808f8fe8b19b1a41b545e4dc1aa958ec946";

/// Starts `crossway serve` with these servers, all of them granted to the one user of its one tenant.
pub(super) fn gateway(lab: &Lab, dir: &Path, servers: Value) -> Result<Serving> {
    let config = dir.join("crossway.json");
    let user = json!({ "sha256": SUM, "subject": "user", "groups": ["all"] });
    let everything = json!({
        "tenant": "all", "upstream": "*", "tools": ["*"], "prompts": ["*"], "resources": ["**"],
    });
    let text = json!({
        "listen": "127.0.0.1:0",
        "identity": { "proof": "api-keys", "keys": [user] },
        "upstreams": servers,
        "tenants": { "all": { "groups": ["all"] } },
        "grants": [everything],
    });
    fs::write(&config, text.to_string())?;
    lab.crossway.serve_config(&config)
}

/// The fixtures of all servers as they are behind a gateway.
fn merged(fixtures: &Value) -> Value {
    let parts = PARTS.iter().map(|part| (part.name.to_owned(), among_others(part, &fixtures[part.fixture])));
    Value::Object(parts.collect())
}

/// A server's fixture as it is beside other servers.
fn among_others(part: &Part, fixture: &Value) -> Value {
    let mut features = fixture.as_object().cloned().unwrap_or_default();
    // The gateway returns all servers' items as one page.
    features.remove("paging");
    features.insert(
        "lists".to_owned(),
        json!({ "tools": "some", "prompts": "some", "resources": "some", "templates": "some" }),
    );
    for feature in ["prompt", "resource", "completion", "subscription", "list_changed", "logging"] {
        let absent = match features.get(feature) {
            None | Some(Value::Null) => {
                json!({ "absent": "undeclared", "why": "other servers at this URL declare it" })
            }
            Some(plan) => match &plan["unused"] {
                Value::String(why) => json!({ "absent": "unused", "why": why }),
                _ => continue,
            },
        };
        features.insert(feature.to_owned(), absent);
    }
    // On stdio, each session has a server process of its own.
    if matches!(part.name, "everything" | "demo") {
        let why = "the session whose list changes is not the one that lists are from";
        features.insert("list_changed".to_owned(), json!({ "absent": "unused", "why": why }));
    }
    for (name, feature) in &mut features {
        // Pooled connections serve every client.
        if part.is_legacy
            && let Some(plan) = feature.get("translated").or_else(|| feature.get("legacy"))
        {
            *feature = plan.clone();
        }
        if name == "prompt" {
            prefix(part, feature, "name");
        }
        rename(part, feature);
    }
    Value::Object(features)
}

/// Changes names and URIs to those at the gateway.
fn rename(part: &Part, value: &mut Value) {
    let Value::Object(members) = value else { return };
    let is_prompt = members.get("type") == Some(&json!("ref/prompt"));
    if is_prompt {
        prefix(part, value, "name");
        return;
    }
    if members.contains_key("tool") {
        prefix(part, value, "tool");
    }
    if part.is_wrapped
        && let Some(Value::String(uri)) = value.get_mut("uri")
    {
        *uri = format!("crossway://{}/{uri}", part.name);
    }
    let others = value.as_object_mut().into_iter().flat_map(Map::iter_mut);
    others.filter(|(name, _)| *name != "arguments").for_each(|(_, value)| rename(part, value));
}

fn prefix(part: &Part, value: &mut Value, member: &str) {
    if let Some(Value::String(name)) = value.get_mut(member) {
        *name = format!("{}__{name}", part.name);
    }
}
