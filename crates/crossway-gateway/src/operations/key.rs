//! The key of `/admin`.

use std::fmt;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;

use super::limits::ADMIN_KEY_BYTES;

/// The key that opens `/admin`. Only a digest of it is kept.
#[derive(Clone)]
pub struct AdminKey([u8; 32]);

impl AdminKey {
    /// Creates the digest of a key.
    ///
    /// # Errors
    ///
    /// When the key is shorter than [`ADMIN_KEY_BYTES`], or can't be sent in a header.
    pub fn new(key: &str) -> Result<Self, BadAdminKey> {
        if key.len() < ADMIN_KEY_BYTES {
            return Err(BadAdminKey::Short);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadAdminKey::Characters);
        }
        Ok(Self(sha256(key.as_bytes())))
    }

    /// Whether a header's value is `Bearer` and this key (RFC 6750, section 2.1). The comparison takes the same time for any key.
    pub(super) fn opens(&self, authorization: &[u8]) -> bool {
        let Some((scheme, key)) = authorization.split_at_checked("Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(sha256(key).ct_eq(&self.0))
    }
}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminKey([redacted])")
    }
}

fn sha256(text: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text).as_ref());
    bytes
}

/// Why a text is not accepted as an admin key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadAdminKey {
    /// The key is so short that it could be guessed.
    #[error("an admin key has {ADMIN_KEY_BYTES} characters or more")]
    Short,
    /// The key has characters that can't be sent in a header.
    #[error("an admin key has visible ASCII characters alone, no space")]
    Characters,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_itself_opens() {
        let key = AdminKey::new("0123456789abcdef").unwrap();
        assert!(key.opens(b"Bearer 0123456789abcdef") && key.opens(b"bearer 0123456789abcdef"));
        for other in [
            "",
            "Bearer",
            "Bearer ",
            "0123456789abcdef",
            "Bearer 0123456789abcdef ",
            "Bearer 0123456789abcde",
            "Basic 0123456789abcdef",
            "Bearer  0123456789abcdef",
            "Bearer 0123456789ABCDEF",
        ] {
            assert!(!key.opens(other.as_bytes()), "{other:?}");
        }
        assert!(!key.opens("Bea\u{e4}r 0123456789abcdef".as_bytes()));
        assert!(!format!("{key:?}").contains("012"));
    }

    #[test]
    fn a_key_that_could_be_guessed_or_not_be_sent_is_none() {
        assert_eq!(AdminKey::new("0123456789abcde").unwrap_err(), BadAdminKey::Short);
        assert_eq!(AdminKey::new("0123456789abcdef ").unwrap_err(), BadAdminKey::Characters);
    }
}
