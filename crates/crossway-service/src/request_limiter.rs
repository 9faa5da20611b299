//! A bound on requests that several callers share.

use std::fmt;
use std::sync::Arc;

use crate::CallError;

/// A rate limit on requests of any method, shared by its clones.
///
/// Insert it into the extensions of each HTTP request: the transport calls [`admit`](Self::admit) before it handles a client's request
/// and returns the error if it is refused. Notifications, responses and session deletion are never counted.
#[derive(Clone)]
pub struct RequestLimiter(Arc<dyn Fn() -> Result<(), CallError> + Send + Sync>);

impl RequestLimiter {
    /// A limit that calls `admit` once for each request; `admit` counts what it lets through.
    pub fn new(admit: impl Fn() -> Result<(), CallError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(admit))
    }

    /// Lets one more request through.
    ///
    /// # Errors
    ///
    /// When the bound is reached: *not sent*, with the time to try again.
    pub fn admit(&self) -> Result<(), CallError> {
        (self.0)()
    }

    /// As [`admit`](Self::admit), where there may be no bound.
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
