"""A small API for fakes, on nothing but Python: GETs with a token, answered with JSON. `/said` has all that was asked, and with what.

A fake hands `serve` a function from a path below `base` and a token (without `mark`) to a status and an answer.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(name, answer, port, host="127.0.0.1", base="", mark=""):
    said = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.split("?")[0].removeprefix(base)
            if path == "/said":
                return self.send(200, "".join(said), "text/plain")
            token = self.headers.get("Authorization", "nobody").split(" ")[-1].removeprefix(mark)
            said.append(f"{path} {token}\n")
            status, value = answer(path, token)
            self.send(status, json.dumps(value), "application/json")

        def send(self, status, text, kind):
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer((host, port), Api)
    print(f"the fake of {name} listens", flush=True)
    server.serve_forever()
