"""A fake of GitHub's API, which tells whose token it was asked with. Anything but a few GETs is 404; `/said` has
all that was asked.

    python3 fake_github.py 127.0.0.99 80
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ISSUE = {"number": 7, "title": "Doors open the wrong way", "state": "open", "body": "All of them.", "id": 7}

said = []


class GitHub(BaseHTTPRequestHandler):
    def do_GET(self):
        token = self.headers.get("Authorization", "").split(" ")[-1]
        path = self.path.split("?")[0].removeprefix("/api/v3")
        if path == "/said":
            return self.send(200, "".join(said), "text/plain")
        said.append(f"{path} {token}\n")
        if path == "/user":
            status, answer = 200, {"login": token.removeprefix("token-of-"), "id": 1, "type": "User"}
        elif path.startswith("/repos/acme/doors/issues"):
            status, answer = 200, ISSUE if path.endswith("/7") else [ISSUE]
        else:
            status, answer = 404, {"message": "Not Found"}
        self.send(status, json.dumps(answer), "application/json")

    def send(self, status, text, kind):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), GitHub)
print("the fake of GitHub listens", flush=True)
server.serve_forever()
