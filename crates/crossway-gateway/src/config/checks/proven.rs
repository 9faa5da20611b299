//! Finds rules that test what the configured proof never provides. Such a rule matches nobody, and a deny rule would
//! fail unnoticed.

use std::collections::BTreeSet;

use crossway_policy::config::{CredentialRule, FileBy, Source};

use super::super::file::ConfigFile;
use super::super::problem::Problem;
use super::super::tree::{Node, parse_path};
use super::Findings;
use crate::identity::{HeadersConfig, IdentityConfig, IdentityWarning, Said};

/// Warns about all rules that test what the proof can't provide. For the proof `none`, there is a separate warning.
pub(super) fn check(file: &ConfigFile, root: &Node<'_>, config: &IdentityConfig, findings: &mut Findings) {
    if let IdentityConfig::Headers(HeadersConfig { fence, .. }) = config {
        let has_ca = file.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        if !fence.client_certificates.is_empty() && !has_ca {
            let path = parse_path(root, "identity.fence.client_certificates");
            findings.warning(path, Problem::IdentityWarning(IdentityWarning::NoClientCa));
        }
    }
    if matches!(config, IdentityConfig::None(_)) {
        return;
    }
    for (path, what) in asked(file) {
        if config.can_say(&what) {
            continue;
        }
        let warning = match (config, what) {
            (IdentityConfig::Jwt(_), Said::Claim(claim)) => IdentityWarning::ClaimNotKept(claim),
            (_, what) => IdentityWarning::NotSaid { what, proof: config.proof() },
        };
        findings.warning(parse_path(root, &path), Problem::IdentityWarning(warning));
    }
}

/// Returns all attributes that rules test, each with the rule's path.
fn asked(file: &ConfigFile) -> BTreeSet<(String, Said)> {
    let mut asked = BTreeSet::new();
    let mut ask = |path: String, what| _ = asked.insert((path, what));
    for (tenant, rule) in &file.tenants {
        let path = format!("tenants.{tenant}");
        if !rule.groups.is_empty() {
            ask(format!("{path}.groups"), Said::Groups);
        }
        if !rule.email_domains.is_empty() {
            ask(format!("{path}.email_domains"), Said::Email);
        }
        for (index, _) in rule.users.iter().enumerate().filter(|(_, user)| user.contains('@')) {
            ask(format!("{path}.users[{index}]"), Said::Email);
        }
        for claim in rule.claims.keys() {
            ask(format!("{path}.claims.{claim}"), Said::Claim(claim.clone()));
        }
    }
    for (index, grant) in file.grants.iter().enumerate() {
        let path = format!("grants[{index}]");
        if grant.group.is_some() {
            ask(format!("{path}.group"), Said::Groups);
        }
        if grant.role.is_some() {
            ask(format!("{path}.role"), Said::Roles);
        }
        if grant.user.as_ref().is_some_and(|user| user.contains('@')) {
            ask(format!("{path}.user"), Said::Email);
        }
        for what in grant.when.iter().flat_map(|when| mentioned(when)) {
            ask(format!("{path}.when"), what);
        }
    }
    for (index, rule) in file.credentials.iter().enumerate() {
        for (key, text) in templates(rule) {
            for what in text.split('{').skip(1).flat_map(mentioned) {
                ask(format!("credentials[{index}].{key}"), what);
            }
        }
        if let Some(Source::Directory(directory)) = &rule.from
            && directory.by() == FileBy::Email
        {
            ask(format!("credentials[{index}].from"), Said::Email);
        }
    }
    asked
}

/// Returns the index and the upstream of each rule whose credential depends on the user's subject.
pub(super) fn by_subject(rules: &[CredentialRule]) -> Vec<(usize, String)> {
    let is_by_subject = |rule: &CredentialRule| {
        let by = match &rule.from {
            Some(Source::Directory(directory)) => Some(directory.by()),
            _ => None,
        };
        by == Some(FileBy::Subject) || templates(rule).iter().any(|(_, text)| text.contains("{user.subject}"))
    };
    let rules = rules.iter().enumerate().filter(|(_, rule)| is_by_subject(rule));
    rules.map(|(index, rule)| (index, rule.upstream.clone())).collect()
}

/// Returns the templates of a rule, each with its key.
fn templates(rule: &CredentialRule) -> Vec<(&'static str, &str)> {
    let value = rule.value.as_deref().map(|value| ("value", value));
    let basic = rule.basic.as_ref().map(|basic| ("basic.user", basic.user.as_str()));
    let from: Vec<&str> = match &rule.from {
        Some(Source::File(path)) => vec![path],
        Some(Source::Directory(directory)) => vec![directory.path()],
        Some(Source::Command(command)) => command.args.iter().map(String::as_str).collect(),
        Some(Source::Broker(broker)) => vec![&broker.url],
        Some(Source::Env(_) | Source::Named(_)) | None => Vec::new(),
    };
    let from = from.into_iter().map(|text| ("from", text));
    value.into_iter().chain(basic).chain(from).collect()
}

/// Returns the attributes in a condition or a template's placeholder: `user.groups`, `user.claims.org`, `user.claims["org"]`. A search
/// in the text is enough for a warning: at worst, a condition in which these words mean something else gets a needless one.
fn mentioned(text: &str) -> Vec<Said> {
    let is_of_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    let word = |text: &str| text.split(|letter| !is_of_name(letter)).next().unwrap_or_default().to_owned();
    let said = |rest: &str| match word(rest).as_str() {
        "groups" => Some(Said::Groups),
        "roles" => Some(Said::Roles),
        "email" => Some(Said::Email),
        "name" => Some(Said::Name),
        "claims" => {
            let claim = rest["claims".len()..].trim_start_matches(['.', '[', '"', '\'']);
            Some(word(claim)).filter(|claim| !claim.is_empty()).map(Said::Claim)
        }
        _ => None,
    };
    text.split("user.").skip(1).filter_map(said).collect()
}
