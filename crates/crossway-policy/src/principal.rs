//! Principals: the callers, and how their identity was proven.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;

/// A caller, and how their identity was proven. Clones are cheap.
///
/// Two principals are equal if issuer and subject are: both are compared byte for byte, and nothing else identifies a principal. Whatever
/// makes a principal has proven its identity before.
#[derive(Clone)]
pub struct Principal(Arc<Inner>);

#[derive(Clone, PartialEq)]
struct Inner {
    issuer: String,
    subject: String,
    proof: Proof,
    email: Option<String>,
    name: Option<String>,
    groups: Vec<String>,
    roles: Vec<String>,
    claims: BTreeMap<String, Value>,
}

/// How the caller's identity was proven, from the strongest proof to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Proof {
    /// A signed token of an authorization server.
    Jwt,
    /// A statement about one of its users, signed by a trusted application.
    SignedHeader,
    /// An unsigned statement by a trusted application, which is known by its key and where it calls from.
    PlainHeader,
    /// A key that stands for the principal.
    ApiKey,
    /// Nothing: anybody.
    Anonymous,
}

impl Principal {
    /// Makes a principal of whom only the identity is known.
    #[must_use]
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>, proof: Proof) -> Self {
        Self(Arc::new(Inner {
            issuer: issuer.into(),
            subject: subject.into(),
            proof,
            email: None,
            name: None,
            groups: Vec::new(),
            roles: Vec::new(),
            claims: BTreeMap::new(),
        }))
    }

    /// The anonymous principal.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new("", "anonymous", Proof::Anonymous)
    }

    /// Sets the e-mail address, with its domain in lower case.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        let mut email = email.into();
        if let Some(at) = email.rfind('@') {
            email[at..].make_ascii_lowercase();
        }
        self.inner().email = Some(email);
        self
    }

    /// Sets the display name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.inner().name = Some(name.into());
        self
    }

    /// Sets the groups.
    #[must_use]
    pub fn with_groups<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.inner().groups = sorted(groups);
        self
    }

    /// Sets the roles.
    #[must_use]
    pub fn with_roles<S: Into<String>>(mut self, roles: impl IntoIterator<Item = S>) -> Self {
        self.inner().roles = sorted(roles);
        self
    }

    /// Adds a claim, as stated by whoever proved the identity.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: Value) -> Self {
        self.inner().claims.insert(name.into(), value);
        self
    }

    /// Whether the same is known of both principals, so that every rule treats them alike.
    #[must_use]
    pub fn is_known_alike(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    /// The issuer that states the identity.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The identity, in the issuer's words.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// How the identity was proven.
    #[must_use]
    pub fn proof(&self) -> Proof {
        self.0.proof
    }

    /// The e-mail address.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// The part behind the last `@` of the e-mail address, in lower case.
    #[must_use]
    pub fn email_domain(&self) -> Option<&str> {
        self.email()?.rsplit_once('@').map(|(_, domain)| domain)
    }

    /// The display name. It does not identify the principal.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The groups, sorted.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.0.groups
    }

    /// The roles, sorted.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.0.roles
    }

    /// One of the other claims.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.claims.get(name)
    }

    /// All other claims.
    #[must_use]
    pub fn claims(&self) -> &BTreeMap<String, Value> {
        &self.0.claims
    }
}

fn sorted<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.issuer() == other.issuer() && self.subject() == other.subject()
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.issuer().hash(state);
        self.subject().hash(state);
    }
}

impl fmt::Debug for Principal {
    /// Shows the proof alone: callers' identities must not get into logs by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("proof", &self.proof()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_and_subject_alone_say_who_it_is() {
        let one = Principal::new("a", "b", Proof::Jwt).with_email("x@y").with_groups(["g"]);
        assert_eq!(one, Principal::new("a", "b", Proof::ApiKey));
        assert_ne!(one, Principal::new("a", "B", Proof::Jwt));
        assert_ne!(one, Principal::new("ab", "", Proof::Jwt));
    }

    #[test]
    fn a_domain_is_what_stands_behind_the_last_at_in_lower_case() {
        let of = |email: &str| {
            let principal = Principal::anonymous().with_email(email);
            principal.email_domain().map(str::to_owned)
        };
        assert_eq!(of("A@Acme.Example"), Some("acme.example".to_owned()));
        assert_eq!(of("\"a@evil.example\"@acme.example"), Some("acme.example".to_owned()));
        assert_eq!(of("nobody"), None);
    }

    #[test]
    fn groups_are_in_order_and_once() {
        let principal = Principal::anonymous().with_groups(["b", "a", "b"]);
        assert_eq!(principal.groups(), ["a", "b"]);
        assert!(!format!("{principal:?}").contains("anonymous\""));
    }
}
