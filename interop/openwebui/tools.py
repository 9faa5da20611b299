"""Users of two tenants, their tools, and what is told to the servers about them."""

import asyncio

from model import MODEL

AT_ONCE = 8
TURNS = 50  # Each takes some tenths of a second.
MCP = ["server:mcp:crossway"]


async def run(lab):
    await lists(lab)
    await calls(lab)
    await at_once(lab)
    await credentials(lab)
    await new_token(lab)


async def lists(lab):
    """What each is offered: the model's list is what Open WebUI has got from Crossway for that user."""
    check = lab.checks.equal
    offered = {}
    for person in (lab.alice, lab.bob, lab.admin):
        check(f"{person.name} may choose Crossway", await person.tools(), MCP)
        answer = await person.chat(MODEL, "Is anything there?", MCP)
        check(f"{person.name} gets an answer", answer["content"], "There is nothing to look up.")
        offered[person.name] = lab.model.offered("crossway_")
    check(
        "Alice's model is offered the tools of acme, without those of the server that is down",
        offered[lab.alice.name],
        ["crossway_notes__whoami", "crossway_tickets__my_tickets", "crossway_tickets__whoami"],
    )
    check(
        "Bob's model is offered the tools of globex",
        offered[lab.bob.name],
        [
            "crossway_tickets__my_tickets",
            "crossway_tickets__whoami",
            "crossway_wiki__page",
            "crossway_wiki__search",
            "crossway_wiki__whoami",
        ],
    )
    check("the administrator, who is of no tenant, is offered none", offered[lab.admin.name], [])


async def calls(lab):
    for person, tool, token in [
        (lab.alice, "notes", "alice-at-notes"),
        (lab.alice, "tickets", "alice-at-tickets"),
        (lab.bob, "tickets", "bob-at-tickets"),
        (lab.bob, "wiki", "bob-at-wiki"),
    ]:
        answer = await person.chat(MODEL, f"Call crossway_{tool}__whoami", MCP)
        lab.checks.equal(
            f"{person.name}'s chat has the answer of {tool}",
            answer["content"].split("The tool says: ")[-1],
            f"{token} came to {tool}",
        )
    for person, tool in [(lab.alice, "wiki__whoami"), (lab.bob, "notes__whoami"), (lab.bob, "tickets__delete_all")]:
        answer = await person.chat(MODEL, f"Call crossway_{tool}", MCP)
        lab.checks.contains(f"{person.name} has no {tool}", said(answer), "not found")


async def at_once(lab):
    """Both users in several chats at a time: nobody gets what was meant for somebody else."""
    people = [lab.alice, lab.bob] * (AT_ONCE // 2)
    questions = [person.chat(MODEL, "Call crossway_tickets__whoami", MCP) for person in people]
    got = [answer["content"] for answer in await asyncio.gather(*questions)]
    wanted = [f"The tool says: {name}-at-tickets came to tickets" for name in ("alice", "bob")] * (AT_ONCE // 2)
    lab.checks.equal(f"{AT_ONCE} chats at once have each their user's answer", got, wanted)


async def new_token(lab):
    """Files of tokens are looked at each second: some turns may be over before that."""
    file = lab.dir / "crossway/tokens/tickets/alice_40acme.example"
    old = file.read_text()
    file.write_text("a-new-token\n")
    for _ in range(TURNS):
        answer = await lab.alice.chat(MODEL, "Call crossway_tickets__whoami", MCP)
        if "alice-at-tickets" not in said(answer):
            break
    lab.checks.contains("a new token of Alice's holds within seconds", said(answer), "a-new-token came to tickets")
    file.write_text(old)


async def credentials(lab):
    """What came to the servers, in all of the time: their users' tokens, and nothing of Open WebUI's."""
    check = lab.checks.equal
    notes = lab.records["notes"].all()
    check("the stdio server's processes had Alice's token", {entry["token"] for entry in notes}, {"alice-at-notes"})
    check("and nothing of the gateway's environment", [name for name in notes[0]["environment"] if "CROSSWAY" in name], [])
    heads = {name: [entry["headers"] for entry in lab.records[name].all()] for name in ("tickets", "wiki")}
    tokens = {head.get("authorization") for head in heads["tickets"]}
    check("each request to the HTTP+SSE server had a user's token", tokens, {"Bearer alice-at-tickets", "Bearer bob-at-tickets"})
    tokens = {(head.get("x-wiki-token"), head.get("authorization")) for head in heads["wiki"]}
    check("each request to the Streamable HTTP server had Bob's token", tokens, {("bob-at-wiki", None)})
    every = [(name, value) for head in heads["tickets"] + heads["wiki"] for name, value in head.items()]
    check("no server got the connection's key", [value for _, value in every if lab.key in value], [])
    check("no server got what Open WebUI says of its user", {name for name, _ in every if "openwebui" in name}, set())


def said(answer):
    """All that a message has: its text, and what came to the model in between."""
    return answer["content"] + str(answer.get("output", "")) + str(answer.get("error", ""))
