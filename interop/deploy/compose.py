"""Starts what examples/compose/compose.yaml starts, with the variables that it gives, and makes calls through all of it.

There is no Docker here: each service is a process of the same program. PostgreSQL comes from Debian, Open WebUI from PyPI, and
Crossway runs as its image's Dockerfile says. The services' names lead to this machine's own loopback.
"""

import argparse
import asyncio
import contextlib
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from alone import alone
from dockerfile import stages
from image import CERTIFICATES, DOCKER, ROOT, Container, debian, distroless, is_confined
from mcp import Program, report

sys.path.append(str(ROOT / "interop/openwebui"))
from quiet import QUIET  # noqa: E402

COMPOSE = ROOT / "examples/compose"
POSTGRES = pathlib.Path("/usr/lib/postgresql")
START_SECONDS = 300
TRIES = 10


def example_env(models):
    """The names of example.env, each with a value; `models` is where the models are."""
    lines = (COMPOSE / "example.env").read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    env |= {name: secrets.token_hex(32) for name, value in env.items() if not value}
    return env | {"OPENAI_API_BASE_URL": models}


def services(env):
    """compose.yaml as Compose reads it: `${NAME:?}` has to be there, `${NAME:-DEFAULT}` may be missing."""
    import yaml

    def put(match):
        name, default = match[1], match[2]
        if default == ":?":
            assert env.get(name), f"compose.yaml wants {name}, which example.env does not have"
            return env[name]
        return env.get(name) or default.removeprefix(":-")

    used = set(re.findall(r"\$\{(\w+)", (COMPOSE / "compose.yaml").read_text()))
    assert used == set(env), f"compose.yaml and example.env have different names: {sorted(used ^ set(env))}"
    text = re.sub(r"\$\{(\w+)(:\?|:-[^}]*)\}", put, (COMPOSE / "compose.yaml").read_text())
    return yaml.safe_load(text)["services"]


