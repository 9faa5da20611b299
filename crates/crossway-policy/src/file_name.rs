//! File names for users' secrets.

use std::fmt::Write as _;

use crate::config::FileBy;
use crate::{Principal, limits};

/// The name of a caller's file in a directory of secrets: safe in every file system, and unique to the caller.
///
/// Letters `a-z`, digits, `-` and `.` stay as they are; every other byte, `_` and capital letters among them, becomes `_` and two
/// hexadecimal digits, and so do dots at the beginning and the end. By e-mail, `alice@acme.example` has
/// `alice_40acme.example`; by issuer and subject, the two are joined by `__`. Such names are keys of Kubernetes secrets as well.
///
/// `None` if the caller has no e-mail address, or the name would be longer than [`limits::FILE_NAME_BYTES`].
#[must_use]
pub fn file_name(principal: &Principal, by: FileBy) -> Option<String> {
    let name = match by {
        FileBy::Email => escape(principal.email().filter(|email| !email.is_empty())?),
        FileBy::Subject => format!("{}__{}", escape(principal.issuer()), escape(principal.subject())),
    };
    (name.len() <= limits::FILE_NAME_BYTES).then_some(name)
}

fn escape(text: &str) -> String {
    let mut name = String::with_capacity(text.len() + 8);
    for (at, byte) in text.bytes().enumerate() {
        let edge = at == 0 || at + 1 == text.len();
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            b'.' if !edge => name.push('.'),
            _ => _ = write!(name, "_{byte:02x}"),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Proof;

    #[test]
    fn names_of_files_go_nowhere_else() {
        let by_email = |email: &str| file_name(&Principal::anonymous().with_email(email), FileBy::Email);
        assert_eq!(by_email("alice@acme.example").as_deref(), Some("alice_40acme.example"));
        assert_eq!(by_email("Alice@acme.example").as_deref(), Some("_41lice_40acme.example"));
        assert_eq!(by_email("../../etc/passwd").as_deref(), Some("_2e._2f.._2fetc_2fpasswd"));
        assert_eq!(by_email("..").as_deref(), Some("_2e_2e"));
        assert_eq!(by_email("a\0b").as_deref(), Some("a_00b"));
        assert_eq!(by_email(""), None);
        assert_eq!(by_email(&"a".repeat(254)), None);
        let alice = Principal::new("https://login.example", "alice", Proof::Jwt);
        let name = file_name(&alice, FileBy::Subject);
        assert_eq!(name.as_deref(), Some("https_3a_2f_2flogin.example__alice"));
        assert_eq!(file_name(&alice, FileBy::Email), None);
    }

    proptest! {
        #[test]
        fn two_callers_never_share_a_file(a in "[aA._/@-]{0,4}", b in "[aA._/@-]{0,4}", c in "[aA._/@-]{0,4}", d in "[aA._/@-]{0,4}") {
            let (one, other) = (Principal::new(a, b, Proof::Jwt), Principal::new(c, d, Proof::Jwt));
            let (x, y) = (file_name(&one, FileBy::Subject).unwrap(), file_name(&other, FileBy::Subject).unwrap());
            prop_assert_eq!(one == other, x.eq_ignore_ascii_case(&y));
            prop_assert!(!x.contains(['/', '\\', '\0']) && !x.starts_with('.') && !x.ends_with('.'));
        }
    }
}
