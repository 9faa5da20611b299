//! Errors and warnings of a policy.

use std::fmt;
use std::ops::Deref;

use crate::condition::BadCondition;
use crate::limits::SIMILAR_NAMES;
use crate::pattern::BadPattern;
use crate::template::BadTemplate;

/// An error or a warning about a part of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the policy can be used all the same.
    pub severity: Severity,
    /// The path in the configuration: `grants[3].tools[0]`.
    pub path: String,
    /// The problem.
    pub what: Problem,
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The policy can be used, but is probably not meant this way.
    Warning,
    /// The policy can't be used.
    Error,
}

/// A problem with a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A pattern can't be used.
    #[error("the pattern {0}")]
    Pattern(BadPattern),
    /// There are more of something than a policy may have.
    #[error("there are more than {limit}")]
    TooMany {
        /// The bound.
        limit: usize,
    },
    /// No upstream has this name.
    #[error("there is no upstream {name:?}{}", nearest(.like.as_deref()))]
    NoUpstream {
        /// The name.
        name: String,
        /// A similar name.
        like: Option<String>,
    },
    /// No tenant has this name.
    #[error("there is no tenant {name:?}{}", nearest(.like.as_deref()))]
    NoTenant {
        /// The name.
        name: String,
        /// A similar name.
        like: Option<String>,
    },
    /// A tenant is named `anonymous`, which is reserved for anonymous callers.
    #[error("`anonymous` is the tenant of those who prove nothing, and can't be configured")]
    ReservedTenant,
    /// A grant names no caller, and does not say `everyone: true`.
    #[error("it names no tenant, group, role or user; say `everyone: true` if all are meant")]
    Nobody,
    /// A grant does not say what it grants.
    #[error("it names no tools, prompts or resources")]
    Nothing,
    /// A `read_only` grant also names prompts or resources, or denies.
    #[error("`read_only` is for tools that are allowed: prompts, resources and denials have no such mark")]
    ReadOnlyMisused,
    /// A `read_only` grant names an upstream that is not `trusted`.
    #[error("`read_only` takes the upstream's word for it, and it is not `trusted`")]
    NotTrusted,
    /// A condition can't be used.
    #[error("the condition {0}")]
    Condition(BadCondition),
    /// A pattern for upstreams matches none.
    #[error("no upstream matches")]
    NoSuchUpstreams,
    /// Two upstreams have the same name.
    #[error("there is another upstream of this name")]
    SameUpstream,
    /// A template can't be used.
    #[error("the template {0}")]
    Template(BadTemplate),
    /// A credential has no place to go, or several.
    #[error("one of `header`, `bearer`, `basic`, `query` and `env` says where it goes")]
    NotOnePlace,
    /// The header belongs to the connection or the protocol.
    #[error("no credential can be sent in this header")]
    UnsafeHeader,
    /// The name of a query member is empty, or has control characters.
    #[error("no member of a query is called so: its name is empty, or has control characters")]
    UnsafeQuery,
    /// The name of an environment variable is invalid, or the variable affects which code is run.
    #[error("no credential can be passed in this variable: it is no name of one, or says what is run")]
    UnsafeVariable,
    /// `value` is given beside `bearer` or `basic`.
    #[error("`bearer` and `basic` say what is sent; take `header: Authorization` for another text")]
    ValueNotUsed,
    /// The user name of `basic` has a colon, where the name would end.
    #[error("a user name can't have a colon in it")]
    ColonInUser,
    /// A secret is needed, but there is no `from`.
    #[error("`from` is missing: it says where the secret is taken from")]
    NoSource,
    /// There is a `from`, but nothing uses its secret.
    #[error("`value` has no {{secret}} in it, so that nothing uses `from`")]
    SecretNotUsed,
    /// Two rules set the same place for the same callers.
    #[error("{other} says otherwise of the same callers and the same place")]
    SameCredential {
        /// The other rule.
        other: String,
    },
    /// A credential declared as each user's own is the same for all users.
    #[error(
        "it is said to be each user's own, and is the same for all; is `for: tenant` or `for: shared` meant?"
    )]
    SameForAllUsers,
    /// A credential declared as the tenant's is the same for all tenants.
    #[error(
        "it is said to be the tenant's, and is the same for all; is `tenant` missing, or `for: shared` meant?"
    )]
    SameForAllTenants,
    /// A credential that several users share depends on the user.
    #[error("it depends on the user, so that it is the user's own: `for: user`")]
    DependsOnUser,
    /// A credential that all tenants share depends on the tenant.
    #[error("it depends on the tenant, so that it is the tenant's: `for: tenant`")]
    DependsOnTenant,
    /// A broker's URL is invalid, or does not fix its host.
    #[error(
        "a broker's URL begins with http:// or https:// and a host without places and user names, and a /"
    )]
    BrokerUrl,
    /// Two quotas are about the same tenant, upstream and tool.
    #[error("another quota is about the same tenant, upstream and tool")]
    SameQuota,
    /// Nobody can belong to a tenant.
    #[error(
        "nobody can belong to it: it names no groups, domains, claims or users who prove who they are, nor everyone"
    )]
    NoUsers,
    /// Nothing is granted to a tenant.
    #[error("nothing is granted to it")]
    NoGrants,
    /// Two names differ only in case.
    #[error("its name differs from {other:?} in capital letters alone")]
    MuchAlike {
        /// The other name.
        other: String,
    },
    /// Two tenants name the same group, domain, user or claims, or one has everyone.
    #[error("tenant {other} has the same callers: such callers need an endpoint that says which is meant")]
    InTwoTenants {
        /// The other tenant.
        other: String,
    },
    /// Two grants have the same name.
    #[error("{other} has the same name")]
    SameName {
        /// The other grant.
        other: String,
    },
    /// No call can use a credential.
    #[error("nothing uses it: nobody is granted anything of its upstream")]
    Unused,
    /// A grant names a user by an e-mail address that no tenant has.
    #[error(
        "{} this e-mail address in{}",
        match tenant { Some(tenant) => format!("tenant {tenant} does not take"), None => "no tenant takes".to_owned() },
        nearest(.like.as_deref())
    )]
    UserOfNoTenant {
        /// The tenant that the grant names.
        tenant: Option<String>,
        /// A similar address that a tenant has.
        like: Option<String>,
    },
    /// A grant is about nobody.
    #[error("it is about nobody: who proves nothing has no tenant, group, role or issuer")]
    NeverApplies,
    /// A name that is compared as a whole looks like a pattern.
    #[error(
        "no pattern can stand here: the {0} is taken for a part of the name, which is compared as a whole"
    )]
    NoPattern(char),
    /// A text without variables looks like one.
    #[error("no variable is put in its place here: what tenants and grants mean is the same everywhere")]
    NoVariable,
    /// A text that has to be a domain looks like none.
    #[error("no e-mail address has this domain; write it as in acme.example")]
    NoDomain,
    /// Another grant already allows or denies everything that this one is about.
    #[error("{by} decides all that it is about")]
    Shadowed {
        /// The other grant.
        by: String,
    },
    /// A grant denies what no other grant allows.
    #[error("it denies nothing that another grant allows")]
    DeniesNothing,
    /// There are too many grants to compare them all.
    #[error("there are too many to compare all: more than {limit} pairs")]
    NotCompared {
        /// The bound.
        limit: usize,
    },
    /// A quota sets no limit.
    #[error("it limits nothing: say `requests`, `calls`, `in_flight`, `bytes` or `children`")]
    NoLimit,
    /// A quota limits something that is not counted for a tool.
    #[error("`children` of a tool are not counted: a server's tools share its processes")]
    NotEnforced,
    /// A quota of `requests` names an upstream or a tool.
    #[error(
        "`requests` are counted before it is known what they are about: a rule that has them names no upstream and no tool; `calls` may"
    )]
    RequestsOfPart,
    /// A tenant's own quota takes the place of a general one that limits more.
    #[error("it takes the place of {general} for {tenant}, so that {} of that do not count there", quoted(.lost))]
    LeavesOut {
        /// The general quota.
        general: String,
        /// The tenant.
        tenant: String,
        /// The keys of the limits that do not apply to the tenant.
        lost: Vec<String>,
    },
    /// A user's quota is higher than the tenant's.
    #[error("it is more than the whole tenant may use, so that it limits nobody")]
    AboveTenant,
    /// A quota has a limit of zero.
    #[error("it lets nothing through")]
    ZeroLimit,
}

