//! Compiled grants.

use std::fmt;
use std::sync::{Arc, OnceLock};

use foldhash::HashMap;
use serde::Serialize;

use crate::condition::{Arguments, Condition, ConditionError, Facts, OfCaller, Work};
use crate::config::{Effect, Grant};
use crate::finding::{Findings, Problem};
use crate::fold::fold;
use crate::pattern::{Of, Pattern, is_ambiguous};
use crate::rule_ref::{Path, RuleRef};
use crate::texts::Texts;
use crate::upstreams::{Reach, Upstreams};
use crate::{Item, Kind, Principal, TenantName, limits};

/// What a grant decides about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// The grant is about other callers.
    #[error("about other callers")]
    OtherCaller,
    /// The grant does not name the item.
    #[error("does not name it")]
    OtherName,
    /// The grant is for read-only tools, and the item is not marked as read-only.
    #[error("names it, and it is not marked as read-only")]
    NotReadOnly,
    /// The grant names the item with wildcards, and the URI may be read as another one.
    #[error("names it with wildcards, and the URI may be read as another one")]
    Ambiguous,
    /// The grant's condition does not hold.
    #[error("names it, and its condition does not hold")]
    ConditionFalse,
    /// The grant's condition gives no answer: a deny grant denies then.
    #[error("names it, and {0}")]
    ConditionFailed(ConditionError),
    /// The grant applies to the call.
    #[error("applies")]
    Applies,
}

/// A compiled grant.
pub(crate) struct Rule {
    pub(crate) is: RuleRef,
    pub(crate) effect: Effect,
    pub(crate) who: Who,
    pub(crate) reach: Reach,
    tools: Patterns,
    prompts: Patterns,
    resources: Patterns,
    read_only: bool,
    pub(crate) when: Option<Arc<Condition>>,
    listing: OnceLock<Arc<str>>,
}

/// The state of compiling rules.
pub(crate) struct Making<'a> {
    pub(crate) upstreams: &'a Upstreams,
    /// The conditions and patterns compiled so far.
    pub(crate) texts: Texts,
    /// The conditions and patterns of the previous policy.
    pub(crate) texts_before: Option<&'a Texts>,
    /// The upstreams that a text of a grant means, by text.
    reaches: HashMap<&'a str, Reach>,
    /// The number of automata so far.
    automata: usize,
}

impl<'a> Making<'a> {
    pub(crate) fn new(upstreams: &'a Upstreams, texts_before: Option<&'a Texts>) -> Self {
        let (texts, reaches) = (Texts::default(), HashMap::default());
        Self { upstreams, texts, texts_before, reaches, automata: 0 }
    }

    /// Returns the upstreams that a text means.
    fn reach(&mut self, text: &'a str, path: impl fmt::Display, findings: &mut Findings) -> Option<Reach> {
        if let Some(known) = self.reaches.get(text) {
            return Some(known.clone());
        }
        let reach = self.upstreams.reach(text, path, findings)?;
        self.reaches.insert(text, reach.clone());
        Some(reach)
    }

    fn patterns(
        &mut self,
        path: fmt::Arguments<'_>,
        texts: &[String],
        of: Of,
        findings: &mut Findings,
    ) -> Patterns {
        let mut patterns = Patterns::default();
        if texts.len() > limits::PATTERNS {
            findings.error(path, Problem::TooMany { limit: limits::PATTERNS });
            return patterns;
        }
        for (at, text) in texts.iter().enumerate() {
            match self.texts.pattern(text, of, self.texts_before) {
                Ok(Pattern::Exact(name)) => patterns.names.push(name),
                Ok(pattern) => {
                    self.automata += usize::from(pattern.is_automaton());
                    if self.automata == limits::AUTOMATA + 1 {
                        findings.error(path, Problem::TooMany { limit: limits::AUTOMATA });
                    }
                    patterns.others.push(pattern);
                }
                Err(bad) => findings.error(format_args!("{path}[{at}]"), Problem::Pattern(bad)),
            }
        }
        patterns.names.sort_unstable();
        patterns.names.dedup();
        debug_assert!(texts.is_empty() || !patterns.is_empty() || findings.has_errors());
        patterns
    }
}

/// The selectors of a grant's callers.
#[derive(Default)]
pub(crate) struct Who {
    pub(crate) tenant: Option<TenantName>,
    pub(crate) group: Option<Box<str>>,
    pub(crate) role: Option<Box<str>>,
    pub(crate) user: Option<User>,
    issuer: Option<Box<str>>,
}

/// A user as a configuration names one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum User {
    Anonymous,
    Email(Box<str>),
    /// An e-mail address with its case folded, of a grant that denies: mail servers deliver `Alice@` to `alice@`, and identity providers may
    /// say either.
    EmailOfAnyCase(Box<str>),
    Subject(Box<str>),
}

