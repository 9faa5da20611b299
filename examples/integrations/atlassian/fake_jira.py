"""A fake of Jira (Data Center), which tells whose token it was asked with; `/said` has all that was asked.

    python3 fake_jira.py 9100
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

said = []


def issue(key, who):
    person = {"name": who, "key": who, "displayName": who, "emailAddress": f"{who}@acme.example", "active": True}
    fields = {
        "summary": f"Doors, as {who} sees them",
        "status": {"name": "Open", "statusCategory": {"name": "To Do", "key": "new"}},
        "issuetype": {"name": "Task"},
        "priority": {"name": "High"},
        "assignee": person,
        "reporter": person,
        "project": {"key": "DOOR", "name": "Doors"},
        "description": "They open the wrong way.",
        "created": "2026-11-01T10:00:00.000+0000",
        "updated": "2026-11-02T10:00:00.000+0000",
    }
    return {"id": "1", "key": key, "self": f"http://jira.example/issue/{key}", "fields": fields}


class Jira(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/said":
            return self.send(200, "".join(said), "text/plain")
        who = self.headers.get("Authorization", "nobody").split(" ")[-1].removeprefix("pat-of-")
        said.append(f"{path} {who}\n")
        if path.startswith("/rest/api/2/issue/"):
            status, answer = 200, issue(path.split("/")[5], who)
        elif path == "/rest/api/2/myself":
            status, answer = 200, {"name": who, "key": who, "displayName": who, "emailAddress": f"{who}@acme.example"}
        else:
            status, answer = 404, {"errorMessages": ["not in this fake"]}
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


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Jira)
print("the fake of Jira listens", flush=True)
server.serve_forever()
