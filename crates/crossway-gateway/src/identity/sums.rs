//! Per-connection cache of the SHA-256 of credentials.

use std::fmt;
use std::hint::black_box;
use std::sync::{Arc, Mutex};

use ring::digest;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::limits;

/// The sums of the last credentials on one connection. Clones share them.
///
/// All that is cached is that these bytes have this sum, which is independent of config and time: the sum is compared and looked up for
/// each request, as if it had been computed again. An application sends the same key with each request, and the same token with each
/// request of a turn.
#[derive(Clone, Default)]
pub(super) struct Sums(Arc<Places>);

#[derive(Default)]
struct Places {
    bearer: Place,
    statement: Place,
}

/// The last bytes, and their sum.
type Place = Mutex<Option<(Zeroizing<Box<[u8]>>, [u8; 32])>>;

impl Sums {
    /// Returns the sum of a bearer credential.
    pub(super) fn of_bearer(&self, bytes: &[u8]) -> [u8; 32] {
        remembered(&self.0.bearer, bytes)
    }

    /// Returns the sum of a signed statement about a user.
    pub(super) fn of_statement(&self, bytes: &[u8]) -> [u8; 32] {
        remembered(&self.0.statement, bytes)
    }
}

fn remembered(place: &Place, bytes: &[u8]) -> [u8; 32] {
    // If another request on an HTTP/2 connection holds the lock, computing the sum is cheaper than waiting.
    let Ok(mut place) = place.try_lock() else { return sha256(bytes) };
    if let Some((before, sum)) = &*place
        && are_same(before, bytes)
    {
        return *sum;
    }
    let sum = sha256(bytes);
    if bytes.len() <= limits::SUMMED_BYTES {
        *place = Some((Zeroizing::new(bytes.into()), sum));
    }
    sum
}

/// Compares in a time that depends on the length only: many clients may share a proxy's connection, and the time must not reveal how
/// much of another's token is right.
fn are_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (words, bytes) = one.as_chunks::<8>();
    let (other_words, other_bytes) = other.as_chunks::<8>();
    let of_words = words
        .iter()
        .zip(other_words)
        .fold(0, |all, (one, other)| all | (u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other)));
    let of_bytes = bytes.iter().zip(other_bytes).fold(0, |all, (one, other)| all | (one ^ other));
    black_box(of_words | u64::from(of_bytes)).ct_eq(&0).into()
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}

impl fmt::Debug for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sums([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sum_is_that_of_the_bytes_whatever_came_before(
            texts in prop::collection::vec(prop::collection::vec(0_u8..3, 0..20), 1..20),
        ) {
            let sums = Sums::default();
            for text in texts {
                prop_assert_eq!(sums.of_bearer(&text), sha256(&text));
                prop_assert_eq!(sums.clone().of_bearer(&text), sha256(&text));
                prop_assert_eq!(sums.of_statement(b"another place"), sha256(b"another place"));
            }
        }
    }

    #[test]
    fn what_is_long_is_not_kept() {
        let (sums, long) = (Sums::default(), vec![b'a'; limits::SUMMED_BYTES + 1]);
        assert_eq!(sums.of_bearer(&long), sha256(&long));
        assert!(sums.0.bearer.lock().unwrap().is_none());
    }
}
