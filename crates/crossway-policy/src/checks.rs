//! Warnings about policies that are valid but probably not meant.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::BTreeSet;

use foldhash::{HashMap, HashSet};

use crate::config::{Effect, PolicyConfig, QuotaRule, TenantRule};
use crate::finding::{Findings, Problem};
use crate::rules::{Rule, User};
use crate::upstreams::{Reach, Upstreams};
use crate::{TenantName, limits};

/// Looks for likely mistakes in a policy without errors.
pub(crate) fn check(config: &PolicyConfig, rules: &[Rule], upstreams: &Upstreams, findings: &mut Findings) {
    tenants(config, findings);
    everyone(config, findings);
    names(config, findings);
    quotas(config, findings);
    crate::wording::check(config, findings);
    let by_tenant = ByTenant::new(rules);
    credentials(config, &by_tenant, upstreams, findings);
    grants(&by_tenant, findings);
}

/// The rules, by the tenant that they name.
struct ByTenant<'a> {
    all: &'a [Rule],
    of_none: Vec<&'a Rule>,
    of_tenant: HashMap<&'a str, Vec<&'a Rule>>,
}

impl<'a> ByTenant<'a> {
    fn new(all: &'a [Rule]) -> Self {
        let (mut of_none, mut of_tenant) = (Vec::new(), HashMap::<_, Vec<_>>::default());
        for rule in all {
            match &rule.who.tenant {
                Some(tenant) => of_tenant.entry(tenant.as_str()).or_default().push(rule),
                None => of_none.push(rule),
            }
        }
        Self { all, of_none, of_tenant }
    }

    fn of(&self, tenant: Option<&TenantName>) -> &[&'a Rule] {
        match tenant {
            Some(tenant) => self.of_tenant.get(tenant.as_str()).map_or(&[], Vec::as_slice),
            None => &self.of_none,
        }
    }
}

fn tenants(config: &PolicyConfig, findings: &mut Findings) {
    let mut marks: HashMap<(&str, Cow<'_, str>), &TenantName> = HashMap::default();
    let mut folded: HashMap<String, &TenantName> = HashMap::default();
    let allowed = || config.grants.iter().filter(|grant| grant.effect == Effect::Allow);
    let of_any = allowed().any(|grant| grant.tenant.is_none());
    let granted: HashSet<&TenantName> = allowed().filter_map(|grant| grant.tenant.as_ref()).collect();
    for (name, rule) in &config.tenants {
        let mut warning = |problem| findings.warning(format_args!("tenants.{name}"), problem);
        if !has_users(rule) {
            warning(Problem::NoUsers);
        }
        if !of_any && !granted.contains(name) {
            warning(Problem::NoGrants);
        }
        if let Some(other) = folded.insert(name.as_str().to_ascii_lowercase(), name) {
            warning(Problem::MuchAlike { other: other.to_string() });
        }
        let domains =
            rule.email_domains.iter().map(|domain| ("email_domains", domain.to_ascii_lowercase().into()));
        let groups = rule.groups.iter().map(|group| ("groups", group.into()));
        let users = rule.users.iter().map(|user| ("users", user.into()));
        // A caller needs all of the claims: whoever has them also fits every tenant that names the same ones.
        let claims = (!rule.claims.is_empty()).then(|| ("claims", format!("{:?}", rule.claims).into()));
        for (kind, mark) in groups.chain(domains).chain(users).chain(claims) {
            if let Some(other) = marks.insert((kind, mark), name).filter(|other| *other != name) {
                let problem = Problem::InTwoTenants { other: other.to_string() };
                findings.warning(format_args!("tenants.{name}.{kind}"), problem);
            }
        }
    }
}

/// Whether any caller can belong to a tenant. Anonymous callers can't, by whatever name.
fn has_users(rule: &TenantRule) -> bool {
    let is_named = rule.users.iter().any(|user| User::parse(user) != User::Anonymous);
    let is_marked = !(rule.groups.is_empty() && rule.email_domains.is_empty() && rule.claims.is_empty());
    is_named || is_marked || rule.everyone
}

/// Warns about a tenant of everyone beside one without an endpoint: the members of the other tenant fit both, so nobody can be in it.
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
            findings.warning(format_args!("tenants.{name}.everyone"), problem);
        }
    }
}

