"""What every Python client tries, whichever SDK generation it is built on.

A client script wraps its SDK in a `Client` of its own (see `client_py1.py`, `client_py2.py`) and hands it to `run`.
One JSON line per feature goes to stdout: {"feature", "ok", "detail"}. `ok` is null where there is nothing to try; then
"absent" says why: "undeclared" (the server does not declare the capability, which is the detail), "unused" (it does
nothing that would show it), "impossible" (the specification rules it out; the detail is a key of `fixtures.json`).
"""

import argparse
import json
import pathlib
import sys
import tempfile
import uuid

import anyio

CHECK_SECONDS = 30  # No feature takes longer than about 2 s on a busy machine: this is for hangs.
WHOLE_SECONDS = 120
CALLS_AT_ONCE = 20
# Of a legacy server on stdio four calls at once that may ask a modern client something have a process each; more wait, or start another.
TRANSLATED_AT_ONCE = 5

INVALID_PARAMS = -32602
KEYS = {"tools": "name", "prompts": "name", "resources": "uri", "resource_templates": "uriTemplate"}

# What a server declares if it has a feature. The others are declared by nobody, or by clients.
CAPABILITIES = {
    "tools": ["tools"],
    "prompts": ["prompts"],
    "resources": ["resources"],
    "templates": ["resources"],
    "prompt": ["prompts"],
    "resource": ["resources"],
    "completion": ["completions"],
    "subscription": ["resources.subscribe"],
    "list_changed": ["tools.listChanged", "prompts.listChanged", "resources.listChanged"],
    "logging": ["logging"],
}

# Revisions that a client of a later one can be made to ask for, and those of them that have no elicitation.
OLDER = ["2024-11-05", "2025-03-26", "2025-06-18"]
WITHOUT_ELICITATION = OLDER[:2]

NONCE = uuid.uuid4().hex[:12]
ROOT = tempfile.TemporaryDirectory(prefix=f"interop-{NONCE}-")  # Servers look whether a root is there.
ROOT_URI, ROOT_NAME = pathlib.Path(ROOT.name).resolve().as_uri(), f"root-{NONCE}"


class Absent(Exception):
    """There is nothing to try, and the reason why."""

    def __init__(self, kind, detail):
        super().__init__(detail)
        self.kind = kind


class Events:
    """What the server has sent by itself, with a way to wait for it."""

    def __init__(self):
        self.seen, self._waker = [], anyio.Event()

    def add(self, kind, value):
        self.seen.append((kind, value))  # Also ("asked", METHOD) for each request of the server's.
        self._waker.set()
        self._waker = anyio.Event()

    def has(self, kind, accept=lambda value: True):
        return any(found == kind and accept(value) for found, value in self.seen)

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
    parser.add_argument("--fixture", default="everything", help="a key of fixtures.json")
    parser.add_argument("--fixtures", default=pathlib.Path(__file__).with_name("fixtures.json"), type=pathlib.Path)
    parser.add_argument("--dir", default=".", help="what $DIR means in fixtures.json")
    parser.add_argument("--mode", choices=["legacy", "auto", *OLDER], default="legacy")
    parser.add_argument("--server-era", choices=["legacy", "both", "translated"], default="both")
    parser.add_argument("--transport", choices=["stdio", "http-sse", "streamable-http"], required=True)
    parser.add_argument("target", nargs="+", help="a URL, or for stdio a command with its arguments")
    return parser.parse_args()