impl User {
    pub(crate) fn parse(text: &str) -> Self {
        match text.rsplit_once('@') {
            Some((local, domain)) => Self::Email(format!("{local}@{}", domain.to_ascii_lowercase()).into()),
            None if text == "anonymous" => Self::Anonymous,
            None => Self::Subject(text.into()),
        }
    }

    /// The user as one whom a grant denies something.
    fn denied(self) -> Self {
        match self {
            Self::Email(email) => Self::EmailOfAnyCase(fold(&email).into()),
            user => user,
        }
    }

    /// Whether all callers fit this user who fit the other one.
    fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::EmailOfAnyCase(folded), Self::Email(email)) => **folded == *fold(email),
            (one, other) => one == other,
        }
    }

    /// Whether a caller may fit both users.
    fn meets(&self, other: &Self) -> bool {
        // An e-mail address and a subject may belong to the same person.
        let is_email = |user: &Self| matches!(user, Self::Email(_) | Self::EmailOfAnyCase(_));
        let is_subject = |user: &Self| matches!(user, Self::Subject(_));
        is_email(self) && is_subject(other)
            || is_subject(self) && is_email(other)
            || self.includes(other)
            || other.includes(self)
    }
}

impl Who {
    /// Whether every selector but the user fits an identified caller. The index by user has checked that one.
    pub(crate) fn holds(&self, principal: &Principal, tenant: &TenantName) -> bool {
        let has = |names: &[String], name: &Option<Box<str>>| {
            name.as_ref().is_none_or(|name| names.binary_search_by(|have| (**have).cmp(name)).is_ok())
        };
        self.tenant.as_ref().is_none_or(|wanted| wanted == tenant)
            && self.issuer.as_ref().is_none_or(|issuer| **issuer == *principal.issuer())
            && has(principal.groups(), &self.group)
            && has(principal.roles(), &self.role)
    }
}

impl Who {
    /// Whether no caller can fit: an anonymous caller has no group, role, issuer or tenant but `anonymous`.
    pub(crate) fn is_never(&self) -> bool {
        let marked = self.group.is_some() || self.role.is_some() || self.issuer.is_some();
        let tenant = self.tenant.as_ref().is_some_and(|tenant| !tenant.is_anonymous());
        self.user == Some(User::Anonymous) && (marked || tenant)
    }

    /// Whether these selectors fit all callers that `other` fits. False unless that is obvious.
    fn includes(&self, other: &Self) -> bool {
        fn same<T: PartialEq>(wide: &Option<T>, narrow: &Option<T>) -> bool {
            wide.is_none() || wide == narrow
        }
        let anonymous = other.user == Some(User::Anonymous) && self.user.is_none();
        !anonymous
            && same(&self.tenant, &other.tenant)
            && same(&self.group, &other.group)
            && same(&self.role, &other.role)
            && self
                .user
                .as_ref()
                .is_none_or(|user| other.user.as_ref().is_some_and(|other| user.includes(other)))
            && same(&self.issuer, &other.issuer)
    }

    /// Whether some caller may fit both. True unless the opposite is obvious.
    fn meets(&self, other: &Self) -> bool {
        fn apart<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
            one.is_some() && other.is_some() && one != other
        }
        let users = match (&self.user, &other.user) {
            (Some(User::Anonymous), None) | (None, Some(User::Anonymous)) => false,
            (Some(one), Some(other)) => one.meets(other),
            (None, _) | (_, None) => true,
        };
        users && !apart(&self.tenant, &other.tenant) && !apart(&self.issuer, &other.issuer)
    }
}

/// The patterns of one list: names are looked up, other patterns are tried in turn.
#[derive(Default)]
struct Patterns {
    /// Sorted.
    names: Vec<Box<str>>,
    others: Vec<Pattern>,
    /// All patterns with their case folded, made on first use; `None` for a pattern that may match anything when folded.
    folded: OnceLock<Box<[Option<Pattern>]>>,
}

impl Patterns {
    fn match_name(&self, name: &str, exact_only: bool) -> bool {
        self.names.binary_search_by(|own| (**own).cmp(name)).is_ok()
            || (!exact_only && self.others.iter().any(|pattern| pattern.matches(name)))
    }

