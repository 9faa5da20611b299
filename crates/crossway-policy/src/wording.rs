//! Warnings about texts of a policy that can't match anything as they are written. A denial with such a text would fail unnoticed.

use std::cell::LazyCell;

use foldhash::{HashMap, HashSet};

use crate::config::{PolicyConfig, TenantRule};
use crate::finding::{Findings, Problem, most_like};
use crate::fold::fold;
use crate::limits::SIMILAR_NAMES;

/// Checks everything that a policy says about tenants, callers and names.
pub(crate) fn check(config: &PolicyConfig, findings: &mut Findings) {
    for (name, rule) in &config.tenants {
        let lists = [("groups", &rule.groups), ("users", &rule.users), ("issuers", &rule.issuers)];
        for (key, texts) in lists {
            for (index, text) in texts.iter().enumerate() {
                name_of_one(text, format_args!("tenants.{name}.{key}[{index}]"), findings);
            }
        }
        for (claim, text) in &rule.claims {
            name_of_one(text, format_args!("tenants.{name}.claims.{claim}"), findings);
        }
        for (index, text) in rule.email_domains.iter().enumerate() {
            let path = format_args!("tenants.{name}.email_domains[{index}]");
            if !variable(text, path, findings) && !is_domain(text) {
                findings.warning(path, Problem::NoDomain);
            }
        }
    }
    let of_any = LazyCell::new(|| Addresses::new(config.tenants.values()));
    let mut of_named = HashMap::default();
    for (index, grant) in config.grants.iter().enumerate() {
        if let Some(user) = grant.user.as_deref().filter(|user| user.contains('@')) {
            let named = grant.tenant.as_ref().and_then(|tenant| config.tenants.get(tenant));
            let addresses = match named {
                Some(rule) => of_named.entry(&grant.tenant).or_insert_with(|| Addresses::new([rule])),
                None => &*of_any,
            };
            if !config.tenants.is_empty() && !addresses.have(user) {
                let tenant = grant.tenant.as_ref().map(ToString::to_string);
                let problem = Problem::UserOfNoTenant { tenant, like: addresses.most_like(user) };
                findings.warning(format_args!("grants[{index}].user"), problem);
            }
        }
        let of_callers = [
            ("group", &grant.group),
            ("role", &grant.role),
            ("user", &grant.user),
            ("issuer", &grant.issuer),
        ];
        for (key, text) in of_callers {
            if let Some(text) = text {
                name_of_one(text, format_args!("grants[{index}].{key}"), findings);
            }
        }
        variable(&grant.upstream, format_args!("grants[{index}].upstream"), findings);
        let lists = [("tools", &grant.tools), ("prompts", &grant.prompts), ("resources", &grant.resources)];
        for (key, patterns) in lists {
            for (at, pattern) in patterns.iter().enumerate() {
                variable(pattern, format_args!("grants[{index}].{key}[{at}]"), findings);
            }
        }
    }
}

/// The e-mail addresses that users of some tenants may have.
struct Addresses<'a> {
    /// Whether a tenant goes by something else, such as subjects: its users may have any address.
    are_any: bool,
    domains: HashSet<String>,
    named: HashSet<&'a str>,
    /// The same, folded: a grant that denies is about an address in any case.
    folded: HashSet<String>,
}

impl<'a> Addresses<'a> {
    fn new(tenants: impl IntoIterator<Item = &'a TenantRule>) -> Self {
        let mut addresses = Self {
            are_any: false,
            domains: HashSet::default(),
            named: HashSet::default(),
            folded: HashSet::default(),
        };
        for rule in tenants {
            let (named, subjects): (Vec<_>, Vec<_>) =
                rule.users.iter().map(String::as_str).partition(|user| user.contains('@'));
            let goes_by_other = !rule.groups.is_empty() || !rule.claims.is_empty() || !subjects.is_empty();
            addresses.are_any |= rule.everyone || goes_by_other;
            addresses.domains.extend(rule.email_domains.iter().map(|domain| domain.to_ascii_lowercase()));
            addresses.folded.extend(named.iter().map(|user| fold(user)));
            addresses.named.extend(named);
        }
        addresses
    }

    fn have(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase();
        self.are_any || self.domains.contains(&domain) || self.folded.contains(&fold(address))
    }

    fn most_like(&self, address: &str) -> Option<String> {
        let (local, _) = address.rsplit_once('@')?;
        let domains = self.domains.iter().take(SIMILAR_NAMES);
        let with_domain: Vec<_> = domains.map(|domain| format!("{local}@{domain}")).collect();
        most_like(address, with_domain.iter().map(String::as_str).chain(self.named.iter().copied()))
    }
}

/// Warns about a variable or a pattern where a name is compared as a whole.
fn name_of_one(text: &str, path: std::fmt::Arguments<'_>, findings: &mut Findings) {
    if !variable(text, path, findings)
        && let Some(wildcard) = text.chars().find(|letter| "*?[{".contains(*letter))
    {
        findings.warning(path, Problem::NoPattern(wildcard));
    }
}

/// Warns about a text that looks like a variable. Returns whether it does.
fn variable(text: &str, path: std::fmt::Arguments<'_>, findings: &mut Findings) -> bool {
    let is_there = text.contains("${");
    if is_there {
        findings.warning(path, Problem::NoVariable);
    }
    is_there
}

/// Whether the text may be the domain of an e-mail address.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && !label.contains(|letter: char| letter.is_whitespace());
    text.split('.').all(is_label) && !text.contains(['@', '*', '?', ',', ';', '/'])
}
