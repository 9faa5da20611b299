"""A fake of Jira (Data Center), which tells whose token it was asked with; `/said` has all that was asked.

    python3 fake_jira.py 9100
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from fake_api import serve  # noqa: E402


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


def answer(path, who):
    if path.startswith("/rest/api/2/issue/"):
        return 200, issue(path.split("/")[5], who)
    if path == "/rest/api/2/myself":
        return 200, {"name": who, "key": who, "displayName": who, "emailAddress": f"{who}@acme.example"}
    return 404, {"errorMessages": ["not in this fake"]}


serve("Jira", answer, int(sys.argv[1]), mark="pat-of-")
