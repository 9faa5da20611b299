"""Open WebUI as it is on PyPI, with Crossway between it and the tools, and everything else made up here.

`cargo xtask openwebui` starts this. A line for each check; ends with 1 if one of them failed.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import secrets
import shutil
import sys

import aiohttp

import browser
import docs_page
import mcp_page
import openapi
import pipes
import symptoms
import tools
import web
from lab import Checks, Program, free_port, serving
from model import Model
from quiet import QUIET
from record import Record
from upstreams import tickets_app, wiki_app

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "examples/openwebui"
START_SECONDS = 240  # Its first start takes 14 s on two idle cores, and migrates a database.
TOKENS = {"notes": ["alice"], "tickets": ["alice", "bob", "openapi"], "wiki": ["bob"]}
TENANTS = {"alice": "acme", "bob": "globex", "openapi": "acme"}


def example_env(secret):
    """examples/openwebui/open-webui.env, with a secret in it."""
    text = (EXAMPLE / "open-webui.env").read_text().replace("SIGNING-SECRET", secret)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


class Lab:
    """Everything that runs, and what came where."""

    def __init__(self, options):
        self.dir, self.crossway = options.dir, options.crossway
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.checks, self.model = Checks(), Model()
        self.records = {name: Record(self.dir / f"{name}.jsonl") for name in TOKENS}
        self.secret, self.key = secrets.token_hex(32), secrets.token_hex(32)
        self.gateway = f"127.0.0.1:{free_port()}"

    @contextlib.asynccontextmanager
    async def running(self):
        async with contextlib.AsyncExitStack() as stack:
            start = stack.enter_async_context
            self.tickets_url, self.end_tickets = await start(serving(tickets_app(self.records["tickets"])))
            self.wiki_url, self.end_wiki = await start(serving(wiki_app(self.records["wiki"])))
            model_url, _ = await start(serving(self.model.app))
            await self.start_crossway(stack)
            await self.start_open_webui(stack, model_url)
            self.http = await start(aiohttp.ClientSession())
            self.admin = await web.sign_up(self.http, self.url, "Olga Operator", "olga@operator.example")
            self.alice = await web.add(self.admin, "Alice Archer", "alice@acme.example")
            self.bob = await web.add(self.admin, "Bob Brewer", "bob@globex.example")
            yield self

    def answers(self):
        """All that was answered in chats, for those who look for why a check failed."""
        return {person.name: person.answers for person in (self.admin, self.alice, self.bob)}

    async def start_crossway(self, stack):
        """`crossway serve` with the example's own config, in a folder with tokens beside it."""
        folder = self.dir / "crossway"
        for upstream, names in TOKENS.items():
            tokens = folder / "tokens" / upstream
            tokens.mkdir(parents=True)
            for name in names:
                (tokens / f"{name}_40{TENANTS[name]}.example").write_text(f"{name}-at-{upstream}\n")
        shutil.copy(EXAMPLE / "crossway.yaml", folder)
        commands = self.dir / "bin"
        commands.mkdir()
        server = commands / "notes-server"
        server.write_text(f"#!/bin/sh\nexec {sys.executable} {HERE}/notes_server.py {self.records['notes'].path}\n")
        server.chmod(0o755)
        self.crossway_env = {
            "PATH": f"{commands}:{os.environ['PATH']}",
            "CROSSWAY_LISTEN": self.gateway,
            "CROSSWAY_OPEN_WEBUI_SECRET": self.secret,
            "CROSSWAY_OPEN_WEBUI_KEY": self.key,
            "TICKETS_URL": f"{self.tickets_url}/sse",
            "WIKI_URL": f"{self.wiki_url}/mcp",
            "CALENDAR_URL": "http://127.0.0.1:9/mcp",  # Nobody is there.
        }
        command = [self.crossway, "serve", "--config", folder / "crossway.yaml"]
        program = Program(command, self.dir / "crossway.log", self.crossway_env)
        self.crossway_program = await stack.enter_async_context(program)
        await program.until(self.crossway_listens, START_SECONDS)

    async def crossway_listens(self):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(*self.gateway.split(":"))
            writer.close()
            return True
        return False

    def connection(self, name):
        """A file with a connection to import, with the key and the address that hold here."""
        text = (EXAMPLE / f"{name}.json").read_text()
        return text.replace("CONNECTION-KEY", self.key).replace("127.0.0.1:8808", self.gateway)

    async def start_open_webui(self, stack, model_url):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        data = self.dir / "data"
        data.mkdir()
        env = {
            **QUIET,
            "ENABLE_OLLAMA_API": "False",
            **example_env(self.secret),
            "DATA_DIR": data,
            "DATABASE_URL": f"sqlite:///{data}/webui.db",
            "WEBUI_SECRET_KEY": secrets.token_hex(32),
            "OPENAI_API_BASE_URLS": f"{model_url}/v1",
            "OPENAI_API_KEYS": "none",
            "TOOL_SERVER_CONNECTIONS": self.connection("mcp"),
        }
        command = [pathlib.Path(sys.executable).with_name("open-webui"), "serve", "--host", "127.0.0.1", "--port", port]
        program = Program(command, self.dir / "open-webui.log", {key: str(env[key]) for key in env})
        await stack.enter_async_context(program)
        await program.until(self.open_webui_answers, START_SECONDS)

    async def open_webui_answers(self):
        async with aiohttp.ClientSession() as http:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"{self.url}/health") as answer:
                    return answer.status == 200
        return False


async def run(options):
    lab = Lab(options)
    async with lab.running():
        try:
            await tools.run(lab)
            await symptoms.run(lab)
            await openapi.run(lab)
            await pipes.run(lab)
            if options.picture:
                shutil.copy(await browser.run(lab), options.picture)
                await docs_page.run(lab)
                await mcp_page.run(lab)
            await symptoms.outages(lab)
        finally:
            (lab.dir / "answers.json").write_text(json.dumps(lab.answers(), indent=1))
    print(f"{lab.checks.count} checks, {lab.checks.failures} failed; logs are in {lab.dir}")
    return lab.checks.failures == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crossway", type=pathlib.Path, required=True, help="the binary")
    parser.add_argument("--dir", type=pathlib.Path, required=True, help="a folder for data and logs, emptied first")
    parser.add_argument("--picture", type=pathlib.Path, help="open a chat, the page at /docs and pages that speak MCP in Chromium, and put a picture of the chat there")
    sys.exit(0 if asyncio.run(run(parser.parse_args())) else 1)


if __name__ == "__main__":
    main()
