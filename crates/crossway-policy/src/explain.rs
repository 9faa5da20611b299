//! Explains the decision about a call.

use std::fmt;

use serde::Serialize;

use crate::condition::{Arguments, Facts};
use crate::config::{Effect, Holder};
use crate::rule_ref::RuleRef;
use crate::rules::{Rule, Verdict, ambiguous};
use crate::{Credential, Item, Kind, Policy, Principal, Quota, Rights, TenantName, limits};

/// Everything that a policy decides about one call of one caller. For operators: it names rules and tenants.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The kind of the item.
    pub kind: Kind,
    /// The upstream of the item.
    pub upstream: String,
    /// The name of the item.
    pub name: String,
    /// The caller's tenant, or why there is none.
    pub tenant: Result<TenantName, String>,
    /// Whether the call is permitted.
    pub permitted: bool,
    /// Whether the item is in lists.
    pub listed: bool,
    /// Whether the call is permitted only if the upstream lists the item: other names of that kind are denied, counted or disabled there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub only_if_listed: bool,
    /// The grant that decided, or why none did.
    pub because: String,
    /// Each grant about the upstream that was considered, in order.
    pub rules: Vec<ExplainedRule>,
    /// The number of grants about the upstream that are not shown.
    pub left_out: usize,
    /// The credentials that would be sent, or why they can't be.
    pub credentials: Result<Vec<ExplainedCredential>, String>,
    /// The quotas that the call counts against.
    pub quotas: Vec<ExplainedQuota>,
}

/// A grant that was considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedRule {
    /// The grant.
    pub rule: RuleRef,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// What the grant decides about the call.
    pub verdict: Verdict,
}

/// A credential that would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedCredential {
    /// The index of its rule among the credential rules.
    pub rule: usize,
    /// Where the credential goes.
    pub place: String,
    /// Whose credential it is.
    pub holder: Holder,
    /// The kind of its source, if it has one.
    pub source: Option<&'static str>,
    /// Whether calls fail without the credential.
    pub required: bool,
}

/// A quota that a call counts against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedQuota {
    /// What is counted together: `tenant acme, each user, upstream github`.
    pub counts: String,
    /// The limits of the quota.
    pub limits: crate::config::QuotaLimits,
    /// Whether this is the default half of the tenant's quota, as no rule sets a user's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_default: bool,
}

impl Policy {
    /// Explains the decision about a call at an endpoint, with the same functions that decide it.
    #[must_use]
    pub fn explain(
        &self,
        principal: &Principal,
        endpoint: Option<&str>,
        item: &Item<'_>,
        arguments: Option<&str>,
    ) -> Explanation {
        let mut explanation = Explanation {
            kind: item.kind,
            upstream: item.upstream.to_owned(),
            name: item.name.to_owned(),
            tenant: Err(String::new()),
            permitted: false,
            listed: false,
            only_if_listed: false,
            because: String::new(),
            rules: Vec::new(),
            left_out: 0,
            credentials: Ok(Vec::new()),
            quotas: Vec::new(),
        };
        match self.tenant_of(principal, endpoint) {
            Err(denied) => {
                explanation.because = denied.reason().to_string();
                explanation.tenant = Err(denied.reason().to_string());
            }
            Ok(tenant) => self.explain_in(&mut explanation, principal, &tenant, item, arguments),
        }
        explanation
    }

    fn explain_in(
        &self,
        to: &mut Explanation,
        principal: &Principal,
        tenant: &TenantName,
        item: &Item<'_>,
        arguments: Option<&str>,
    ) {
        let rights = self.rights_unchecked(principal, tenant);
        to.tenant = Ok(tenant.clone());
        to.listed = rights.lists(item);
        to.only_if_listed = match item.kind {
            Kind::Tool => rights.denies_some(item.upstream, item.kind) || rights.counts_tools(item.upstream),
            Kind::Prompt => rights.denies_some(item.upstream, item.kind),
            Kind::Resource | Kind::Template => false,
        };
        match rights.decide(item, arguments) {
            Ok(permit) => (to.permitted, to.because) = (true, format!("{} allows it", permit.rule())),
            Err(denied) => to.because = denied.reason().to_string(),
        }
        (to.rules, to.left_out) = self.look(&rights, item, arguments);
        to.credentials = match self.credentials(principal, tenant, item.upstream) {
            Ok(credentials) => Ok(credentials.iter().map(ExplainedCredential::new).collect()),
            Err(missing) => Err(missing.to_string()),
        };
        let tool = (item.kind == Kind::Tool).then_some(item.name);
        let of_calls = self.quotas(principal, tenant, item.upstream, tool);
        let of_calls = of_calls.iter().map(|quota| ExplainedQuota::new(quota, false));
        let of_requests = self.0.quotas.of_requests(principal, tenant);
        let of_requests =
            of_requests.iter().map(|(quota, by_default)| ExplainedQuota::new(quota, *by_default));
        to.quotas = of_calls.chain(of_requests).collect();
    }

