//! Quotas that calls and requests count against.

use std::sync::Arc;

use foldhash::HashMap;

use crate::config::{PolicyConfig, QuotaLimits, QuotaRule, Rate};
use crate::finding::{Findings, Problem};
use crate::pattern::{Of, Pattern};
use crate::tenants::Tenants;
use crate::upstreams::{Reach, Upstreams};
use crate::{Principal, TenantName, limits};

/// A quota that a call counts against: its key, and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// What is counted together.
    pub key: QuotaKey,
    /// The limits. A limit that is not set does not apply.
    pub limits: QuotaLimits,
}

/// What is counted together: calls of a tenant or of a user within it, to an upstream and a tool or to any.
///
/// A user is identified by issuer and subject, never by a token: another token does not bring another quota.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QuotaKey {
    /// The tenant.
    pub tenant: TenantName,
    /// The user within the tenant. `None` counts all of the tenant's users together.
    pub user: Option<Principal>,
    /// The upstream. `None` counts calls to all upstreams together.
    pub upstream: Option<Arc<str>>,
    /// The tool. `None` counts calls of all tools together.
    pub tool: Option<Arc<str>>,
    /// The limits are part of the key: when they change, counting starts over.
    limits: QuotaLimits,
}

/// The compiled quota rules, by tenant.
#[derive(Default)]
pub(crate) struct QuotaRules {
    rules: Vec<Rule>,
    of_tenant: HashMap<TenantName, Vec<u32>>,
    of_any: Vec<u32>,
    /// Whether any rule is about tools.
    pub(crate) has_tools: bool,
}

/// Whether a user's quota is the default half of the tenant's, as no rule sets one.
pub(crate) type ByDefault = bool;

struct Rule {
    upstream: Option<(Reach, String)>,
    tool: Option<(Pattern, String)>,
    limits: QuotaLimits,
    per_user: QuotaLimits,
}

impl QuotaRules {
    pub(crate) fn compile(
        config: &PolicyConfig,
        upstreams: &Upstreams,
        tenants: &Tenants,
        findings: &mut Findings,
    ) -> Self {
        let mut rules = Self::default();
        if config.quotas.len() > limits::RULES {
            findings.error("quotas", Problem::TooMany { limit: limits::RULES });
            return rules;
        }
        for (index, rule) in config.quotas.iter().enumerate() {
            let path = format!("quotas[{index}]");
            if let Some(tenant) = rule.tenant.as_ref().filter(|tenant| !tenant.is_anonymous()) {
                tenants.check(tenant, format_args!("{path}.tenant"), findings);
            }
            let Some(compiled) = Rule::compile(rule, &path, upstreams, findings) else { continue };
            let number = u32::try_from(rules.rules.len()).unwrap_or(u32::MAX);
            let others = match &rule.tenant {
                Some(tenant) => rules.of_tenant.entry(tenant.clone()).or_default(),
                None => &mut rules.of_any,
            };
            if others.iter().any(|other| rules.rules[*other as usize].is_about(&compiled)) {
                findings.error(&path, Problem::SameQuota);
            }
            others.push(number);
            rules.has_tools |= compiled.tool.is_some();
            rules.rules.push(compiled);
        }
        rules
    }

    /// Returns every quota that a call counts against: from the tenant's own rules, and from the general rules that none of these replaces.
    pub(crate) fn of(
        &self,
        upstreams: &Upstreams,
        principal: &Principal,
        tenant: &TenantName,
        upstream: u32,
        tool: Option<&str>,
    ) -> Vec<Quota> {
        let own = self.of_tenant.get(tenant).map_or(&[][..], Vec::as_slice);
        let rule = |number: &u32| &self.rules[*number as usize];
        let general =
            self.of_any.iter().map(rule).filter(|general| !own.iter().any(|own| rule(own).is_about(general)));
        let mut quotas = Vec::new();
        // Equal quotas of two rules are one count: the call is counted once.
        let mut put = |key, limits: QuotaLimits| {
            let limits = limits.of_calls();
            let quota = Quota { key: QuotaKey { limits, ..key }, limits };
            if !limits.is_empty() && !quotas.contains(&quota) {
                quotas.push(quota);
            }
        };
        for rule in own.iter().map(rule).chain(general) {
            let Some(key) = rule.key(upstreams, tenant, upstream, tool) else { continue };
            put(key.clone(), rule.limits);
            put(QuotaKey { user: Some(principal.clone()), ..key }, rule.per_user);
        }
        quotas
    }

