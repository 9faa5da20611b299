//! Removes addresses of servers from errors that callers see.

use std::borrow::Cow;

use crossway_service::{Call, CallError, Closing, Connection, Link, Reason, Reply, Scope, Upstream};
use futures_util::StreamExt as _;

/// Stands for what names a place.
const FOR_OPERATORS: Cow<'static, str> = Cow::Borrowed("those who run this gateway can see why");

/// An upstream of whose failures callers are told nothing that names a place: a URL, or the path of a program. Operators find those in the
/// log.
pub(super) struct Discreet<U>(pub(super) U);

impl<U: Upstream> Upstream for Discreet<U> {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(DiscreetLink(self.0.connect(scope)))
    }
}

struct DiscreetLink(Link);

impl Connection for DiscreetLink {
    fn call(&self, call: Call) -> Reply {
        Reply::stream(self.0.call(call).map(|item| item.map_err(discreet)))
    }

    fn close(&self) -> Closing {
        self.0.close()
    }
}

fn discreet(error: CallError) -> CallError {
    let reason = match error.reason() {
        Reason::Unavailable(why) if names_a_place(why) => Reason::Unavailable(FOR_OPERATORS),
        Reason::Ended(why) if names_a_place(why) => Reason::Ended(FOR_OPERATORS),
        Reason::InvalidAnswer(why) if names_a_place(why) => Reason::InvalidAnswer(FOR_OPERATORS),
        _ => return error,
    };
    tracing::debug!(%error, "a call has failed");
    let told = CallError::new(reason, error.outcome());
    error.retry_after().into_iter().fold(told, CallError::with_retry_after)
}

/// What a program or a folder is named behind, of which neither has to have a slash.
const NAMED: [&str; 2] = ["the command ", "the working directory "];

/// Paths and URLs have a slash, and what is said in words has none; so does an address by its numbers.
fn names_a_place(why: &str) -> bool {
    let is_address =
        |word: &str| word.trim_matches(['[', ']', ',', ';']).contains(':') && !word.ends_with(':');
    why.contains(['/', '\\'])
        || NAMED.iter().any(|name| why.contains(name))
        || why.split_whitespace().any(is_address)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crossway_service::Outcome;
    use crossway_stdio::StartError;

    use super::*;
    use crate::RunError;
    use crate::error::told;

    #[test]
    fn what_names_a_place_is_not_told_and_the_rest_of_a_failure_is() {
        for place in [
            "http://10.0.0.7:8000: tcp connect error: Connection refused (os error 111)".to_owned(),
            "the command /opt/tools/wiki could not be started: No such file or directory".to_owned(),
            "C:\\tools\\wiki.exe has ended".to_owned(),
            "tcp connect error: 10.0.0.7:8000 is away".to_owned(),
            "[fe80::1]:80 is away".to_owned(),
            told(&RunError::from(StartError::NotFound { program: "wiki-of-globex".into() })),
            told(&RunError::from(StartError::WorkingDirectory { path: "globex".into() })),
        ] {
            for reason in [Reason::Unavailable, Reason::Ended, Reason::InvalidAnswer] {
                let error =
                    CallError::unknown(reason(place.clone().into())).with_retry_after(Duration::from_secs(3));
                let told = discreet(error.clone());
                assert_eq!(*told.reason(), reason(FOR_OPERATORS), "{place}");
                assert_eq!((told.outcome(), told.retry_after()), (Outcome::Unknown, error.retry_after()));
            }
        }
        for words in [
            "it has failed several times in a row, and is left alone for a while",
            "the process has ended: exit status: 7",
            "its credentials can't be had at the moment",
        ] {
            let error = CallError::not_sent(Reason::Unavailable(words.into()));
            assert_eq!(discreet(error.clone()), error);
        }
    }
}