/// The audit log can't tell two grants of the same name apart.
fn names(config: &PolicyConfig, findings: &mut Findings) {
    let mut seen: HashMap<&str, usize> = HashMap::default();
    for (index, grant) in config.grants.iter().enumerate() {
        if let Some(other) = grant.name.as_deref().and_then(|name| seen.insert(name, index)) {
            let other = format!("grants[{other}]");
            findings.warning(format_args!("grants[{index}].name"), Problem::SameName { other });
        }
    }
}

/// Warns about limits of general quotas that a tenant's own one drops, and about users' limits that never apply.
fn quotas(config: &PolicyConfig, findings: &mut Findings) {
    fn about(quota: &QuotaRule) -> (Option<&str>, Option<&str>) {
        (quota.upstream.as_deref(), quota.tool.as_deref())
    }
    let general = config.quotas.iter().enumerate().filter(|(_, quota)| quota.tenant.is_none());
    let general: HashMap<_, _> = general.map(|(index, quota)| (about(quota), (index, quota))).collect();
    for (index, quota) in config.quotas.iter().enumerate() {
        let per_user = quota.per_user.unwrap_or_default();
        for key in per_user.above(&quota.limits()) {
            findings.warning(format_args!("quotas[{index}].per_user.{key}"), Problem::AboveTenant);
        }
        let Some(tenant) = &quota.tenant else { continue };
        let Some((of, general)) = general.get(&about(quota)) else { continue };
        let of_users = general.per_user.unwrap_or_default().beyond(&per_user);
        let lost = general.limits().beyond(&quota.limits()).into_iter().map(str::to_owned);
        let lost: Vec<_> = lost.chain(of_users.iter().map(|key| format!("per_user.{key}"))).collect();
        if !lost.is_empty() {
            let (general, tenant) = (format!("quotas[{of}]"), tenant.to_string());
            findings.warning(format_args!("quotas[{index}]"), Problem::LeavesOut { general, tenant, lost });
        }
    }
}

/// The sets of upstreams of which some rule grants something. There are few distinct ones.
fn granted<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> HashSet<&'a Reach> {
    let rules = rules.into_iter().filter(|rule| rule.effect == Effect::Allow);
    rules.map(|rule| &rule.reach).collect()
}

fn credentials(config: &PolicyConfig, rules: &ByTenant<'_>, upstreams: &Upstreams, findings: &mut Findings) {
    let of_any = LazyCell::new(|| granted(rules.all));
    let mut of_tenant: HashMap<Option<&TenantName>, HashSet<&Reach>> = HashMap::default();
    for (index, credential) in config.credentials.iter().enumerate() {
        let Some(upstream) = upstreams.number(&credential.upstream) else { continue };
        let has = |granted: &HashSet<&Reach>| granted.iter().any(|reach| reach.has(upstream));
        let used = match &credential.tenant {
            None => has(&of_any),
            tenant => [None, tenant.as_ref()].into_iter().any(|tenant| {
                let own = || granted(rules.of(tenant).iter().copied());
                has(of_tenant.entry(tenant).or_insert_with(own))
            }),
        };
        if !used {
            findings.warning(format_args!("credentials[{index}]"), Problem::Unused);
        }
    }
}

/// Compares each grant with those that may be about the same callers: those of the same tenant, and those of all tenants.
fn grants(rules: &ByTenant<'_>, findings: &mut Findings) {
    let of_all = rules.of(None);
    let mut compared = 0;
    for rule in rules.all {
        let path = rule.is.path();
        if rule.who.is_never() {
            findings.warning(path, Problem::NeverApplies);
            continue;
        }
        let own = rule.who.tenant.as_ref().map_or(&[][..], |tenant| rules.of(Some(tenant)));
        // A rule for all callers matters wherever a rule of any tenant does: it is only compared with other such rules.
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
            let matters = rules.all.iter().any(|other| other.effect == Effect::Allow && other.meets(rule));
            compared += rules.all.len();
            if !matters {
                findings.warning(path, Problem::DeniesNothing);
            }
        }
    }
}
