"""An MCP server on stdio whose tools answer in all ways that there are."""

import json
import sys
from typing import Any, Literal

from mcp.server.fastmcp import FastMCP, Image
from mcp.types import TextContent
from pydantic import BaseModel, Field

server = FastMCP("fixture")

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


class Place(BaseModel):
    """Where something is."""

    city: str
    near: list["Place"] = Field(default_factory=list)


class Stop(BaseModel):
    city: str


class Visit(BaseModel):
    """A way with two stops."""

    first: Stop
    last: Stop


class Weather(BaseModel):
    place: str
    degrees: float


@server.tool(structured_output=False)
def echo(message: str) -> str:
    """Says it again."""
    return message


@server.tool(structured_output=False)
def as_json(size: int) -> str:
    """A text that is JSON."""
    return json.dumps({"items": list(range(max(0, min(size, 5)))), "half": 0.5})


@server.tool(structured_output=False)
def several() -> list[TextContent]:
    """Two texts, of which one is JSON."""
    return [TextContent(type="text", text="one"), TextContent(type="text", text="[2]")]


@server.tool(structured_output=False)
def picture() -> Image:
    """A picture."""
    return Image(data=PIXEL, format="png")


@server.tool()
def add(a: int, b: int = 1) -> int:
    """Wrapped structured content."""
    return a + b


@server.tool()
def weather(place: str, unit: Literal["C", "F"] = "C") -> Weather:
    """Structured content."""
    return Weather(place=place, degrees=20.5 if unit == "C" else 68.9)


@server.tool(structured_output=False)
def visit(start: Visit) -> str:
    """Takes what refers to something."""
    return start.first.city


if "recursive" in sys.argv:

    @server.tool(structured_output=False)
    def wander(start: Place) -> str:
        """Takes what refers to itself."""
        return start.city


if "boolean" in sys.argv:

    @server.tool(structured_output=False)
    def anything(value: Any) -> str:
        """Takes whatever there is."""
        return json.dumps(value)

    # As schemars writes a value of which nothing is known.
    server._tool_manager.get_tool("anything").parameters["properties"]["value"] = True


@server.tool(structured_output=False)
def fail(reason: str) -> str:
    """Fails."""
    raise ValueError(reason)


if __name__ == "__main__":
    server.run()
