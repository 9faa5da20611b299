//! Finds rules about tools, prompts and processes that are not there. Such a rule matches nothing, and a deny rule would fail unnoticed.

use std::collections::HashMap;

use crossway_policy::NamePattern;

use super::super::UpstreamSpec;
use super::super::file::ConfigFile;
use super::super::nearest::nearest;
use super::super::tree::Step;
use super::{Findings, steps};
use crate::plan::UpstreamPlan;
use crate::upstream::apis::ApiKind;

/// A rule about what is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamedProblem {
    /// A rule names a tool or prompt with the prefix that clients see.
    #[error(
        "tools and prompts are named as the upstream calls them, without the {prefix:?} that clients see"
    )]
    Prefixed {
        /// The prefix that clients see.
        prefix: String,
    },
    /// The upstreams of a rule are APIs and webhooks, whose tools the config tells, and none of these matches.
    #[error("it matches none of the tools that there are{}", like.as_ref().map(|like| format!("; is {like:?} meant?")).unwrap_or_default())]
    NoTool {
        /// A similar tool.
        like: Option<String>,
    },
    /// A rule counts the processes of upstreams that have none.
    #[error("it counts the processes of upstreams that are commands, and none of these is one")]
    NoProcesses,
}

/// Warns about all rules that can match nothing as the upstreams are.
pub(super) fn check(file: &ConfigFile, specs: &[UpstreamSpec], findings: &mut Findings) {
    prefixes(file, specs, findings);
    tools(file, specs, findings);
    for (index, quota) in file.quotas.iter().enumerate() {
        let Some(upstream) = &quota.upstream else { continue };
        let meant = meant(upstream, specs);
        let has_process = meant.iter().any(|spec| matches!(spec.plan, UpstreamPlan::Command(_)));
        let of_users = quota.per_user.and_then(|limits| limits.children);
        if !meant.is_empty() && !has_process && quota.children.or(of_users).is_some() {
            findings.warning(steps!["quotas", index], NamedProblem::NoProcesses);
        }
    }
}

/// Warns about all rules whose patterns begin with an upstream's prefix, which only clients' names of tools and prompts have.
fn prefixes(file: &ConfigFile, specs: &[UpstreamSpec], findings: &mut Findings) {
    let prefix = |upstream: Option<&str>, pattern: &str| {
        // A pattern may stand for any upstream.
        let named = specs.iter().find(|spec| Some(spec.name.as_str()) == upstream);
        let meant = named.map_or(specs, std::slice::from_ref);
        let mut prefixes = meant.iter().map(|spec| format!("{}__", spec.prefix));
        prefixes.find(|prefix| pattern.starts_with(prefix.as_str()))
    };
    let mut tell = |at: Vec<Step>, upstream: Option<&str>, pattern: &str| {
        if let Some(prefix) = prefix(upstream, pattern) {
            findings.warning(at, NamedProblem::Prefixed { prefix });
        }
    };
    for (index, grant) in file.grants.iter().enumerate() {
        for (key, patterns) in [("tools", &grant.tools), ("prompts", &grant.prompts)] {
            for (at, pattern) in patterns.iter().enumerate() {
                tell(steps!["grants", index, key, at], Some(&grant.upstream), pattern);
            }
        }
    }
    for (index, quota) in file.quotas.iter().enumerate() {
        if let Some(tool) = &quota.tool {
            tell(steps!["quotas", index, "tool"], quota.upstream.as_deref(), tool);
        }
    }
}

/// Warns about all patterns that match no tool, where all upstreams that are meant have their tools from the config.
fn tools(file: &ConfigFile, specs: &[UpstreamSpec], findings: &mut Findings) {
    let of_grants = file.grants.iter().enumerate().flat_map(|(index, grant)| {
        let patterns = grant.tools.iter().enumerate();
        patterns.map(move |(at, tool)| (steps!["grants", index, "tools", at], &*grant.upstream, tool))
    });
    let of_quotas = file.quotas.iter().enumerate().filter_map(|(index, quota)| {
        let upstream = quota.upstream.as_deref().unwrap_or("*");
        Some((steps!["quotas", index, "tool"], upstream, quota.tool.as_ref()?))
    });
    // Rules of many tenants name the same.
    let mut known: HashMap<&str, Option<Vec<&str>>> = HashMap::new();
    let mut matching: HashMap<(&str, &str), bool> = HashMap::new();
    for (at, upstream, tool) in of_grants.chain(of_quotas) {
        let tools = known.entry(upstream).or_insert_with(|| {
            let meant = meant(upstream, specs);
            let tools: Option<Vec<_>> = meant.iter().map(|spec| tools_of(spec)).collect();
            tools.map(|tools| tools.concat()).filter(|tools| !tools.is_empty())
        });
        let Some(tools) = tools else { continue };
        let is_there = matching.entry((upstream, tool)).or_insert_with(|| match NamePattern::compile(tool) {
            Ok(pattern) => tools.iter().any(|name| pattern.matches(name)),
            // The policy says so.
            Err(_) => true,
        });
        let has_prefix = || specs.iter().any(|spec| tool.starts_with(&format!("{}__", spec.prefix)));
        if !*is_there && !has_prefix() {
            let like = nearest(tool, tools.iter().copied()).map(str::to_owned);
            findings.warning(at, NamedProblem::NoTool { like });
        }
    }
}

/// The usable upstreams that a name or a pattern means.
fn meant<'a>(upstream: &str, specs: &'a [UpstreamSpec]) -> Vec<&'a UpstreamSpec> {
    let pattern = NamePattern::compile(upstream).ok();
    specs.iter().filter(|spec| pattern.as_ref().is_some_and(|pattern| pattern.matches(&spec.name))).collect()
}

/// The tools of an upstream, if the config tells them. Those of a document at a URL are known once it was fetched.
fn tools_of(spec: &UpstreamSpec) -> Option<Vec<&str>> {
    match &spec.plan {
        UpstreamPlan::Api(api) => match &api.kind {
            ApiKind::Read { api, .. } => Some(api.tools().collect()),
            ApiKind::Webhooks(_, tools) => Some(tools.iter().map(|tool| tool.name()).collect()),
            ApiKind::Fetched(_) => None,
        },
        UpstreamPlan::Command(_) | UpstreamPlan::Url(_) => None,
    }
}
