//! Many upstreams as one.
