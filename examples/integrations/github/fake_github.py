"""A fake of GitHub's API, which tells whose token it was asked with. Anything but a few GETs is 404; `/said` has
all that was asked.

    python3 fake_github.py 127.0.0.99 80
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from fake_api import serve  # noqa: E402

ISSUE = {"number": 7, "title": "Doors open the wrong way", "state": "open", "body": "All of them.", "id": 7}


def answer(path, token):
    if path == "/user":
        return 200, {"login": token.removeprefix("token-of-"), "id": 1, "type": "User"}
    if path.startswith("/repos/acme/doors/issues"):
        return 200, ISSUE if path.endswith("/7") else [ISSUE]
    return 404, {"message": "Not Found"}


serve("GitHub", answer, int(sys.argv[2]), sys.argv[1], base="/api/v3")
