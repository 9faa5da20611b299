//! Reads identity headers strictly: one of each, well-formed, and none by another name.

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::limits;
use super::refusal::{Credential, Flaw, Refusal};

/// Open WebUI's signed statement about its user.
pub(super) const USER_JWT: HeaderName = HeaderName::from_static("x-openwebui-user-jwt");
/// The user's id, where Open WebUI does not sign.
pub(super) const USER_ID: HeaderName = HeaderName::from_static("x-openwebui-user-id");
/// The user's e-mail address.
pub(super) const USER_EMAIL: HeaderName = HeaderName::from_static("x-openwebui-user-email");
/// The user's name, percent-encoded.
pub(super) const USER_NAME: HeaderName = HeaderName::from_static("x-openwebui-user-name");
/// The user's role.
pub(super) const USER_ROLE: HeaderName = HeaderName::from_static("x-openwebui-user-role");
/// The user's e-mail address, as sent by software other than Open WebUI.
const OTHER_EMAIL: HeaderName = HeaderName::from_static("x-user-email");
/// The common header for an API key.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// All headers that a proof uses, except `Authorization`.
pub(super) static OF_SOME_PROOF: [HeaderName; 7] =
    [USER_JWT, USER_ID, USER_EMAIL, USER_NAME, USER_ROLE, OTHER_EMAIL, API_KEY];

/// Headers by which other software names the caller. They prove nothing here, and are removed.
static OF_OTHERS: [HeaderName; 8] = [
    COOKIE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("remote-user"),
    HeaderName::from_static("x-remote-user"),
    HeaderName::from_static("x-forwarded-user"),
    HeaderName::from_static("x-forwarded-email"),
    HeaderName::from_static("x-forwarded-preferred-username"),
    HeaderName::from_static("x-forwarded-groups"),
];

/// Returns the value of a header that may be there at most once.
pub(super) fn one<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    at_most: usize,
) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Twice(name.clone()));
    }
    if value.is_empty() {
        return Err(Refusal::Malformed(name.clone()));
    }
    if value.len() > at_most {
        return Err(Refusal::TooLong(name.clone()));
    }
    Ok(Some(value))
}

/// The bearer credential of a request (RFC 6750, section 2.1), if there is an `Authorization` at all.
pub(super) fn bearer(
    headers: &HeaderMap,
    credential: Credential,
    at_most: usize,
) -> Result<Option<&str>, Refusal> {
    let Some(value) = one(headers, &AUTHORIZATION, at_most + "Bearer ".len())? else { return Ok(None) };
    let not_bearer = Refusal::NotAccepted(credential, Flaw::NotBearer);
    let Some((scheme, token)) = value.as_bytes().split_at_checked("Bearer ".len()) else {
        return Err(not_bearer);
    };
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Err(not_bearer);
    }
    token68(token).map(Some).ok_or(Refusal::Malformed(AUTHORIZATION))
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` (RFC 6750, section 2.1).
pub(super) fn token68(value: &[u8]) -> Option<&str> {
    let unpadded = value.iter().rposition(|byte| *byte != b'=')? + 1;
    // No branch per byte, so that the compiler can check many at once: tokens are long.
    let is_of_it = |byte: u8| {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        // `-`, `.`, `/` and digits stand in a row.
        let is_in_row = byte.wrapping_sub(b'-') < 13;
        is_letter | is_in_row | (byte == b'_') | (byte == b'~') | (byte == b'+')
    };
    value[..unpadded]
        .iter()
        .fold(true, |all, byte| all & is_of_it(*byte))
        .then(|| std::str::from_utf8(value).ok())
        .flatten()
}

/// Returns a value that has visible ASCII characters and no spaces.
pub(super) fn word<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, Refusal> {
    let text = std::str::from_utf8(value.as_bytes()).ok();
    text.filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or_else(|| Refusal::Malformed(name.clone()))
}

/// A set of header names with a quick lookup: most headers of a request are not in it.
#[derive(Debug)]
pub(super) struct Names {
    names: Vec<HeaderName>,
    /// The [bit] of each name.
    bits: u64,
}

impl Names {
    /// The names of all headers that can identify a caller, including `own`.
    pub(super) fn of_callers(own: &[HeaderName]) -> Self {
        let all = [&[AUTHORIZATION], &OF_SOME_PROOF[..], &OF_OTHERS, own];
        all.into_iter().flatten().cloned().collect()
    }

    fn contains(&self, name: &HeaderName) -> bool {
        self.bits & bit(name) != 0 && self.names.contains(name)
    }

    /// Refuses the request if it has a header of this set, which holds those of other proofs.
    pub(super) fn none_in(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match headers.keys().find(|name| self.contains(name)) {
            Some(name) => Err(Refusal::Foreign(name.clone())),
            None => Ok(()),
        }
    }

    /// Removes every header whose name is in this set.
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        // A request has few of them: a look at each of its headers costs less than a search for each name.
        let found: Vec<HeaderName> = headers.keys().filter(|name| self.contains(name)).cloned().collect();
        for name in found {
            headers.remove(name);
        }
    }
}

impl FromIterator<HeaderName> for Names {
    fn from_iter<I: IntoIterator<Item = HeaderName>>(names: I) -> Self {
        let names: Vec<HeaderName> = names.into_iter().collect();
        let bits = names.iter().map(bit).fold(0, |all, bit| all | bit);
        Self { names, bits }
    }
}

/// Returns one of 64 bits, chosen by the name's length and its last two bytes: few other names of a request have the same.
fn bit(name: &HeaderName) -> u64 {
    let name = name.as_str().as_bytes();
    let ending = name.iter().rev().take(2).fold(0, |sum, byte| sum * 29 + usize::from(*byte));
    1 << ((name.len() * 14 + ending) % 64)
}

/// Checks that no name becomes another's once underscores are read as hyphens, as CGI and its heirs do.
pub(super) fn no_look_alikes(headers: &HeaderMap, own: &[HeaderName]) -> Result<(), Refusal> {
    for name in headers.keys().filter(|name| name.as_str().as_bytes().contains(&b'_')) {
        let hyphens = name.as_str().replace('_', "-");
        let is_public = OF_SOME_PROOF.iter().chain(own).any(|known| known.as_str() == hyphens);
        if is_public || hyphens == AUTHORIZATION.as_str() {
            return Err(Refusal::LookAlike(name.clone()));
        }
    }
    Ok(())
}

/// Returns the value of a plain header, within its bounds: at most once, not empty, and not too long.
pub(super) fn plain<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Refusal> {
    one(headers, name, limits::VALUE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_these_characters_and_equals_signs_at_its_end() {
        for byte in 0..=u8::MAX {
            let is_of_it = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            for token in [vec![byte], vec![b'a', byte, b'a'], [&[b'a'; 40][..], &[byte]].concat()] {
                let ends_with_it = byte == b'=' && token.len() > 1 && token.last() == Some(&byte);
                assert_eq!(token68(&token).is_some(), is_of_it || ends_with_it, "{token:?}");
            }
        }
        assert_eq!(token68(b""), None);
        assert_eq!(token68(b"=="), None);
        assert_eq!(token68(b"a=a"), None);
    }
}
