//! Removes addresses of servers from errors that callers see.

use crossway_service::{Call, Closing, Connection, Link, Reply};
use futures_util::StreamExt as _;
use tower_layer::Layer;

/// Replaces words that are not ours.
const FOR_OPERATORS: &str = "those who run this gateway can see why";

/// Tells callers of failures in our own words alone: what comes from elsewhere may name a host, a program or a folder. Operators find it
/// in the log.
pub(super) struct RedactLayer;

impl Layer<Link> for RedactLayer {
    type Service = RedactedConnection;

    fn layer(&self, link: Link) -> RedactedConnection {
        RedactedConnection(link)
    }
}

pub(super) struct RedactedConnection(Link);

impl Connection for RedactedConnection {
    fn call(&self, call: Call) -> Reply {
        Reply::stream(self.0.call(call).map(|item| item.map_err(|error| error.redacted(FOR_OPERATORS))))
    }

    fn close(&self) -> Closing {
        self.0.close()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crossway_service::{CallError, ErrorText, Outcome, Reason, with_causes};
    use crossway_stdio::StartError;

    use super::*;
    use crate::RunError;

    #[test]
    fn what_is_not_in_our_words_is_not_told_and_the_rest_of_a_failure_is() {
        for foreign in [
            "http://10.0.0.7:8000: tcp connect error: Connection refused (os error 111)".to_owned(),
            "wiki.internal is away".to_owned(),
            "no such file: wiki-of-globex".to_owned(),
            with_causes(&RunError::from(StartError::NotFound { program: "wiki-of-globex".into() })),
            with_causes(&RunError::from(StartError::WorkingDirectory { path: "globex".into() })),
        ] {
            for reason in [Reason::Unavailable, Reason::Ended, Reason::InvalidAnswer, Reason::OverLimit] {
                let error = CallError::unknown(reason(ErrorText::private(foreign.clone())))
                    .with_retry_after(Duration::from_secs(3));
                let told = error.clone().redacted(FOR_OPERATORS);
                assert_eq!(*told.reason(), reason(FOR_OPERATORS.into()), "{foreign}");
                assert_eq!((told.outcome(), told.retry_after()), (Outcome::Unknown, error.retry_after()));
            }
        }
        for ours in [
            ErrorText::from("it has failed several times in a row, and is left alone for a while"),
            ErrorText::public(format!("more than {} calls wait", 7)),
        ] {
            let error = CallError::not_sent(Reason::Unavailable(ours));
            assert_eq!(error.clone().redacted(FOR_OPERATORS), error);
        }
    }
}
