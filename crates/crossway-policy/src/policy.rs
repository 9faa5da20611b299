//! A compiled policy.

use std::fmt;
use std::sync::Arc;

use foldhash::HashMap;

use crate::checks::check;
use crate::config::{Holder, PolicyConfig};
use crate::credentials::{CredentialMissing, CredentialRules, Credentials, MissingReason};
use crate::finding::{Finding, Findings, Problem};
use crate::fold::fold;
use crate::quotas::{Quota, QuotaRules};
use crate::rules::{Making, Rule, User};
use crate::tenants::{TenantDenied, Tenants, users};
use crate::texts::Texts;
use crate::upstreams::{UpstreamFacts, Upstreams};
use crate::{Principal, Proof, Rights, TenantName, limits};

/// A compiled policy: who may do what. Clones are cheap. A policy never changes: a reload compiles another one.
#[derive(Clone)]
pub struct Policy(pub(crate) Arc<Compiled>);

pub(crate) struct Compiled {
    pub(crate) upstreams: Upstreams,
    pub(crate) tenants: Tenants,
    pub(crate) rules: Vec<Rule>,
    /// The rules, indexed by the narrowest selector of their caller.
    by_user: HashMap<User, Vec<u32>>,
    of_all: ByMark,
    of_tenant: HashMap<TenantName, ByMark>,
    pub(crate) credentials: CredentialRules,
    pub(crate) quotas: QuotaRules,
    findings: Vec<Finding>,
    /// Compiled conditions and patterns, for the next policy to reuse.
    texts: Texts,
}

/// Numbers of rules that select callers by group, by role, or by neither.
#[derive(Default)]
struct ByMark {
    group: HashMap<Box<str>, Vec<u32>>,
    role: HashMap<Box<str>, Vec<u32>>,
    rest: Vec<u32>,
}

impl Policy {
    /// Compiles a policy and checks it as a whole. `upstreams` lists every upstream: rules can name only these.
    ///
    /// # Errors
    ///
    /// All findings, if at least one is an error. Otherwise the warnings are in [`findings`](Self::findings).
    pub fn compile(config: &PolicyConfig, upstreams: &[UpstreamFacts]) -> Result<Self, Findings> {
        Self::compile_after(config, upstreams, None)
    }

    /// Like [`compile`](Self::compile), but takes conditions and patterns with an unchanged text from the policy `before` it: in a large
    /// policy, compiling them is most of the work. Nothing else of `before` matters.
    ///
    /// # Errors
    ///
    /// As [`compile`](Self::compile).
    pub fn compile_after(
        config: &PolicyConfig,
        upstreams: &[UpstreamFacts],
        before: Option<&Self>,
    ) -> Result<Self, Findings> {
        let mut findings = Findings::default();
        let upstreams = Upstreams::new(upstreams, &mut findings);
        let tenants = Tenants::compile(config, &mut findings);
        let mut making = Making::new(&upstreams, before.map(|before| &before.0.texts));
        let rules = compile_rules(config, &mut making, &tenants, &mut findings);
        let texts = making.texts;
        let credentials = CredentialRules::compile(config, &upstreams, &tenants, &mut findings);
        let quotas = QuotaRules::compile(config, &upstreams, &tenants, &mut findings);
        if findings.has_errors() {
            return Err(findings);
        }
        check(config, &rules, &upstreams, &mut findings);
        let mut compiled = Compiled {
            upstreams,
            tenants,
            rules: Vec::new(),
            by_user: HashMap::default(),
            of_all: ByMark::default(),
            of_tenant: HashMap::default(),
            credentials,
            quotas,
            findings: findings.0,
            texts,
        };
        for (number, rule) in (0..).zip(&rules) {
            compiled.index(number, rule);
        }
        compiled.rules = rules;
        Ok(Self(Arc::new(compiled)))
    }

