"""Starts what the images of examples/docker start, as their user, with their environment and a root that can't be written to.

There is no Docker here: bubblewrap makes the container, out of the files that the images are said to have.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from alone import alone
from dockerfile import stages
from mcp import Client, Failed, Program, report

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKER = ROOT / "examples/docker"
# What gcr.io/distroless/cc-debian12 has of libraries: libc6, libgcc-s1, libstdc++6, libgomp1 and libssl3 of Debian.
DISTROLESS = re.compile(r"(ld-linux-x86-64|libc|libm|libgcc_s|libdl|libpthread|librt|libstdc\+\+|libssl|libcrypto)\.so")
# Of the quick start's config.
KEY = {"Authorization": "Bearer quick-start-key"}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class Container:
    """One of the images, as bubblewrap can start it."""

    def __init__(self, stage, base, crossway, config, scratch=False):
        self.stage, self.base, self.crossway, self.config, self.scratch = stage, base, crossway, config, scratch

    def command(self, words, *more):
        uid, gid = self.stage.user.split(":")
        command = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1", "--die-with-parent"]
        command += ["--new-session", "--uid", uid, "--gid", gid, "--cap-drop", "ALL", "--hostname", "container", "--clearenv"]
        for name, value in self.stage.env.items():
            command += ["--setenv", name, value]
        if self.scratch:
            # First, for what the base takes from this machine may be in there.
            command += ["--tmpfs", "/tmp"]
        command += self.base
        for source, target in [copy[1:] for copy in self.stage.copies if copy[0] == "--from=build"]:
            assert source == "/crossway", source
            command += ["--ro-bind", self.crossway, target]
        command += ["--ro-bind", self.config, "/etc/crossway", "--proc", "/proc", "--dev", "/dev"]
        if self.scratch:
            command += ["--remount-ro", "/usr/local/bin"]
        command += ["--remount-ro", "/", "--chdir", self.stage.workdir, *more, "--"]
        return [str(word) for word in command + words]

    def run(self, *words):
        """Another command of the image, to its end."""
        return subprocess.run(self.command([*self.stage.entrypoint, *words]), capture_output=True, text=True, timeout=60)

    def is_healthy(self):
        done = subprocess.run(self.command(self.stage.healthcheck), capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), done
        return done.returncode == 0

    @contextlib.contextmanager
    def running(self, log):
        """What the image starts when nothing is said; gives the program, and the process that is 1 within."""
        reading, writing = os.pipe()
        command = self.command(self.stage.entrypoint + self.stage.cmd, "--info-fd", writing)
        with Program(command, log, env={}, more={"pass_fds": [writing]}) as program:
            os.close(writing)
            with open(reading) as info:
                first = json.loads(info.read())["child-pid"]
            yield program, first


def libraries(crossway):
    """Where the loader finds what crossway is linked with, and the loader itself."""
    said = subprocess.run(["ldd", crossway], capture_output=True, text=True, check=True).stdout
    paths = re.findall(r"(/\S+) \(0x", said)
    foreign = [path for path in paths if not DISTROLESS.match(pathlib.Path(path).name)]
    assert paths and not foreign, f"the distroless image does not have {foreign}"
    return paths


def distroless(crossway, folder):
    """The base of the first image: libraries, certificates, users."""
    (folder / "passwd").write_text("root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")
    base = ["--ro-bind", folder / "passwd", "/etc/passwd", "--ro-bind", CERTIFICATES, CERTIFICATES]
    for path in libraries(crossway):
        base += ["--ro-bind", pathlib.Path(path).resolve(), path]
    return base


def debian(folder):
    """The base of the second image: this machine's own /usr, with nothing in /usr/local/bin but what the image puts there."""
    (folder / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    base = ["--ro-bind", "/usr", "/usr", "--tmpfs", "/usr/local/bin"]
    for name in ("bin", "lib", "lib64", "sbin"):
        base += ["--symlink", f"usr/{name}", f"/{name}"]
    base += ["--ro-bind", folder / "passwd", "/etc/passwd", "--ro-bind", CERTIFICATES, CERTIFICATES]
    return base + ["--ro-bind", ROOT / "interop/deploy/servers", "/srv"]


def is_confined(stage, first, scratch):
    """Who process 1 is, what it may, and where it may write: from what the kernel says."""
    proc = pathlib.Path(f"/proc/{first}")
    uid = stage.user.split(":")[0]
    assert uid != "0" and proc.joinpath("uid_map").read_text().split()[0] == uid, "it is another user"
    status = dict(line.split(":\t", 1) for line in proc.joinpath("status").read_text().splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) == 0 and status["NoNewPrivs"] == "1"
    assert status["NSpid"].split()[-1] == "1", "it is not process 1"
    writable = set()
    for line in proc.joinpath("mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[5].split(",")[0] == "rw" and not fields[4].startswith(("/proc", "/dev")):
            writable.add(fields[4])
    assert writable == ({"/tmp"} if scratch else set()), f"can be written to: {writable}"
    got = dict(pair.split("=", 1) for pair in proc.joinpath("environ").read_text().split("\0") if pair)
    got.pop("PWD", None)
    assert got == stage.env, got


def serves_and_ends(container, log, calls):
    stage = container.stage
    assert not container.is_healthy(), "healthy before it runs"
    with container.running(log) as (program, first):
        program.until(container.is_healthy)
        is_confined(stage, first, container.scratch)
        calls("http://127.0.0.1:8808")
        os.kill(first, signal.SIGTERM)
        assert program.process.wait(30) == 0, program.said()
    assert not container.is_healthy(), "healthy after its end"


def first_image(stage, crossway, folder):
    container = Container(stage, distroless(crossway, folder), crossway, quick_start(folder))

    def calls(url):
        by_name = Client(f"{url}/mcp", KEY | {"Host": "crossway:8808"})
        for client in (Client(f"{url}/mcp", KEY), by_name.open()):
            assert "demo__echo" in client.tools()
            assert "hello" in client.call("demo__echo", message="hello")
        try:
            Client(f"{url}/mcp", KEY | {"Host": "elsewhere.example"}).tools()
        except Failed as error:
            assert "status 403" in str(error), error
        else:
            raise AssertionError("another name than the config's is taken")

    serves_and_ends(container, folder / "first.log", calls)
    report("crossway: its entry point serves, healthy by its own health check, as 65532, and ends with 0 at SIGTERM")
    version = container.run("--version")
    assert version.returncode == 0 and version.stdout.startswith("crossway "), version
    checked = container.run("check")
    assert checked.returncode == 0 and "/etc/crossway/crossway.yaml can be used" in checked.stdout, checked
    report("crossway: other commands (`--version`, `check`) take the place of `serve`")


def quick_start(folder):
    config = folder / "config"
    config.mkdir()
    shutil.copy(DOCKER / "crossway.yaml", config)
    return config


def second_image(stage, crossway, folder):
    config = folder / "servers-config"
    config.mkdir()
    who_calls, _, _ = (DOCKER / "crossway.yaml").read_text().partition("upstreams:")
    (config / "crossway.yaml").write_text(
        f"{who_calls}upstreams:\n"
        "  node: { command: node, args: [/srv/hello.mjs] }\n"
        "  python: { command: python3, args: [/srv/hello.py] }\n"
        "tenants: { home: { groups: [home] } }\n"
        "grants: [{ tenant: home, upstream: '*', tools: ['*'] }]\n"
    )
    container = Container(stage, debian(folder), crossway, config, scratch=True)

    def calls(url):
        for name in ("node", "python"):
            said = json.loads(Client(f"{url}/{name}/mcp", KEY).call("hello"))
            assert said == {"runs_on": name, "uid": 65532, "home": True, "root": False}, said

    serves_and_ends(container, folder / "second.log", calls)
    report("servers: its entry point, below tini, starts servers on Node and Python, which may write to HOME alone")


def context_is_enough(folder):
    """What .dockerignore lets through has all manifests and sources that a build asks for, and nothing secret."""
    lines = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    hidden = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    context = folder / "context"
    for name in listed.splitlines():
        path = pathlib.PurePath(name)
        if path.parts[0] in allowed and not any(part == path.name or path.match(part) for part in hidden):
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, context / path)
    command = ["cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]
    done = subprocess.run(command, cwd=context, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    sources = {pathlib.Path(target["src_path"]) for package in json.loads(done.stdout)["packages"] for target in package["targets"]}
    assert all(source.is_file() for source in sources)
    report(f"the build's context has the sources of {len(sources)} targets, and cargo reads its manifests")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crossway", required=True, type=pathlib.Path)
    options = parser.parse_args()
    alone()
    found = stages((DOCKER / "Dockerfile").read_text())
    assert list(found)[-1] == "crossway", "the image without servers is what is built when nothing is said"
    for name in ("crossway", "servers"):
        assert found[name].exposed == [8808, 9808] and found[name].user == "65532:65532"
        assert found[name].healthcheck[1:] == ["health"]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        context_is_enough(folder)
        first_image(found["crossway"], options.crossway, folder)
        second_image(found["servers"], options.crossway, folder)


if __name__ == "__main__":
    main()
