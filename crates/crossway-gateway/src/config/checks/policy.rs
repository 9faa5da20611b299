//! Validates identity, tenants, grants, credentials and quotas.

use std::collections::BTreeSet;
use std::path::Path;

use crossway_policy::config::{DirectorySource, NamedDirectory, Source, TokenSource};
use crossway_policy::{Policy, PolicyConfig, Severity, TenantDenied, UpstreamFacts};

use super::super::file::ConfigFile;
use super::super::problem::Problem;
use super::super::read::Context;
use super::super::tree::{Node, Step, parse_path, path_to_text};
use super::upstreams::{UpstreamProblem, is_name};
use super::{Findings, steps};
use crate::identity::{Identity, IdentityConfig, IdentityError, IdentityWarning, JwtConfig, NoneConfig};

/// The policy, if it can be used, which is taken out of the file. It knows all upstreams that the file names, also those that something is
/// wrong with and those that are switched off.
pub(super) fn check(
    file: &mut ConfigFile,
    switched_off: &BTreeSet<String>,
    root: &Node<'_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<Policy> {
    let of_file = file
        .upstreams
        .iter()
        .map(|(name, upstream)| UpstreamFacts { name: name.clone(), trusted: upstream.trusted });
    let of_servers = file
        .mcp_servers
        .iter()
        .filter(|(name, _)| !file.upstreams.contains_key(*name))
        .map(|(name, _)| UpstreamFacts { name: name.clone(), trusted: false });
    let upstreams: Vec<_> = of_file.chain(of_servers).collect();
    for path in file.endpoints.keys() {
        let name = path.strip_prefix('/').filter(|name| is_name(name));
        let is_taken = upstreams
            .iter()
            .any(|upstream| Some(upstream.name.as_str()) == name && !switched_off.contains(&upstream.name));
        if name.is_none() || is_taken {
            let problem = UpstreamProblem::BadEndpoint { path: path.clone(), is_taken };
            findings.error(steps!["endpoints", path.as_str()], problem);
        }
    }
    let config = placed(file.take_policy(), context.folder);
    super::sources::check(&config.credentials, context, findings);
    let (policy, found) = match Policy::compile_after(&config, &upstreams, context.policy_before) {
        Ok(policy) => {
            let found = policy.findings().to_vec();
            (Some(policy), found)
        }
        Err(found) => (None, found.to_vec()),
    };
    for finding in found {
        let path = parse_path(root, &finding.path);
        match finding.severity {
            Severity::Warning => findings.warning(path, Problem::Policy(finding.what)),
            // Severities of future versions count as errors.
            _ => findings.error(path, Problem::Policy(finding.what)),
        }
    }
    if let Some(policy) = &policy {
        super::sources::check_secrets(&config.credentials, policy, context, findings);
    }
    policy
}

/// Resolves the policy's relative paths against the config's folder.
fn placed(mut policy: PolicyConfig, folder: &Path) -> PolicyConfig {
    let within = |folder: &str, path: &str| Path::new(folder).join(path).to_string_lossy().into_owned();
    let plain = folder.to_string_lossy();
    // Paths are templates, but the folder is not.
    let escaped = plain.replace('{', "{{").replace('}', "}}");
    for source in policy.credentials.iter_mut().filter_map(|rule| rule.from.as_mut()) {
        match source {
            Source::File(path)
            | Source::Directory(
                DirectorySource::Path(path) | DirectorySource::Named(NamedDirectory { path, .. }),
            ) => {
                *path = within(&escaped, path);
            }
            Source::Broker(broker) => {
                if let Some(TokenSource::File(path)) = &mut broker.token {
                    *path = within(&plain, path);
                }
            }
            Source::Env(_) | Source::Command(_) | Source::Named(_) => {}
        }
    }
    policy
}

/// Warns of documents for somebody of no tenant, and for one of several tenants, who gets them only at the tenants' endpoints.
pub(super) fn document_for(file: &ConfigFile, policy: &Policy, findings: &mut Findings) {
    let Some(who) = file.openapi.as_ref().and_then(|openapi| openapi.document_for.as_ref()) else { return };
    let who = who.to_principal();
    let problem = match policy.tenant_of(&who, None) {
        Err(TenantDenied::None) => Problem::DocumentForNobody,
        Err(TenantDenied::Several(tenants)) => {
            let mut at = policy.endpoints();
            at.retain(|endpoint| policy.tenant_of(&who, Some(endpoint)).is_ok());
            let tenants = tenants.iter().map(ToString::to_string).collect();
            Problem::DocumentForSeveral { tenants, at }
        }
        Ok(_) | Err(_) => return,
    };
    findings.warning(steps!["openapi", "document_for"], problem);
}

/// Builds the identity edge, if its config is valid.
pub(super) fn identity(
    file: &ConfigFile,
    root: &Node<'_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<Identity> {
    let mut config = file.identity.clone().unwrap_or(IdentityConfig::None(NoneConfig::default()));
    if let IdentityConfig::Jwt(JwtConfig { jwks_file: Some(path), .. }) = &mut config {
        *path = context.folder.join(&*path);
        context.watch(path);
    }
    // The path to a text that the message shows.
    let of_text = |text: &str, or: Vec<Step>| path_to_text(root, &["identity".into()], text).unwrap_or(or);
    for warning in config.warnings() {
        let path = match &warning {
            IdentityWarning::ShortSecret { field, .. } => parse_path(root, &format!("identity.{field}")),
            IdentityWarning::WideNetwork(text) => of_text(text, steps!["identity", "fence", "networks"]),
            // The others concern the whole section.
            _ => steps!["identity"],
        };
        findings.warning(path, Problem::IdentityWarning(warning));
    }
    super::proven::check(file, root, &config, findings);
    match Identity::new(&config) {
        Ok(identity) => Some(identity),
        Err(error) => {
            let path = match &error {
                IdentityError::Empty(field)
                | IdentityError::NotAName(field)
                | IdentityError::NotBearer(field)
                | IdentityError::TooMuch { field, .. } => parse_path(root, &format!("identity.{field}")),
                IdentityError::OpenFence => steps!["identity", "fence"],
                IdentityError::NotAHeader(name) | IdentityError::HeaderTwice(name) => {
                    of_text(name, steps!["identity", "names"])
                }
                IdentityError::NoSubject => steps!["identity", "names"],
                IdentityError::OneJwks => steps!["identity"],
                IdentityError::BadKeysUrl => steps!["identity", "jwks_url"],
                IdentityError::KeyFile { .. } | IdentityError::Keys { .. } => steps!["identity", "jwks_file"],
                IdentityError::BadResource => steps!["identity", "resource"],
                IdentityError::NotAServer(url) => of_text(url, steps!["identity", "authorization_servers"]),
                IdentityError::NotAScope(scope) => of_text(scope, steps!["identity", "scopes"]),
                IdentityError::KeyTwice(index) => steps!["identity", "keys", *index],
                IdentityError::KeyOfNobody { index, field } => steps!["identity", "keys", *index, *field],
            };
            findings.error(path, Problem::Identity(error));
            None
        }
    }
}
