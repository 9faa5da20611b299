//! `cargo xtask features`: checks that each crate builds without features, and with each of them alone.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::place::Place;

/// Checks the library crates one after the other; returns false if one of them does not build, or has warnings.
pub(crate) fn run() -> Result<bool> {
    let place = Place::new()?;
    let mut failed = Vec::new();
    for (package, feature) in alone(&metadata(&place)?) {
        let what = feature.as_deref().unwrap_or("no feature");
        let mut cargo = cargo(&place);
        cargo.args(["check", "--quiet", "--locked", "--no-default-features", "--package", &package]);
        cargo.args(feature.as_ref().map(|feature| format!("--features={feature}")));
        let output = cargo.output().context("cargo cannot be started")?;
        // With `--quiet` cargo says nothing but warnings and errors.
        if !output.status.success() || !output.stderr.is_empty() {
            eprintln!("{package} with {what}:\n{}", String::from_utf8_lossy(&output.stderr));
            failed.push(format!("{package} with {what}"));
        }
    }
    if !failed.is_empty() {
        eprintln!("these do not build without warnings: {}", failed.join(", "));
    }
    Ok(failed.is_empty())
}

fn cargo(place: &Place) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&place.root);
    cargo
}

fn metadata(place: &Place) -> Result<Value> {
    let output = cargo(place).args(["metadata", "--no-deps", "--locked", "--format-version", "1"]).output();
    let output = output.context("cargo cannot be started")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("what cargo metadata says is not JSON")
}

/// Each published library with no feature, and with each of its features. `default` is what all other builds have.
fn alone(metadata: &Value) -> Vec<(String, Option<String>)> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    // `publish` is null if any registry may have the crate. The gateway has no features, and is built whole elsewhere.
    let published =
        packages.filter(|package| package["publish"].is_null() && package["name"] != "crossway-gateway");
    let mut alone = Vec::new();
    for package in published {
        let name = package["name"].as_str().unwrap_or_default();
        let features = package["features"].as_object().into_iter().flat_map(|features| features.keys());
        alone.push((name.to_owned(), None));
        alone.extend(
            features
                .filter(|name| *name != "default")
                .map(|feature| (name.to_owned(), Some(feature.clone()))),
        );
    }
    alone
}
