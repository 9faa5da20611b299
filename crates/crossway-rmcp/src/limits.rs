//! Every bound of this crate, with the reason for it.

/// How many messages may be on their way between a transport and a handler, each way: 4,096, as many as calls may be in flight.
pub(crate) const PIPE_MESSAGES: usize = 4096;