fn nearest(like: Option<&str>) -> String {
    like.map(|like| format!("; is {like:?} meant?")).unwrap_or_default()
}

fn quoted(keys: &[String]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    keys.join(", ")
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// All findings of a policy that can't be used: at least one of them is an error. Its text is a finding a line.
// A path is formatted only when something is found: most rules are fine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings(pub(crate) Vec<Finding>);

impl std::error::Error for Findings {}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            let end = if index > 0 { "\n" } else { "" };
            let warning = if finding.severity == Severity::Warning { "warning: " } else { "" };
            write!(f, "{end}{warning}{finding}")?;
        }
        Ok(())
    }
}

impl Deref for Findings {
    type Target = [Finding];

    fn deref(&self) -> &[Finding] {
        &self.0
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Findings {
    pub(crate) fn error(&mut self, path: impl fmt::Display, what: Problem) {
        self.0.push(Finding { severity: Severity::Error, path: path.to_string(), what });
    }

    pub(crate) fn warning(&mut self, path: impl fmt::Display, what: Problem) {
        self.0.push(Finding { severity: Severity::Warning, path: path.to_string(), what });
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Returns the most similar of `names`, if one is similar enough.
pub(crate) fn most_like<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let far = (name.chars().count() / 2).clamp(1, 3);
    let near = names.into_iter().take(SIMILAR_NAMES).map(|other| (distance(name, other), other));
    near.filter(|(distance, _)| *distance <= far).min().map(|(_, name)| name.to_owned())
}

/// The Levenshtein distance: how many letters must be replaced, inserted or removed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_findings_are_one_error() {
        let mut findings = Findings::default();
        findings.error("grants[0]", Problem::Nothing);
        findings.warning("tenants.acme", Problem::NoGrants);
        let error: Box<dyn std::error::Error + Send + Sync> = findings.clone().into();
        let lines = "grants[0]: it names no tools, prompts or resources\nwarning: tenants.acme: nothing is granted to it";
        assert_eq!(error.to_string(), lines);
        assert_eq!((findings.len(), findings[1].severity), (2, Severity::Warning));
    }

    #[test]
    fn the_nearest_name_is_told_if_it_is_near() {
        assert_eq!(most_like("githup", ["gitlab", "github"]), Some("github".to_owned()));
        assert_eq!(most_like("jira", ["github", "wiki"]), None);
    }
}