    /// The prefixes of all names that these patterns match.
    fn beginnings(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name).chain(self.others.iter().map(Pattern::beginning))
    }

    /// Whether these patterns match a name that equals this one except for case. True where that can't be told.
    fn match_folded(&self, folded: &str) -> bool {
        let names = self.names.iter().map(|name| Some(Pattern::Exact(fold(name).into())));
        let all = || names.chain(self.others.iter().map(Pattern::folded)).collect();
        let patterns = self.folded.get_or_init(all);
        patterns.iter().any(|pattern| pattern.as_ref().is_none_or(|pattern| pattern.matches(folded)))
    }

    /// All patterns as text, in an order that does not depend on how they are written.
    fn canonical(&self) -> (&[Box<str>], Vec<String>) {
        let mut others: Vec<String> = self.others.iter().map(Pattern::canonical).collect();
        others.sort_unstable();
        others.dedup();
        (&self.names[..], others)
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.others.is_empty()
    }

    /// Whether these patterns match everything that `others` match. False unless that is obvious.
    fn include(&self, others: &Self, allow: bool) -> bool {
        let name = |name: &str| self.match_name(name, allow && is_ambiguous(name));
        others.names.iter().all(|other| name(other))
            && others.others.iter().all(|other| self.others.iter().any(|pattern| pattern.covers(other)))
    }

    /// Whether both may match the same name. True unless the opposite is obvious.
    fn meet(&self, others: &Self) -> bool {
        self.names.iter().any(|name| others.match_name(name, false))
            || others.names.iter().any(|name| self.match_name(name, false))
            || self.others.iter().any(|one| others.others.iter().any(|other| !one.is_apart(other)))
    }
}

impl Rule {
    /// Whether this rule is for read-only tools.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether this rule denies items of a kind by name, or may.
    pub(crate) fn denies(&self, kind: Kind) -> bool {
        self.effect == Effect::Deny && !self.patterns(kind).is_empty()
    }

    /// The prefixes of all names of a kind that this rule covers.
    pub(crate) fn beginnings(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.patterns(kind).beginnings()
    }

    /// Whether this rule denies an item whose name equals this one's except for case, and does not cover this one.
    pub(crate) fn denies_alike(&self, item: &Item<'_>, folded: &str) -> bool {
        let patterns = self.patterns(item.kind);
        self.denies(item.kind) && !patterns.match_name(item.name, false) && patterns.match_folded(folded)
    }

