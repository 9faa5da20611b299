//! Finds rules with clients' names of tools and prompts in place of the upstreams' own. Such a rule matches nothing, and a deny rule
//! would fail unnoticed.

use super::super::UpstreamSpec;
use super::super::file::ConfigFile;
use super::super::tree::Step;
use super::upstreams::UpstreamProblem;
use super::{Findings, steps};

/// Warns about all rules whose patterns begin with an upstream's prefix, which only clients' names of tools and prompts have.
pub(super) fn check(file: &ConfigFile, specs: &[UpstreamSpec], findings: &mut Findings) {
    let prefix = |upstream: Option<&str>, pattern: &str| {
        // A pattern may stand for any upstream.
        let named = specs.iter().find(|spec| Some(spec.name.as_str()) == upstream);
        let meant = named.map_or(specs, std::slice::from_ref);
        let mut prefixes = meant.iter().map(|spec| format!("{}__", spec.prefix));
        prefixes.find(|prefix| pattern.starts_with(prefix.as_str()))
    };
    let mut tell = |at: Vec<Step>, upstream: Option<&str>, pattern: &str| {
        if let Some(prefix) = prefix(upstream, pattern) {
            findings.warning(at, UpstreamProblem::Prefixed { prefix });
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
