"""Makes the archive of a release with its checksum, and tries what is in it.

The same commit and binary give the same bytes: names are sorted, times are the commit's, nobody owns anything.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CYCLONEDX = "0.5.9"
# What `crossway completions` is asked for, and what shells look for.
SHELLS = {
    "bash": "completions/bash/crossway",
    "zsh": "completions/zsh/_crossway",
    "fish": "completions/fish/crossway.fish",
    "elvish": "completions/elvish/crossway.elv",
    "powershell": "completions/powershell/_crossway.ps1",
}
AS_THEY_ARE = ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-MIT", "LICENSE-APACHE", "docs/crossway.schema.json"]
FOLDERS = ["examples/systemd"]


def said(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, **more).stdout


def report(line):
    print(f"ok  {line}", flush=True)


def sbom():
    """What crossway is made of, by cargo-cyclonedx, which is installed if it is not there."""
    if shutil.which("cargo-cyclonedx") is None:
        said("cargo", "install", "--quiet", "--locked", "--version", CYCLONEDX, "cargo-cyclonedx")
    crate = ROOT / "crates/crossway-gateway"
    name = "crossway-release-sbom"
    said("cargo", "cyclonedx", "--format", "json", "--manifest-path", crate / "Cargo.toml", "--override-filename", name, cwd=ROOT)
    # It writes beside each manifest of the workspace that it looks at.
    text = (crate / f"{name}.json").read_text()
    for left in ROOT.glob(f"*/*/{name}.json"):
        left.unlink()
    for left in ROOT.glob(f"*/{name}.json"):
        left.unlink()
    found = json.loads(text)
    # A number of its own, and the time, would be others each time.
    found.pop("serialNumber", None)
    found["metadata"].pop("timestamp", None)
    # Nor has it to be known where this was built.
    return (json.dumps(found, indent=1).replace(str(ROOT), "") + "\n").encode()


def contents(crossway, with_sbom):
    """What is in the archive, by name: bytes, and whether it is a program."""
    files = {f"bin/{crossway.name}": (crossway.read_bytes(), True)}
    files["man/man1/crossway.1"] = (said(crossway, "man"), False)
    for shell, name in SHELLS.items():
        files[name] = (said(crossway, "completions", shell), False)
    for name in AS_THEY_ARE:
        files[pathlib.PurePath(name).name] = ((ROOT / name).read_bytes(), False)
    for folder in FOLDERS:
        for file in (ROOT / folder).iterdir():
            files[f"{file.parent.name}/{file.name}"] = (file.read_bytes(), False)
    if with_sbom:
        files["crossway.cdx.json"] = (sbom(), False)
    return files


def pack(files, folder, time):
    packed = io.BytesIO()
    # Without a name and a time of its own.
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=time) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, (content, is_program) in sorted(files.items()):
            about = tarfile.TarInfo(f"{folder}/{name}")
            about.size, about.mtime, about.mode = len(content), time, 0o755 if is_program else 0o644
            tar.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def host(crossway):
    """The triple that cargo builds for here."""
    lines = said("rustc", "--version", "--verbose", text=True).splitlines()
    return next(line.removeprefix("host: ") for line in lines if line.startswith("host: "))


def make(options):
    version = said(options.crossway, "--version", text=True).split()[1]
    time = int(os.environ.get("SOURCE_DATE_EPOCH") or said("git", "log", "-1", "--format=%ct", cwd=ROOT))
    name = f"crossway-{version}-{options.target or host(options.crossway)}"
    files = contents(options.crossway, not options.no_sbom)
    packed = pack(files, name, time)
    assert packed == pack(files, name, time), "it is not the same each time"
    options.out.mkdir(parents=True, exist_ok=True)
    archive = options.out / f"{name}.tar.gz"
    archive.write_bytes(packed)
    checksum = archive.with_name(f"{archive.name}.sha256")
    checksum.write_text(f"{hashlib.sha256(packed).hexdigest()}  {archive.name}\n")
    report(f"{archive.name}: {len(files)} files, {len(packed) / 2**20:.1f} MiB")
    return archive


def attempt(archive):
    """What a user does: the checksum, the archive, the program, its man page, its completions."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for file in (archive, archive.with_name(f"{archive.name}.sha256")):
            shutil.copy(file, folder)
        said("sha256sum", "--check", "--strict", f"{archive.name}.sha256", cwd=folder)
        said("tar", "-xzf", archive.name, cwd=folder)
        place = folder / archive.name.removesuffix(".tar.gz")
        crossway = place / "bin/crossway"
        assert said(crossway, "--version", text=True).startswith("crossway ")
        report("its checksum holds, it unpacks, and crossway runs")
        (folder / archive.name).write_bytes(archive.read_bytes()[:-1] + b"x")
        changed = subprocess.run(["sha256sum", "--check", f"{archive.name}.sha256"], cwd=folder, capture_output=True)
        assert changed.returncode != 0, "a changed archive has the same checksum"
        report("another last byte is noticed")

        config = ROOT / "examples/docker/crossway.yaml"
        said(crossway, "check", "--config", config)
        page = (place / "man/man1/crossway.1").read_text()
        commands = [line.split()[0] for line in commands_of(crossway)]
        assert ".TH" in page and all(f"crossway-{name}" in page.replace("\\-", "-") for name in commands), commands
        script = place / SHELLS["bash"]
        ask = f'source "{script}"; COMP_WORDS=(crossway che); COMP_CWORD=1; _crossway crossway che crossway; echo "${{COMPREPLY[@]}}"'
        assert said("bash", "-c", ask, text=True).split() == ["check"], "bash completes che to something else than check"
        report(f"the man page has all {len(commands)} commands, and bash completes them")
        if (place / "crossway.cdx.json").exists():
            found = json.loads((place / "crossway.cdx.json").read_text())
            names = {component["name"] for component in found["components"]}
            assert str(ROOT) not in json.dumps(found)
            assert found["bomFormat"] == "CycloneDX" and {"hyper", "rustls", "crossway-proto"} <= names
            report(f"its SBOM has {len(names)} crates")


def commands_of(crossway):
    """The lines of `crossway --help` that have a command."""
    lines = said(crossway, "-h", text=True).splitlines()
    start = lines.index("Commands:") + 1
    return [line for line in lines[start : lines.index("", start)] if line[2:3].strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crossway", required=True, type=pathlib.Path)
    parser.add_argument("--target", help="the triple that it was built for, if it is not this machine's")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target/dist")
    parser.add_argument("--no-sbom", action="store_true", help="without the list of crates")
    options = parser.parse_args()
    options.crossway = options.crossway.resolve()
    archive = make(options)
    if options.target is None:
        attempt(archive)


if __name__ == "__main__":
    sys.exit(main())
