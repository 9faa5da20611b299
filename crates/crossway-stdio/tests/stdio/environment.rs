//! What a child sees of its surroundings.

use crossway_service::{Scope, Upstream};
use crossway_stdio::{Command, StdioUpstream};
use serde_json::json;

use crate::support::{Client, command, options};

fn client(command: Command) -> Client {
    Client::new(StdioUpstream::new(command, options()).connect(Scope::Session))
}

#[tokio::test]
async fn a_child_sees_what_is_listed_and_what_it_is_given_and_nothing_else() {
    // The test runner has a dozen variables that are none of a child's business.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let listed = ["PATH", "HOME", "LANG", "TERM", "TMPDIR", "USER", "LOGNAME", "SHELL", "TZ"];
    let names = client(command("legacy").env("GIVEN", "x")).call("environment", json!({})).await.unwrap();
    let names: Vec<&str> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for name in &names {
        let is_given = ["GIVEN", "CROSSWAY_TEST_SCRIPT"].contains(name);
        // What the test runner sets for itself.
        let is_own = name.starts_with("__RUST_TEST") || name.starts_with("LLVM_");
        assert!(is_given || is_own || listed.contains(name) || name.starts_with("LC_"), "{name}");
    }
    assert!(names.contains(&"PATH") && names.contains(&"GIVEN"), "{names:?}");
}

#[tokio::test]
async fn a_given_variable_wins_and_the_last_one_given_does() {
    let client =
        client(command("legacy").env("HOME", "/nowhere").env("X", "1").env("X", "2").env("EMPTY", ""));
    for (name, value) in [("HOME", "/nowhere"), ("X", "2"), ("EMPTY", "")] {
        assert_eq!(client.call("variable", json!({ "name": name })).await.unwrap(), value);
    }
}

#[tokio::test]
async fn a_variable_can_be_let_through_by_name() {
    let client = client(command("legacy").inherit("CARGO_PKG_NAME").inherit("NOT_SET"));
    assert_eq!(client.call("variable", json!({ "name": "CARGO_PKG_NAME" })).await.unwrap(), "crossway-stdio");
    assert!(client.call("variable", json!({ "name": "NOT_SET" })).await.unwrap().is_null());
}

#[tokio::test]
async fn a_child_runs_in_the_directory_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(command("legacy").current_dir(folder.path()));
    let directory = client.call("directory", json!({})).await.unwrap();
    assert_eq!(std::path::Path::new(directory.as_str().unwrap()), folder.path().canonicalize().unwrap());
}
