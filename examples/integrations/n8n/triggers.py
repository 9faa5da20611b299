"""A fake of n8n's MCP Server Trigger, with paths and answers as its node has them (@n8n/n8n-nodes-langchain 2.41).

Version 1: GET PATH/sse is the stream, POST PATH/messages?sessionId=ID takes messages.
Version 2: one path. GET is an HTTP+SSE stream whose endpoint is the same path with ?sessionId=ID; POST without a session sets up
Streamable HTTP; POST with a session of either kind is a message.
POST /webhook/PATH/chat is a chat trigger: {"sessionId", "chatInput"} in, {"output"} out, and each session has a memory.

    python3 triggers.py 5678
"""

import json
import pathlib
import queue
import sys
import uuid
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from fake_mcp import Handler, answer, serve  # noqa: E402

BEARERS = {"Bearer secret-of-acme": "acme", "Bearer secret-of-globex": "globex"}
streams, sessions, memories = {}, set(), {}


class Trigger(Handler):
    name = "n8n"

    def tools(self):
        tenant = BEARERS[self.headers["Authorization"]]
        return {"book_room": ("Books a meeting room.", lambda asked: f"{tenant} has {asked.get('room', 'a room')}")}

    def known(self):
        if self.headers.get("Authorization") in BEARERS:
            return True
        self.send(403, {"message": "Authorization data is wrong!"})
        return False

    def do_GET(self):
        path = urlsplit(self.path).path
        if path not in ("/mcp/v1/sse", "/mcp/v2") or not self.known():
            return self.send(404, None)
        session = str(uuid.uuid4())
        endpoint = f"/mcp/v1/messages?sessionId={session}" if path == "/mcp/v1/sse" else f"/mcp/v2?sessionId={session}"
        waiting = streams[session] = queue.Queue()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        event, data = "endpoint", endpoint
        while True:
            self.wfile.write(f"event: {event}\ndata: {data}\n\n".encode())
            self.wfile.flush()
            event, data = "message", json.dumps(waiting.get())

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        url = urlsplit(self.path)
        if url.path == "/webhook/helpdesk/chat":
            return self.chat(message)
        if not self.known():
            return None
        if url.path not in ("/mcp/v1/messages", "/mcp/v2"):
            return self.send(404, {"message": f"This webhook is not registered for POST requests: {url.path}"})
        in_query = parse_qs(url.query).get("sessionId", [None])[0]
        if in_query in streams:
            response = answer(message, self.name, self.tools())
            if response is not None:
                streams[in_query].put(response)
            return self.send(202, None)
        if in_query is not None or url.path != "/mcp/v2":
            return self.send(401, {"message": "No transport found for sessionId"})
        session = self.headers.get("mcp-session-id")
        if session is None and message.get("method") == "initialize":
            session = str(uuid.uuid4())
            sessions.add(session)
        if session not in sessions:
            return self.send(404, {"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "Session not found"}})
        response = answer(message, self.name, self.tools())
        return self.send(202 if response is None else 200, response, {"mcp-session-id": session})

    def chat(self, message):
        if self.headers.get("X-Webhook-Key") != "key-of-acme":
            return self.send(403, {"message": "Authorization data is wrong!"})
        said = memories.setdefault(message["sessionId"], [])
        said.append(message["chatInput"])
        return self.send(200, {"output": f"You have asked {len(said)} times, now: {said[-1]}"})

    def do_DELETE(self):
        sessions.discard(self.headers.get("mcp-session-id"))
        self.send(200, None)


serve(Trigger, int(sys.argv[1]))
