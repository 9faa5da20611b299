"""An MCP client in a hundred lines, and programs that run beside a check: nothing here needs to be installed."""

import contextlib
import http.client
import json
import pathlib
import signal
import subprocess
import time
import urllib.parse

LEGACY, MODERN = "2025-11-25", "2026-07-28"
PATIENCE = 30


class Failed(Exception):
    """A call that was not answered by a result. `sent` says whether a server may have seen it."""

    def __init__(self, what, sent=True):
        super().__init__(what)
        self.sent = sent


class Client:
    """Talks to one URL, over one connection that is kept, or one for each request."""

    def __init__(self, url, headers=None, keep=True):
        self.at = urllib.parse.urlsplit(url)
        self.headers, self.keep, self.timeout = headers or {}, keep, PATIENCE
        self.connection, self.session, self.stream, self.last = None, None, None, 0

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def send(self, method, body=None, headers=None):
        """A request's status, headers and body."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.at.hostname, self.at.port, timeout=self.timeout)
            try:
                self.connection.connect()
            except OSError as error:
                self.connection = None
                raise Failed(f"no connection: {error}", sent=False) from error
        head = {"Accept": "application/json, text/event-stream", **self.headers, **(headers or {})}
        if self.session:
            head |= {"Mcp-Session-Id": self.session, "MCP-Protocol-Version": LEGACY}
        if body is not None:
            head["Content-Type"] = "application/json"
        try:
            self.connection.request(method, self.at.path, body, head)
            response = self.connection.getresponse()
            answer = response.status, dict(response.headers.items()), response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Failed(f"{type(error).__name__}: {error}") from error
        if response.will_close or not self.keep:
            self.close()
        return answer

    def listen(self):
        """Opens the session's stream of messages; the status. `is_open` waits on it."""
        self.connection = http.client.HTTPConnection(self.at.hostname, self.at.port, timeout=self.timeout)
        head = {**self.headers, "Accept": "text/event-stream", "Mcp-Session-Id": self.session, "MCP-Protocol-Version": LEGACY}
        try:
            self.connection.connect()
            self.stream = self.connection.sock
            self.connection.request("GET", self.at.path, None, head)
            status = self.connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Failed(f"{type(error).__name__}: {error}") from error
        self.stream.settimeout(0.5)
        return status

    def is_open(self):
        """Reads from the stream for half a second at most; whether it still stands."""
        try:
            return bool(self.stream.recv(65536))
        except TimeoutError:
            return True
        except OSError:
            return False

    def message(self, method, params, headers=None):
        self.last += 1
        body = json.dumps({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}).encode()
        status, head, body = self.send("POST", body, headers)
        head = {name.lower(): value for name, value in head.items()}
        if status != 200:
            # A proxy's page says no more than its status.
            said = body.decode(errors="replace")[:200] if body.startswith(b"{") else ""
            raise Failed(f"status {status} {said}".strip())
        answer = last_event(body) if head["content-type"].startswith("text/event-stream") else json.loads(body)
        if answer.get("id") != self.last:
            raise Failed(f"the answer to another call: {answer}")
        if "error" in answer:
            raise Failed(f"error {answer['error']}")
        return answer["result"], head

    def open(self, capabilities=None):
        """Opens a session, as clients before 2026-07-28 do."""
        about = {"protocolVersion": LEGACY, "capabilities": capabilities or {}, "clientInfo": {"name": "check", "version": "0"}}
        _, head = self.message("initialize", about)
        self.session = head["mcp-session-id"]
        note = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode()
        status, _, _ = self.send("POST", note)
        if status != 202:
            raise Failed(f"status {status} to notifications/initialized")
        return self

    def end(self):
        status, _, _ = self.send("DELETE")
        self.session = None
        return status

    def request(self, method, params, name=None):
        """A request in the session, or without one in revision 2026-07-28."""
        if self.session:
            return self.message(method, params)[0]
        meta = {f"io.modelcontextprotocol/{key}": value for key, value in [("protocolVersion", MODERN), ("clientCapabilities", {})]}
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method} | ({"Mcp-Name": name} if name else {})
        meta |= params.get("_meta", {})
        return self.message(method, params | {"_meta": meta}, headers)[0]

    def tools(self):
        return sorted(tool["name"] for tool in self.request("tools/list", {})["tools"])

    def call(self, tool, progress=False, **arguments):
        """The text that a tool gives. With `progress` the answer is a stream that tells of it first."""
        params = {"name": tool, "arguments": arguments} | ({"_meta": {"progressToken": "p"}} if progress else {})
        result = self.request("tools/call", params, tool)
        text = " ".join(part.get("text", "") for part in result["content"])
        if result.get("isError"):
            raise Failed(f"the tool says: {text}")
        return text


def last_event(body):
    datas = [line[5:].strip() for line in body.decode().splitlines() if line.startswith("data:")]
    return json.loads(datas[-1])


class Program:
    """A program that runs until the end of the block; what it says goes to a log."""

    def __init__(self, command, log, env=None, cwd=None, more=None):
        self.command, self.log = [str(word) for word in command], pathlib.Path(log)
        self.env, self.cwd, self.more = env, cwd, more or {}

    def __enter__(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, cwd=self.cwd, **self.more
            )
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def said(self):
        return self.log.read_text(errors="replace")

    def until(self, ready, seconds=PATIENCE):
        """Waits until `ready()` gives something, as long as the program lives; gives that."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, Failed):
                if found := ready():
                    return found
            if self.process.poll() is not None or time.monotonic() > end:
                last = "\n".join(self.said().splitlines()[-20:])
                raise SystemExit(f"{self.command[0]} does not serve; the end of {self.log}:\n{last}")
            time.sleep(0.05)


def report(line):
    print(f"ok  {line}", flush=True)