def emit(feature, ok, detail, **more):
    print(json.dumps({"feature": feature, "ok": ok, "detail": str(detail)[:300], **more}), flush=True)


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

    def __init__(self, client, options):
        self.client, self.events, self.mode, self.server_era = client, client.events, options.mode, options.server_era
        text = options.fixtures.read_text()
        places = {"$DIR": options.dir, "$ROOT": pathlib.Path(ROOT.name).resolve().as_posix(), "$NONCE": NONCE}
        for name, value in places.items():
            text = text.replace(name, value)
        self.fixture = json.loads(text)[options.fixture]

    def plan(self, feature):
        """What the fixture says of a feature, for the era that was negotiated, or that Crossway translates."""
        plan = self.fixture.get(feature)
        if isinstance(plan, dict) and "legacy" in plan:
            era = "translated" if self.translated() else "modern" if self.client.modern else "legacy"
            plan = plan[era] if era in plan else plan["legacy"]
        if plan is None:
            self.undeclared(feature)
        if "absent" in plan:
            raise Absent(plan["absent"], plan["why"])
        for kind in {"unused", "impossible"} & plan.keys():
            assert not self.events.has(feature), f"the fixture does not know of this server's {feature}"
            raise Absent(kind, plan[kind])
        return plan

    def translated(self):
        """Whether a modern client is on a legacy server, or any client on one that Crossway has among others."""
        return self.server_era == "translated" or (self.client.modern and self.server_era == "legacy")

    def undeclared(self, feature):
        """A feature that the fixture does not name has to be one that the server does not declare."""
        for path in CAPABILITIES.get(feature, []):
            found = self.client.capabilities()
            for part in path.split("."):
                found = (found or {}).get(part)
            # An empty object declares as much as a full one.
            assert found is None or found is False, f"the server declares {path}, and the fixture does not know of it"
        if feature in CAPABILITIES:
            raise Absent("undeclared", " ".join(CAPABILITIES[feature]))
        raise Absent("unused", "nothing of this server's shows it")

    async def call(self, plan, **more):
        arguments = plan.get("arguments", {})
        result = await self.client.call(plan["tool"], arguments, **more)
        assert bool(result.get("isError")) == plan.get("is_error", False), f"isError: {text(result)}"
        assert plan.get("expect", "") in text(result), text(result)
        return text(result)

    async def echo(self, message, **more):
        """Some servers echo in their errors alone."""
        plan = self.plan("echo")
        arguments = json.loads(json.dumps(plan["arguments"]).replace("$MESSAGE", message))
        answer = await self.call({**plan, "arguments": arguments}, **more)
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
        feature = kind.removeprefix("resource_")
        if feature not in self.fixture["lists"]:
            self.undeclared(feature)
        pages = await self.walk(kind)
        items = sum(map(len, pages))
        assert bool(items) == (self.fixture["lists"][feature] == "some"), f"{items} {kind}"
        assert "paging" in self.fixture or len(pages) == 1, f"{len(pages)} pages of {kind}"
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
        if "call" in self.fixture:
            await self.call(self.fixture["call"])

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
            raise Absent("impossible", "ping")
        await self.client.ping()

    async def check_progress(self):
        seen = []

        async def note(progress, total, _message):
            seen.append((progress, total))

        if "progress" not in self.fixture:
            await self.echo("with a progress token", progress=note)
            assert not seen, "the fixture does not know of the server's progress"
            self.undeclared("progress")
        plan = self.plan("progress")
        await self.call(plan, progress=note)
        # Told of in tasks of their own, which may run after the answer's.
        with anyio.move_on_after(CHECK_SECONDS / 2):
            while len(seen) < plan["sends"]:
                await anyio.sleep(0.01)
        assert len(seen) == plan["sends"], f"{len(seen)} progress notifications, not {plan['sends']}"
        assert seen == sorted(seen) and all(total == plan["total"] for _, total in seen), seen
        return f"{len(seen)} notifications"

    async def check_cancellation(self):
        """Where nothing takes long the answer may win: then all that is seen is that the session goes on."""
        plan, started = self.fixture.get("slow"), anyio.Event()

        async def note(*_):
            started.set()

        async def call():
            if plan is None:
                await self.echo("to be cancelled")
            else:
                await self.client.call(plan["tool"], plan["arguments"], progress=note)
                raise AssertionError("the cancelled call was answered")

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            if plan is None:
                await anyio.wait_all_tasks_blocked()
            else:
                await started.wait()
            await self.client.before_cancel()
            group.cancel_scope.cancel()
        await self.echo("after a cancel")
        return "" if plan else "the session goes on"

    def unasked(self, method):
        """A server that has nothing with which it would ask does not ask."""
        if method.partition("/")[0] not in self.fixture:
            assert ("asked", method) not in self.events.seen, f"the server has sent {method}"

    async def check_sampling(self):
        self.unasked("sampling/createMessage")
        answer = await self.call(self.plan("sampling"))
        assert f"sampled-{NONCE}" in answer, answer

    async def check_elicitation(self):
        if self.mode in WITHOUT_ELICITATION:
            raise Absent("impossible", "elicitation")
        self.unasked("elicitation/create")
        answer = await self.call(self.plan("elicitation"))
        assert NONCE in answer, answer

    async def check_roots(self):
        self.unasked("roots/list")
        plan = self.plan("roots")
        if plan.get("by") == "itself":
            # It asks when the session begins, and takes its time with the answer.
            await self.events.wait("asked", lambda method: method == "roots/list")
            while plan["shown"] not in (answer := await self.call(plan)):
                pass
        else:
            answer = await self.call(plan)
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
            await self.call(plan["on"])
        calls = 0

        def said(data):
            return plan["says"] in json.dumps(data)

        while "during" in plan and not self.events.has("log", said):
            await self.call(plan["during"])  # A message reaches a modern client in the course of a call alone,
            calls += 1
            if calls % plan["again_after"] == 0:
                await self.call(plan["on"])  # and of one in the same session of a pool.
        await self.events.wait("log", said)

    async def check_at_once(self):
        calls = TRANSLATED_AT_ONCE if self.translated() else CALLS_AT_ONCE
        async with anyio.create_task_group() as group:
            for number in range(calls):
                group.start_soon(self.echo, f"call {number} of {NONCE};")
        return f"{calls} calls"


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
                if options.mode in OLDER:
                    assert options.mode in client.about(), f"not the revision that was asked for: {client.about()}"
                emit("initialize", True, client.about())
                checks = Checks(client, options)
                for name in [name for name in vars(Checks) if name.startswith("check_")]:
                    feature = name.removeprefix("check_")
                    try:
                        with anyio.fail_after(CHECK_SECONDS):
                            emit(feature, True, await getattr(checks, name)() or "")
                    except Absent as reason:
                        emit(feature, None, reason, absent=reason.kind)
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
