"""What every Python client tries, whichever SDK generation it is built on.

A client script wraps its SDK in a `Client` of its own (see `client_py1.py`, `client_py2.py`) and hands it to `run`.
One JSON line per feature goes to stdout: {"feature", "ok", "detail"}; `ok` is null where the fixture has nothing to try.
"""

import argparse
import json
import pathlib
import sys
import uuid

import anyio

CHECK_SECONDS = 20  # No feature takes longer than about 2 s on a busy machine: this is for hangs.
WHOLE_SECONDS = 90
CALLS_AT_ONCE = 20

INVALID_PARAMS = -32602
KEYS = {"tools": "name", "prompts": "name", "resources": "uri", "resource_templates": "uriTemplate"}

NONCE = uuid.uuid4().hex[:12]
ROOT_URI, ROOT_NAME = f"file:///interop/{NONCE}", f"root-{NONCE}"


class NotInFixture(Exception):
    """The server under test offers nothing with which this feature could be tried."""


class Events:
    """What the server has sent by itself, with a way to wait for it."""

    def __init__(self):
        self.seen, self._waker = [], anyio.Event()

    def add(self, kind, value):
        self.seen.append((kind, value))
        self._waker.set()
        self._waker = anyio.Event()

    async def wait(self, kind, accept=lambda value: True):
        while True:
            for found, value in self.seen:
                if found == kind and accept(value):
                    return value
            await self._waker.wait()


def answer_form(schema):
    """An answer to an elicitation: the nonce wherever a plain string fits."""
    content = {}
    for key, field in schema.get("properties", {}).items():
        if field.get("type") == "boolean":
            content[key] = True
        elif field.get("type") == "string" and not {"enum", "oneOf"} & field.keys():
            formats = {None: NONCE, "email": f"{NONCE}@example.com"}
            if field.get("format") in formats:
                content[key] = formats[field.get("format")]
    return content


