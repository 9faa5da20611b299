//! The API key of a face.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq as _;

use super::limits::KEY_BYTES;
use super::problem::Problem;

/// A key that callers need: `Authorization: Bearer KEY`.
///
/// Documents need no key, unless it is [strict](Self::strict). Comparison takes constant time, except that it depends on the length.
#[derive(Clone)]
pub struct ApiKey {
    key: Arc<str>,
    is_strict: bool,
}

/// The text can't be a key: it is empty, longer than 1,024 bytes, or has characters that no header can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has 1 to {KEY_BYTES} visible characters of ASCII")]
pub struct InvalidKey;

impl ApiKey {
    /// A key that calls need.
    ///
    /// # Errors
    ///
    /// When the text can't be a key.
    pub fn new(key: &str) -> Result<Self, InvalidKey> {
        let is_key = (1..=KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key { Ok(Self { key: key.into(), is_strict: false }) } else { Err(InvalidKey) }
    }

    /// Requires the key for documents too, and accepts it as the password of `Authorization: Basic`, which browsers ask for.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// Checks a request's key.
    ///
    /// # Errors
    ///
    /// 401 when there is no key, 403 when it is wrong.
    pub(crate) fn check(&self, headers: &HeaderMap, is_document: bool) -> Result<(), Problem> {
        if is_document && !self.is_strict {
            return Ok(());
        }
        let missing = || Problem::no_key(self.is_strict);
        let mut said = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (said.next(), said.next()) else { return Err(missing()) };
        let value = value.to_str().map_err(|_| missing())?;
        let (scheme, rest) = value.split_once(' ').ok_or_else(missing)?;
        let given = match scheme {
            scheme if scheme.eq_ignore_ascii_case("bearer") => rest.trim_start().to_owned(),
            scheme if self.is_strict && scheme.eq_ignore_ascii_case("basic") => {
                let decoded = STANDARD.decode(rest.trim()).ok().and_then(|text| String::from_utf8(text).ok());
                let decoded = decoded.ok_or_else(missing)?;
                decoded.split_once(':').ok_or_else(missing)?.1.to_owned()
            }
            _ => return Err(missing()),
        };
        if bool::from(given.as_bytes().ct_eq(self.key.as_bytes())) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "the key is not the right one"))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("is_strict", &self.is_strict).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::WWW_AUTHENTICATE;

    use super::*;

    fn status(key: &ApiKey, authorization: Option<&'static str>, is_document: bool) -> u16 {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
        }
        key.check(&headers, is_document).map_or_else(|problem| problem.status.as_u16(), |()| 200)
    }

    #[test]
    fn calls_need_the_key_and_documents_only_where_it_is_strict() {
        let key = ApiKey::new("top-secret").unwrap();
        let strict = key.clone().strict();
        assert_eq!(status(&key, None, true), 200);
        assert_eq!(status(&strict, None, true), 401);
        for key in [&key, &strict] {
            assert_eq!(status(key, None, false), 401);
            assert_eq!(status(key, Some("Bearer top-secret"), false), 200);
            assert_eq!(status(key, Some("bearer  top-secret"), false), 200);
            assert_eq!(status(key, Some("Bearer top-secre"), false), 403);
            assert_eq!(status(key, Some("Bearer"), false), 401);
        }
        // any:top-secret
        assert_eq!(status(&strict, Some("Basic YW55OnRvcC1zZWNyZXQ="), true), 200);
        assert_eq!(status(&strict, Some("Basic YW55Om5v"), true), 403);
        assert_eq!(status(&strict, Some("Basic !"), true), 401);
        assert_eq!(status(&key, Some("Basic YW55OnRvcC1zZWNyZXQ="), false), 401);
    }

    #[test]
    fn browsers_ask_for_a_key_that_may_be_a_password() {
        let key = ApiKey::new("top-secret").unwrap();
        for (key, wanted) in
            [(key.clone(), &["Bearer"][..]), (key.strict(), &["Bearer", r#"Basic realm="crossway""#])]
        {
            let answer = key.check(&HeaderMap::new(), false).unwrap_err().into_response();
            let challenges: Vec<_> = answer.headers().get_all(WWW_AUTHENTICATE).iter().collect();
            assert_eq!(challenges, wanted);
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        assert!(!format!("{:?}", ApiKey::new("top-secret")).contains("top"));
        assert_eq!(ApiKey::new("").unwrap_err(), InvalidKey);
        assert_eq!(ApiKey::new("a b").unwrap_err(), InvalidKey);
    }
}
