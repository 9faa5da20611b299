"""The functions of examples/openwebui, in a real Open WebUI, with n8n and Anthropic made up."""

import base64
import json
import pathlib

from anthropic_api import AnthropicApi
from lab import serving
from n8n import TOKEN, N8n

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples/openwebui"
WORKFLOWS = ["agent", "whole", "items", "text", "other", "failing", "missing"]
# A picture of one black dot.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


def picture(text):
    return [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]


async def run(lab):
    n8n, anthropic = N8n(), AnthropicApi()
    async with serving(n8n.app) as (n8n_url, _), serving(anthropic.app) as (anthropic_url, _):
        await install(lab.admin, "n8n", {"workflows": workflows(n8n_url), "bearer_token": TOKEN, "timeout_seconds": 20})
        await install(lab.admin, "anthropic", {"api_key": "key-of-all", "base_url": f"{anthropic_url}/v1", "models": "claude"})
        await n8n_answers(lab, n8n)
        await n8n_errors(lab, n8n)
        await anthropic_answers(lab, anthropic)
        await anthropic_tools(lab, anthropic)
        await anthropic_errors(lab)


def workflows(url):
    lines = [f"The {name} one {url}/webhook/{name}/chat" for name in WORKFLOWS]
    return "\n".join(["# name and URL", *lines, "Nobody there http://127.0.0.1:9/webhook/x"])


async def install(admin, name, valves):
    """As an administrator does it: paste, switch on, fill in the valves."""
    content = (EXAMPLE / f"{name}_pipe.py").read_text()
    await admin.post("/api/v1/functions/create", {"id": name, "name": name, "content": content, "meta": {"description": name}})
    await admin.post(f"/api/v1/functions/id/{name}/toggle", None)
    await set_valves(admin, name, valves)


async def set_valves(admin, name, valves):
    await admin.post(f"/api/v1/functions/id/{name}/valves/update", valves)


async def models(person, prefix):
    listed = (await person.get("/api/models?refresh=true"))["data"]
    return {model["id"]: model["name"] for model in listed if model["id"].startswith(prefix)}


