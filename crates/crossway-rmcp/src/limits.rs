//! Every bound of this crate, with the reason for it.

/// The most messages between a transport and a handler, in each direction: 4,096, as many as calls may be in
/// flight.
pub(crate) const PIPE_MESSAGES: usize = 4096;
