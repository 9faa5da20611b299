//! Every bound of this crate, with its default and the reason for it.
