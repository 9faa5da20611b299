//! Names of merged tools and prompts.

use std::borrow::Cow;
use std::hash::Hasher;

/// Tells tools and prompts of many upstreams apart by their names.
///
/// "Clients or proxies that aggregate tools [...] **SHOULD** implement a disambiguation strategy" (2026-07-28, server/tools).
pub trait Naming: Send + Sync + 'static {
    /// The exposed name of `name` of `upstream`. Has to be the same each time and in each process.
    ///
    /// If two get the same name, the first upstream's is listed and reached; see [`Router::clashes`](super::Router::clashes).
    fn expose<'a>(&self, upstream: &str, name: &'a str) -> Cow<'a, str>;

    /// The upstream and the name that an exposed name stands for, if the name itself shows them. Other names are looked up among the
    /// exposed ones.
    ///
    /// If this returns a pair, `expose` has to return `exposed` for that pair, and for no other.
    fn split<'a>(&self, exposed: &'a str) -> Option<(&'a str, &'a str)> {
        let _ = exposed;
        None
    }

    /// Text about names for the model, as a part of the instructions.
    fn instructions(&self) -> &str {
        ""
    }
}

/// The longest name that current clients accept: 64 bytes of `[A-Za-z0-9_-]`, as the model providers' interfaces require.
const LONGEST: usize = 64;

/// Exposes `upstream__name`, as most gateways do.
///
/// A name that would be longer than 64 bytes, or has other characters than `[A-Za-z0-9_-]`, is cut or changed, and ends with a hash of
/// the original. So does a name that could be taken for another: `a__b` of `c` for `b__c` of `a`. No two names are exposed as one,
/// unless their hashes (64 bits) are equal.
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
    /// Uses another separator between upstream and name.
    #[must_use]
    pub fn separated_by(separator: &str) -> Self {
        Self { separator: separator.to_owned() }
    }
}

impl Naming for Prefixed {
    fn expose<'a>(&self, upstream: &str, name: &'a str) -> Cow<'a, str> {
        let whole = [upstream, &self.separator, name].concat();
        if whole.len() <= LONGEST && whole.chars().all(fits) && self.split(&whole) == Some((upstream, name)) {
            return Cow::Owned(whole);
        }
        Cow::Owned(hashed(&whole, &[upstream, name]))
    }

    fn split<'a>(&self, exposed: &'a str) -> Option<(&'a str, &'a str)> {
        // Like `str::split_once`, which is optimized for longer texts than names.
        let (bytes, separator) = (exposed.as_bytes(), self.separator.as_bytes());
        let is_here = |at: &usize| bytes[*at..].starts_with(separator);
        let at = match separator.first() {
            Some(first) => (0..bytes.len()).find(|at| bytes[*at] == *first && is_here(at))?,
            None => 0,
        };
        let (upstream, name) = (exposed.get(..at)?, exposed.get(at + separator.len()..)?);
        // A name that may have been cut is looked up.
        (!has_hash(exposed)).then_some((upstream, name))
    }

    fn instructions(&self) -> &str {
        "The names of tools and prompts begin with their server's."
    }
}

/// Exposes names unchanged, for upstreams whose names don't clash: of two that do, the first upstream's is
/// reached, and [`Router::clashes`](super::Router::clashes) names both.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unprefixed;

impl Naming for Unprefixed {
    fn expose<'a>(&self, _: &str, name: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(name)
    }
}

fn fits(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Returns as much of the text as fits, and a hash of `parts`.
fn hashed(text: &str, parts: &[&str]) -> String {
    let mut hasher = Fnv::default();
    for part in parts {
        hasher.write(part.as_bytes());
        // UTF-8 never contains this byte.
        hasher.write(&[0xff]);
    }
    let hash = format!("_{:016x}", hasher.finish());
    let kept = text.chars().map(|c| if fits(c) { c } else { '_' }).take(LONGEST - hash.len());
    kept.collect::<String>() + &hash
}

fn has_hash(text: &str) -> bool {
    let Some((rest, hash)) = text.as_bytes().split_last_chunk::<16>() else { return false };
    rest.last() == Some(&b'_') && hash.iter().all(u8::is_ascii_hexdigit)
}

/// FNV-1a of 64 bits: the same in each process, unlike the standard library's hash.
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

    #[test]
    fn names_that_could_be_anothers_are_told_apart_by_a_hash() {
        let naming = Prefixed::default();
        for ((one, its), (two, theirs)) in
            [(("a", "b__c"), ("a__b", "c")), (("a", "_b"), ("a_", "b")), (("a", "__b"), ("a__", "b"))]
        {
            assert_ne!(naming.expose(one, its), naming.expose(two, theirs));
        }
        assert_eq!(naming.expose("a", "b__c"), "a__b__c");
        // It looks as if it had been cut, so it is looked up as cut names are.
        let looks_cut = naming.expose("a", "b_0123456789abcdef").into_owned();
        assert_ne!(looks_cut, "a__b_0123456789abcdef");
        assert_eq!(naming.split(&looks_cut), None);
    }

    #[test]
    fn a_separator_that_does_not_fit_makes_names_hashed_but_different() {
        for separator in [".", "", "::", "日本"] {
            let naming = Prefixed::separated_by(separator);
            assert_ne!(naming.expose("a", "b"), naming.expose("ab", ""), "{separator}");
        }
        assert_eq!(Prefixed::separated_by("-").expose("a", "b_c"), "a-b_c");
    }

    /// Names made of parts that resemble separators, cuts and hashes.
    fn tricky() -> impl Strategy<Value = String> {
        prop_oneof!["[a_]{0,4}", "[ab_-]{0,70}", ".{0,70}", "[ab]{0,3}__[ab]{0,3}", "[ab]__?[0-9a-f]{16}"]
    }

    proptest! {
        #[test]
        fn an_exposed_name_is_one_that_clients_take(upstream in tricky(), name in tricky()) {
            let exposed = Prefixed::default().expose(&upstream, &name).into_owned();
            prop_assert!(exposed.len() <= LONGEST);
            prop_assert!(exposed.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
        }

        #[test]
        fn no_two_of_any_names_are_exposed_as_one(
            names in prop::collection::hash_set((tricky(), tricky()), 2..60),
            separator in prop::sample::select(vec!["__", "_", "-", "--", "."]),
        ) {
            let naming = Prefixed::separated_by(separator);
            let mut owners = std::collections::HashMap::new();
            for (upstream, name) in &names {
                let exposed = naming.expose(upstream, name).into_owned();
                // The parts that the name shows are the true ones.
                if let Some(told) = naming.split(&exposed) {
                    prop_assert_eq!(told, (upstream.as_str(), name.as_str()));
                }
                prop_assert_eq!(owners.insert(exposed, (upstream, name)), None);
            }
        }

        #[test]
        fn what_a_split_tells_is_what_was_exposed(exposed in tricky()) {
            let naming = Prefixed::default();
            if let Some((upstream, name)) = naming.split(&exposed)
                && exposed.len() <= LONGEST
                && exposed.chars().all(fits)
            {
                prop_assert_eq!(naming.expose(upstream, name).into_owned(), exposed.as_str());
            }
        }
    }
}
