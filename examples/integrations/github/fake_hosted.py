"""A fake of GitHub's hosted MCP server: a token for each request, toolsets and read-only by header, no sessions.

    python3 fake_hosted.py 9001
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from fake_mcp import Handler, serve  # noqa: E402

TOOLSETS = {
    "context": {"get_me": True},
    "repos": {"get_file_contents": True, "create_repository": False},
    "issues": {"list_issues": True, "issue_write": False},
}
PREFIXES = ("ghp_", "github_pat_", "gho_", "ghu_", "ghs_")


class Hosted(Handler):
    name, endpoint = "github-mcp-server", "/mcp/"

    def tools_of(self):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            return 401
        if not token.startswith(PREFIXES):
            return 400
        sets = self.headers.get("X-MCP-Toolsets", "context,repos,issues").split(",")
        only_reads = self.headers.get("X-MCP-Readonly") == "true"
        names = [name for each in sets for name, reads in TOOLSETS[each.strip()].items() if reads or not only_reads]
        return {name: (name, lambda _, name=name: f"{name} with {token}") for name in names}


serve(Hosted, int(sys.argv[1]))
