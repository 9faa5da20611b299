//! A bound on requests that several callers share.

use std::fmt;
use std::sync::Arc;

use crate::CallError;

/// A bound on requests that some callers share, whatever they ask for. Clones share it.
///
/// Put one into the extensions of each HTTP request, as its caller's: a transport asks it before it does anything for a request of its
/// client, and answers one that is too much with the error. What frees something is let through and not counted: notifications, answers
/// to what a server has asked, ends of sessions.
#[derive(Clone)]
pub struct RequestLimiter(Arc<dyn Fn() -> Result<(), CallError> + Send + Sync>);

impl RequestLimiter {
    /// A bound that is asked once for each request: it counts what it lets through.
    pub fn new(admit: impl Fn() -> Result<(), CallError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(admit))
    }

    /// Lets one more request through.
    ///
    /// # Errors
    ///
    /// When it is too much: *not sent*, with word of when to try again.
    pub fn admit(&self) -> Result<(), CallError> {
        (self.0)()
    }

    /// The same where there may be no bound.
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit).
    pub fn admit_if_any(bound: Option<&Self>) -> Result<(), CallError> {
        bound.map_or(Ok(()), Self::admit)
    }
}

impl fmt::Debug for RequestLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestLimiter")
    }
}
