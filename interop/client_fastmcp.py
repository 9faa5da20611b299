"""fastmcp 4 against a server: see `features.py`."""

import os

import anyio
import httpx2
import mcp_types as types
from fastmcp import Client as FastClient
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from mcp.client.subscriptions import listen

import client_py2
from client_py2 import plain
from features import NONCE, ROOT_NAME, ROOT_URI, Events, HttpLog, answer_form, arguments, run


class Client(client_py2.Client):
    """What `features.Checks` needs, in terms of `fastmcp.Client`, where its words are others than those of the SDK below."""

    def __init__(self, options):
        self.options, self.events, self.http = options, Events(), HttpLog(httpx2)
        self.sdk = FastClient(
            self._transport(),
            mode=client_py2.mode(options),
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

    async def _sample(self, _messages, _params, _context):
        self.events.add("asked", "sampling/createMessage")
        return f"sampled-{NONCE}"

    async def _elicit(self, _message, _response_type, params, _context):
        self.events.add("asked", "elicitation/create")
        return answer_form(params.requested_schema)

    async def _roots(self, _context):
        self.events.add("asked", "roots/list")
        return [types.Root(uri=ROOT_URI, name=ROOT_NAME)]

    async def _page(self, kind, cursor):
        return await getattr(self.sdk, f"list_{kind}_mcp")(cursor=cursor)

    async def call(self, tool, arguments, progress=None):
        meta = {"io.modelcontextprotocol/logLevel": "debug"} if self.modern else None
        return plain(await self.sdk.call_tool_mcp(tool, arguments, progress_handler=progress, meta=meta))

    async def read(self, uri):
        return plain(await self.sdk.read_resource_mcp(uri))["contents"]

    async def prompt(self, name, arguments):
        return plain(await self.sdk.get_prompt_mcp(name, arguments))["messages"]

    async def complete(self, ref, argument):
        return (await self.sdk.complete(types.PromptReference(**ref), argument)).values

    async def ping(self):
        assert await self.sdk.ping()

    # It has no words of its own for subscriptions: its session is that of the SDK.

    @property
    def _session(self):
        return self.sdk.session

    def _listen(self, **wanted):
        return listen(self.sdk.session, **wanted)


anyio.run(run, Client, arguments())
