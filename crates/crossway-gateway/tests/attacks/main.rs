//! Attacks on `crossway serve`, each over real sockets. [docs/attacks.md](../../../../docs/attacks.md) has a line for each.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod ask;
mod bombs;
mod children;
mod elsewhere;
mod fake;
mod headers;
#[expect(unreachable_pub, reason = "the tests of the edge share it")]
#[path = "../identity_tokens/mod.rs"]
mod issued;
mod lists;
mod load;
mod paths;
mod requests;
mod secrets;
mod sessions;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod tokens;

use std::fs;

use support::Serving;

/// A gateway with this config, in a folder of its own.
fn serving(dir: &tempfile::TempDir, config: &str) -> Serving {
    let path = dir.path().join("crossway.yaml");
    fs::write(&path, config).unwrap();
    Serving::start(&["serve", "--config", path.to_str().unwrap()])
}

/// What `crossway check` says of a config that can't be used.
fn refused(config: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("crossway.yaml");
    fs::write(&path, config).unwrap();
    let output = support::run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "it can be used: {config}");
    String::from_utf8(output.stdout).unwrap()
}
