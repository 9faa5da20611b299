//! The machine's root certificates: read when they are first needed, and anew when one may have been added.

use std::fmt;
use std::future::Future;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::limits::ROOTS_AGAIN;

/// What is made of the machine's root certificates, such as a TLS configuration. It is read at its first use and kept; once it is in
/// [doubt](Self::doubt), the next use reads it anew. So a new authority counts without a restart.
pub struct Roots<T>(Mutex<Option<Kept<T>>>);

struct Kept<T> {
    value: T,
    read_at: Instant,
    is_doubted: bool,
}

impl<T: Clone> Roots<T> {
    /// Creates it without reading anything.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::const_new(None))
    }

    /// Returns what was read last, or reads it if nothing was, or if that is in doubt. Concurrent callers wait for one reading. If reading
    /// anew fails, what was read before is kept: it still verifies other servers.
    ///
    /// # Errors
    ///
    /// When reading fails for the first time, with its error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses what it was reading: the next call reads it.
    pub async fn get_or_read<E, F>(&self, read: impl FnOnce() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut kept = self.0.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| !kept.is_doubted) {
            return Ok(kept.value.clone());
        }
        let value = match (read().await, kept.take()) {
            (Ok(value), _) => value,
            (Err(_), Some(before)) => before.value,
            (Err(error), None) => return Err(error),
        };
        *kept = Some(Kept { value: value.clone(), read_at: Instant::now(), is_doubted: false });
        Ok(value)
    }

    /// Says that a server's certificate is of an unknown issuer, who may have been added to the machine's since. Has no effect within
    /// [`ROOTS_AGAIN`] of the last reading.
    pub async fn doubt(&self) {
        if let Some(kept) = &mut *self.0.lock().await {
            kept.is_doubted |= kept.read_at.elapsed() >= ROOTS_AGAIN;
        }
    }
}

impl<T: Clone> Default for Roots<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Roots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn roots_in_doubt_are_read_anew_once_they_are_old_enough() {
        let roots = Roots::new();
        let get = async |read: Result<u32, &'static str>| roots.get_or_read(|| async { read }).await;
        assert_eq!(get(Err("none")).await, Err("none"));
        assert_eq!(get(Ok(1)).await, Ok(1));
        advance(ROOTS_AGAIN * 2).await;
        assert_eq!(get(Ok(2)).await, Ok(1), "nobody doubts them");
        roots.doubt().await;
        assert_eq!(get(Ok(3)).await, Ok(3));
        roots.doubt().await;
        assert_eq!(get(Ok(4)).await, Ok(3), "they were read a moment ago");
        advance(ROOTS_AGAIN).await;
        roots.doubt().await;
        assert_eq!(get(Err("none")).await, Ok(3), "what verified others is kept");
        assert_eq!(get(Ok(5)).await, Ok(3), "and counts as read");
    }
}
