//! Parameters that credentials fill, so that they are not arguments of a tool.

use std::collections::BTreeSet;

use crossway_openapi::rest::SecurityPlace;
use crossway_policy::config::CredentialRule;
use http::header::COOKIE;
use http::{HeaderName, HeaderValue};

/// The parts of an upstream's requests that are filled in, for one caller or for all.
#[derive(Debug, Clone, Default)]
pub struct Filled {
    /// Names in lower case.
    headers: BTreeSet<String>,
    query: BTreeSet<String>,
    cookies: BTreeSet<String>,
    /// Whether there are cookies whose names come from a secret.
    has_secret_cookies: bool,
}

impl Filled {
    /// Collects what the upstream's own headers and its credential rules fill.
    #[must_use]
    pub fn new<'a>(
        headers: impl Iterator<Item = &'a (HeaderName, HeaderValue)>,
        rules: impl Iterator<Item = &'a CredentialRule>,
    ) -> Self {
        let mut filled = Self::default();
        for (name, value) in headers {
            filled.headers.insert(name.to_string());
            if name == COOKIE {
                filled.cookies(&String::from_utf8_lossy(value.as_bytes()), false);
            }
        }
        for rule in rules {
            if rule.header.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(COOKIE.as_str())) {
                filled.cookies(rule.value.as_deref().unwrap_or("{secret}"), true);
            }
            filled.query.extend(rule.query.clone());
            filled.headers.extend(rule.header.as_ref().map(|name| name.to_ascii_lowercase()));
            if rule.bearer || rule.basic.is_some() {
                filled.headers.insert("authorization".to_owned());
            }
        }
        filled
    }

    /// Adds the cookies of a `Cookie` header: `sid={secret}; lang=de`. In a template, a cookie with a placeholder in its name may be any.
    fn cookies(&mut self, value: &str, is_template: bool) {
        for pair in value.split(';') {
            let name = pair.split('=').next().unwrap_or_default().trim();
            if is_template && name.contains('{') {
                self.has_secret_cookies = true;
            } else {
                self.cookies.insert(name.to_owned());
            }
        }
    }

    /// Returns the filled places, as far as they are known without the secrets.
    pub fn places(&self) -> impl Iterator<Item = SecurityPlace> {
        let headers = self.headers.iter().cloned().map(SecurityPlace::Header);
        let query = self.query.iter().cloned().map(SecurityPlace::Query);
        headers.chain(query).chain(self.cookies.iter().cloned().map(SecurityPlace::Cookie))
    }

    /// Whether a place is filled. A cookie is filled if the `Cookie` header names it, or if a secret provides cookies' names.
    #[must_use]
    pub fn has(&self, place: &SecurityPlace) -> bool {
        match place {
            SecurityPlace::Header(name) => self.headers.contains(name),
            SecurityPlace::Query(name) => self.query.contains(name),
            SecurityPlace::Cookie(name) => self.has_secret_cookies || self.cookies.contains(name),
            _ => true,
        }
    }
}