async def streamed(lab, model, content, begun, **more):
    """An answer as it comes. The fake holds back the rest until the first words are here: without streaming there are none."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": content}], **more}
    words = []
    begun.clear()
    async for data in lab.bob.stream("/api/chat/completions", body):
        for choice in data.get("choices", []):
            if choice["delta"].get("content"):
                words.append(choice["delta"]["content"])
                begun.set()
    return words


async def whole(lab, model, content, **more):
    body = {"model": model, "stream": False, "messages": [{"role": "user", "content": content}], **more}
    answer = await lab.bob.post("/api/chat/completions", body)
    return answer["choices"][0]["message"]["content"]


async def n8n_answers(lab, n8n):
    check = lab.checks.equal
    listed = await models(lab.bob, "n8n.")
    names = {f"n8n.the-{name}-one": f"The {name} one" for name in WORKFLOWS}
    check("n8n: workflows are listed as models", listed, {**names, "n8n.nobody-there": "Nobody there"})
    words = await streamed(lab, "n8n.the-agent-one", "hello", n8n.go_on)
    check("n8n: a streamed answer comes word by word", words, ["You said: ", "hello", ", with 0 files."])
    check("n8n: the workflow gets what n8n's own chat sends", sorted(n8n.got[-1]), ["action", "chatInput", "files", "sessionId"])
    check("n8n: a whole answer is asked for and given", await whole(lab, "n8n.the-whole-one", "hello"), "whole: hello")
    check("n8n: several items are all shown", await whole(lab, "n8n.the-items-one", "hello"), 'one\n\n{"two": 2}')
    check("n8n: plain text is the answer", await whole(lab, "n8n.the-text-one", "hello"), "only\ntext")
    words = await streamed(lab, "n8n.the-agent-one", picture("look"), n8n.go_on)
    check("n8n: an image goes with the message", "".join(words), "You said: look, with 1 files.")
    kind, name, data = n8n.got[-1]["files"][0]
    check("n8n: as a file", (kind, name, data), ("image/png", "image-1.png", base64.b64decode(PNG)))
    system = {"role": "system", "content": "Be brief."}
    await whole(lab, "n8n.the-whole-one", "", messages=[system, {"role": "user", "content": "hello"}])
    check("n8n: the system prompt goes with it", n8n.got[-1].get("systemPrompt"), "Be brief.")
    answer = await lab.bob.chat("n8n.the-whole-one", "in a chat")
    check("n8n: a chat has the answer", answer["content"], "whole: in a chat")
    check("n8n: a chat is a session", n8n.got[-1]["sessionId"], answer["chat"])
    check("n8n: it is not told who asks", n8n.got[-1].get("user"), None)
    await set_valves(lab.admin, "n8n", {**await valves_of(lab, "n8n"), "send_user": True})
    await lab.bob.chat("n8n.the-whole-one", "in a chat")
    told = n8n.got[-1].get("user") or {}
    check("n8n: unless the valve says so", (told.get("email"), told.get("role")), ("bob@globex.example", "user"))


async def valves_of(lab, name):
    return await lab.admin.get(f"/api/v1/functions/id/{name}/valves")


async def n8n_errors(lab, n8n):
    n8n.go_on.set()
    for model, told in [
        ("the-missing-one", "is the workflow active"),
        ("the-failing-one", "the workflow failed (workflow The failing one, HTTP 500: Error in workflow)"),
        ("the-other-one", "has no field output; it has answer"),
        ("nobody-there", "n8n can't be reached at 127.0.0.1:9"),
    ]:
        answer = await lab.bob.chat(f"n8n.{model}", "hello")
        lab.checks.contains(f"n8n: the chat says what is wrong with {model}", error_of(answer), told)
    answer = await lab.bob.chat("n8n.the-agent-one", "fail on the way")
    lab.checks.contains("n8n: and so it does on the way", error_of(answer), "the model of this agent is gone")
    lab.checks.equal("n8n: the words before it stay", answer["content"], "You said:")
    await set_valves(lab.admin, "n8n", {**await valves_of(lab, "n8n"), "bearer_token": "wrong"})
    answer = await lab.bob.chat("n8n.the-whole-one", "hello")
    lab.checks.contains("n8n: a wrong token is named", error_of(answer), "see the valve bearer_token")
    await set_valves(lab.admin, "n8n", {"workflows": "no-url"})
    listed = await models(lab.bob, "n8n.")
    lab.checks.contains("n8n: wrong valves are told of in the list", str(listed), "not a name and a URL: no-url")


def error_of(answer):
    return json.dumps(answer.get("error", ""), ensure_ascii=False)


async def anthropic_answers(lab, api):
    check = lab.checks.equal
    listed = await models(lab.bob, "anthropic.")
    wanted = {"anthropic.claude-large-1": "Claude Large 1", "anthropic.claude-small-1": "Claude Small 1"}
    check("Anthropic: models are listed, of all pages, those that the valve names", listed, wanted)
    model = "anthropic.claude-small-1"
    words = await streamed(lab, model, "hello there", api.go_on)
    check("Anthropic: an answer comes word by word", words, ["hello t", "here (0 images, no system prompt)"])
    check("Anthropic: everybody has one key", api.asked[-1]["who"], "everybody")
    said = await whole(lab, model, "hello", temperature=0.5, max_tokens=5, stop=["!"])
    check("Anthropic: a whole answer is asked for and given", said, "hello (0 images, no system prompt)")
    got = {key: api.asked[-1].get(key) for key in ("temperature", "max_tokens", "stop_sequences")}
    check("Anthropic: with the chat's parameters", got, {"temperature": 0.5, "max_tokens": 5, "stop_sequences": ["!"]})
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": picture("look")}]
    said = await whole(lab, model, "", messages=messages)
    check("Anthropic: images and system prompts arrive", said, "look (1 images, Be brief.)")
    before = [{"role": "user", "content": "first"}, {"role": "assistant", "content": ""}, {"role": "user", "content": "second"}]
    said = await whole(lab, model, "", messages=before)
    check("Anthropic: an answer that had nothing is left out", said, "first second (0 images, no system prompt)")
    answer = await lab.bob.chat(model, "in a chat")
    check("Anthropic: a chat has the answer", answer["content"], "in a chat (0 images, no system prompt)")
    check("Anthropic: and what it cost", {**answer["usage"]}.get("total_tokens"), 18)
    await lab.bob.post("/api/v1/functions/id/anthropic/valves/user/update", {"api_key": "key-of-bob"})
    await lab.bob.chat(model, "with my key")
    check("Anthropic: a user's own key goes before everybody's", api.asked[-1]["who"], "Bob")
    await lab.alice.chat(model, "with our key")
    check("Anthropic: and is nobody else's", api.asked[-1]["who"], "everybody")


async def anthropic_tools(lab, api):
    """Tools of Crossway's, by a model of the pipe's."""
    answer = await lab.alice.chat("anthropic.claude-large-1", "Call crossway_tickets__whoami", ["server:mcp:crossway"])
    wanted = "I will look that up. The tool says: alice-at-tickets came to tickets"
    lab.checks.equal("Anthropic: tools are called, and their answers come back", "".join(answer["content"].splitlines()), wanted)
    names = sorted(tool["name"] for tool in api.asked[-1]["tools"] if tool["name"].startswith("crossway_"))
    lab.checks.equal(
        "Anthropic: the model is offered the user's tools",
        names,
        ["crossway_notes__whoami", "crossway_tickets__my_tickets", "crossway_tickets__whoami"],
    )


async def anthropic_errors(lab):
    model = "anthropic.claude-small-1"
    answer = await lab.bob.chat(model, "too much")
    lab.checks.contains("Anthropic: a rate limit is named", error_of(answer), "rate limit is reached; try again in 20 s")
    answer = await lab.bob.chat(model, "break off here")
    lab.checks.contains("Anthropic: so is a failure on the way", error_of(answer), "overloaded_error: Overloaded")
    lab.checks.equal("Anthropic: the words before it stay", answer["content"], "break off here (0 images, no system prompt)")
    await lab.bob.post("/api/v1/functions/id/anthropic/valves/user/update", {"api_key": "wrong"})
    answer = await lab.bob.chat(model, "hello")
    lab.checks.contains("Anthropic: a wrong key is named", error_of(answer), "does not accept the key (HTTP 401")
    valves = await valves_of(lab, "anthropic")
    await set_valves(lab.admin, "anthropic", {**valves, "api_key": "wrong"})
    lab.checks.contains("Anthropic: in the list of models too", str(await models(lab.bob, "anthropic.")), "does not accept the key")
    await set_valves(lab.admin, "anthropic", {**valves, "api_key": "", "models": "claude-small-1"})
    lab.checks.equal("Anthropic: without a key for all the valve is the list", await models(lab.bob, "anthropic."), {model: "claude-small-1"})
    answer = await lab.alice.chat(model, "hello")
    lab.checks.contains("Anthropic: and who has no key is told", error_of(answer), "put yours into this function's user valves")
