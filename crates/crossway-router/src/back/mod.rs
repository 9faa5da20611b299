//! Modern requests on a pool of sessions of a legacy upstream.
