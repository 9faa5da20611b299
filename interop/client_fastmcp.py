"""fastmcp 4 against a server: see `features.py`."""

import contextlib
import os
import warnings

import anyio
import httpx2
import mcp_types as types
from fastmcp import Client as FastClient
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from mcp.client.subscriptions import listen

from features import NONCE, ROOT_NAME, ROOT_URI, Events, HttpLog, answer_form, arguments, run

warnings.simplefilter("ignore")  # Much of what is tried here is deprecated since 2026-07-28.


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


class Client:
    """What `features.Checks` needs, in terms of `fastmcp.Client`."""

    def __init__(self, options):
        self.options, self.events, self.http = options, Events(), HttpLog(httpx2)
        self.fast = FastClient(
            self._transport(),
            mode=options.mode,
            # Clients that introduce themselves alike share what they tell a legacy server, such as their roots.
            client_info=types.Implementation(name=f"interop-fastmcp-{NONCE}", version="1"),
            roots=self._roots,
            sampling_handler=self._sample,
            elicitation_handler=self._elicit,
            log_handler=self._log,
            message_handler=self._message,
        )

    def _transport(self):
        target = self.options.target
        if self.options.transport == "stdio":
            return StdioTransport(target[0], target[1:], env=dict(os.environ), keep_alive=False)
        if self.options.transport == "http-sse":
            return SSETransport(target[0])
        return StreamableHttpTransport(target[0], httpx_client_factory=self._http)

    def _http(self, **settings):
        return self.http.client(**{"timeout": 60, **settings})

    @contextlib.asynccontextmanager
    async def connected(self):
        async with self.fast:
            yield

    @property
    def modern(self):
        return self.fast.protocol_version >= "2026-07-28"

    def about(self):
        name = self.fast.server_info.name if self.fast.server_info else "(no name)"
        return f"{name} {self.fast.protocol_version}"

    def capabilities(self):
        return plain(self.fast.server_capabilities)

    async def check_closed(self):
        if self.options.transport == "streamable-http":
            return await self.http.check_ended(self.options.target[0])

    async def _sample(self, _messages, _params, _context):
        self.events.add("asked", "sampling/createMessage")
        return f"sampled-{NONCE}"

    async def _elicit(self, _message, _response_type, params, _context):
        self.events.add("asked", "elicitation/create")
        return answer_form(params.requested_schema)

    async def _roots(self, _context):
        self.events.add("asked", "roots/list")
        return [types.Root(uri=ROOT_URI, name=ROOT_NAME)]

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

    async def list(self, kind, cursor):
        page = await getattr(self.fast, f"list_{kind}_mcp")(cursor=cursor)
        field = "resourceTemplates" if kind == "resource_templates" else kind
        return plain(page).get(field, []), page.next_cursor

    async def call(self, tool, arguments, progress=None):
        meta = {"io.modelcontextprotocol/logLevel": "debug"} if self.modern else None
        return plain(await self.fast.call_tool_mcp(tool, arguments, progress_handler=progress, meta=meta))

    async def before_cancel(self):
        """The SDK below tells the server by itself."""

    async def read(self, uri):
        return plain(await self.fast.read_resource_mcp(uri))["contents"]

    async def prompt(self, name, arguments):
        return plain(await self.fast.get_prompt_mcp(name, arguments))["messages"]

    async def complete(self, ref, argument):
        return (await self.fast.complete(types.PromptReference(**ref), argument)).values

    async def ping(self):
        assert await self.fast.ping()

    async def set_level(self, level):
        await self.fast.set_logging_level(level)

    # It has no words of its own for what follows: its session is that of the SDK.

    @contextlib.asynccontextmanager
    async def subscribed(self, uri):
        if self.modern:
            async with listen(self.fast.session, resource_subscriptions=[uri]):
                yield
        else:
            await self.fast.session.subscribe_resource(uri)
            yield
            await self.fast.session.unsubscribe_resource(uri)

    @contextlib.asynccontextmanager
    async def listening(self, kind):
        if self.modern:
            async with listen(self.fast.session, **{f"{kind}_list_changed": True}):
                yield
        else:
            yield  # A legacy server tells everybody.


anyio.run(run, Client, arguments())
