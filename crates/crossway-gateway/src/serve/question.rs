//! Questions of operators to the policy: who may see and call what, and why.

use std::collections::{BTreeMap, BTreeSet};

use crossway_policy::{Explanation, Hints, Item, Kind, Policy, Principal, Proof};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::config::nearest;
use crate::identity::Identity;
use crate::upstream::disabled::disables;

/// A question for error messages to show.
const EXAMPLE: &str = r#"{"user":{"subject":"alice","groups":["acme"]},"upstream":"wiki","tool":"read"}"#;

/// What a config says of the upstream of a question, beside its policy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// The config has no such upstream.
    Unknown,
    /// The entry is switched off.
    SwitchedOff,
    /// The upstream is served.
    Served {
        /// What clients see before the names of its tools and prompts, followed by `__`.
        prefix: &'a str,
        /// The tools that are left out.
        disabled_tools: Option<&'a BTreeSet<String>>,
    },
}

/// A caller and a call, as operators describe them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct Question {
    pub(crate) user: Who,
    /// The endpoint that says which tenant is meant.
    #[serde(default)]
    pub(crate) endpoint: Option<String>,
    pub(crate) upstream: String,
    #[serde(default)]
    pub(crate) tool: Option<String>,
    #[serde(default)]
    pub(crate) prompt: Option<String>,
    #[serde(default)]
    pub(crate) resource: Option<String>,
    #[serde(default)]
    pub(crate) arguments: Option<Box<RawValue>>,
    /// The `readOnlyHint` to assume of the tool. The upstream is not asked.
    #[serde(default)]
    pub(crate) read_only: Option<bool>,
}

/// A caller, as its proof would describe it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "an object with a subject, groups and the like")]
pub(crate) struct Who {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) claims: BTreeMap<String, Value>,
}

impl Who {
    /// The caller. `issuer` is the issuer of the configured proof, for a caller who is described without one.
    pub(crate) fn principal(&self, issuer: &str) -> Principal {
        if self.subject.is_empty() && self.email.is_none() {
            return Principal::anonymous();
        }
        let subject =
            if self.subject.is_empty() { self.email.as_deref().unwrap_or_default() } else { &self.subject };
        let issuer = if self.issuer.is_empty() { issuer } else { &self.issuer };
        let mut principal = Principal::new(issuer, subject, Proof::Jwt)
            .with_groups(self.groups.iter().cloned())
            .with_roles(self.roles.iter().cloned());
        if let Some(email) = &self.email {
            principal = principal.with_email(email.as_str());
        }
        if let Some(name) = &self.name {
            principal = principal.with_name(name.as_str());
        }
        for (name, value) in &self.claims {
            principal = principal.with_claim(name.as_str(), value.clone());
        }
        principal
    }
}

impl Question {
    /// Reads a question.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and an example.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("{error}; a question is written as {EXAMPLE}"))
    }

    /// The policy's answer, corrected by what the config says of the upstream.
    ///
    /// # Errors
    ///
    /// When the question is not about exactly one item, names it as clients see it, or there is no such endpoint.
    pub(crate) fn answer(
        &self,
        policy: &Policy,
        identity: &Identity,
        upstream: Asked<'_>,
    ) -> Result<Explanation, String> {
        let (kind, name) = match (&self.tool, &self.prompt, &self.resource) {
            (Some(name), None, None) => (Kind::Tool, name),
            (None, Some(name), None) => (Kind::Prompt, name),
            (None, None, Some(name)) => (Kind::Resource, name),
            _ => return Err("say one of `tool`, `prompt` and `resource`".to_owned()),
        };
        if let Asked::Served { prefix, .. } = upstream
            && kind != Kind::Resource
            && let Some(own) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix("__"))
            && !own.is_empty()
        {
            return Err(format!("`{name}` is the name as clients see it; name it `{own}`"));
        }
        let endpoint = endpoint(policy, self.endpoint.as_deref());
        let endpoint = endpoint.map_err(|unknown| format!("the config has no {unknown}"))?;
        let item = Item::new(&self.upstream, kind, name).with_hints(Hints { read_only: self.read_only });
        // Requests about resources have no arguments, whatever a caller sends.
        let arguments = self.arguments.as_deref().filter(|_| kind != Kind::Resource).map(RawValue::get);
        let caller = self.user.principal(identity.issuer());
        let mut explanation = policy.explain(&caller, endpoint.as_deref(), &item, arguments);
        let disabled_tools = match upstream {
            Asked::Served { disabled_tools, .. } => disabled_tools,
            Asked::Unknown | Asked::SwitchedOff => None,
        };
        let disabled_tools = disabled_tools.filter(|tools| kind == Kind::Tool && !tools.is_empty());
        explanation.only_if_listed |= disabled_tools.is_some();
        let missing = match upstream {
            Asked::SwitchedOff => Some("the upstream is switched off in `mcpServers`"),
            _ if disabled_tools.is_some_and(|tools| disables(tools, name)) => {
                Some("the upstream's `disabledTools` names it, so that it is not there")
            }
            _ => None,
        };
        if let Some(why) = missing {
            (explanation.permitted, explanation.listed, explanation.only_if_listed) = (false, false, false);
            explanation.because = why.to_owned();
        }
        Ok(explanation)
    }
}

