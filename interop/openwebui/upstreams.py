"""The tool servers on HTTP, made with the Python SDK: each tells whose token it was given, by its tool and in a record."""

import mcp_types as types
from mcp.server.mcpserver import Context, MCPServer

from record import Recorded

LARGE = 1_500_000
TICKETS = {
    "alice-at-tickets": "ACME-17: The printer on the third floor is on fire (open)",
    "bob-at-tickets": "GLOBEX-4: Order a new coffee machine (open)",
}


def tool_server(name, token_of):
    """A server whose tools tell whose token came. `delete_all` is granted to nobody."""
    server = MCPServer(name, version="1", log_level="ERROR")

    @server.tool()
    async def whoami(ctx: Context) -> str:
        """Tells whose token this server was given."""
        return f"{token_of(ctx)} came to {name}"

    @server.tool()
    async def delete_all() -> str:
        """Deletes everything there is."""
        return "all is gone"

    return server


def tickets(token_of):
    server = tool_server("tickets", token_of)

    @server.tool()
    async def my_tickets(ctx: Context) -> str:
        """Lists the user's own open tickets."""
        return TICKETS.get(token_of(ctx), "There are no tickets.")

    return server


def wiki(token_of):
    server = tool_server("wiki", token_of)

    @server.tool(structured_output=False)
    async def page() -> str:
        """Gives a page that is longer than what fits into one event of a stream in Open WebUI's client: 1 MiB."""
        return "x" * LARGE

    @server.tool(structured_output=False)
    async def search() -> list:
        """Gives a text, and a link to a resource."""
        link = types.ResourceLink(type="resource_link", name="Holidays", uri="wiki://holidays")
        return [types.TextContent(type="text", text="one page found"), link]

    return server


def bearer(ctx):
    return (ctx.headers or {}).get("authorization", "nothing").removeprefix("Bearer ")


def wiki_token(ctx):
    return (ctx.headers or {}).get("x-wiki-token", "nothing")


def tickets_app(record):
    """On HTTP+SSE, with a bearer token."""
    return Recorded(tickets(bearer).sse_app(), record)


def wiki_app(record):
    """On Streamable HTTP, with a header of its own."""
    return Recorded(wiki(wiki_token).streamable_http_app(), record)