def confined(service):
    """What compose.yaml says of a service of ours that the test does as well."""
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def succeed(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


class Lab:
    def __init__(self, options, folder, models):
        self.options, self.folder, self.stack = options, folder, contextlib.ExitStack()
        self.services = services(example_env(models))
        self.stages = stages((DOCKER / "Dockerfile").read_text())
        # Compose has a name server for this.
        hosts = folder / "hosts"
        hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in ["localhost", *self.services]))
        succeed(["mount", "--bind", hosts, "/etc/hosts"])

    def start_servers(self):
        self.start_postgres()
        self.start_legacy()
        self.start_crossway()
        report("PostgreSQL, the server on HTTP+SSE and Crossway are there, as the images' users on roots that can't be written to")

    def start_postgres(self):
        service = self.services["postgres"]
        env = service["environment"]
        programs = max(POSTGRES.glob("*/bin"), key=lambda path: int(path.parent.name))
        data = self.folder / "postgres"
        data.mkdir(mode=0o700)
        (self.folder / "password").write_text(env["POSTGRES_PASSWORD"])
        # PostgreSQL refuses to be root. In the image it is the user of this number, and this name.
        users = self.folder / "postgres-users"
        users.write_text("postgres:x:999:999:postgres:/:/bin/sh\n")
        user = ["bwrap", "--unshare-user", "--uid", "999", "--gid", "999", "--dev-bind", "/", "/", "--ro-bind", users, "/etc/passwd"]
        user += ["--die-with-parent", "--"]
        init = ["initdb", "--username", env["POSTGRES_USER"], "--pwfile", self.folder / "password", "--auth", "scram-sha-256"]
        init += ["--pgdata", data, "--no-sync"]
        succeed([*user, programs / init[0], *init[1:]])
        words = ["postgres", "-D", data, "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off"]
        program = Program([*user, programs / words[0], *words[1:]], self.folder / "postgres.log")
        self.stack.enter_context(program)
        tools = {"PATH": os.environ["PATH"], "PGPASSWORD": env["POSTGRES_PASSWORD"]}
        assert service["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
        # The image makes the database before it says that it is ready.
        probe = [programs / "pg_isready", "--host", "postgres", "--username", env["POSTGRES_USER"]]
        program.until(lambda: subprocess.run(probe, env=tools, capture_output=True).returncode == 0)
        make = [programs / "createdb", "--host", "postgres", "--username", env["POSTGRES_USER"], env["POSTGRES_DB"]]
        succeed(make, env=tools)
        psql = [programs / "psql", "--host", "postgres", "--username", env["POSTGRES_USER"], "--dbname", env["POSTGRES_DB"]]
        self.psql = lambda question: succeed([*psql, "-Atc", question], env=tools)

    def start_legacy(self):
        service = self.services["legacy"]
        confined(service)
        base = distroless(self.options.crossway, self.folder) + ["--ro-bind", "/etc/hosts", "/etc/hosts"]
        empty = self.folder / "empty"
        empty.mkdir()
        container = Container(self.stages["crossway"], base, self.options.crossway, empty)
        container.stage.cmd = service["command"]
        program, first = self.stack.enter_context(container.running(self.folder / "legacy.log"))
        program.until(lambda: socket.create_connection(("legacy", 9000)).close() is None)
        is_confined(container.stage, first, scratch=False)

    def start_crossway(self):
        service = self.services["crossway"]
        confined(service)
        assert service["volumes"] == ["./crossway:/etc/crossway:ro"] and service["tmpfs"][0].startswith("/tmp:")
        # uvx would fetch the server; here it is installed already.
        uvx = self.folder / "uvx"
        uvx.write_text(f'#!/bin/sh\nname="$1"; shift\nexec {self.options.python_servers}/bin/"$name" "$@"\n')
        uvx.chmod(0o755)
        base = debian(self.folder) + ["--ro-bind", "/etc/hosts", "/etc/hosts", "--ro-bind", uvx, "/usr/local/bin/uvx"]
        base += outside(self.options.python_servers)
        stage = self.stages["servers"]
        stage.env |= service["environment"]
        container = Container(stage, base, self.options.crossway, COMPOSE / "crossway", scratch=True)
        program, first = self.stack.enter_context(container.running(self.folder / "crossway.log"))
        program.until(container.is_healthy)
        is_confined(stage, first, scratch=True)
        self.is_healthy = container.is_healthy

    def start_open_webui(self):
        service = self.services["open-webui"]
        assert set(service["depends_on"]) == {"postgres", "crossway"} and self.is_healthy()
        data = self.folder / "open-webui"
        data.mkdir()
        port = service["ports"][0].rsplit(":", 1)[1]
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "DATA_DIR": str(data)} | QUIET | service["environment"]
        packages = list(self.options.packages.glob("lib/python*/site-packages"))
        assert packages, f"{self.options.packages} is no environment of Python"
        env["PYTHONPATH"] = str(packages[0])
        command = [pathlib.Path(sys.executable).with_name("open-webui"), "serve", "--host", "0.0.0.0", "--port", port]
        program = self.stack.enter_context(Program(command, self.folder / "open-webui.log", env=env))
        self.url = f"http://127.0.0.1:{port}"
        program.until(lambda: urllib.request.urlopen(f"{self.url}/health", timeout=5).status == 200, START_SECONDS)


def outside(folder):
    """What a Python environment needs of this machine beyond /usr: itself, and the Python that it was made of."""
    base = ["--ro-bind", folder, folder]
    python = (folder / "bin/python").resolve()
    if not python.is_relative_to("/usr"):
        base += ["--ro-bind", python.parents[1], python.parents[1]]
    return base


