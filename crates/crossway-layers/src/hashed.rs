//! Tables that calls look into.

/// A table whose keys are of the config, of its servers, of callers who have proven who they are, or made here. Its hashes cost a fraction
/// of the standard library's, which are for keys that strangers choose.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
