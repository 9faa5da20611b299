"""The same servers as OpenAPI: one list for all, and each call as who makes it."""

import json

import web
from model import MODEL
from symptoms import TOOL_SERVERS
from tools import MCP, said

TICKETS = ["server:tickets"]
STAND_IN = "openapi-at-tickets"


async def run(lab):
    check = lab.checks.equal
    both = [json.loads(lab.connection(name))[0] for name in ("mcp", "openapi")]
    before = len(lab.records["tickets"].all())
    document = await lab.admin.post(f"{TOOL_SERVERS}/verify", both[1])
    check("OpenAPI: a connection is verified", sorted(document["paths"]), ["/my_tickets", "/whoami"])
    async with lab.http.get(f"http://{lab.gateway}/tickets/openapi.json") as answer:
        check("OpenAPI: there is no document without the key", answer.status, 401)
    await lab.admin.post(TOOL_SERVERS, {"TOOL_SERVER_CONNECTIONS": both})
    for person, token in [(lab.alice, "alice-at-tickets"), (lab.bob, "bob-at-tickets")]:
        check(f"OpenAPI: {person.name} may choose it", await person.tools(), MCP + TICKETS)
        answer = await person.chat(MODEL, "Call tool_whoami_post", TICKETS)
        check(f"OpenAPI: {person.name}'s chat has the answer", answer["content"], f"The tool says: {token} came to tickets")
    await refused(lab)
    tokens = {entry["headers"].get("authorization") for entry in lab.records["tickets"].all()[before:]}
    wanted = {f"Bearer {token}" for token in ("alice-at-tickets", "bob-at-tickets", STAND_IN)}
    check("OpenAPI: each request had a user's token, or that of who stands in for the list", tokens, wanted)


async def refused(lab):
    """All are offered the same; what they may not call is not called."""
    answer = await lab.admin.chat(MODEL, "Call tool_whoami_post", TICKETS)
    offered = lab.model.offered("tool_")
    lab.checks.equal("OpenAPI: who is of no tenant is offered the same", offered, ["tool_my_tickets_post", "tool_whoami_post"])
    lab.checks.contains("OpenAPI: and is refused when it is called", said(answer), "HTTP error 403")
    dan = await web.add(lab.admin, "Dan Dyer", "dan@globex.example")
    answer = await dan.chat(MODEL, "Call tool_whoami_post", TICKETS)
    lab.checks.contains("OpenAPI: Dan, who has no token, is told how to get one", said(answer), "get a token at https://tickets.example/tokens")