    pub(crate) fn compile<'a>(
        index: usize,
        grant: &'a Grant,
        making: &mut Making<'a>,
        findings: &mut Findings,
    ) -> Option<Self> {
        let before = findings.0.len();
        let path = Path(index);
        let nobody = grant.tenant.is_none() && grant.group.is_none() && grant.role.is_none();
        if nobody && grant.user.is_none() && !grant.everyone && grant.effect == Effect::Allow {
            findings.error(path, Problem::Nobody);
        }
        if grant.tools.is_empty() && grant.prompts.is_empty() && grant.resources.is_empty() {
            findings.error(path, Problem::Nothing);
        }
        let when = grant.when.as_deref().map(|text| making.texts.condition(text, making.texts_before));
        let when = when.transpose();
        let when = when.map_err(|bad| findings.error(format_args!("{path}.when"), Problem::Condition(bad)));
        let only_tools = grant.prompts.is_empty() && grant.resources.is_empty();
        if grant.read_only && !(only_tools && grant.effect == Effect::Allow) {
            findings.error(format_args!("{path}.read_only"), Problem::ReadOnlyMisused);
        }
        let mut list = |name: &str, texts: &[String], of| {
            making.patterns(format_args!("{path}.{name}"), texts, of, findings)
        };
        let tools = list("tools", &grant.tools, Of::Name);
        let prompts = list("prompts", &grant.prompts, Of::Name);
        let resources = list("resources", &grant.resources, Of::Uri);
        let mut reach = making.reach(&grant.upstream, format_args!("{path}.upstream"), findings)?;
        if grant.read_only && !making.upstreams.keep_trusted(&mut reach) {
            findings.error(format_args!("{path}.read_only"), Problem::NotTrusted);
        }
        if findings.0[before..].iter().any(|finding| finding.severity == crate::Severity::Error) {
            return None;
        }
        Some(Self {
            is: RuleRef::new(u32::try_from(index).ok()?, grant.name.as_deref()),
            effect: grant.effect,
            who: Who {
                tenant: grant.tenant.clone(),
                group: grant.group.as_deref().map(Into::into),
                role: grant.role.as_deref().map(Into::into),
                user: grant.user.as_deref().map(User::parse).map(|user| match grant.effect {
                    Effect::Allow => user,
                    Effect::Deny => user.denied(),
                }),
                issuer: grant.issuer.as_deref().map(Into::into),
            },
            reach,
            tools,
            prompts,
            resources,
            read_only: grant.read_only,
            when: when.ok()?,
            listing: OnceLock::new(),
        })
    }

    /// Everything in this rule that affects lists, as text: rules with equal texts list the same items. Made on first use, as most rules
    /// are about callers who are not connected.
    pub(crate) fn listing(&self, upstreams: &Upstreams) -> &Arc<str> {
        self.listing.get_or_init(|| {
            let names: Vec<&str> = self.reach.iter().map(|upstream| upstreams.name(upstream)).collect();
            let lists = [&self.tools, &self.prompts, &self.resources].map(Patterns::canonical);
            format!("{:?} {} {names:?} {lists:?}", self.effect, self.read_only).into()
        })
    }

    /// Whether this rule covers an item. The caller has checked that the rule is about the principal and the upstream.
    pub(crate) fn covers(&self, item: &Item<'_>, ambiguous: bool) -> bool {
        let allow = self.effect == Effect::Allow;
        self.is_marked(item) && self.patterns(item.kind).match_name(item.name, ambiguous && allow)
    }

    /// Like [`covers`](Self::covers), but gives a reason, and evaluates the condition.
    pub(crate) fn verdict(
        &self,
        item: &Item<'_>,
        ambiguous: bool,
        facts: &Facts,
        arguments: Result<&Arguments, ConditionError>,
    ) -> Verdict {
        if !self.patterns(item.kind).match_name(item.name, false) {
            return Verdict::OtherName;
        }
        if !self.is_marked(item) {
            return Verdict::NotReadOnly;
        }
        if !self.covers(item, ambiguous) {
            return Verdict::Ambiguous;
        }
        let holds = match arguments {
            Err(why) if self.needs_arguments() => Err(why),
            // Each rule gets a work limit of its own: which conditions a call evaluates depends on the results of those before.
            arguments => {
                self.holds(facts, arguments.ok().filter(|_| self.needs_arguments()), &mut Work::of_call())
            }
        };
        match holds {
            Ok(true) => Verdict::Applies,
            Ok(false) => Verdict::ConditionFalse,
            Err(why) => Verdict::ConditionFailed(why),
        }
    }

    /// Whether this rule decides every call that `other` is about, which makes `other` redundant.
    pub(crate) fn shadows(&self, other: &Self) -> bool {
        // The second of two allow rules is shadowed by the first; a deny rule shadows rules of both kinds.
        let decides = self.effect == Effect::Deny || other.effect == Effect::Allow;
        let first = self.effect != other.effect || self.is < other.is || !other.shadows_as_well(self);
        decides && first && self.shadows_as_well(other)
    }

    fn shadows_as_well(&self, other: &Self) -> bool {
        let allow = self.effect == Effect::Allow;
        self.when.is_none()
            && (!self.read_only || other.read_only)
            && self.who.includes(&other.who)
            && other.reach.iter().all(|upstream| self.reach.has(upstream))
            && self.tools.include(&other.tools, false)
            && self.prompts.include(&other.prompts, false)
            && self.resources.include(&other.resources, allow)
    }

    /// Whether both rules may be about the same call.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.who.meets(&other.who)
            && other.reach.iter().any(|upstream| self.reach.has(upstream))
            && (self.tools.meet(&other.tools)
                || self.prompts.meet(&other.prompts)
                || self.resources.meet(&other.resources))
    }

    /// Whether this rule's condition holds, or there is none.
    pub(crate) fn holds(
        &self,
        facts: &Facts,
        arguments: Option<&Arguments>,
        left: &mut Work,
    ) -> Result<bool, ConditionError> {
        self.when.as_ref().map_or(Ok(true), |when| when.holds(facts, arguments, left))
    }

    /// Like [`holds`](Self::holds), but caches in `of_caller` the result of the condition's caller-only part.
    pub(crate) fn holds_as(
        &self,
        of_caller: &OfCaller,
        facts: &Facts,
        arguments: &Arguments,
        left: &mut Work,
    ) -> Result<bool, ConditionError> {
        self.when.as_ref().map_or(Ok(true), |when| when.holds_as(of_caller, facts, arguments, left))
    }

    /// Whether the arguments affect whether this rule applies.
    pub(crate) fn needs_arguments(&self) -> bool {
        self.when.as_ref().is_some_and(|when| when.needs_arguments())
    }

    fn is_marked(&self, item: &Item<'_>) -> bool {
        !self.read_only || item.hints.read_only == Some(true)
    }

    fn patterns(&self, kind: Kind) -> &Patterns {
        match kind {
            Kind::Tool => &self.tools,
            Kind::Prompt => &self.prompts,
            Kind::Resource | Kind::Template => &self.resources,
        }
    }
}

/// Whether wildcards must not grant the item, as its URI is ambiguous.
pub(crate) fn ambiguous(item: &Item<'_>) -> bool {
    matches!(item.kind, Kind::Resource | Kind::Template) && is_ambiguous(item.name)
}
