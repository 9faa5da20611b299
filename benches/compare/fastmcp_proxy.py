"""fastmcp's proxy as its documentation has it: create_proxy() on a transport, run over HTTP.

Usage: fastmcp_proxy.py PORT (stdio COMMAND ARGS.. | sse URL)
"""

import sys

from fastmcp.client.transports import SSETransport, StdioTransport
from fastmcp.server import create_proxy

port, kind, target, *arguments = sys.argv[1:]
if kind == "stdio":
    transport = StdioTransport(command=target, args=arguments)
else:
    transport = SSETransport(url=target)
proxy = create_proxy(transport, name="compared")
proxy.run(
    transport="http",
    host="127.0.0.1",
    port=int(port),
    path="/mcp",
    log_level="error",
    show_banner=False,
)
