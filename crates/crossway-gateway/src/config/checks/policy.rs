//! Who calls; tenants, grants, credentials, quotas: checked by what they are for.

use crossway_policy::{Policy, Severity, UpstreamFacts};

use super::super::file::ConfigFile;
use super::super::problem::Problem;
use super::super::tree::{Node, parse_path};
use super::{Findings, steps};
use crate::identity::{Identity, IdentityConfig, IdentityError, IdentityWarning, NoneConfig};

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

/// The identity edge, if it can be made.
pub(super) fn identity(file: &ConfigFile, root: &Node, findings: &mut Findings) -> Option<Identity> {
    let none = IdentityConfig::None(NoneConfig::default());
    let config = file.identity.as_ref().unwrap_or(&none);
    for warning in config.warnings() {
        let path = match &warning {
            IdentityWarning::ShortSecret { field, .. } => parse_path(root, &format!("identity.{field}")),
            IdentityWarning::WideNetwork(_) => steps!["identity", "fence", "networks"],
            IdentityWarning::NoProof => steps!["identity"],
        };
        findings.warning(path, Problem::IdentityWarning(warning));
    }
    match Identity::new(config) {
        Ok(identity) => Some(identity),
        Err(error) => {
            let path = match &error {
                IdentityError::Empty(field)
                | IdentityError::NotAName(field)
                | IdentityError::NotBearer(field)
                | IdentityError::TooMuch { field, .. } => parse_path(root, &format!("identity.{field}")),
                IdentityError::OpenFence => steps!["identity", "fence"],
                IdentityError::NotAHeader(_) | IdentityError::HeaderTwice(_) | IdentityError::NoSubject => {
                    steps!["identity", "names"]
                }
                IdentityError::KeyTwice(index) => steps!["identity", "keys", *index],
                IdentityError::KeyOfNobody { index, field } => steps!["identity", "keys", *index, *field],
            };
            findings.error(path, Problem::Identity(error));
            None
        }
    }
}
