//! `cargo xtask compare`: builds what it takes, and runs `crossway-compare`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What `crossway-compare` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Options for crossway-compare, such as --rounds 3; `-- --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Compares; false if that could not be done.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no folder above it")?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    eprintln!("building crossway and the programs that measure it (release)");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--bins"])
        .args(["--package", "crossway-gateway", "--package", "crossway-benches"])
        .current_dir(root)
        .status()
        .context("cargo cannot be started")?;
    ensure!(status.success(), "crossway does not build");
    let status = Command::new(target.join("release/crossway-compare"))
        .arg("--installed")
        .arg(target.join("compare"))
        .args(&options.options)
        .current_dir(root)
        .status()
        .context("crossway-compare cannot be started")?;
    Ok(status.success())
}
