"""The Python SDK, first generation (`mcp` 1.x), against a server: see `features.py`."""

import contextlib
import os

import anyio
import httpx
from mcp import ClientSession, McpError, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from features import NONCE, OLDER, ROOT_NAME, ROOT_URI, Events, HttpLog, answer_form, arguments, run


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


class Client:
    """What `features.Checks` needs, in terms of `mcp.ClientSession`."""

    modern = False  # This generation knows nothing of 2026-07-28.

    def __init__(self, options):
        self.options, self.events, self.http = options, Events(), HttpLog(httpx)
        if options.mode in OLDER:
            # What `initialize` asks for: there is no other way to be an older client, which is what most servers meet.
            types.LATEST_PROTOCOL_VERSION = options.mode

    def _transport(self):
        target = self.options.target
        if self.options.transport == "stdio":
            return stdio_client(StdioServerParameters(command=target[0], args=target[1:], env=dict(os.environ)))
        if self.options.transport == "http-sse":
            return sse_client(target[0])
        return streamable_http_client(target[0], http_client=self.http.client(timeout=60))

    @contextlib.asynccontextmanager
    async def connected(self):
        try:
            async with self._session():
                yield
        except* anyio.BrokenResourceError:
            pass  # On stdio this generation trips over a message that arrives while it closes.

    @contextlib.asynccontextmanager
    async def _session(self):
        async with self._transport() as (read, write, *_):
            async with ClientSession(
                read,
                write,
                sampling_callback=self._sample,
                elicitation_callback=self._elicit,
                list_roots_callback=self._roots,
                logging_callback=self._log,
                message_handler=self._message,
            ) as self.session:
                self.initialized = await self.session.initialize()
                yield

    def about(self):
        return f"{self.initialized.serverInfo.name} {self.initialized.protocolVersion}"

    def capabilities(self):
        return plain(self.initialized.capabilities)

    async def check_closed(self):
        if self.options.transport == "streamable-http":
            return await self.http.check_ended(self.options.target[0])

    async def _sample(self, _context, _params):
        self.events.add("asked", "sampling/createMessage")
        content = types.TextContent(type="text", text=f"sampled-{NONCE}")
        return types.CreateMessageResult(role="assistant", content=content, model="none", stopReason="endTurn")

    async def _elicit(self, _context, params):
        self.events.add("asked", "elicitation/create")
        return types.ElicitResult(action="accept", content=answer_form(params.requestedSchema))

    async def _roots(self, _context):
        self.events.add("asked", "roots/list")
        return types.ListRootsResult(roots=[types.Root(uri=ROOT_URI, name=ROOT_NAME)])

    async def _log(self, params):
        self.events.add("log", params.data)

    async def _message(self, message):
        match getattr(message, "root", None):
            case types.ResourceUpdatedNotification(params=params):
                self.events.add("updated", str(params.uri))
            case types.ToolListChangedNotification():
                self.events.add("list_changed", "tools")
            case types.ResourceListChangedNotification():
                self.events.add("list_changed", "resources")

    async def list(self, kind, cursor):
        params = types.PaginatedRequestParams(cursor=cursor)
        page = await getattr(self.session, f"list_{kind}")(params=params)
        field = "resourceTemplates" if kind == "resource_templates" else kind
        return plain(page).get(field, []), page.nextCursor

    async def call(self, tool, arguments, progress=None):
        return plain(await self.session.call_tool(tool, arguments, progress_callback=progress))

    async def before_cancel(self):
        """This generation does not tell the server when a waiting call is dropped: it is told here."""
        number = self.session._request_id - 1
        params = types.CancelledNotificationParams(requestId=number, reason="interop")
        await self.session.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))

    async def read(self, uri):
        return plain(await self.session.read_resource(uri))["contents"]

    async def prompt(self, name, arguments):
        return plain(await self.session.get_prompt(name, arguments))["messages"]

    async def complete(self, ref, argument):
        reference = types.PromptReference(**ref)
        return (await self.session.complete(reference, argument)).completion.values

    async def ping(self):
        await self.session.send_ping()

    async def set_level(self, level):
        await self.session.set_logging_level(level)

    @contextlib.asynccontextmanager
    async def subscribed(self, uri):
        await self.session.subscribe_resource(uri)
        yield
        await self.session.unsubscribe_resource(uri)

    @contextlib.asynccontextmanager
    async def listening(self, _kind):
        yield  # A legacy server tells everybody.


anyio.run(run, Client, arguments())
