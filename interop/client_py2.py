"""The Python SDK, second generation (`mcp` 2.x), against a server: see `features.py`."""

import contextlib
import os
import warnings

import anyio
import httpx2
import mcp_types as types
from mcp import Client as SdkClient
from mcp import StdioServerParameters
from mcp.client import session as sdk_session
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from features import NONCE, OLDER, ROOT_NAME, ROOT_URI, Events, HttpLog, answer_form, arguments, run

warnings.simplefilter("ignore")  # Much of what is tried here is deprecated since 2026-07-28.


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def mode(options):
    """The SDK's own word for a mode. An older revision is legacy, and what `initialize` asks for is changed for all clients."""
    if options.mode not in OLDER:
        return options.mode
    # There is no other way to be an older client, which is what most servers meet.
    sdk_session.LATEST_HANDSHAKE_VERSION = options.mode
    return "legacy"


class Client:
    """What `features.Checks` needs, in terms of `mcp.Client`."""

    def __init__(self, options):
        self.options, self.events, self.http = options, Events(), HttpLog(httpx2)
        self.sdk = SdkClient(
            self._transport(),
            mode=mode(options),
            # Clients that introduce themselves alike share what they tell a legacy server, such as their roots.
            client_info=types.Implementation(name=f"interop-py2-{NONCE}", version="1"),
            cache=None,
            log_level="debug",
            sampling_callback=self._sample,
            elicitation_callback=self._elicit,
            list_roots_callback=self._roots,
            logging_callback=self._log,
            message_handler=self._message,
        )

    def _transport(self):
        target = self.options.target
        if self.options.transport == "stdio":
            return StdioServerParameters(command=target[0], args=target[1:], env=dict(os.environ))
        if self.options.transport == "http-sse":
            return sse_client(target[0])
        return streamable_http_client(target[0], http_client=self.http.client(timeout=60))

    @contextlib.asynccontextmanager
    async def connected(self):
        async with self.sdk:
            yield

    @property
    def modern(self):
        return self.sdk.protocol_version >= "2026-07-28"

    def about(self):
        name = self.sdk.server_info.name if self.sdk.server_info else "(no name)"
        return f"{name} {self.sdk.protocol_version}"

    def capabilities(self):
        return plain(self.sdk.server_capabilities)

    async def check_closed(self):
        if self.options.transport == "streamable-http":
            return await self.http.check_ended(self.options.target[0])

    async def _sample(self, _context, _params):
        self.events.add("asked", "sampling/createMessage")
        content = types.TextContent(type="text", text=f"sampled-{NONCE}")
        return types.CreateMessageResult(role="assistant", content=content, model="none", stop_reason="endTurn")

    async def _elicit(self, _context, params):
        self.events.add("asked", "elicitation/create")
        return types.ElicitResult(action="accept", content=answer_form(params.requested_schema))

    async def _roots(self, _context):
        self.events.add("asked", "roots/list")
        return types.ListRootsResult(roots=[types.Root(uri=ROOT_URI, name=ROOT_NAME)])

    async def _log(self, params):
        self.events.add("log", params.data)

    async def _message(self, message):
        match message:
            case types.ResourceUpdatedNotification(params=params):
                self.events.add("updated", str(params.uri))
            case types.ToolListChangedNotification():
                self.events.add("list_changed", "tools")
            case types.ResourceListChangedNotification():
                self.events.add("list_changed", "resources")

    async def _page(self, kind, cursor):
        return await getattr(self.sdk, f"list_{kind}")(cursor=cursor)

    async def list(self, kind, cursor):
        page = await self._page(kind, cursor)
        field = "resourceTemplates" if kind == "resource_templates" else kind
        return plain(page).get(field, []), page.next_cursor

    async def call(self, tool, arguments, progress=None):
        return plain(await self.sdk.call_tool(tool, arguments, progress_callback=progress))

    async def before_cancel(self):
        """This generation tells the server by itself."""

    async def read(self, uri):
        return plain(await self.sdk.read_resource(uri))["contents"]

    async def prompt(self, name, arguments):
        return plain(await self.sdk.get_prompt(name, arguments))["messages"]

    async def complete(self, ref, argument):
        reference = types.PromptReference(**ref)
        return (await self.sdk.complete(reference, argument)).completion.values

    async def ping(self):
        await self.sdk.send_ping()

    async def set_level(self, level):
        await self.sdk.set_logging_level(level)

    @property
    def _session(self):
        return self.sdk

    def _listen(self, **wanted):
        return self.sdk.listen(**wanted)

    @contextlib.asynccontextmanager
    async def subscribed(self, uri):
        if self.modern:
            async with self._listen(resource_subscriptions=[uri]):
                yield
        else:
            await self._session.subscribe_resource(uri)
            yield
            await self._session.unsubscribe_resource(uri)

    @contextlib.asynccontextmanager
    async def listening(self, kind):
        if self.modern:
            async with self._listen(**{f"{kind}_list_changed": True}):
                yield
        else:
            yield  # A legacy server tells everybody.


if __name__ == "__main__":
    anyio.run(run, Client, arguments())
