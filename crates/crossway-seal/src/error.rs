//! Errors of sealing, opening and reading keys.

/// A handle does not open: it was changed, was made by another key or for another purpose, or is not a handle.
///
/// The error does not say which, so that nobody learns from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the handle is not valid")]
pub struct OpenError;

/// A handle can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The plaintext is too long.
    #[error("a handle would have more than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
}

/// A key ring can't be read. Keys are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no key.
    #[error("there is no key; a line has one, as `openssl rand -base64 32` prints it")]
    Empty,
    /// A line is not a key.
    #[error("line {line} is no key: 32 bytes in base64 are wanted, as `openssl rand -base64 32` prints them")]
    NotAKey {
        /// The line, from 1 on.
        line: usize,
    },
    /// A key consists of equal bytes.
    #[error("line {line} is a key of equal bytes, which anybody can guess")]
    Weak {
        /// The line, from 1 on.
        line: usize,
    },
    /// There are more keys than a ring holds.
    #[error("there are more than {limit} keys; take those away that nothing was sealed with lately")]
    TooMany {
        /// The bound.
        limit: usize,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}
