//! The facade has each feature of the crates that it re-exports.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The packages of the workspace, by name.
fn packages() -> BTreeMap<String, Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array_mut().unwrap().drain(..);
    packages.map(|package| (package["name"].as_str().unwrap().to_owned(), package)).collect()
}

/// What each feature of a package brings.
fn features(package: &Value) -> BTreeMap<String, BTreeSet<String>> {
    serde_json::from_value(package["features"].clone()).unwrap()
}

#[test]
fn the_facade_forwards_each_feature_of_its_members_under_their_name() {
    let packages = packages();
    let facade = features(&packages["crossway"]);
    for member in packages["crossway"]["dependencies"].as_array().unwrap() {
        let member = member["name"].as_str().unwrap();
        let of_member = features(&packages[member]);
        for feature in of_member.keys().filter(|feature| *feature != "default") {
            // A feature that another one brings is forwarded with it.
            let is_brought =
                of_member.iter().any(|(name, brings)| name != "default" && brings.contains(feature));
            let name = format!("{}-{feature}", member.trim_start_matches("crossway-"));
            let forwards =
                facade.get(&name).is_some_and(|brings| brings.contains(&format!("{member}/{feature}")));
            assert!(is_brought || forwards, "crossway has no feature {name} that brings {member}/{feature}");
        }
    }
}

#[test]
fn the_facade_brings_no_feature_that_was_not_asked_for() {
    let packages = packages();
    for member in packages["crossway"]["dependencies"].as_array().unwrap() {
        let name = member["name"].as_str().unwrap();
        let by_default = features(&packages[name]).remove("default").unwrap_or_default();
        assert!(by_default.is_empty() || member["uses_default_features"] == false, "{name}: {by_default:?}");
    }
}

#[test]
fn the_feature_full_of_the_facade_brings_all_others() {
    let mut facade = features(&packages()["crossway"]);
    let full = facade.remove("full").unwrap();
    facade.remove("default");
    assert_eq!(full, facade.into_keys().collect());
}
