"""A small MCP client of revision 2026-07-28, on nothing but Python: to ask a gateway by hand, and for the checks beside it.

    python3 mcp.py http://127.0.0.1:8808/mcp tools --key KEY
    python3 mcp.py http://127.0.0.1:8808/mcp call github__get_me '{}' --key KEY
"""

import argparse
import json
import sys
import urllib.error
import urllib.request

REVISION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": REVISION,
    "io.modelcontextprotocol/clientInfo": {"name": "mcp.py", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def ask(url, method, params, key=None, name=None, headers=None):
    """Sends one request, and gives its response: {"result": ..} or {"error": ..}."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    sent = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": REVISION,
        "Mcp-Method": method,
        **({"Mcp-Name": name} if name else {}),
        **({"Authorization": f"Bearer {key}"} if key else {}),
        **(headers or {}),
    }
    request = urllib.request.Request(url, json.dumps(body).encode(), sent, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            text = response.read().decode()
            is_stream = response.headers.get_content_type() == "text/event-stream"
    except urllib.error.HTTPError as refused:
        text, is_stream = refused.read().decode(), False
        if not text.startswith("{"):
            text = json.dumps({"error": {"code": refused.code, "message": text or refused.reason}})
    except urllib.error.URLError as unreachable:
        raise SystemExit(f"error: {url}: {unreachable.reason}") from None
    if is_stream:
        lines = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
        messages = [json.loads(line) for line in lines if line]
        return next(message for message in messages if "result" in message or "error" in message)
    return json.loads(text)


def tools(url, key=None, headers=None):
    """The names of all tools."""
    names, cursor = [], {}
    while True:
        result = ask(url, "tools/list", cursor, key, headers=headers)
        if "error" in result:
            raise SystemExit(f"error {result['error']['code']}: {result['error']['message']}")
        names += [tool["name"] for tool in result["result"]["tools"]]
        if "nextCursor" not in result["result"]:
            return names
        cursor = {"cursor": result["result"]["nextCursor"]}


def call(url, tool, arguments=None, key=None, headers=None):
    """What a tool answers: its text, or what is wrong."""
    params = {"name": tool, "arguments": arguments or {}}
    answer = ask(url, "tools/call", params, key, name=tool, headers=headers)
    if "error" in answer:
        return f"error {answer['error']['code']}: {answer['error']['message']}"
    text = "\n".join(part.get("text", part["type"]) for part in answer["result"]["content"])
    return f"the tool failed: {text}" if answer["result"].get("isError") else text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("what", choices=["tools", "call"])
    parser.add_argument("tool", nargs="?")
    parser.add_argument("arguments", nargs="?", default="{}", help="JSON")
    parser.add_argument("--key", help="sent as bearer")
    parser.add_argument("--header", action="append", default=[], metavar="NAME: VALUE")
    options = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in options.header)
    if options.what == "tools":
        print("\n".join(tools(options.url, options.key, headers)))
        return
    text = call(options.url, options.tool, json.loads(options.arguments), options.key, headers)
    print(text)
    sys.exit(text.startswith(("error ", "the tool failed: ")))


if __name__ == "__main__":
    main()
