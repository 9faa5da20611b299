//! Assigns callers to tenants.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use foldhash::HashMap;
use serde_json::Value;

use crate::config::{PolicyConfig, TenantRule};
use crate::finding::{Findings, Problem, most_like};
use crate::rules::User;
use crate::{Principal, Proof, TenantName, limits};

/// The caller belongs to no tenant here. The text of this error is the same for every reason and names no tenant: callers learn nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TenantDenied {
    /// No tenant's rule matches.
    None,
    /// Several tenants' rules match, and the endpoint does not say which is meant.
    Several(Vec<TenantName>),
    /// The endpoint belongs to a tenant that the caller does not belong to.
    NotOfEndpoint(TenantName),
}

impl TenantDenied {
    /// The reason, in words that name tenants: for operators, never for callers.
    #[must_use]
    pub fn reason(&self) -> impl fmt::Display {
        match self {
            Self::None => "no tenant's rule matches".to_owned(),
            Self::Several(names) => {
                let names: Vec<&str> = names.iter().map(TenantName::as_str).collect();
                format!("several tenants' rules match ({}), and the endpoint chooses none", names.join(", "))
            }
            Self::NotOfEndpoint(name) => {
                format!("the endpoint is of tenant {name}, and its rule does not match")
            }
        }
    }
}

impl fmt::Display for TenantDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the caller belongs to no tenant here")
    }
}

impl std::error::Error for TenantDenied {}

/// The rules of all tenants, indexed by the members that they name.
#[derive(Default)]
pub(crate) struct Tenants {
    rules: Vec<Tenant>,
    names: HashMap<TenantName, u32>,
    by_group: HashMap<Box<str>, Vec<u32>>,
    by_domain: HashMap<Box<str>, Vec<u32>>,
    by_user: HashMap<User, Vec<u32>>,
    by_claim: HashMap<Box<str>, HashMap<Box<str>, Vec<u32>>>,
    everyone: Vec<u32>,
    endpoints: HashMap<Box<str>, TenantName>,
}

struct Tenant {
    name: TenantName,
    issuers: Vec<Box<str>>,
    claims: BTreeMap<Box<str>, Box<str>>,
}

impl Tenants {
    pub(crate) fn compile(config: &PolicyConfig, findings: &mut Findings) -> Self {
        let mut tenants = Self::default();
        if config.tenants.len() > limits::TENANTS {
            findings.error("tenants", Problem::TooMany { limit: limits::TENANTS });
            return tenants;
        }
        for (number, (name, rule)) in (0..).zip(&config.tenants) {
            if name.is_anonymous() {
                findings.error(format!("tenants.{name}"), Problem::ReservedTenant);
            }
            tenants.add(number, name, rule);
        }
        for (endpoint, name) in &config.endpoints {
            tenants.check(name, format_args!("endpoints.{endpoint}"), findings);
            tenants.endpoints.insert(endpoint.as_str().into(), name.clone());
        }
        tenants
    }

    fn add(&mut self, number: u32, name: &TenantName, rule: &TenantRule) {
        self.names.insert(name.clone(), number);
        for group in &rule.groups {
            self.by_group.entry(group.as_str().into()).or_default().push(number);
        }
        for domain in &rule.email_domains {
            self.by_domain.entry(domain.to_ascii_lowercase().into()).or_default().push(number);
        }
        for user in &rule.users {
            self.by_user.entry(User::parse(user)).or_default().push(number);
        }
        if let Some((claim, value)) = rule.claims.first_key_value() {
            let values = self.by_claim.entry(claim.as_str().into()).or_default();
            values.entry(value.as_str().into()).or_default().push(number);
        }
        if rule.everyone {
            self.everyone.push(number);
        }
        self.rules.push(Tenant {
            name: name.clone(),
            issuers: rule.issuers.iter().map(|issuer| issuer.as_str().into()).collect(),
            claims: rule.claims.iter().map(|(a, b)| (a.as_str().into(), b.as_str().into())).collect(),
        });
    }

