//! Finds servers that are switched off, and the rules about them. Such a rule has no effect, but is no mistake: whoever switches a server
//! off wants to switch it on again.

use std::collections::BTreeSet;

use super::super::file::ConfigFile;
use super::super::problem::Problem;
use super::super::tree::Step;
use super::{Findings, steps};

/// Returns the names of the servers that are switched off, and warns about all rules that name one of them.
pub(super) fn check(file: &ConfigFile, findings: &mut Findings) -> BTreeSet<String> {
    let servers = file.mcp_servers.iter();
    let off = servers.filter(|(name, server)| server.is_disabled() && !file.upstreams.contains_key(*name));
    let off: BTreeSet<String> = off.map(|(name, _)| name.clone()).collect();
    let grants = file.grants.iter().map(|grant| Some(&grant.upstream));
    let credentials = file.credentials.iter().map(|rule| Some(&rule.upstream));
    let quotas = file.quotas.iter().map(|quota| quota.upstream.as_ref());
    let mut tell = |key: &str, index: usize, name: Option<&String>| {
        if let Some(name) = name.filter(|name| off.contains(*name)) {
            let at: Vec<Step> = steps![key, index, "upstream"];
            findings.warning(at, Problem::SwitchedOff(name.clone()));
        }
    };
    grants.enumerate().for_each(|(index, name)| tell("grants", index, name));
    credentials.enumerate().for_each(|(index, name)| tell("credentials", index, name));
    quotas.enumerate().for_each(|(index, name)| tell("quotas", index, name));
    off
}
