"""A small MCP server for fakes, on nothing but Python: Streamable HTTP of revision 2025-06-18.

A fake hands `serve` a function from a request's headers to its tools: {name: (description, function from arguments to text)}.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REVISION = "2025-06-18"


def answer(message, name, tools):
    """The response to a legacy request, or None for a notification."""
    method, params = message.get("method"), message.get("params", {})
    if "id" not in message:
        return None
    if method == "initialize":
        result = {
            "protocolVersion": REVISION,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": name, "version": "1"},
        }
    elif method == "ping":
        result = {}
    elif method == "tools/list":
        schema = {"type": "object", "properties": {}}
        result = {
            "tools": [{"name": tool, "description": about, "inputSchema": schema} for tool, (about, _) in tools.items()]
        }
    elif method == "tools/call" and params.get("name") in tools:
        text = tools[params["name"]][1](params.get("arguments", {}))
        result = {"content": [{"type": "text", "text": text}]}
    else:
        error = {"code": -32601, "message": f"there is no {method} {params.get('name', '')}".strip()}
        return {"jsonrpc": "2.0", "id": message["id"], "error": error}
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


class Handler(BaseHTTPRequestHandler):
    """What all fakes answer alike; subclasses set `name`, `endpoint` and `tools_of`."""

    protocol_version = "HTTP/1.1"
    name, endpoint = "fake", "/mcp"

    def tools_of(self):
        """The tools for this request, or an HTTP status that refuses it."""
        raise NotImplementedError

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.split("?")[0] != self.endpoint:
            return self.send(404, None)
        tools = self.tools_of()
        if isinstance(tools, int):
            return self.send(tools, None)
        response = answer(json.loads(body), self.name, tools)
        self.send(202 if response is None else 200, response)

    def do_GET(self):
        self.send(405, None)

    do_DELETE = do_GET

    def send(self, status, value, headers=None):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(handler, port):
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    print(f"the fake {handler.name} listens", flush=True)
    server.serve_forever()
