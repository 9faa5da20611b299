//! Configs of the tests: shared parts, the watched tenant, and the other tenant.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::rig::User;

/// The upstreams that anybody may have rights to.
pub(super) const SHARED: [&str; 3] = ["sa", "sb", "sc"];
/// Those that nobody but the other tenant has.
pub(super) const HIDDEN: [&str; 2] = ["ba", "zb"];

/// What a config is made of.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    shared: Vec<Value>,
    hidden: Vec<Value>,
    /// What is granted to anybody.
    all: Vec<Value>,
    /// What is granted to the watched tenant, before and after a reload.
    ours: [Vec<Value>; 2],
    /// What is granted to the other one, before and after a reload.
    theirs: [Vec<Value>; 2],
    credentials: Vec<Value>,
    their_credentials: Vec<Value>,
    quotas: Vec<Value>,
    their_quotas: Vec<Value>,
}

impl Setup {
    /// A config, in the first or the second form; with what the other tenant has, in the first or second form of that.
    pub(super) fn config(&self, ours: usize, theirs: Option<usize>) -> Value {
        let mut upstreams = serde_json::Map::new();
        for (name, upstream) in SHARED.iter().zip(&self.shared) {
            upstreams.insert((*name).to_owned(), named(name, upstream));
        }
        let mut tenants = json!({ "acme": { "groups": ["acme"] } });
        let mut grants: Vec<Value> = self.all.iter().chain(&self.ours[ours]).cloned().collect();
        let (mut credentials, mut quotas) = (self.credentials.clone(), self.quotas.clone());
        if let Some(theirs) = theirs {
            tenants["globex"] = json!({ "groups": ["globex"] });
            for (name, upstream) in HIDDEN.iter().zip(&self.hidden) {
                upstreams.insert((*name).to_owned(), named(name, upstream));
                grants.push(json!({
                    "tenant": "globex", "upstream": name, "tools": ["*"], "prompts": ["*"], "resources": ["**"],
                }));
            }
            // In front of all others and behind them.
            let (front, back) = self.theirs[theirs].split_at(self.theirs[theirs].len() / 2);
            grants = [front, &grants, back].concat();
            credentials.extend_from_slice(&self.their_credentials);
            quotas.extend_from_slice(&self.their_quotas);
        }
        let shared = self.shared.len();
        let is_there = |rule: &&Value| {
            let upstream = rule["upstream"].as_str().unwrap_or_default();
            !SHARED[shared..].contains(&upstream)
        };
        json!({
            "identity": { "proof": "api-keys", "anonymous": true, "keys": [
                { "sha256": "0".repeat(64), "subject": "nobody" },
            ] },
            "upstreams": upstreams, "tenants": tenants,
            "grants": grants.iter().filter(is_there).collect::<Vec<_>>(),
            "credentials": credentials.iter().filter(is_there).collect::<Vec<_>>(),
            "quotas": quotas,
        })
    }

    /// How many of the upstreams there are that anybody may have rights to.
    pub(super) fn shared(&self) -> usize {
        self.shared.len()
    }

    /// The same where nothing is limited.
    pub(super) fn without_quotas(self) -> Self {
        Self { quotas: Vec::new(), their_quotas: Vec::new(), ..self }
    }

    /// For whom a user's instance of an upstream is started; empty where nobody says so. None where a credential is missing.
    pub(super) fn owner(&self, upstream: &str, user: User) -> Option<String> {
        let mut rules = self.credentials.iter().chain(&self.their_credentials);
        let value = match rules.find(|rule| rule["upstream"] == upstream) {
            None => return Some(String::new()),
            Some(rule) => rule["value"].as_str()?,
        };
        let tenant = if user.is_watched() { "acme" } else { "globex" };
        Some(if value == "{tenant}" { tenant.to_owned() } else { user.subject().to_owned() })
    }

    /// Whether each tenant's instance of this upstream can be told by its credential.
    pub(super) fn has_owners(&self, at: usize) -> bool {
        self.credentials.iter().any(|rule| rule["upstream"] == SHARED[at] && rule["value"] != Value::Null)
    }
}

fn named(name: &str, upstream: &Value) -> Value {
    let mut upstream = upstream.clone();
    upstream["command"] = "in-process".into();
    upstream["args"] = json!([name, upstream["era"]]);
    upstream.as_object_mut().unwrap().remove("era");
    upstream
}

