//! Tenants, grants, credentials, quotas: checked by the policy's own crate, whose findings have paths.

use crossway_policy::{Policy, Severity, UpstreamFacts};

use super::super::file::ConfigFile;
use super::super::problem::Problem;
use super::super::tree::{Node, parse_path};
use super::Findings;

/// The policy, if it can be used. It knows all upstreams that the file names, also those that something is wrong with.
pub(super) fn check(file: &ConfigFile, root: &Node, findings: &mut Findings) -> Option<Policy> {
    let of_file = file
        .upstreams
        .iter()
        .map(|(name, upstream)| UpstreamFacts { name: name.clone(), trusted: upstream.trusted });
    let of_servers = file
        .mcp_servers
        .iter()
        .filter(|(name, server)| !server.is_disabled() && !file.upstreams.contains_key(*name))
        .map(|(name, _)| UpstreamFacts { name: name.clone(), trusted: false });
    let upstreams: Vec<_> = of_file.chain(of_servers).collect();
    let (policy, found) = match Policy::compile(&file.policy(), &upstreams) {
        Ok(policy) => {
            let found = policy.findings().to_vec();
            (Some(policy), found)
        }
        Err(found) => (None, found),
    };
    for finding in found {
        let path = parse_path(root, &finding.path);
        match finding.severity {
            Severity::Warning => findings.warning(path, Problem::Policy(finding.what)),
            // What future severities mean is not known: they are taken seriously.
            _ => findings.error(path, Problem::Policy(finding.what)),
        }
    }
    policy
}