/// The endpoint of this name, as the policy writes it.
///
/// # Errors
///
/// When there is none: a text that says so, and names a similar one.
pub(crate) fn endpoint(policy: &Policy, name: Option<&str>) -> Result<Option<String>, String> {
    let Some(name) = name else { return Ok(None) };
    let bare = |path: &str| path.trim_start_matches('/').to_owned();
    let all = policy.endpoints();
    if let Some(path) = all.iter().find(|path| bare(path) == bare(name)) {
        return Ok(Some(path.clone()));
    }
    Err(unknown("endpoint", name, all.iter().map(String::as_str)))
}

/// A text about a thing that does not exist, with the name of a similar one.
pub(crate) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = nearest(name, known).map_or_else(String::new, |near| format!("; is {near:?} meant?"));
    format!("{what} {name:?}{near}")
}

#[cfg(test)]
mod tests {
    use crossway_policy::UpstreamFacts;
    use serde_json::json;

    use super::*;

    /// Whether it is permitted and listed, as is told.
    fn told(question: Value, disabled: &[&str]) -> (bool, bool) {
        let told = asked(question, disabled).unwrap();
        (told.permitted, told.listed)
    }

    fn asked(question: Value, disabled: &[&str]) -> Result<Explanation, String> {
        let config = json!({
            "tenants": { "acme": { "groups": ["acme"], "issuers": ["the-proof"] } },
            "endpoints": { "/acme": "acme" },
            "grants": [
                { "tenant": "acme", "upstream": "wiki", "tools": ["read"], "read_only": true },
                { "tenant": "acme", "upstream": "wiki", "tools": ["write"] },
                { "tenant": "acme", "upstream": "wiki", "resources": ["**"], "when": "has(args.key)" },
            ],
        });
        let facts = [UpstreamFacts { name: "wiki".into(), trusted: true }];
        let policy = Policy::compile(&serde_json::from_value(config).unwrap(), &facts).unwrap();
        let mut whole = json!({ "user": { "subject": "alice", "groups": ["acme"] }, "upstream": "wiki" });
        whole.as_object_mut().unwrap().extend(question.as_object().unwrap().clone());
        // As texts, since the arguments stay as they came.
        let question = Question::parse(&whole.to_string()).unwrap();
        let disabled: BTreeSet<_> = disabled.iter().map(|tool| (*tool).to_owned()).collect();
        let keys = json!({ "proof": "api-keys", "issuer": "the-proof", "keys": [] });
        let identity = Identity::new(&serde_json::from_value(keys).unwrap()).unwrap();
        let upstream = Asked::Served { prefix: "wiki", disabled_tools: Some(&disabled) };
        question.answer(&policy, &identity, upstream)
    }

    #[test]
    fn the_issuer_is_that_of_the_configured_proof_unless_another_is_said() {
        assert_eq!(told(json!({ "tool": "write" }), &[]), (true, true));
        for (issuer, is_permitted) in [("", true), ("the-proof", true), ("another", false)] {
            let user = json!({ "issuer": issuer, "subject": "alice", "groups": ["acme"] });
            assert_eq!(told(json!({ "tool": "write", "user": user }), &[]).0, is_permitted, "{issuer}");
        }
    }

    #[test]
    fn an_endpoint_that_is_not_there_is_no_answer() {
        for name in ["acme", "/acme"] {
            assert_eq!(told(json!({ "tool": "write", "endpoint": name }), &[]), (true, true));
        }
        let told = asked(json!({ "tool": "write", "endpoint": "/acne" }), &[]);
        assert_eq!(told.unwrap_err(), "the config has no endpoint \"/acne\"; is \"/acme\" meant?");
    }

    #[test]
    fn the_name_that_clients_see_is_no_answer() {
        let see = |name: &str| format!("`wiki__{name}` is the name as clients see it; name it `{name}`");
        let asks = |question| asked(question, &[]).unwrap_err();
        assert_eq!(asks(json!({ "tool": "wiki__write" })), see("write"));
        assert_eq!(asks(json!({ "prompt": "wiki__summary" })), see("summary"));
        for question in [json!({ "tool": "wiki__" }), json!({ "tool": "wiki_write" })] {
            assert!(!told(question, &[]).0);
        }
        assert!(told(json!({ "resource": "wiki__a" }), &[]).1);
    }

    #[test]
    fn who_asks_in_another_way_is_told_how_to_ask() {
        assert!(Question::parse(EXAMPLE).is_ok());
        for (text, wanted) in [
            (r#"{"upstream":"wiki","tool":"read"}"#, "missing field `user`"),
            (
                r#"{"user":"alice","upstream":"wiki"}"#,
                "expected an object with a subject, groups and the like",
            ),
            ("[]", "a question is written as {\"user\":"),
        ] {
            let told = Question::parse(text).unwrap_err();
            assert!(told.contains(wanted) && told.ends_with(EXAMPLE), "{told}");
        }
    }

    #[test]
    fn what_is_told_is_what_comes_of_the_call() {
        assert_eq!(told(json!({ "tool": "read" }), &[]), (false, false));
        assert_eq!(told(json!({ "tool": "read", "read_only": true }), &[]), (true, true));
        assert_eq!(told(json!({ "tool": "write" }), &["read"]), (true, true));
        assert_eq!(told(json!({ "tool": "write" }), &["write"]), (false, false));
        assert_eq!(told(json!({ "tool": "write" }), &["Write"]), (false, false));
        assert!(asked(json!({ "tool": "write" }), &["read"]).unwrap().only_if_listed);
        assert!(!asked(json!({ "tool": "write" }), &[]).unwrap().only_if_listed);
        // A resource is asked for without arguments.
        let resource = json!({ "resource": "wiki://a", "arguments": { "key": 1 } });
        assert_eq!(told(resource, &[]), (false, true));
    }
}