pub(super) fn setups() -> impl Strategy<Value = Setup> {
    let shared = prop_oneof![1 => vec(upstream(), 1), 2 => vec(upstream(), 2..=3)];
    let hidden = vec(upstream(), 0..=2);
    let anybody = select(vec![
        json!({ "everyone": true }),
        json!({ "group": "ops" }),
        json!({ "role": "reader" }),
        json!({ "user": "anonymous" }),
    ]);
    let we = select(vec![
        json!({ "tenant": "acme" }),
        json!({ "tenant": "acme", "group": "ops" }),
        json!({ "tenant": "acme", "role": "reader" }),
        json!({ "user": "alice" }),
        json!({ "user": "ann@acme.example" }),
    ]);
    let they = select(vec![
        json!({ "tenant": "globex" }),
        json!({ "tenant": "globex", "group": "ops" }),
        json!({ "group": "globex", "role": "reader" }),
        json!({ "user": "bob" }),
        json!({ "user": "ben@globex.example" }),
    ]);
    let grants = (
        vec(grant(anybody), 0..3),
        [vec(grant(we.clone()), 1..4), vec(grant(we), 1..4)],
        [vec(grant(they.clone()), 0..5), vec(grant(they), 0..5)],
    );
    let credentials = (vec(option::of(credential()), 3), option::of(credential()));
    let quotas = (option::of(quota()), option::of(quota()), option::of(quota()));
    (shared, hidden, grants, credentials, quotas).prop_map(
        |(shared, hidden, (all, ours, theirs), (credentials, their), (quota, our_quota, their_quota))| {
            let of = |quota: Value, tenant: &str| {
                let mut quota = quota;
                quota["tenant"] = tenant.into();
                quota
            };
            let on = |rule: Value, upstream: &str| {
                let mut rule = rule;
                rule["upstream"] = upstream.into();
                rule
            };
            // What is granted as read-only is so of trusted upstreams alone.
            let trusted: Vec<&str> = SHARED
                .iter()
                .zip(&shared)
                .filter(|(_, it)| it["trusted"] == true)
                .map(|(name, _)| *name)
                .collect();
            let usable = |grants: Vec<Value>| {
                let is_usable = |grant: &Value| {
                    let upstream = grant["upstream"].as_str().unwrap();
                    grant["read_only"] != true
                        || trusted.contains(&upstream)
                        || (upstream == "s*" && !trusted.is_empty())
                };
                grants.into_iter().filter(is_usable).collect::<Vec<_>>()
            };
            Setup {
                all: usable(all),
                ours: ours.map(usable),
                theirs: theirs.map(usable),
                credentials: credentials
                    .into_iter()
                    .zip(SHARED)
                    .filter_map(|(rule, name)| Some(on(rule?, name)))
                    .collect(),
                their_credentials: their
                    .filter(|_| !hidden.is_empty())
                    .map(|rule| on(rule, HIDDEN[0]))
                    .into_iter()
                    .collect(),
                quotas: quota.into_iter().chain(our_quota.map(|quota| of(quota, "acme"))).collect(),
                their_quotas: their_quota.map(|quota| of(quota, "globex")).into_iter().collect(),
                shared,
                hidden,
            }
        },
    )
}

fn upstream() -> impl Strategy<Value = Value> {
    let scope = select(vec!["shared", "tenant", "user", "session"]);
    let era = select(vec!["modern", "legacy"]);
    (scope, era, any::<bool>())
        .prop_map(|(scope, era, trusted)| json!({ "scope": scope, "era": era, "trusted": trusted }))
}

fn credential() -> impl Strategy<Value = Value> {
    select(vec![
        json!({ "for": "tenant", "env": "WHO", "value": "{tenant}" }),
        json!({ "for": "user", "env": "WHO", "value": "{user.subject}" }),
        json!({ "for": "shared", "env": "WHO", "from": { "env": "CROSSWAY_TEST_IS_NOT_SET" }, "ask": "ask at the desk" }),
    ])
}

fn grant(who: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let upstream = select(vec!["sa", "sa", "sb", "sc", "s*", "s*"]);
    let tools = select(vec![
        json!(["*"]),
        json!(["*"]),
        json!(["*"]),
        json!(["get_*"]),
        json!(["get_a", "set_a"]),
        json!(["s*", "die"]),
        json!(["fail", "get_c"]),
        json!(["GET_A"]),
        json!([]),
    ]);
    let prompts = select(vec![json!([]), json!(["*"]), json!(["*"]), json!(["ask_*"]), json!(["tell_b"])]);
    let resources = select(vec![
        json!([]),
        json!(["**"]),
        json!(["**"]),
        json!(["mem://**"]),
        json!(["sa://r/1", "sb://r/*"]),
        json!(["sa://r/**"]),
    ]);
    let manner = select(vec![
        json!({}),
        json!({}),
        json!({}),
        json!({}),
        json!({}),
        json!({}),
        json!({ "effect": "deny" }),
        json!({ "read_only": true }),
        json!({ "when": "user.email.endsWith('@acme.example')" }),
        json!({ "when": "args.ok == true" }),
        json!({ "effect": "deny", "when": "args.bad == true" }),
    ]);
    (who, upstream, tools, prompts, resources, manner).prop_map(
        |(who, upstream, tools, prompts, resources, manner)| {
            let is_about_tools = manner["read_only"] == true
                || manner["when"].as_str().is_some_and(|when| when.starts_with("args"));
            let nothing_else = json!([]);
            let mut grant = json!({
                "upstream": upstream,
                "tools": if tools == nothing_else && (is_about_tools || prompts == nothing_else && resources == nothing_else) {
                    json!(["get_*"])
                } else {
                    tools
                },
                "prompts": if is_about_tools { &nothing_else } else { &prompts },
                "resources": if is_about_tools { &nothing_else } else { &resources },
            });
            for part in [who, manner] {
                grant.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            }
            grant
        },
    )
}

fn quota() -> impl Strategy<Value = Value> {
    select(vec![
        json!({ "calls": "9/min" }),
        json!({ "in_flight": 1 }),
        json!({ "per_user": { "calls": "3/min", "in_flight": 1 } }),
        json!({ "bytes": "2KiB/min" }),
        json!({ "tool": "*", "calls": "2/min" }),
        json!({ "upstream": "sa", "in_flight": 1 }),
    ])
}
