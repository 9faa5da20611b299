"""Clients that one replica has to see all of: those of HTTP+SSE, and those before 2026-07-28 that are asked something during a call.
Each has an address of its own, as clients have.
"""

import http.client
import itertools
import json
import time
import urllib.parse

from mcp import LEGACY, PATIENCE, Client, Failed

ADDRESSES = (f"127.0.0.{last}" for last in itertools.count(2))


def events(response):
    """What a stream of events says: names and data. One that has had its time is over, though comments may keep it open."""
    name, data = "message", []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and (line := response.readline()):
        field, _, value = line.decode().rstrip("\r\n").partition(":")
        if field == "event":
            name = value.strip()
        elif field == "data":
            data.append(value.strip())
        elif not field and not value:
            # The first event of a stream has an id alone (2025-11-25).
            if any(data):
                yield name, "\n".join(data)
            name, data = "message", []


class SseClient:
    """A session of HTTP+SSE, and each of its POSTs on a connection of its own."""

    def __init__(self, url, headers):
        self.at, self.headers, self.last = urllib.parse.urlsplit(url), headers, 0
        self.source = (next(ADDRESSES), 0)
        self.stream = self.connection()
        self.stream.request("GET", "/sse", None, headers | {"Accept": "text/event-stream"})
        response = self.stream.getresponse()
        if response.status != 200:
            raise Failed(f"status {response.status} to GET /sse")
        self.events = events(response)
        name, self.endpoint = next(self.events)
        assert name == "endpoint", name

    def connection(self):
        return http.client.HTTPConnection(self.at.hostname, self.at.port, PATIENCE, source_address=self.source)

    def post(self, message):
        connection = self.connection()
        path = urllib.parse.urljoin("/sse", self.endpoint)
        connection.request("POST", path, json.dumps(message), self.headers | {"Content-Type": "application/json"})
        status = connection.getresponse().status
        connection.close()
        if status != 202:
            raise Failed(f"status {status} to a POST in a session of HTTP+SSE")

    def request(self, method, params):
        self.last += 1
        self.post({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params})
        for _, data in self.events:
            message = json.loads(data)
            if message.get("id") == self.last and "method" not in message:
                return message["result"]
        raise Failed("the stream of a session of HTTP+SSE ended")


def over_sse(url, headers, calls):
    """Opens a session and makes calls in it, whose texts have to come back."""
    client = SseClient(url, headers)
    about = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "check", "version": "0"}}
    client.request("initialize", about)
    client.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
    for number in range(calls):
        text = f"{client.source}-{number}"
        result = client.request("tools/call", {"name": "url__echo", "arguments": {"message": text}})
        assert result["content"][0]["text"] == text, result
    client.stream.close()


def asked(url, headers, calls):
    """Opens a session and calls what asks its user; the answer is a POST of its own, and the call has to come to its end by it."""
    client = Client(url, headers, keep=False)
    client.open({"elicitation": {}})
    for _ in range(calls):
        client.last += 1
        call = {"jsonrpc": "2.0", "id": client.last, "method": "tools/call"}
        call["params"] = {"name": "url__test_elicitation", "arguments": {"message": "Who are you?"}}
        connection = http.client.HTTPConnection(client.at.hostname, client.at.port, PATIENCE)
        head = headers | {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        head |= {"Mcp-Session-Id": client.session, "MCP-Protocol-Version": LEGACY}
        connection.request("POST", client.at.path, json.dumps(call), head)
        response = connection.getresponse()
        if response.status != 200:
            raise Failed(f"status {response.status} to a call that asks")
        answered = False
        for _, data in events(response):
            message = json.loads(data)
            if message.get("method") == "elicitation/create":
                result = {"action": "accept", "content": {"username": "alice", "email": "alice@acme.example"}}
                answer = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
                status, _, _ = client.send("POST", answer)
                assert status == 202, status
            elif message.get("id") == client.last:
                assert "alice@acme.example" in message["result"]["content"][0]["text"], message
                answered = True
                break
        connection.close()
        if not answered:
            raise Failed("the stream of a call that asks ended")
    client.end()
