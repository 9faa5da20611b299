//! What a page's commands find in their `PATH`: the `crossway` that was built, and programs at pinned versions.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};

use crate::interop::Installed;

/// Stands for `npx`: starts the package that is installed already, whatever version is asked for, and fetches nothing.
const NPX: &str = r#"
const { readFileSync } = require("fs"), { join } = require("path"), { spawn } = require("child_process");
const [modules, ...words] = process.argv.slice(1);
while (words[0]?.startsWith("-")) words.shift();
const name = words.shift().replace(/(.)@.*$/, "$1");
let about;
try { about = JSON.parse(readFileSync(join(modules, name, "package.json"))); }
catch { console.error(`npx: ${name} is not among the packages of interop/package.json`); process.exit(1); }
const bin = typeof about.bin === "string" ? about.bin : about.bin[name.split("/").pop()] ?? Object.values(about.bin)[0];
const child = spawn(process.execPath, [join(modules, name, bin), ...words], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? 1));
"#;

/// Makes the folder anew.
pub(super) fn lay_out(bin: &Path, crossway: &Path, installed: &Installed) -> Result<()> {
    if bin.exists() {
        fs::remove_dir_all(bin).with_context(|| format!("{} cannot be removed", bin.display()))?;
    }
    fs::create_dir_all(bin).with_context(|| format!("{} cannot be created", bin.display()))?;
    symlink(crossway, bin.join("crossway")).context("crossway cannot be linked")?;
    let (node, npm, python) = (installed.node.display(), installed.npm.display(), installed.python.display());
    let npx_script = bin.join(".npx.js");
    fs::write(&npx_script, format!("process.argv.splice(1, 1);{NPX}"))?;
    program(bin, "node", &format!("exec '{node}' \"$@\""))?;
    program(bin, "npx", &format!("exec '{node}' '{}' '{npm}/node_modules' \"$@\"", npx_script.display()))?;
    program(bin, "python3", &format!("exec '{python}/bin/python' \"$@\""))?;
    let uvx = format!(
        "name=\"$1\"; shift\n\
         [ -x \"{python}/bin/$name\" ] || {{ echo \"uvx: $name is not among the packages of interop/requirements-py2.txt\" >&2; exit 1; }}\n\
         exec \"{python}/bin/$name\" \"$@\""
    );
    program(bin, "uvx", &uvx)
}

fn program(bin: &Path, name: &str, text: &str) -> Result<()> {
    let path = bin.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("{} cannot be made a program", path.display()))
}