    /// The warnings: parts of the policy that are valid but probably not meant.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0.findings
    }

    /// Returns the caller's tenant at an endpoint: the one whose rule matches. A caller of several tenants needs an endpoint that chooses
    /// one. An anonymous caller belongs to [`TenantName::anonymous`], at every endpoint.
    ///
    /// # Errors
    ///
    /// The reason why there is no tenant. It is for operators: callers get the same text for every reason.
    pub fn tenant_of(
        &self,
        principal: &Principal,
        endpoint: Option<&str>,
    ) -> Result<TenantName, TenantDenied> {
        self.0.tenants.tenant_of(principal, endpoint)
    }

    /// Whether a decision may depend on an upstream's [`Hints`](crate::Hints) about an item: whether any grant is for read-only tools.
    #[must_use]
    pub fn looks_at_hints(&self) -> bool {
        self.0.rules.iter().any(Rule::is_read_only)
    }

    /// The number of tenants.
    #[must_use]
    pub fn tenants(&self) -> usize {
        self.0.tenants.len()
    }

    /// The endpoints that choose a tenant, sorted.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.0.tenants.endpoints()
    }

    /// Whether a caller belongs to a tenant, perhaps among others. An anonymous caller belongs to [`TenantName::anonymous`] alone.
    #[must_use]
    pub fn is_of(&self, principal: &Principal, tenant: &TenantName) -> bool {
        self.0.tenants.has(tenant, principal)
    }

    /// Returns the caller's rights at an endpoint, as a member of their [tenant](Self::tenant_of) there. Takes time with the number of
    /// grants that may be about the caller; keep the result for a session.
    ///
    /// # Errors
    ///
    /// The reason why there is no tenant.
    pub fn rights_at(&self, principal: &Principal, endpoint: Option<&str>) -> Result<Rights, TenantDenied> {
        let tenant = self.tenant_of(principal, endpoint)?;
        Ok(self.rights_unchecked(principal, &tenant))
    }

    /// Like [`rights_at`](Self::rights_at), without checking that the caller belongs to `tenant`. Pass only a tenant from
    /// [`tenant_of`](Self::tenant_of), or one for which [`is_of`](Self::is_of) is true.
    #[must_use]
    pub fn rights_unchecked(&self, principal: &Principal, tenant: &TenantName) -> Rights {
        Rights::new(&self.0, principal, tenant)
    }

    /// Returns the credentials that an upstream is sent on behalf of a caller. Empty if no rule applies.
    ///
    /// Of several rules about the same header, query member or variable, one that names the tenant wins, then the user's own before the
    /// tenant's before the shared one. The choice does not depend on who has a secret: there is no fallback.
    ///
    /// # Errors
    ///
    /// When a required credential can't be described for this caller: without an e-mail address there is no file by that name.
    pub fn credentials(
        &self,
        principal: &Principal,
        tenant: &TenantName,
        upstream: &str,
    ) -> Result<Credentials, CredentialMissing> {
        let upstream = self.0.upstreams.number(upstream);
        upstream.map_or(Ok(Vec::new()), |upstream| self.0.credentials.of(principal, tenant, upstream))
    }

    /// Whether a secret can be sent where a rule about credentials (by its place among them, from 0 on) puts it, as far as that can be told
    /// without a caller.
    ///
    /// # Errors
    ///
    /// [`MissingReason::NoSecret`] when it is empty, [`MissingReason::Unfit`] when it does not fit.
    pub fn check_secret(&self, rule: usize, secret: &str) -> Result<(), MissingReason> {
        self.0.credentials.check_secret(rule, secret)
    }

    /// The narrowest holder (user, then tenant, then all) among the upstream's credentials. Instances must not be shared more widely than
    /// that.
    #[must_use]
    pub fn narrowest_holder(&self, upstream: &str) -> Option<Holder> {
        self.0.credentials.narrowest(self.0.upstreams.number(upstream)?)
    }

    /// Whether any quota is about tools. If not, all calls of a caller to an upstream count against the same quotas.
    #[must_use]
    pub fn has_quotas_of_tools(&self) -> bool {
        self.0.quotas.has_tools
    }

    /// Returns every quota that a call counts against, the tenant's before the user's within each rule. `tool` is `None` for anything but a
    /// tool call; such calls count only against quotas that name no tool.
    #[must_use]
    pub fn quotas(
        &self,
        principal: &Principal,
        tenant: &TenantName,
        upstream: &str,
        tool: Option<&str>,
    ) -> Vec<Quota> {
        let Some(upstream) = self.0.upstreams.number(upstream) else { return Vec::new() };
        self.0.quotas.of(&self.0.upstreams, principal, tenant, upstream, tool)
    }

    /// Returns the quotas of every request, whatever it is about: the tenant's, and the user's. Empty if no rule says `requests`.
    #[must_use]
    pub fn request_quotas(&self, principal: &Principal, tenant: &TenantName) -> Vec<Quota> {
        self.0.quotas.of_requests(principal, tenant).into_iter().map(|(quota, _)| quota).collect()
    }
}

impl Compiled {
    fn index(&mut self, number: u32, rule: &Rule) {
        if let Some(user) = &rule.who.user {
            self.by_user.entry(user.clone()).or_default().push(number);
            return;
        }
        let marks = match &rule.who.tenant {
            Some(tenant) => self.of_tenant.entry(tenant.clone()).or_default(),
            None => &mut self.of_all,
        };
        match (&rule.who.group, &rule.who.role) {
            (Some(group), _) => marks.group.entry(group.clone()).or_default().push(number),
            (None, Some(role)) => marks.role.entry(role.clone()).or_default().push(number),
            (None, None) => marks.rest.push(number),
        }
    }

    /// Returns the rules about a caller, in the order of the grants.
    pub(crate) fn rules_about(&self, principal: &Principal, tenant: &TenantName) -> Vec<u32> {
        let mut numbers = Vec::new();
        if principal.proof() == Proof::Anonymous {
            numbers.extend(self.by_user.get(&User::Anonymous).into_iter().flatten());
        } else {
            for marks in [Some(&self.of_all), self.of_tenant.get(tenant)].into_iter().flatten() {
                numbers.extend(&marks.rest);
                for group in principal.groups() {
                    numbers.extend(marks.group.get(group.as_str()).into_iter().flatten());
                }
                for role in principal.roles() {
                    numbers.extend(marks.role.get(role.as_str()).into_iter().flatten());
                }
            }
            let denied = principal.email().map(|email| User::EmailOfAnyCase(fold(email).into()));
            for user in users(principal).chain(denied) {
                numbers.extend(self.by_user.get(&user).into_iter().flatten());
            }
        }
        numbers.retain(|number| self.rules[*number as usize].who.holds(principal, tenant));
        numbers.sort_unstable();
        numbers
    }
}

fn compile_rules<'a>(
    config: &'a PolicyConfig,
    making: &mut Making<'a>,
    tenants: &Tenants,
    findings: &mut Findings,
) -> Vec<Rule> {
    if config.grants.len() > limits::GRANTS {
        findings.error("grants", Problem::TooMany { limit: limits::GRANTS });
        return Vec::new();
    }
    let mut rules = Vec::with_capacity(config.grants.len());
    for (index, grant) in config.grants.iter().enumerate() {
        if let Some(tenant) = &grant.tenant {
            tenants.check(tenant, format_args!("grants[{index}].tenant"), findings);
        }
        rules.extend(Rule::compile(index, grant, making, findings));
    }
    rules
}

impl fmt::Debug for Policy {
    /// How much there is; what it says may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("rules", &self.0.rules.len()).finish_non_exhaustive()
    }
}
