//! What tools and prompts of many upstreams are called.

use std::borrow::Cow;
use std::hash::Hasher;

/// How tools and prompts of many upstreams are told apart by their names.
///
/// "Clients or proxies that aggregate tools [...] **SHOULD** implement a disambiguation strategy" (2026-07-28, server/tools).
pub trait Naming: Send + Sync + 'static {
    /// What `name` of `upstream` is called. Has to give the same each time and in each process.
    fn expose<'a>(&self, upstream: &str, name: &'a str) -> Cow<'a, str>;

    /// The upstream and the name that an exposed name stands for, where the name itself tells. Others are looked up
    /// among those that have been exposed.
    fn split<'a>(&self, exposed: &'a str) -> Option<(&'a str, &'a str)> {
        let _ = exposed;
        None
    }
}

/// The longest name that clients in use take: 64 bytes of `[A-Za-z0-9_-]`, which the model providers' interfaces set.
const LONGEST: usize = 64;

/// `upstream__name`, as most gateways have it.
///
/// A name that would be longer than 64 bytes, or has other characters than `[A-Za-z0-9_-]`, is cut or changed, and gets a
/// hash of what it was at its end.
#[derive(Debug, Clone)]
pub struct Prefixed {
    separator: String,
}

impl Default for Prefixed {
    fn default() -> Self {
        Self::separated_by("__")
    }
}

impl Prefixed {
    /// Puts something else between upstream and name.
    #[must_use]
    pub fn separated_by(separator: &str) -> Self {
        Self { separator: separator.to_owned() }
    }
}

impl Naming for Prefixed {
    fn expose<'a>(&self, upstream: &str, name: &'a str) -> Cow<'a, str> {
        let whole = format!("{upstream}{}{name}", self.separator);
        Cow::Owned(fitting(&whole, &[upstream, name]))
    }

    fn split<'a>(&self, exposed: &'a str) -> Option<(&'a str, &'a str)> {
        // One that may have been cut is looked up.
        exposed.split_once(&self.separator).filter(|_| !has_hash(exposed))
    }
}

/// The names that upstreams have. For upstreams whose names don't clash: of two that do, the first upstream's is
/// reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unprefixed;

impl Naming for Unprefixed {
    fn expose<'a>(&self, _: &str, name: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(name)
    }
}

/// The text if it fits; else as much of it as fits, and a hash of `parts`.
fn fitting(text: &str, parts: &[&str]) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.len() <= LONGEST && text.chars().all(fits) {
        return text.to_owned();
    }
    let mut hasher = Fnv::default();
    for part in parts {
        hasher.write(part.as_bytes());
        hasher.write(&[0xff]);
    }
    let hash = format!("_{:016x}", hasher.finish());
    let mut kept: String = text.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    kept.truncate(LONGEST - hash.len());
    kept + &hash
}

fn has_hash(text: &str) -> bool {
    let hash = text.rsplit_once('_').map(|(_, hash)| hash).unwrap_or_default();
    hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// FNV-1a of 64 bits: the same in each process, as the standard library's hash is not.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_fit_are_only_prefixed() {
        let naming = Prefixed::default();
        assert_eq!(naming.expose("github", "create_issue"), "github__create_issue");
        assert_eq!(naming.split("github__create_issue"), Some(("github", "create_issue")));
    }

    #[test]
    fn names_that_do_not_fit_are_cut_and_stay_different() {
        let naming = Prefixed::default();
        let long = "x".repeat(80);
        let (one, two) = (naming.expose("up", &long), naming.expose("up", &long[1..]));
        assert_eq!((one.len(), two.len()), (LONGEST, LONGEST));
        assert_ne!(one, two);
        assert_eq!(naming.expose("my server", "a.b"), "my_server__a_b_3a2263da4b045003");
        assert_ne!(naming.expose("a_b", "c"), naming.expose("a b", "c"));
    }

    proptest! {
        #[test]
        fn an_exposed_name_is_one_that_clients_take(upstream in ".{1,40}", name in ".{1,100}") {
            let exposed = Prefixed::default().expose(&upstream, &name).into_owned();
            prop_assert!(exposed.len() <= LONGEST);
            prop_assert!(exposed.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
        }

        #[test]
        fn two_names_of_one_upstream_stay_two(upstream in "[a-z ]{1,9}", one in ".{1,100}", two in ".{1,100}") {
            let naming = Prefixed::default();
            prop_assert_eq!(naming.expose(&upstream, &one) == naming.expose(&upstream, &two), one == two);
        }
    }
}
