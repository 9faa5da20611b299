"""Does with a file of MCP servers what a desktop client does: starts a server's command with its environment, and asks it.

    python3 client_file.py claude_desktop_config.json NAME [TOOL [ARGUMENTS]]

Reads `mcpServers` (Claude Desktop, Cursor) or `servers` (VS Code). As those clients do, it hands on little of its own environment.
"""

import json
import os
import subprocess
import sys


def main(path, name, tool=None, arguments="{}"):
    with open(path, encoding="utf-8") as file:
        servers = json.load(file)
    entry = servers.get("mcpServers", servers.get("servers"))[name]
    assert entry.get("type", "stdio") == "stdio", "this client launches commands"
    inherited = {key: os.environ[key] for key in ("HOME", "PATH", "LANG") if key in os.environ}
    command = [entry["command"], *entry.get("args", [])]
    env = {**inherited, **entry.get("env", {})}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}  # clients keep logs of it
    server = subprocess.Popen(command, env=env, text=True, **pipes)

    def ask(number, method, params):
        send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        for line in server.stdout:
            message = json.loads(line)
            if message.get("id") == number and "method" not in message:
                return message
        raise SystemExit("the server went away")

    def send(message):
        server.stdin.write(json.dumps(message) + "\n")
        server.stdin.flush()

    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "client_file.py", "version": "1"}}
    ask(1, "initialize", about)
    send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    if tool is None:
        for each in ask(2, "tools/list", {})["result"]["tools"]:
            print(each["name"])
    else:
        answer = ask(2, "tools/call", {"name": tool, "arguments": json.loads(arguments)})
        print(answer["error"]["message"] if "error" in answer else answer["result"]["content"][0]["text"])
    server.stdin.close()
    sys.exit(server.wait(timeout=10))


main(*sys.argv[1:])
