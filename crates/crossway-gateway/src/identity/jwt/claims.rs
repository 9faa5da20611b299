//! Maps the claims of an access token to a principal.

use crossway_policy::{Principal, Proof};
use serde_json::Value;

use super::config::ClaimNames;
use crate::identity::error::IdentityError;
use crate::identity::limits;
use crate::identity::refusal::Flaw;
use crate::identity::text::{is_email, is_name};
use crate::identity::token::{Claims, Texts};

/// The names of the claims that identify and describe the caller.
#[derive(Debug)]
pub(super) struct Mapping(ClaimNames);

impl Mapping {
    pub(super) fn new(names: &ClaimNames) -> Result<Self, IdentityError> {
        let ClaimNames { subject, email, name, groups, roles, keep } = names;
        let fields = [
            ("claims.subject", Some(subject)),
            ("claims.email", email.as_ref()),
            ("claims.name", name.as_ref()),
            ("claims.groups", groups.as_ref()),
            ("claims.roles", roles.as_ref()),
        ];
        let kept = keep.iter().map(|name| ("claims.keep", Some(name)));
        for (field, name) in fields.into_iter().chain(kept) {
            name.map(|name| crate::identity::name(field, name)).transpose()?;
        }
        if keep.len() > limits::TEXTS {
            return Err(IdentityError::TooMuch { field: "claims.keep", at_most: limits::TEXTS as u64 });
        }
        Ok(Self(names.clone()))
    }

    /// Returns the principal that an issuer's claims describe.
    pub(super) fn principal(&self, issuer: &str, claims: &Claims) -> Result<Principal, Flaw> {
        let names = &self.0;
        let subject = Texts::required(find(claims, &names.subject))?;
        let said = |name: &Option<String>| name.as_ref().and_then(|name| find(claims, name));
        let mut principal = Principal::new(issuer, subject, Proof::Jwt);
        if let Some(email) = Texts::optional(said(&names.email))?
            && is_verified(claims)
        {
            principal = principal.with_email(Some(email).filter(|email| is_email(email)).ok_or(Flaw::Claim)?);
        }
        // A display name decides nothing, so an odd one is dropped and does not lock its user out.
        if let Some(name) = said(&names.name).and_then(Value::as_str).filter(|name| is_name(name)) {
            principal = principal.with_name(name);
        }
        principal = principal.with_groups(texts(said(&names.groups))?).with_roles(texts(said(&names.roles))?);
        for name in &names.keep {
            if let Some(value) = claims.get(name) {
                principal = principal.with_claim(name.as_str(), value.clone());
            }
        }
        Ok(principal)
    }
}

/// Whether the e-mail address may be used: not if the issuer says that it is unverified (OpenID Connect Core 1.0, section 5.1). Some
/// issuers send `email_verified` as text.
fn is_verified(claims: &Claims) -> bool {
    match claims.get("email_verified") {
        None => true,
        Some(Value::String(text)) => text == "true",
        Some(value) => *value == Value::Bool(true),
    }
}

/// Returns a claim by its name, or the value at a JSON pointer.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    let Some(pointer) = name.strip_prefix('/') else { return claims.get(name) };
    let unescape = |segment: &str| segment.replace("~1", "/").replace("~0", "~");
    let (first, rest) = match pointer.find('/') {
        Some(end) => pointer.split_at(end),
        None => (pointer, ""),
    };
    claims.get(&unescape(first))?.pointer(rest)
}

/// Returns the names in a claim that is a name or a list of names.
fn texts(value: Option<&Value>) -> Result<Vec<&str>, Flaw> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) if values.len() <= limits::TEXTS => {
            values.iter().map(|value| Texts::required(Some(value))).collect()
        }
        value => Texts::required(value).map(|text| vec![text]),
    }
}

/// Whether a token has all of these scopes, in `scope`, a text with spaces between them (RFC 9068, section 2.2.3; RFC 8693, section
/// 4.2), or in `scp`, which some servers have instead and which may be a list.
pub(super) fn has_scopes(claims: &Claims, wanted: &[String]) -> bool {
    let said = claims.get("scope").or_else(|| claims.get("scp"));
    let has = |scope: &str| match said {
        Some(Value::String(text)) => text.split(' ').any(|one| one == scope),
        Some(Value::Array(list)) => list.iter().any(|one| one == scope),
        _ => false,
    };
    wanted.iter().all(|scope| has(scope))
}

/// Whether a token is for one of these audiences: "the "aud" value is an array of case-sensitive strings", or one such string (RFC 7519,
/// section 4.1.3).
pub(super) fn is_for(claims: &Claims, audience: &[String]) -> bool {
    let is_us = |value: &Value| value.as_str().is_some_and(|one| audience.iter().any(|us| us == one));
    match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().any(is_us),
        Some(value) => is_us(value),
        None => false,
    }
}
