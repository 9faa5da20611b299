//! What `interop/fixtures.json` says of the server under test.

use std::fmt;
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::Options;
use crate::handler::Handler;

/// What a server declares if it has a feature. The others are declared by nobody, or by clients.
const DECLARED: [(&str, &[&str]); 10] = [
    ("tools", &["tools"]),
    ("prompts", &["prompts"]),
    ("resources", &["resources"]),
    ("templates", &["resources"]),
    ("prompt", &["prompts"]),
    ("resource", &["resources"]),
    ("completion", &["completions"]),
    ("subscription", &["resources.subscribe"]),
    ("list_changed", &["tools.listChanged", "prompts.listChanged", "resources.listChanged"]),
    ("logging", &["logging"]),
];

/// There is nothing to try, and the reason why.
#[derive(Debug)]
pub(crate) struct Absent {
    pub(crate) kind: &'static str,
    pub(crate) detail: String,
    /// Other servers at the same URL may show it.
    pub(crate) is_elsewhere: bool,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

impl std::error::Error for Absent {}

impl Absent {
    pub(crate) fn because(kind: &'static str, detail: impl Into<String>) -> anyhow::Error {
        Self { kind, detail: detail.into(), is_elsewhere: false }.into()
    }

    fn elsewhere(kind: &'static str, detail: &str) -> anyhow::Error {
        Self { kind, detail: detail.into(), is_elsewhere: true }.into()
    }
}

/// The fixture, and what the server declares.
#[derive(Debug)]
pub(crate) struct Plans {
    fixture: Value,
    capabilities: Value,
    pub(crate) modern: bool,
    translated: bool,
}

impl Plans {
    pub(crate) fn new(
        options: &Options,
        handler: &Handler,
        capabilities: Value,
        modern: bool,
    ) -> Result<Self> {
        let path = options.fixtures.display();
        let text = fs::read_to_string(&options.fixtures).with_context(|| format!("{path}"))?;
        let text = text
            .replace("$DIR", &options.dir)
            .replace("$ROOT", &handler.root().display().to_string())
            .replace("$NONCE", &handler.nonce);
        let fixtures: Value = serde_json::from_str(&text).with_context(|| format!("{path}"))?;
        let fixture = fixtures.get(&options.fixture).context("no such fixture")?.clone();
        let era = options.server_era.as_str();
        let translated = era == "translated" || modern && era == "legacy";
        Ok(Self { fixture, capabilities, modern, translated })
    }

    /// What the fixture has under a name, whatever the era.
    pub(crate) fn raw(&self, name: &str) -> Option<&Value> {
        self.fixture.get(name)
    }

    /// Whether this is a modern client on a legacy server, or any client on one that Crossway has among others.
    pub(crate) fn is_translated(&self) -> bool {
        self.translated
    }

    /// What the fixture says of a feature, for the era that was negotiated, or that Crossway translates.
    pub(crate) fn plan(&self, feature: &str) -> Result<&Value> {
        let era = match (self.translated, self.modern) {
            (true, _) => "translated",
            (_, true) => "modern",
            _ => "legacy",
        };
        let plan = self.fixture.get(feature);
        let plan = match plan.and_then(|plan| plan.get("legacy")) {
            Some(legacy) => Some(plan.and_then(|plan| plan.get(era)).unwrap_or(legacy)),
            None => plan,
        };
        let Some(plan) = plan.filter(|plan| !plan.is_null()) else {
            return Err(self.undeclared(feature));
        };
        if let Some(kind) = plan.get("absent").and_then(Value::as_str) {
            let kind = if kind == "unused" { "unused" } else { "undeclared" };
            let why = plan.get("why").and_then(Value::as_str).unwrap_or_default();
            return Err(Absent::elsewhere(kind, why));
        }
        for kind in ["unused", "impossible"] {
            if let Some(why) = plan.get(kind).and_then(Value::as_str) {
                return Err(Absent::because(kind, why));
            }
        }
        Ok(plan)
    }

    /// How a list ends that the fixture says is there; whether it has items.
    pub(crate) fn has_items(&self, list: &str) -> Result<bool> {
        match self.fixture.get("lists").and_then(|lists| lists.get(list)).and_then(Value::as_str) {
            Some(items) => Ok(items == "some"),
            None => Err(self.undeclared(list)),
        }
    }

    /// A feature that the fixture does not name has to be one that the server does not declare.
    pub(crate) fn undeclared(&self, feature: &str) -> anyhow::Error {
        let Some((_, paths)) = DECLARED.iter().find(|(name, _)| *name == feature) else {
            return Absent::because("unused", "nothing of this server's shows it");
        };
        for path in *paths {
            let found = path.split('.').try_fold(&self.capabilities, |found, part| found.get(part));
            // An empty object declares as much as a full one.
            if found.is_some_and(|found| !found.is_null() && *found != Value::Bool(false)) {
                return anyhow::anyhow!("the server declares {path}, and the fixture does not know of it");
            }
        }
        Absent::because("undeclared", paths.join(" "))
    }

    /// A server that has nothing with which it would ask does not ask.
    pub(crate) fn unasked(&self, method: &str, handler: &Handler) -> Result<()> {
        let feature = method.split('/').next().unwrap_or(method);
        if self.raw(feature).is_none() && handler.events.of("asked").contains(&Value::from(method)) {
            bail!("the server has sent {method}");
        }
        Ok(())
    }
}
