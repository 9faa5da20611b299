//! The dependencies between the crates point down, as ARCHITECTURE.md draws them. A new dependency is a change of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The crates of ours that each crate may use, in ordinary dependencies. Any crate's tests may use `crossway-testkit`.
const ARROWS: &[(&str, &[&str])] = &[
    ("crossway-proto", &[]),
    ("crossway-service", &["crossway-proto"]),
    ("crossway-era", &["crossway-proto"]),
    ("crossway-seal", &[]),
    ("crossway-dial", &[]),
    ("crossway-policy", &[]),
    ("crossway-layers", &["crossway-dial", "crossway-policy", "crossway-proto", "crossway-service"]),
    ("crossway-router", &["crossway-era", "crossway-proto", "crossway-seal", "crossway-service"]),
    ("crossway-stdio", &["crossway-proto", "crossway-service"]),
    ("crossway-http-sse", &["crossway-dial", "crossway-proto", "crossway-service"]),
    ("crossway-streamable-http", &["crossway-dial", "crossway-proto", "crossway-service"]),
    ("crossway-rmcp", &["crossway-proto", "crossway-service"]),
    ("crossway-openapi", &["crossway-dial", "crossway-proto", "crossway-service"]),
    ("crossway-demo", &[]),
    ("crossway-testkit", &["crossway-proto", "crossway-service"]),
    (
        "crossway",
        &[
            "crossway-dial",
            "crossway-http-sse",
            "crossway-era",
            "crossway-layers",
            "crossway-policy",
            "crossway-openapi",
            "crossway-proto",
            "crossway-rmcp",
            "crossway-router",
            "crossway-seal",
            "crossway-service",
            "crossway-stdio",
            "crossway-streamable-http",
        ],
    ),
    (
        "crossway-gateway",
        &[
            "crossway-demo",
            "crossway-dial",
            "crossway-http-sse",
            "crossway-era",
            "crossway-policy",
            "crossway-layers",
            "crossway-openapi",
            "crossway-proto",
            "crossway-rmcp",
            "crossway-router",
            "crossway-seal",
            "crossway-service",
            "crossway-stdio",
            "crossway-streamable-http",
        ],
    ),
    ("crossway-benches", &[]),
    ("crossway-examples", &["crossway", "crossway-gateway"]),
    ("xtask", &[]),
];

/// The packages that crates below the transports must not depend on: they do no I/O.
const SANS_IO: &[&str] =
    &["crossway-proto", "crossway-service", "crossway-era", "crossway-seal", "crossway-policy"];
const IO: &[&str] = &["tokio", "hyper", "hyper-util", "rustls", "process-wrap", "rmcp"];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    packages()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let ordinary = dependencies.filter(|dependency| dependency["kind"].as_str() != Some("dev"));
            (text(&package["name"]), ordinary.map(|dependency| text(&dependency["name"])).collect())
        })
        .collect()
}

#[test]
fn published_documentation_shows_what_is_behind_features() {
    for package in packages() {
        let features = package["features"].as_object().unwrap();
        // `publish` is null if any registry may have the crate, and an empty list if none may.
        if package["publish"].is_null() && !features.is_empty() {
            assert_eq!(package["metadata"]["docs"]["rs"]["all-features"], true, "{}", package["name"]);
        }
    }
}

#[test]
fn no_crate_uses_one_that_it_may_not() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    for (name, used) in dependencies() {
        let Some(allowed) = allowed.get(name.as_str()) else {
            panic!("{name} is not in the table of arrows")
        };
        for used in used.iter().filter(|used| used.starts_with("crossway")) {
            assert!(allowed.contains(&used.as_str()), "a new arrow: {name} -> {used}");
        }
    }
}

#[test]
fn the_lowest_crates_lean_on_nothing_that_does_io() {
    let dependencies = dependencies();
    for name in SANS_IO {
        for io in IO {
            assert!(!dependencies[*name].contains(*io), "{name} -> {io}");
        }
    }
}

/// Clippy reads the nearest file alone: in a crate with no file or an outdated one, reading the clock would go unnoticed.
#[test]
fn the_lowest_crates_have_one_list_of_what_they_must_not_call_and_the_workspace_s_within() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let pure = read("crates/crossway-proto/clippy.toml");
    for line in read("clippy.toml").lines() {
        assert!(pure.contains(line), "{line}");
    }
    for name in SANS_IO {
        assert_eq!(read(&format!("crates/{name}/clippy.toml")), pure, "{name}");
    }
}
