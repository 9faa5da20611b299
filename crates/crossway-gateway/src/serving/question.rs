//! Questions of operators to the policy: who may see and call what, and why.

use std::collections::{BTreeMap, BTreeSet};

use crossway_policy::{Explanation, Hints, Item, Kind, Policy, Principal, Proof};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A question, for who asks in another way.
const EXAMPLE: &str = r#"{"user":{"subject":"alice","groups":["acme"]},"upstream":"wiki","tool":"read"}"#;

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
    /// Whether the upstream says of the tool that it only reads. Nothing is said of that by itself: nobody asks the upstream.
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
    pub(crate) fn principal(&self) -> Principal {
        if self.subject.is_empty() && self.email.is_none() {
            return Principal::anonymous();
        }
        let subject =
            if self.subject.is_empty() { self.email.as_deref().unwrap_or_default() } else { &self.subject };
        let mut principal = Principal::new(self.issuer.as_str(), subject, Proof::Jwt)
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
    /// What is wrong with it, and how one is written.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("{error}; a question is written as {EXAMPLE}"))
    }

    /// The policy's answer, and what the config says of the upstream besides: the tools of it that are not there.
    ///
    /// # Errors
    ///
    /// When it is not one thing that is asked about.
    pub(crate) fn answer(
        &self,
        policy: &Policy,
        disabled: Option<&BTreeSet<String>>,
    ) -> Result<Explanation, &'static str> {
        let (kind, name) = match (&self.tool, &self.prompt, &self.resource) {
            (Some(name), None, None) => (Kind::Tool, name),
            (None, Some(name), None) => (Kind::Prompt, name),
            (None, None, Some(name)) => (Kind::Resource, name),
            _ => return Err("say one of `tool`, `prompt` and `resource`"),
        };
        let item = Item::new(&self.upstream, kind, name).with_hints(Hints { read_only: self.read_only });
        // Requests about resources have none, whatever a caller sends.
        let arguments = self.arguments.as_deref().filter(|_| kind != Kind::Resource).map(RawValue::get);
        let mut told = policy.explain(&self.user.principal(), self.endpoint.as_deref(), &item, arguments);
        if kind == Kind::Tool && disabled.is_some_and(|tools| tools.contains(name)) {
            (told.permitted, told.listed, told.only_if_listed) = (false, false, false);
            told.because = "the upstream's `disabledTools` names it, so that it is not there".to_owned();
        }
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use crossway_policy::UpstreamFacts;
    use serde_json::json;

    use super::*;

    /// Whether it is permitted and listed, as is told.
    fn told(question: Value, disabled: &[&str]) -> (bool, bool) {
        let config = json!({
            "tenants": { "acme": { "groups": ["acme"] } },
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
        let disabled = disabled.iter().map(|tool| (*tool).to_owned()).collect();
        let told = question.answer(&policy, Some(&disabled)).unwrap();
        (told.permitted, told.listed)
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
        // A resource is asked for without arguments.
        let resource = json!({ "resource": "wiki://a", "arguments": { "key": 1 } });
        assert_eq!(told(resource, &[]), (false, true));
    }
}
