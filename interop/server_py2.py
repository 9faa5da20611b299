"""A server of both eras on the Python SDK (`mcp` 2.x): the fixture `py2`, on any of the three transports.

`server_py2.py stdio | http-sse PORT | streamable-http PORT`
"""

import sys
import warnings
from typing import Annotated

import anyio
import mcp_types as types
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve, Sample
from pydantic import BaseModel

warnings.simplefilter("ignore")  # Logging, sampling and roots are deprecated since 2026-07-28, and tried all the same.
server = MCPServer("interop-py2", version="1", log_level="ERROR")


class Answer(BaseModel):
    """What the form asks for."""

    name: str


async def ask_name():
    """Asks the user, in whichever way the revision has for it."""
    return Elicit("What is your name?", Answer)


async def ask_model():
    """Asks the client's model."""
    content = types.TextContent(type="text", text="interop")
    return Sample([types.SamplingMessage(role="user", content=content)], max_tokens=20)


async def ask_roots():
    """Asks the client for its roots."""
    return ListRoots()


@server.tool()
async def echo(message: str) -> str:
    """Answers with what it is given."""
    return message


@server.tool()
async def slow(seconds: float, steps: int, ctx: Context) -> str:
    """Takes its time, and says how far it is."""
    for step in range(1, steps + 1):
        await anyio.sleep(seconds / steps)
        await ctx.report_progress(step, steps)
    return "done"


@server.tool()
async def elicit(answer: Annotated[Answer, Resolve(ask_name)]) -> str:
    """Answers with what the user was asked."""
    return answer.name


@server.tool()
async def sample(answer: Annotated[types.CreateMessageResult, Resolve(ask_model)]) -> str:
    """Answers with what the client's model said."""
    return answer.content.text


@server.tool()
async def roots(answer: Annotated[types.ListRootsResult, Resolve(ask_roots)]) -> str:
    """Answers with the client's roots."""
    return " ".join(f"{root.name} {root.uri}" for root in answer.roots)


@server.tool()
async def log(ctx: Context) -> str:
    """Sends a log message before it answers."""
    await ctx.info("a message of the log")
    return "logged"


@server.tool()
async def change_tools(ctx: Context) -> str:
    """Tells everybody who listens that the tools have changed."""
    await ctx.notify_tools_changed()
    return "changed"


@server.tool()
async def touch(ctx: Context) -> str:
    """Tells those who have subscribed to interop://static that it has changed."""
    await ctx.notify_resource_updated("interop://static")
    return "touched"


@server.prompt()
def greet(name: str) -> str:
    """A prompt with one argument."""
    return f"Please greet {name}."


@server.resource("interop://static")
def static() -> str:
    """A resource that is always the same."""
    return "static text"


@server.resource("interop://numbered/{number}")
def numbered(number: str) -> str:
    """A template."""
    return f"the content of {number}"


@server.completion()
async def complete(_ref, argument, _context):
    return types.Completion(values=[name for name in ["Bergen", "Oslo"] if name.startswith(argument.value)])


if __name__ == "__main__":
    transport, *port = sys.argv[1:]
    if transport == "stdio":
        server.run("stdio")
    else:
        server.run({"http-sse": "sse"}.get(transport, transport), host="127.0.0.1", port=int(port[0]))
