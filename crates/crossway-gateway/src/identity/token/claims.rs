//! Claims that all tokens have in common: times and texts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::Claims;
use crate::identity::refusal::Flaw;
use crate::identity::text::is_name;

/// Seconds since 1970, as in claims (RFC 7519, section 2, NumericDate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::identity) struct UnixTime(u64);

impl From<SystemTime> for UnixTime {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }
}

/// The time in which a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::identity) struct Lifetime {
    not_before: Option<UnixTime>,
    expires: UnixTime,
}

impl Lifetime {
    /// Reads the lifetime from a token's claims. A token without `exp` is refused.
    pub(in crate::identity) fn of(claims: &Claims) -> Result<Self, Flaw> {
        let expires = time(claims, "exp")?.ok_or(Flaw::Claim)?;
        Ok(Self { not_before: time(claims, "nbf")?, expires })
    }

    /// Checks that a token is valid now: "the current date/time MUST be before the expiration date/time", and "after
    /// or equal to the not-before date/time" (RFC 7519, sections 4.1.4 and 4.1.5). Clocks may differ by `leeway`; the end
    /// is extended by `late` as well.
    pub(in crate::identity) fn check(
        &self,
        now: UnixTime,
        leeway: Duration,
        late: Duration,
    ) -> Result<(), Flaw> {
        let leeway = leeway.as_secs();
        if self.not_before.is_some_and(|not_before| not_before.0 > now.0.saturating_add(leeway)) {
            return Err(Flaw::NotYetValid);
        }
        let end = self.expires.0.saturating_add(leeway).saturating_add(late.as_secs());
        if now.0 >= end { Err(Flaw::Expired) } else { Ok(()) }
    }
}

/// "A JSON numeric value representing the number of seconds", which may have a fraction.
fn time(claims: &Claims, name: &str) -> Result<Option<UnixTime>, Flaw> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    if let Some(seconds) = value.as_u64() {
        return Ok(Some(UnixTime(seconds)));
    }
    let seconds =
        value.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0).ok_or(Flaw::Claim)?;
    Duration::try_from_secs_f64(seconds).map(|time| Some(UnixTime(time.as_secs()))).map_err(|_| Flaw::Claim)
}

/// Readers of claims that are texts.
pub(in crate::identity) struct Texts;

impl Texts {
    /// Reads a claim that is required and has to be a name.
    pub(in crate::identity) fn required(value: Option<&Value>) -> Result<&str, Flaw> {
        value.and_then(Value::as_str).filter(|text| is_name(text)).ok_or(Flaw::Claim)
    }

    /// Reads a claim that is a name, if there is one.
    pub(in crate::identity) fn optional(value: Option<&Value>) -> Result<Option<&str>, Flaw> {
        match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            value => Self::required(value).map(Some),
        }
    }
}
