"""The least that is an MCP server on stdio: says what it runs on, who it runs as, and whether it may write where."""

import json
import os
import pathlib
import sys


def may_write(folder):
    try:
        (pathlib.Path(folder) / "hello").write_text("hello")
        return True
    except OSError:
        return False


def answer(method, params):
    if method == "initialize":
        about = {"name": "hello", "version": "0"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": about}
    if method == "tools/list":
        return {"tools": [{"name": "hello", "inputSchema": {"type": "object"}}]}
    said = {"runs_on": "python", "uid": os.getuid(), "home": may_write(os.environ["HOME"]), "root": may_write("/usr")}
    return {"content": [{"type": "text", "text": json.dumps(said)}]}


for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        reply = {"jsonrpc": "2.0", "id": asked["id"]}
        if asked["method"] in ("initialize", "tools/list", "tools/call"):
            reply["result"] = answer(asked["method"], asked["params"])
        else:
            reply["error"] = {"code": -32601, "message": "no such method"}
        print(json.dumps(reply), flush=True)