    fn look(&self, rights: &Rights, item: &Item<'_>, arguments: Option<&str>) -> (Vec<ExplainedRule>, usize) {
        let Some(upstream) = self.0.upstreams.number(item.upstream) else { return (Vec::new(), 0) };
        let about = self.0.rules_about(rights.principal(), rights.tenant());
        let facts = Facts::new(rights.principal(), rights.tenant());
        let arguments = Arguments::parse(arguments);
        let of_upstream =
            (0..).zip(&self.0.rules).filter(|(_, rule): &(u32, &Rule)| rule.reach.has(upstream));
        let (mut looks, mut left_out) = (Vec::new(), 0);
        for (number, rule) in of_upstream {
            let verdict = match about.binary_search(&number) {
                Ok(_) => rule.verdict(item, ambiguous(item), &facts, arguments.as_ref().map_err(|why| *why)),
                Err(_) => Verdict::OtherCaller,
            };
            // When there are too many, only grants about other callers are left out.
            if verdict == Verdict::OtherCaller && looks.len() >= limits::EXPLAINED {
                left_out += 1;
            } else {
                looks.push(ExplainedRule { rule: rule.is.clone(), effect: rule.effect, verdict });
            }
        }
        (looks, left_out)
    }
}

impl ExplainedCredential {
    fn new(credential: &Credential) -> Self {
        Self {
            rule: credential.rule(),
            place: credential.place().to_string(),
            holder: credential.holder(),
            source: credential.source().map(crate::SecretSource::kind),
            required: credential.is_required(),
        }
    }
}

impl ExplainedQuota {
    fn new(quota: &Quota, by_default: bool) -> Self {
        let key = &quota.key;
        let mut counts = format!("tenant {}", key.tenant);
        if key.user.is_some() {
            counts.push_str(", each user");
        }
        for (what, name) in [("upstream", &key.upstream), ("tool", &key.tool)] {
            if let Some(name) = name {
                counts.push_str(&format!(", {what} {name}"));
            }
        }
        Self { counts, limits: quota.limits, by_default }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = if self.permitted { "permitted" } else { "denied" };
        let listed = if self.listed { "listed" } else { "not listed" };
        writeln!(f, "{} {} of {}: {answer}, {listed}", self.kind, self.name, self.upstream)?;
        writeln!(f, "  because {}", self.because)?;
        if self.permitted && self.only_if_listed {
            writeln!(
                f,
                "  if {} lists it, for others are denied, counted or disabled by name",
                self.upstream
            )?;
        }
        match &self.tenant {
            Ok(tenant) => writeln!(f, "  tenant {tenant}")?,
            Err(why) => writeln!(f, "  no tenant: {why}")?,
        }
        for look in &self.rules {
            let effect = if look.effect == Effect::Allow { "allow" } else { "deny" };
            writeln!(f, "  {} ({effect}): {}", look.rule, look.verdict)?;
        }
        if self.left_out > 0 {
            writeln!(f, "  and {} grants about other callers", self.left_out)?;
        }
        match &self.credentials {
            Ok(credentials) => {
                for look in credentials {
                    let holder = match look.holder {
                        Holder::User => "the user's own",
                        Holder::Tenant => "the tenant's",
                        Holder::Shared => "shared",
                    };
                    let source = look.source.unwrap_or("no secret");
                    writeln!(f, "  credentials[{}]: {holder}, {}, from {source}", look.rule, look.place)?;
                }
            }
            Err(why) => writeln!(f, "  {why}")?,
        }
        for look in &self.quotas {
            let by_default = if look.by_default { ", by default" } else { "" };
            writeln!(f, "  quota for {}: {}{by_default}", look.counts, look.limits)?;
        }
        Ok(())
    }
}