    /// Reports an error if there is no tenant of this name.
    pub(crate) fn check(&self, name: &TenantName, path: impl fmt::Display, findings: &mut Findings) {
        if !self.names.contains_key(name) {
            let like = most_like(name.as_str(), self.rules.iter().map(|tenant| tenant.name.as_str()));
            findings.error(path, Problem::NoTenant { name: name.to_string(), like });
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// The endpoints that choose a tenant, sorted.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        let mut names: Vec<String> = self.endpoints.keys().map(|name| name.to_string()).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn tenant_of(
        &self,
        principal: &Principal,
        endpoint: Option<&str>,
    ) -> Result<TenantName, TenantDenied> {
        if principal.proof() == Proof::Anonymous {
            return Ok(TenantName::anonymous());
        }
        let mut all = self.all_of(principal);
        if let Some(wanted) = endpoint.and_then(|endpoint| self.endpoints.get(endpoint)) {
            let member = all.contains(wanted);
            return if member {
                Ok(wanted.clone())
            } else {
                Err(TenantDenied::NotOfEndpoint(wanted.clone()))
            };
        }
        match (all.pop(), all.is_empty()) {
            (None, _) => Err(TenantDenied::None),
            (Some(one), true) => Ok(one),
            (Some(last), false) => {
                all.push(last);
                Err(TenantDenied::Several(all))
            }
        }
    }

    /// Whether a caller belongs to a tenant: its rule matches, even if others match too.
    pub(crate) fn has(&self, tenant: &TenantName, principal: &Principal) -> bool {
        match principal.proof() {
            Proof::Anonymous => tenant.is_anonymous(),
            _ => self.all_of(principal).contains(tenant),
        }
    }

    /// All tenants whose rule matches, in order.
    fn all_of(&self, principal: &Principal) -> Vec<TenantName> {
        let mut found: BTreeSet<u32> = self.everyone.iter().copied().collect();
        for group in principal.groups() {
            found.extend(self.by_group.get(group.as_str()).into_iter().flatten());
        }
        if let Some(domain) = principal.email_domain() {
            found.extend(self.by_domain.get(domain).into_iter().flatten());
        }
        for user in users(principal) {
            found.extend(self.by_user.get(&user).into_iter().flatten());
        }
        for (claim, values) in &self.by_claim {
            let value = principal.claim(claim);
            for value in value.into_iter().flat_map(texts) {
                let tenants = values.get(value).into_iter().flatten();
                found.extend(tenants.filter(|number| self.has_claims(**number, principal)));
            }
        }
        let found = found.into_iter().map(|number| &self.rules[number as usize]);
        let of_issuer = found.filter(|tenant| {
            tenant.issuers.is_empty() || tenant.issuers.iter().any(|issuer| **issuer == *principal.issuer())
        });
        of_issuer.map(|tenant| tenant.name.clone()).collect()
    }

    fn has_claims(&self, number: u32, principal: &Principal) -> bool {
        self.rules[number as usize].claims.iter().all(|(claim, wanted)| {
            principal.claim(claim).into_iter().flat_map(texts).any(|value| *value == **wanted)
        })
    }
}

/// The names by which a configuration may refer to this caller.
pub(crate) fn users(principal: &Principal) -> impl Iterator<Item = User> {
    let email = principal.email().map(|email| User::Email(email.into()));
    // A subject with an `@` is not looked up: it could be written like another's e-mail address.
    let subject =
        Some(principal.subject()).filter(|subject| !subject.contains('@') && *subject != "anonymous");
    email.into_iter().chain(subject.map(|subject| User::Subject(subject.into())))
}

/// The texts of a claim: the claim itself, or the elements of its list.
fn texts(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(std::iter::once(text.as_str())),
        Value::Array(values) => Box::new(values.iter().filter_map(Value::as_str)),
        _ => Box::new(std::iter::empty()),
    }
}
