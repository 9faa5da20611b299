//! Files of the repository that tests write.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a file of the repository with what it is generated from; with `CROSSWAY_BLESS=1` it is written anew.
pub(crate) fn assert_generated(file: &str, wanted: &str) {
    let path = repository().join(file);
    if std::env::var_os("CROSSWAY_BLESS").is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    for (line, (found, wanted)) in found.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(found, wanted, "{file}:{}: CROSSWAY_BLESS=1 writes it anew", line + 1);
    }
    assert_eq!(found.len(), wanted.len(), "{file}: CROSSWAY_BLESS=1 writes it anew");
}
