//! Quotas that calls and requests count against.

use std::sync::Arc;

use foldhash::HashMap;

use crate::config::{PolicyConfig, QuotaLimits, QuotaRule, Rate};
use crate::finding::{Findings, Problem};
use crate::pattern::{Of, Pattern};
use crate::tenants::Tenants;
use crate::upstreams::{Reach, Upstreams};
use crate::{Principal, TenantName, limits};

/// One quota that a call counts against: what is counted together, and how much of it there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// What is counted together.
    pub key: QuotaKey,
    /// How much there may be. What is not said is not limited.
    pub limits: QuotaLimits,
}

/// What is counted together: a tenant, or a user within it, and of which upstream and tool.
///
/// A user is issuer and subject, never a token: who comes with another token has not got another quota.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QuotaKey {
    /// The tenant.
    pub tenant: TenantName,
    /// The user within it. None counts all of the tenant's.
    pub user: Option<Principal>,
    /// Calls of this upstream. None counts all together.
    pub upstream: Option<Arc<str>>,
    /// Calls of this tool. None counts all together.
    pub tool: Option<Arc<str>>,
    /// The limits are part of it: where they change, counting begins anew.
    limits: QuotaLimits,
}

/// The rules, by tenant.
#[derive(Default)]
pub(crate) struct QuotaRules {
    rules: Vec<Rule>,
    of_tenant: HashMap<TenantName, Vec<u32>>,
    of_any: Vec<u32>,
    /// Whether some are about tools.
    pub(crate) has_tools: bool,
}

/// Whether it is half of what the tenant has, for want of a word about its users.
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

    /// All that a call counts against: a tenant's own rules, and the general ones that no rule of its own stands in place of.
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
        // What two rules say alike of a call is one count: the call is in it once.
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

    /// What a request counts against, whatever it is about, and which of that follows from the tenant's: of the tenant's own rule about all that there
    /// is, or else of the general one.
    pub(crate) fn of_requests(&self, principal: &Principal, tenant: &TenantName) -> Vec<(Quota, ByDefault)> {
        let rules = |numbers: &[u32]| {
            let mut rules = numbers.iter().map(|number| &self.rules[*number as usize]);
            rules.find(|rule| rule.texts() == (None, None))
        };
        let own = self.of_tenant.get(tenant).and_then(|own| rules(own));
        let rule = own.or_else(|| rules(&self.of_any));
        let of_tenant = rule.and_then(|rule| rule.limits.requests);
        let said_of_user = rule.and_then(|rule| rule.per_user.requests);
        // One user does not use up all that the tenant has. Who proves nothing is many: they share what is theirs.
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
