"""What came to a server: lines of JSON in a file, which several processes may write."""

import json


def add_line(path, entry):
    """One write to a file that is open for appending: lines of several processes stay whole."""
    with open(path, "ab", buffering=0) as file:
        file.write(json.dumps(entry).encode() + b"\n")


class Record:
    def __init__(self, path):
        self.path = path
        path.write_text("")

    def add(self, **entry):
        add_line(self.path, entry)

    def all(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]


class Recorded:
    """An ASGI application with a note of each request, and of all of its headers."""

    def __init__(self, app, record):
        self.app, self.record = app, record

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
            self.record.add(method=scope["method"], path=scope["path"], headers=headers)
        await self.app(scope, receive, send)
