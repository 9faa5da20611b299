//! Random session ids.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use http::HeaderValue;

/// 128 random bits, written as 32 hexadecimal digits.
///
/// "The session ID **SHOULD** be globally unique and cryptographically secure" and "**MUST** only contain visible
/// ASCII characters" (2025-11-25, basic/transports, Session Management).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId(u128);

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl SessionId {
    /// Creates an unguessable id. Fails when the system has no randomness.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits)?;
        Ok(Self(u128::from_be_bytes(bits)))
    }

    /// The id of the session with this number.
    pub(crate) fn from_number(number: u128) -> Self {
        Self(number)
    }

    /// The id as a number.
    pub(crate) fn number(self) -> u128 {
        self.0
    }

    /// Parses the output of [`to_header`](Self::to_header); `None` for anything else.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 32 {
            return None;
        }
        text.iter()
            .try_fold(0, |bits: u128, digit| {
                let digit = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                Some(bits << 4 | u128::from(digit))
            })
            .map(Self)
    }

    pub(crate) fn to_header(self) -> HeaderValue {
        let text: [u8; 32] = std::array::from_fn(|at| DIGITS[(self.0 >> (124 - 4 * at)) as usize & 15]);
        HeaderValue::from_bytes(&text)
            .unwrap_or_else(|_| unreachable!("hexadecimal digits are visible ASCII"))
    }

    /// The id's shard among `count`.
    pub(super) fn shard(self, count: usize) -> usize {
        (self.0 >> 64) as usize % count
    }
}

impl std::hash::Hash for SessionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0 as u64);
    }
}

impl fmt::Debug for SessionId {
    /// Redacted: an id is as good as a password until its session ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId([redacted])")
    }
}

/// A hasher that takes the ids as they are: ids in the table are random, whatever ids are looked up.
#[derive(Default)]
pub(super) struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

pub(super) type AsTaken = BuildHasherDefault<Taken>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_from_its_header() {
        let id = SessionId::random().unwrap();
        assert_eq!(SessionId::parse(id.to_header().as_bytes()), Some(id));
        assert_eq!(SessionId(0xf).to_header(), "0000000000000000000000000000000f");
    }

    #[test]
    fn no_two_ids_are_the_same() {
        assert_ne!(SessionId::random().unwrap(), SessionId::random().unwrap());
    }

    #[test]
    fn what_was_not_written_here_is_no_id() {
        for not in [
            "",
            "0",
            "0000000000000000000000000000000F",
            "0000000000000000000000000000000g",
            "00000000000000000000000000000000f",
        ] {
            assert_eq!(SessionId::parse(not.as_bytes()), None, "{not}");
        }
    }

    #[test]
    fn an_id_does_not_get_into_logs() {
        let id = SessionId(0xdead_beef);
        assert!(!format!("{id:?}").contains("beef"));
    }
}