async def run(options, folder):
    """Starts all of it, and lets two users of two tenants chat with a model that calls what it is told to."""
    import aiohttp

    import web
    from lab import serving
    from model import MODEL, Model

    class Told(Model):
        """Calls the tool that the question names, with the arguments that stand behind it."""

        def answer(self, messages):
            begun = super().answer(messages)
            words = re.search(r"\{.*\}", str(messages[-1].get("content")))
            if begun[0].get("tool_calls") and words:
                begun[0]["tool_calls"][0]["function"]["arguments"] = words[0]
            return begun

    model, begun = Told(), time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        models, _ = await stack.enter_async_context(serving(model.app))
        lab = Lab(options, folder, f"{models}/v1")
        stack.enter_context(lab.stack)
        await asyncio.to_thread(lab.start_servers)
        await asyncio.to_thread(lab.start_open_webui)
        report("Open WebUI is there, with PostgreSQL and the variables of compose.yaml")
        http = await stack.enter_async_context(aiohttp.ClientSession())
        admin = await web.sign_up(http, lab.url, "Olga Operator", "olga@operator.example")
        alice = await web.add(admin, "Alice Archer", "alice@acme.example")
        bob = await web.add(admin, "Bob Brewer", "bob@globex.example")
        tools = ["server:mcp:crossway"]

        clock = ["crossway_time__convert_time", "crossway_time__get_current_time"]
        legacy = [f"crossway_legacy__{name}" for name in ("echo", "slow", "test_simple_text")]
        # A list does not wait long for a server that is being started: the next one has it.
        for _ in range(TRIES):
            await alice.chat(MODEL, "Is anything there?", tools)
            if model.offered("crossway_") == legacy + clock:
                break
        assert model.offered("crossway_") == legacy + clock, model.offered()
        await bob.chat(MODEL, "Is anything there?", tools)
        assert model.offered("crossway_") == clock, model.offered()
        report("Alice's model is offered the tools of both servers, Bob's those of the one that everybody may use")

        said = await alice.chat(MODEL, 'Call crossway_legacy__echo {"message": "by HTTP+SSE"}', tools)
        assert "The tool says: by HTTP+SSE" in said["content"], said["content"]
        said = await bob.chat(MODEL, 'Call crossway_time__get_current_time {"timezone": "Europe/Berlin"}', tools)
        assert "Europe/Berlin" in said["content"].split("The tool says: ")[-1], said["content"]
        seconds = time.monotonic() - begun
        report(f"a chat of Alice's has the answer of the server on HTTP+SSE, one of Bob's that of the stdio server: {seconds:.0f} s from the start")
        said = await bob.chat(MODEL, 'Call crossway_legacy__echo {"message": "by HTTP+SSE"}', tools)
        assert "The tool says: by HTTP+SSE" not in said["content"], said["content"]
        report("Bob's model can't call what is not granted to him")

        in_the_database(lab, len(alice.answers) + len(bob.answers))


def in_the_database(lab, chats):
    users = lab.psql('select string_agg(email, \',\' order by email) from "user"')
    assert users == "alice@acme.example,bob@globex.example,olga@operator.example", users
    assert int(lab.psql("select count(*) from chat")) == chats
    report(f"PostgreSQL has the three users and the {chats} chats")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crossway", required=True, type=pathlib.Path)
    parser.add_argument("--python-servers", required=True, type=pathlib.Path, help="an environment with mcp-server-time")
    parser.add_argument("--packages", required=True, type=pathlib.Path, help="an environment with what requirements-compose.txt has")
    parser.add_argument("--logs", type=pathlib.Path, help="a folder to keep the logs in")
    options = parser.parse_args()
    alone("--mount")
    assert pathlib.Path(CERTIFICATES).exists(), "ca-certificates is not installed"
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(run(options, pathlib.Path(folder)))
        finally:
            if options.logs:
                options.logs.mkdir(parents=True, exist_ok=True)
                for log in pathlib.Path(folder).glob("*.log"):
                    shutil.copy(log, options.logs)


if __name__ == "__main__":
    main()
