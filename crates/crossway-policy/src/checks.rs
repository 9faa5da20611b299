//! What can hardly be meant, though it can be used.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::{Effect, PolicyConfig, TenantRule};
use crate::finding::{Findings, Problem};
use crate::rules::{Rule, User};
use crate::upstreams::Upstreams;
use crate::{TenantName, limits};

/// Looks for what can hardly be meant in a policy that has no errors.
pub(crate) fn check(config: &PolicyConfig, rules: &[Rule], upstreams: &Upstreams, findings: &mut Findings) {
    tenants(config, findings);
    everyone(config, findings);
    names(config, findings);
    credentials(config, rules, upstreams, findings);
    grants(rules, findings);
}

fn tenants(config: &PolicyConfig, findings: &mut Findings) {
    let mut marks: BTreeMap<(&str, String), &TenantName> = BTreeMap::new();
    let mut folded: BTreeMap<String, &TenantName> = BTreeMap::new();
    let allowed = || config.grants.iter().filter(|grant| grant.effect == Effect::Allow);
    let of_any = allowed().any(|grant| grant.tenant.is_none());
    let granted: BTreeSet<&TenantName> = allowed().filter_map(|grant| grant.tenant.as_ref()).collect();
    for (name, rule) in &config.tenants {
        let path = format!("tenants.{name}");
        if !has_users(rule) {
            findings.warning(&path, Problem::NoUsers);
        }
        if !of_any && !granted.contains(name) {
            findings.warning(&path, Problem::NoGrants);
        }
        if let Some(other) = folded.insert(name.as_str().to_ascii_lowercase(), name) {
            findings.warning(&path, Problem::MuchAlike { other: other.to_string() });
        }
        let domains = rule.email_domains.iter().map(|domain| ("email_domains", domain.to_ascii_lowercase()));
        let groups = rule.groups.iter().map(|group| ("groups", group.clone()));
        let users = rule.users.iter().map(|user| ("users", user.clone()));
        // All of them have to be there: who has these has those of whoever names the same ones.
        let claims = (!rule.claims.is_empty()).then(|| ("claims", format!("{:?}", rule.claims)));
        for mark in groups.chain(domains).chain(users).chain(claims) {
            let path = format!("{path}.{}", mark.0);
            if let Some(other) = marks.insert(mark, name).filter(|other| *other != name) {
                findings.warning(path, Problem::InTwoTenants { other: other.to_string() });
            }
        }
    }
}

/// Whether anybody can belong to a tenant. Who proves nothing can't, by whatever name.
fn has_users(rule: &TenantRule) -> bool {
    let is_named = rule.users.iter().any(|user| User::parse(user) != User::Anonymous);
    let is_marked = !(rule.groups.is_empty() && rule.email_domains.is_empty() && rule.claims.is_empty());
    is_named || is_marked || rule.everyone
}

/// Who belongs to a tenant of everyone belongs to each other one besides, of which nobody can be then where no endpoint says that it is meant.
fn everyone(config: &PolicyConfig, findings: &mut Findings) {
    let with_endpoint: BTreeSet<&TenantName> = config.endpoints.values().collect();
    let mut compared = 0;
    for (name, rule) in config.tenants.iter().filter(|(_, rule)| rule.everyone) {
        let meets = |other: &TenantRule| {
            let is_any = rule.issuers.is_empty() || other.issuers.is_empty();
            is_any || other.issuers.iter().any(|issuer| rule.issuers.contains(issuer))
        };
        let is_lost = |(other, of): &(&TenantName, &TenantRule)| {
            *other != name && !with_endpoint.contains(other) && has_users(of) && meets(of)
        };
        compared += config.tenants.len();
        if compared > limits::COMPARISONS {
            return;
        }
        if let Some((other, _)) = config.tenants.iter().find(is_lost) {
            let problem = Problem::InTwoTenants { other: other.to_string() };
            findings.warning(format!("tenants.{name}.everyone"), problem);
        }
    }
}

/// Two grants of one name can't be told apart in the audit log.
fn names(config: &PolicyConfig, findings: &mut Findings) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, grant) in config.grants.iter().enumerate() {
        if let Some(other) = grant.name.as_deref().and_then(|name| seen.insert(name, index)) {
            let other = format!("grants[{other}]");
            findings.warning(format!("grants[{index}].name"), Problem::SameName { other });
        }
    }
}

fn credentials(config: &PolicyConfig, rules: &[Rule], upstreams: &Upstreams, findings: &mut Findings) {
    let mut granted: BTreeSet<(u32, Option<&TenantName>)> = BTreeSet::new();
    for rule in rules.iter().filter(|rule| rule.effect == Effect::Allow) {
        granted.extend(rule.reach.iter().map(|upstream| (upstream, rule.who.tenant.as_ref())));
    }
    let reached: BTreeSet<u32> = granted.iter().map(|(upstream, _)| *upstream).collect();
    for (index, credential) in config.credentials.iter().enumerate() {
        let Some(upstream) = upstreams.number(&credential.upstream) else { continue };
        let used = match &credential.tenant {
            None => reached.contains(&upstream),
            tenant => granted.contains(&(upstream, None)) || granted.contains(&(upstream, tenant.as_ref())),
        };
        if !used {
            findings.warning(format!("credentials[{index}]"), Problem::Unused);
        }
    }
}

/// Compares grants with those that may be about the same callers: those of the same tenant, and those of all.
fn grants(rules: &[Rule], findings: &mut Findings) {
    let mut of_tenant: HashMap<Option<&TenantName>, Vec<&Rule>> = HashMap::new();
    for rule in rules {
        of_tenant.entry(rule.who.tenant.as_ref()).or_default().push(rule);
    }
    let none = Vec::new();
    let of_all = of_tenant.get(&None).unwrap_or(&none);
    let mut compared = 0;
    for rule in rules {
        let path = rule.is.path();
        if rule.who.is_never() {
            findings.warning(path, Problem::NeverApplies);
            continue;
        }
        let own = if rule.who.tenant.is_some() { &of_tenant[&rule.who.tenant.as_ref()] } else { &none };
        // A rule of all callers matters wherever another one does, of any tenant: it is only compared with its like.
        let others = || own.iter().chain(of_all).filter(|other| other.is.index() != rule.is.index());
        compared += own.len() + of_all.len();
        if compared > limits::COMPARISONS {
            findings.warning("grants", Problem::NotCompared { limit: limits::COMPARISONS });
            return;
        }
        if let Some(other) = others().find(|other| other.shadows(rule)) {
            findings.warning(path, Problem::Shadowed { by: other.is.to_string() });
        } else if rule.effect == Effect::Deny && rule.who.tenant.is_some() {
            let matters = others().any(|other| other.effect == Effect::Allow && other.meets(rule));
            if !matters {
                findings.warning(path, Problem::DeniesNothing);
            }
        } else if rule.effect == Effect::Deny {
            let matters = rules.iter().any(|other| other.effect == Effect::Allow && other.meets(rule));
            compared += rules.len();
            if !matters {
                findings.warning(path, Problem::DeniesNothing);
            }
        }
    }
}
