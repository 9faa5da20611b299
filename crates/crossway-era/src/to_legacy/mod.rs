//! Modern requests on a legacy server's session.
