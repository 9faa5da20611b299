"""The stdio server: tells whose token it has in its environment, by its tool and in a record.

`notes_server.py RECORD`. It needs nothing but Python: a server that takes over five seconds to start is not in the first list.
"""

import json
import os
import pathlib
import sys

from record import add_line

TOOLS = {
    "whoami": "Tells whose token this server was given.",
    "delete_all": "Deletes everything there is.",
}


def answer(method, params, token):
    if method == "initialize":
        about = {"name": "notes", "version": "1"}
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": about}
    if method == "tools/list":
        empty = {"type": "object", "properties": {}}
        return {"tools": [{"name": name, "description": TOOLS[name], "inputSchema": empty} for name in TOOLS]}
    if method == "tools/call":
        text = f"{token} came to notes" if params["name"] == "whoami" else "all is gone"
        return {"content": [{"type": "text", "text": text}]}
    return {} if method == "ping" else None


def main():
    token = os.environ.get("NOTES_TOKEN", "nothing")
    add_line(pathlib.Path(sys.argv[1]), {"token": token, "environment": sorted(os.environ)})
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request or "method" not in request:
            continue
        result = answer(request["method"], request.get("params"), token)
        unknown = {"code": -32601, "message": f"there is no method {request['method']}"}
        said = {"error": unknown} if result is None else {"result": result}
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **said}), flush=True)


if __name__ == "__main__":
    main()
