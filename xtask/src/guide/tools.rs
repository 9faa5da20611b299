//! The `PATH` of a page's commands: the `crossway` that was built, and programs at pinned versions.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};

use crate::interop::Installed;

/// Replaces `npx`: starts the installed package, whatever version is asked for, and downloads nothing.
const NPX: &str = r#"
const { existsSync, readFileSync } = require("fs"), { join } = require("path"), { spawn } = require("child_process");
const words = process.argv.slice(2);
const asksWhere = words[0] === "--where";
while (words[0]?.startsWith("-")) words.shift();
const name = words.shift().replace(/(.)@.*$/, "$1");
const dir = folders.map((folder) => join(folder, "node_modules", name)).find(existsSync);
if (!dir) {
  console.error(`npx: ${name} is neither in interop/package.json nor in interop/servers/package.json`);
  process.exit(1);
}
if (asksWhere) {
  console.log(dir);
  process.exit(0);
}
const { bin } = JSON.parse(readFileSync(join(dir, "package.json")));
const script = typeof bin === "string" ? bin : bin[name.split("/").pop()] ?? Object.values(bin)[0];
const child = spawn(process.execPath, [join(dir, script), ...words], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => process.exit(code ?? 1));
"#;

/// Programs of the Python environments that are in the path under their own names.
const PROGRAMS: [&str; 2] = ["github-mcp-server", "mcp-atlassian"];

/// Recreates the folder.
pub(super) fn lay_out(bin: &Path, crossway: &Path, installed: &Installed) -> Result<()> {
    if bin.exists() {
        fs::remove_dir_all(bin).with_context(|| format!("{} cannot be removed", bin.display()))?;
    }
    fs::create_dir_all(bin).with_context(|| format!("{} cannot be created", bin.display()))?;
    symlink(crossway, bin.join("crossway")).context("crossway cannot be linked")?;
    let node = installed.node.display();
    let npx = bin.join(".npx.js");
    fs::write(&npx, format!("const folders = {:?};\n{NPX}", installed.npm))?;
    program(bin, "node", &format!("exec '{node}' \"$@\""))?;
    program(bin, "npx", &format!("exec '{node}' '{}' \"$@\"", npx.display()))?;
    program(bin, "python3", &format!("exec '{}/bin/python' \"$@\"", installed.python[0].display()))?;
    let found: String = installed
        .python
        .iter()
        .map(|dir| format!("[ -x \"{0}/bin/$name\" ] && exec \"{0}/bin/$name\" \"$@\"\n", dir.display()))
        .collect();
    let missing = "echo \"$name is in no interop/requirements-*.txt of servers\" >&2; exit 1";
    for name in PROGRAMS {
        program(bin, name, &format!("name={name}\n{found}{missing}"))?;
    }
    program(bin, "uvx", &format!("name=\"$1\"; shift\n{found}{missing}"))
}

fn program(bin: &Path, name: &str, text: &str) -> Result<()> {
    let path = bin.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("{} cannot be made a program", path.display()))
}