def arguments():
    """The command line of a client script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixture", choices=["everything", "py2", "demo"], default="everything")
    parser.add_argument("--mode", choices=["legacy", "auto"], default="legacy")
    parser.add_argument("--server-era", choices=["legacy", "both"], default="both")
    parser.add_argument("--transport", choices=["stdio", "http-sse", "streamable-http"], required=True)
    parser.add_argument("target", nargs="+", help="a URL, or for stdio a command with its arguments")
    return parser.parse_args()


def emit(feature, ok, detail):
    print(json.dumps({"feature": feature, "ok": ok, "detail": str(detail)[:300]}), flush=True)


class HttpLog:
    """Notes the session of a Streamable HTTP client, to see afterwards that it has ended."""

    def __init__(self, http):
        self.http, self.session, self.deleted = http, None, None

    def client(self, **settings):
        return self.http.AsyncClient(event_hooks={"response": [self._note]}, **settings)

    async def _note(self, response):
        self.session = response.headers.get("mcp-session-id", self.session)
        if response.request.method == "DELETE":
            self.deleted = response.status_code

    async def check_ended(self, url):
        """The DELETE was accepted, and the session is refused from then on."""
        if self.session is None:
            return "no session"
        assert self.deleted in (200, 202, 204), f"DELETE answered {self.deleted}"
        headers = {"accept": "application/json, text/event-stream", "mcp-session-id": self.session}
        async with self.http.AsyncClient() as client:
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            after = (await client.post(url, json=body, headers=headers)).status_code
        assert after in (400, 404), f"a request after the DELETE answered {after}"
        return f"DELETE {self.deleted}, then {after}"


class Checks:
    """The features, in the order in which they are tried."""

    def __init__(self, client, fixture, server_era):
        self.client, self.events, self.server_era = client, client.events, server_era
        path = pathlib.Path(__file__).with_name("fixtures.json")
        self.fixture = json.loads(path.read_text())[fixture]

    def plan(self, feature):
        """What the fixture says of a feature, for the era that was negotiated, or that Crossway translates."""
        plan = self.fixture[feature]
        if isinstance(plan, dict) and "legacy" in plan:
            translated = self.client.modern and self.server_era == "legacy"
            era = "translated" if translated else "modern" if self.client.modern else "legacy"
            plan = plan[era] if era in plan else plan["legacy"]
        if plan is None:
            raise NotInFixture("the fixture has nothing for this")
        return plan

    async def call(self, plan, **more):
        result = await self.client.call(plan["tool"], plan["arguments"], **more)
        assert not result.get("isError"), f"isError: {text(result)}"
        return text(result)

    async def echo(self, message):
        plan = self.plan("echo")
        answer = await self.call({"tool": plan["tool"], "arguments": {plan["argument"]: message}})
        assert message in answer, f"echo of {message!r} answered {answer!r}"

    async def walk(self, kind):
        """All pages of a list, each asked for with the cursor of the one before."""
        pages, cursors, cursor = [], [], None
        while not pages or cursor is not None:
            page, cursor = await self.client.list(kind, cursor)
            assert cursor not in cursors, f"the cursor {cursor!r} came twice"
            pages.append(page)
            cursors += [cursor] if cursor is not None else []
        keys = [item[KEYS[kind]] for page in pages for item in page]
        assert len(set(keys)) == len(keys), f"an item came twice: {keys}"
        return pages

    async def list_all(self, kind):
        items = sum(map(len, await self.walk(kind)))
        assert items, f"no {kind}"
        return f"{items}"

    async def check_tools(self):
        return await self.list_all("tools")

    async def check_prompts(self):
        return await self.list_all("prompts")

    async def check_resources(self):
        return await self.list_all("resources")

    async def check_templates(self):
        return await self.list_all("resource_templates")

    async def check_paging(self):
        """As many pages as the fixture has: no item is lost on the way, nobody joins them, and cursors are the server's own."""
        plan = self.plan("paging")
        for kind, expect in plan.items():
            sizes = [len(page) for page in await self.walk(kind)]
            assert {"pages": len(sizes), "items": sum(sizes)} == expect, f"{kind} came in pages of {sizes}"
            try:
                await self.client.list(kind, f"not-a-cursor-{NONCE}")
            except Exception as error:  # noqa: BLE001 - each SDK has a type of its own for it
                code = getattr(getattr(error, "error", None), "code", None)
                assert code == INVALID_PARAMS, f"a cursor that {kind} never had: {describe(error)}"
            else:
                raise AssertionError(f"{kind} took a cursor that it never gave")
        return ", ".join(f"{kind}: {expect['pages']} pages" for kind, expect in plan.items())

    async def check_call(self):
        await self.echo(f"hello {NONCE} \u00fc\u4e16\U0001f30d")

    async def check_call_unknown(self):
        """Servers may refuse an unknown tool with an error, or answer with a result that says `isError`."""
        try:
            said = json.dumps(await self.client.call("no-such-tool", {}))
            assert '"isError": true' in said, "an unknown tool gave a result"
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001 - each SDK has a type of its own for it
            said = str(error)
        assert "nknown" in said or "not found" in said.lower() or "no-such-tool" in said, said
        await self.echo("after an error")

    async def check_read(self):
        plan = self.plan("resource")
        contents = json.dumps(await self.client.read(plan["uri"]))
        assert plan["expect"] in contents, contents

    async def check_prompt(self):
        plan = self.plan("prompt")
        messages = json.dumps(await self.client.prompt(plan["name"], plan["arguments"]))
        assert plan["expect"] in messages, messages

    async def check_completion(self):
        plan = self.plan("completion")
        values = await self.client.complete(plan["ref"], plan["argument"])
        assert plan["expect"] is None or plan["expect"] in values, values
        return values[:3]

    async def check_ping(self):
        if self.client.modern:
            raise NotInFixture("2026-07-28 has no ping")
        await self.client.ping()

    async def check_progress(self):
        plan, seen = self.plan("progress"), []

        async def note(progress, total, _message):
            seen.append((progress, total))

        await self.call(plan, progress=note)
        assert len(seen) >= plan["at_least"], f"only {len(seen)} progress notifications"
        assert seen == sorted(seen) and all(total == plan["total"] for _, total in seen), seen
        return f"{len(seen)} notifications"

    async def check_cancellation(self):
        plan, started = self.plan("slow"), anyio.Event()

        async def note(*_):
            started.set()

        async def call():
            await self.client.call(plan["tool"], plan["arguments"], progress=note)
            raise AssertionError("the cancelled call was answered")

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await started.wait()
            await self.client.before_cancel()
            group.cancel_scope.cancel()
        await self.echo("after a cancel")

    async def check_sampling(self):
        answer = await self.call(self.plan("sampling"))
        assert f"sampled-{NONCE}" in answer, answer

    async def check_elicitation(self):
        answer = await self.call(self.plan("elicitation"))
        assert NONCE in answer, answer

    async def check_roots(self):
        answer = await self.call(self.plan("roots"))
        assert ROOT_NAME in answer or ROOT_URI in answer, answer

    async def check_subscription(self):
        plan = self.plan("subscription")
        async with self.client.subscribed(plan["uri"]):
            await self.call(plan["on"])
            await self.events.wait("updated", lambda uri: uri == plan["uri"])
            if "off" in plan:
                await self.call(plan["off"])

    async def check_list_changed(self):
        plan = self.plan("list_changed")
        async with self.client.listening(plan["kind"]):
            await self.call(plan)
            await self.events.wait("list_changed", lambda kind: kind == plan["kind"])

    async def check_logging(self):
        plan = self.plan("logging")
        if not self.client.modern:
            await self.client.set_level("debug")
        if plan["by"] == "subscribe":
            async with self.client.subscribed(plan["uri"]):
                pass
        else:
            await self.call(plan)
        await self.events.wait("log", lambda data: plan["expect"] in json.dumps(data))

    async def check_at_once(self):
        async with anyio.create_task_group() as group:
            for number in range(CALLS_AT_ONCE):
                group.start_soon(self.echo, f"call {number} of {NONCE};")
        return f"{CALLS_AT_ONCE} calls"


def text(result):
    return "\n".join(item.get("text", "") for item in result["content"])


async def run(client_type, options):
    """Connects, tries everything, says how each went, and exits 1 if anything failed."""
    failures = 0
    client = client_type(options)

    def fail(feature, error):
        nonlocal failures
        failures += 1
        emit(feature, False, describe(error))

    stage = "initialize"
    try:
        with anyio.fail_after(WHOLE_SECONDS):
            async with client.connected():
                stage = "close"
                emit("initialize", True, client.about())
                checks = Checks(client, options.fixture, options.server_era)
                for name in [name for name in vars(Checks) if name.startswith("check_")]:
                    feature = name.removeprefix("check_")
                    try:
                        with anyio.fail_after(CHECK_SECONDS):
                            emit(feature, True, await getattr(checks, name)() or "")
                    except NotInFixture as reason:
                        emit(feature, None, reason)
                    except Exception as error:  # noqa: BLE001 - every failure is a line of the report
                        fail(feature, error)
            emit("close", True, await client.check_closed() or "")
    except Exception as error:  # noqa: BLE001
        fail(stage, error)
    sys.exit(1 if failures else 0)


def describe(error):
    """An exception group is told by its first member."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
