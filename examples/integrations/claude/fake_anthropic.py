"""A fake of Anthropic's Messages API with the MCP connector: it asks the servers of `mcp_servers`, as the real one does.

Its model is no model: it calls the tool that the user's message names, without arguments. Unlike the real one it takes http://.

    python3 fake_anthropic.py 9200
"""

import json
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BETA = "mcp-client-2025-11-20"


class Connection:
    """A client of revision 2025-11-25 over Streamable HTTP."""

    def __init__(self, server):
        self.url, self.token, self.session, self.count = server["url"], server.get("authorization_token"), None, 0
        about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "connector", "version": "1"}}
        self.ask("initialize", about)
        self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def ask(self, method, params):
        self.count += 1
        return self.post({"jsonrpc": "2.0", "id": self.count, "method": method, "params": params})

    def post(self, message):
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.session:
            headers.update({"Mcp-Session-Id": self.session, "MCP-Protocol-Version": "2025-11-25"})
        request = urllib.request.Request(self.url, json.dumps(message).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            self.session = response.headers.get("Mcp-Session-Id", self.session)
            text = response.read().decode()
            if response.headers.get_content_type() == "text/event-stream":
                lines = [line[5:] for line in text.splitlines() if line.startswith("data:") and line[5:].strip()]
                text = next(line for line in lines if "result" in json.loads(line) or "error" in json.loads(line))
        return json.loads(text) if text else None


def answer(request):
    blocks = []
    toolsets = {tool["mcp_server_name"] for tool in request["tools"] if tool["type"] == "mcp_toolset"}
    asked = request["messages"][-1]["content"]
    for server in request["mcp_servers"]:
        if server["name"] not in toolsets:
            raise ValueError(f"no mcp_toolset names {server['name']}")
        connection = Connection(server)
        names = [tool["name"] for tool in connection.ask("tools/list", {})["result"]["tools"]]
        blocks.append({"type": "text", "text": f"{server['name']} has {', '.join(sorted(names))}"})
        for name in (name for name in names if name in asked):
            use = {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": name, "server_name": server["name"], "input": {}}
            result = connection.ask("tools/call", {"name": name, "arguments": {}}).get("result", {})
            told = {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": result.get("isError", False)}
            blocks += [use, {**told, "content": result.get("content", [])}]
    usage = {"input_tokens": 1, "output_tokens": 1}
    about = {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "stop_reason": "end_turn"}
    return {**about, "content": blocks, "usage": usage}


class Anthropic(BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            if self.path != "/v1/messages" or BETA not in self.headers.get("anthropic-beta", ""):
                raise ValueError(f"the path is /v1/messages, and anthropic-beta has {BETA}")
            status, body = 200, answer(request)
        except (ValueError, KeyError, urllib.error.URLError) as wrong:
            status, body = 400, {"type": "error", "error": {"type": "invalid_request_error", "message": str(wrong)}}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Anthropic)
print("the fake of Anthropic listens", flush=True)
server.serve_forever()
