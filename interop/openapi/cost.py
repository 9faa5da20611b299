"""What a call costs through tools as OpenAPI, through MCP, and through mcpo: processor time of the process in front of one stdio server.

    python3 interop/openapi/cost.py CROSSWAY ECHO MCPO

Each is started here, on 127.0.0.1 with a free port, in front of the same server (crossway-echo), and gets the same calls of 64 bytes over 32
connections that are kept, in turns. Every answer is checked. Prints medians, and what they are of each other.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from run import free_port

CONNECTIONS = 32
ROUNDS = 5
TEXT = "x" * 64
VERSION = "2026-07-28"


def cpu(pid):
    """Seconds of processor time of a process, without its children's."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ready(port, path):
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing is served on port {port}")


def calls_of_openapi(port, count):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body, headers = json.dumps({"message": TEXT}), {"Content-Type": "application/json"}
    for _ in range(count):
        connection.request("POST", "/echo", body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200 or json.loads(answer) != TEXT:
            raise RuntimeError(f"wrong: {response.status} {answer[:200]}")


def calls_of_mcp(port, count):
    """Without a session, so that all share one process of the server, as they do as OpenAPI."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "echo",
    }
    meta = {"io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": "echo", "arguments": {"message": TEXT}, "_meta": meta}
    for number in range(count):
        message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        connection.request("POST", "/mcp", json.dumps(message), headers)
        response = connection.getresponse()
        answer = response.read()
        result = json.loads(answer)
        if result.get("id") != number or result["result"]["content"][0]["text"] != TEXT:
            raise RuntimeError(f"wrong: {response.status} {answer[:200]}")


def run(calls, port, pid, count):
    """Microseconds of processor time for each call."""
    before = cpu(pid)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        # What went wrong in one of them is raised where its result is asked for.
        for done in [pool.submit(calls, port, count) for _ in range(CONNECTIONS)]:
            done.result()
    return (cpu(pid) - before) / (CONNECTIONS * count) * 1e6


def main():
    crossway, echo, mcpo = sys.argv[1:]
    ports = {name: free_port() for name in ("mcp", "openapi", "mcpo")}
    commands = {
        "mcp": [crossway, "bridge", "--listen", f"127.0.0.1:{ports['mcp']}", "--", echo, "stdio"],
        "openapi": [crossway, "openapi", "--port", str(ports["openapi"]), "--host", "127.0.0.1", "--", echo, "stdio"],
        "mcpo": [mcpo, "--port", str(ports["mcpo"]), "--host", "127.0.0.1", "--", echo, "stdio"],
    }
    started = {name: subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for name, command in commands.items()}
    try:
        for name, port in ports.items():
            ready(port, "/mcp" if name == "mcp" else "/openapi.json")
        # mcpo takes much longer: fewer calls say as much.
        work = {"mcp": (calls_of_mcp, 600), "openapi": (calls_of_openapi, 600), "mcpo": (calls_of_openapi, 40)}
        found = {name: [] for name in work}
        for _ in range(ROUNDS):
            for name, (calls, count) in work.items():
                found[name].append(run(calls, ports[name], started[name].pid, count))
        medians = {name: statistics.median(times) for name, times in found.items()}
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait()
    for name, time_of in medians.items():
        print(f"{name}: {time_of:.1f} us of processor time for each call")
    print(f"openapi is {medians['openapi'] / medians['mcp']:.2f} of mcp, and {medians['openapi'] / medians['mcpo']:.3f} of mcpo")


main()
