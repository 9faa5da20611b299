"""What a person sees in the chat when something is not as it should be, and what Open WebUI makes of answers: as the guide tells it."""

import json

import web
from model import MODEL
from tools import MCP, said
from upstreams import LARGE

FAILED = ["Failed to connect to MCP server 'crossway'"]
TOOL_SERVERS = "/api/v1/configs/tool_servers"


async def run(lab):
    await answers(lab)
    await checking(lab)
    await connections(lab)
    await without_tokens(lab)


async def ask(lab, person, question):
    """A chat with Crossway chosen: what the model was offered, what the person sees of connections, and the answer."""
    answer = await person.chat(MODEL, question, MCP)
    told = [status.get("description") for status in answer.get("statusHistory", [])]
    return lab.model.offered("crossway_"), told, answer


async def answers(lab):
    _, _, answer = await ask(lab, lab.bob, "Call crossway_wiki__page")
    lab.checks.equal("an answer of 1.5 MB arrives whole", answer["content"], f"The tool says: {LARGE} characters")
    _, _, answer = await ask(lab, lab.bob, "Call crossway_wiki__search")
    lab.checks.equal("a link to a resource is dropped by Open WebUI", answer["content"], "The tool says: one page found")


async def checking(lab):
    """The administrator's button "Verify Connection"."""
    [connection] = json.loads(lab.connection("mcp"))
    verify = f"{TOOL_SERVERS}/verify"
    found = await lab.admin.post(verify, connection)
    lab.checks.equal("a connection is verified, with no tools, for it tells of no user", found, {"status": True, "specs": []})
    refused = await lab.admin.post(verify, {**connection, "key": "wrong"}, status=400)
    lab.checks.equal("a wrong key is found", refused, {"detail": "Failed to create MCP client"})


async def connections(lab):
    [connection] = json.loads(lab.connection("mcp"))
    check = lab.checks.equal
    await lab.admin.post(TOOL_SERVERS, {"TOOL_SERVER_CONNECTIONS": [{**connection, "key": "wrong"}]})
    offered, told, answer = await ask(lab, lab.alice, "Is anything there?")
    check("with a wrong key the chat says what is missing, and goes on", (offered, told), ([], FAILED))
    check("with an answer", answer["content"], "There is nothing to look up.")
    alice = {"principal_type": "user", "principal_id": (await lab.alice.get("/api/v1/auths/"))["id"], "permission": "read"}
    hers = {**connection, "config": {"enable": True, "access_grants": [alice]}}
    await lab.admin.post(TOOL_SERVERS, {"TOOL_SERVER_CONNECTIONS": [hers]})
    check("with access granted to Alice alone she may choose Crossway", await lab.alice.tools(), MCP)
    check("and Bob may not", await lab.bob.tools(), [])
    check("not even by its id", (await ask(lab, lab.bob, "Is anything there?"))[0], [])
    filtered = {**connection, "config": {**connection["config"], "function_name_filter_list": "s__whoami"}}
    await lab.admin.post(TOOL_SERVERS, {"TOOL_SERVER_CONNECTIONS": [filtered]})
    offered, _, _ = await ask(lab, lab.bob, "Is anything there?")
    check("the filter of names looks at their ends", offered, ["crossway_tickets__whoami"])
    await lab.admin.post(TOOL_SERVERS, {"TOOL_SERVER_CONNECTIONS": [connection]})


async def without_tokens(lab):
    carol = await web.add(lab.admin, "Carol Cook", "carol@acme.example")
    offered, told, _ = await ask(lab, carol, "Is anything there?")
    lab.checks.equal("Carol of acme, who has no tokens, is offered nothing by anybody else's", (offered, told), ([], []))


async def outages(lab):
    """Comes last, for it ends what others need."""
    await lab.end_wiki()
    _, _, answer = await ask(lab, lab.bob, "Call crossway_tickets__whoami")
    lab.checks.contains("with the wiki down Bob's tickets answer", said(answer), "bob-at-tickets came to tickets")
    _, _, answer = await ask(lab, lab.bob, "Call crossway_wiki__whoami")
    lab.checks.contains("and a call to the wiki ends with an answer", answer["content"], "The tool says: ")
    lab.checks.contains("which says why", answer["content"], "the MCP server can't be reached")
    lab.crossway_program.end()
    _, told, answer = await ask(lab, lab.alice, "Is anything there?")
    lab.checks.equal("with Crossway down the chat answers", answer["content"], "There is nothing to look up.")
    lab.checks.equal("and says what is missing", told, FAILED)