    /// Whether a rule about a tenant's calls is about tools of an upstream.
    pub(crate) fn count_tools(&self, tenant: &TenantName, upstream: u32) -> bool {
        let own = self.of_tenant.get(tenant).map_or(&[][..], Vec::as_slice);
        let mut rules = own.iter().chain(&self.of_any).map(|number| &self.rules[*number as usize]);
        rules.any(|rule| {
            let is_about = || rule.upstream.as_ref().is_none_or(|(reach, _)| reach.has(upstream));
            rule.tool.is_some() && is_about()
        })
    }

    /// Returns the quotas of a request, whatever it is about, and which of them are defaults. They come from the tenant's own rule without
    /// upstream and tool, or else from the general one.
    pub(crate) fn of_requests(&self, principal: &Principal, tenant: &TenantName) -> Vec<(Quota, ByDefault)> {
        let rules = |numbers: &[u32]| {
            let mut rules = numbers.iter().map(|number| &self.rules[*number as usize]);
            rules.find(|rule| rule.texts() == (None, None))
        };
        let own = self.of_tenant.get(tenant).and_then(|own| rules(own));
        let rule = own.or_else(|| rules(&self.of_any));
        let of_tenant = rule.and_then(|rule| rule.limits.requests);
        let said_of_user = rule.and_then(|rule| rule.per_user.requests);
        // One user must not use up the tenant's whole quota. Anonymous callers are many who share the tenant's quota.
        let half = || of_tenant.filter(|_| !tenant.is_anonymous()).map(Rate::half);
        let of_user = said_of_user.or_else(half);
        let quota = |user, rate| {
            let limits = QuotaLimits::of_requests(rate);
            let key = QuotaKey { tenant: tenant.clone(), user, upstream: None, tool: None, limits };
            Quota { key, limits }
        };
        let of_tenant = of_tenant.map(|rate| (quota(None, rate), false));
        let of_user = of_user.map(|rate| (quota(Some(principal.clone()), rate), said_of_user.is_none()));
        of_tenant.into_iter().chain(of_user).collect()
    }
}

impl Rule {
    fn compile(rule: &QuotaRule, path: &str, upstreams: &Upstreams, findings: &mut Findings) -> Option<Self> {
        let (limits, per_user) = (rule.limits(), rule.per_user.unwrap_or_default());
        if limits.is_empty() && per_user.is_empty() {
            findings.error(path, Problem::NoLimit);
        }
        if limits.has_zero() || per_user.has_zero() {
            findings.warning(path, Problem::ZeroLimit);
        }
        let names_part = rule.upstream.is_some() || rule.tool.is_some();
        for (path, limits) in [(path, &limits), (&format!("{path}.per_user"), &per_user)] {
            if names_part && limits.requests.is_some() {
                findings.error(format!("{path}.requests"), Problem::RequestsOfPart);
            }
        }
        if rule.tool.is_some() && limits.children.or(per_user.children).is_some() {
            findings.warning(path, Problem::NotEnforced);
        }
        let upstream = rule.upstream.as_ref().map(|text| {
            let reach = upstreams.reach(text, format_args!("{path}.upstream"), findings)?;
            Some((reach, text.clone()))
        });
        let tool = rule.tool.as_ref().map(|text| match Pattern::compile(text, Of::Name) {
            Ok(pattern) => Some((pattern, text.clone())),
            Err(bad) => {
                findings.error(format!("{path}.tool"), Problem::Pattern(bad));
                None
            }
        });
        Some(Self {
            upstream: match upstream {
                Some(upstream) => Some(upstream?),
                None => None,
            },
            tool: match tool {
                Some(tool) => Some(tool?),
                None => None,
            },
            limits,
            per_user,
        })
    }

    fn is_about(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }

    fn texts(&self) -> (Option<&str>, Option<&str>) {
        let upstream = self.upstream.as_ref().map(|(_, text)| text.as_str());
        (upstream, self.tool.as_ref().map(|(_, text)| text.as_str()))
    }

    fn key(
        &self,
        upstreams: &Upstreams,
        tenant: &TenantName,
        upstream: u32,
        tool: Option<&str>,
    ) -> Option<QuotaKey> {
        let of_upstream = match &self.upstream {
            Some((reach, _)) => Some(reach.has(upstream).then(|| upstreams.shared_name(upstream))?),
            None => None,
        };
        let of_tool = match &self.tool {
            Some((pattern, _)) => Some(tool.filter(|tool| pattern.matches(tool))?.into()),
            None => None,
        };
        let limits = QuotaLimits::default();
        Some(QuotaKey { tenant: tenant.clone(), user: None, upstream: of_upstream, tool: of_tool, limits })
    }
}
