"""
title: n8n
description: Workflows of n8n as models: a chat's messages go to a workflow's webhook, and its answer comes back, streamed where the workflow streams.
author: Crossway
version: 1.0.0
license: MIT OR Apache-2.0
required_open_webui_version: 0.12.0
"""

# For workflows that are the other side of a conversation: an agent in n8n that answers by itself. A workflow that a model should call
# as one tool among others needs no pipe: give it to Crossway, as an MCP server (n8n's MCP Server Trigger) or as a webhook.
#
# What a workflow gets is what n8n's own chat sends, so that a Chat Trigger works as it is, and so does a Webhook node:
#   {"action": "sendMessage", "sessionId": "<the chat>", "chatInput": "<the last message>"}
# with "systemPrompt", if the chat has one, and "user", if the valve says so. With images it is a form (multipart/form-data) that has
# the same fields, and the images as files. What it answers is a JSON object with the text in a field, a list of those, plain text, or
# lines of JSON as n8n streams them.

import base64
import binascii
import contextlib
import json
import re
from collections.abc import AsyncIterator

import aiohttp
from pydantic import BaseModel, Field

ERROR_CHARACTERS = 300
# What one answer may have: a page of text is 3 KB. Without a bound a workflow that never ends would fill the memory.
ANSWER_BYTES = 16 * 1024 * 1024
IMAGE = re.compile(r"data:(?P<type>image/(?P<kind>[\w.+-]+));base64,(?P<data>.*)", re.DOTALL)
CHUNKS = ("begin", "item", "end", "error")


class Pipe:
    class Valves(BaseModel):
        workflows: str = Field(
            default="n8n http://127.0.0.1:5678/webhook/CHANGE-ME/chat",
            description="A line for each workflow: the name that users see, and the URL of its webhook.",
        )
        bearer_token: str = Field(
            default="",
            description="Sent as Authorization: Bearer .., where the webhook asks for it (header auth). Empty: nothing is sent.",
            json_schema_extra={"input": {"type": "password"}},
        )
        input_field: str = Field(default="chatInput", description="The field that a message goes to.")
        output_field: str = Field(default="output", description="The field of the answer that has its text.")
        send_user: bool = Field(default=False, description="Whether workflows are told who asks: id, name, e-mail address and role.")
        timeout_seconds: int = Field(
            default=120, ge=1, le=3600, description="For how long a workflow may say nothing, from its start or its last words on."
        )

    def __init__(self):
        self.valves = self.Valves()

    def workflows(self) -> dict[str, tuple[str, str]]:
        """Name and URL of each workflow, by the id that its model has."""
        found = {}
        for line in self.valves.workflows.splitlines():
            name, _, url = line.strip().rpartition(" ")
            if not line.strip() or line.strip().startswith("#"):
                continue
            if not name or not url.startswith(("http://", "https://")):
                raise ValueError(f"the valve workflows has a line that is not a name and a URL: {line.strip()}")
            found[re.sub(r"[^a-z0-9]+", "-", name.strip().lower()).strip("-")] = (name.strip(), url)
        return found

    def pipes(self) -> list[dict]:
        try:
            return [{"id": key, "name": name} for key, (name, _) in self.workflows().items()]
        except ValueError as error:
            # A list that is empty without a word would leave the administrator searching.
            return [{"id": "misconfigured", "name": f"n8n: {error}"}]

    async def pipe(self, body: dict, __user__: dict, __chat_id__: str = "", __task__: str | None = None):
        if __task__:
            # Titles, tags and follow-ups: a workflow that acts must not run for these. Open WebUI does without.
            return ""
        valves = self.valves.model_copy()
        workflows = self.workflows()
        key = body["model"].split(".", 1)[-1]
        if key not in workflows:
            raise ValueError(f"there is no workflow {key} in the valve workflows")
        name, url = workflows[key]
        message = Message(valves, body["messages"], __chat_id__ or "", __user__)
        words = converse(valves, name, url, message)
        if not body.get("stream"):
            return "".join([word async for word in words])
        # The first words are awaited here, where an error still becomes the chat's error.
        first = await anext(words, "")
        return follow(first, words)


async def follow(first: str, words: AsyncIterator[str]) -> AsyncIterator:
    """The words as they come; an error on the way ends them, and is shown."""
    async with contextlib.aclosing(words):
        yield first
        try:
            async for word in words:
                yield word
        except Exception as error:
            yield {"error": {"detail": str(error)}}


class Message:
    """What a workflow is sent: the last message, and what belongs to it."""

    def __init__(self, valves, messages: list[dict], chat: str, user: dict):
        text, self.images = parts(messages[-1]["content"])
        self.fields = {"action": "sendMessage", "sessionId": chat, valves.input_field: text}
        system = "\n\n".join(parts(message["content"])[0] for message in messages if message["role"] == "system")
        if system:
            self.fields["systemPrompt"] = system
        if valves.send_user:
            self.fields["user"] = {key: user.get(key) for key in ("id", "name", "email", "role")}

    def request(self) -> dict:
        """As JSON; as a form where there are images."""
        if not self.images:
            return {"json": self.fields}
        form = aiohttp.FormData()
        for key, value in self.fields.items():
            form.add_field(key, value if isinstance(value, str) else json.dumps(value))
        for number, (kind, suffix, data) in enumerate(self.images, start=1):
            form.add_field("files", data, content_type=kind, filename=f"image-{number}.{suffix}")
        return {"data": form}


def parts(content) -> tuple[str, list[tuple[str, str, bytes]]]:
    """Text and images of a message's content."""
    if isinstance(content, str):
        return content, []
    images = []
    for part in content:
        if part.get("type") == "image_url":
            match = IMAGE.fullmatch(part["image_url"]["url"])
            try:
                data = base64.b64decode(match["data"], validate=True) if match else b""
            except binascii.Error:
                data = b""
            if not data:
                raise ValueError("an image of this message can't be read")
            images.append((match["type"], match["kind"].split("+")[0], data))
    return "\n".join(part["text"] for part in content if part.get("type") == "text"), images


async def converse(valves, name: str, url: str, message: Message) -> AsyncIterator[str]:
    """Asks a workflow, and gives its words as they come."""
    headers = {"Accept": "application/json, text/plain"}
    if valves.bearer_token:
        headers["Authorization"] = f"Bearer {valves.bearer_token}"
    timeout = aiohttp.ClientTimeout(total=None, connect=30, sock_read=valves.timeout_seconds)
    try:
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
            async with session.post(url, headers=headers, allow_redirects=False, **message.request()) as answer:
                if answer.status != 200:
                    raise ValueError(refusal(name, answer.status, await answer.content.read(64 * 1024)))
                async for word in read(valves, name, answer.content):
                    yield word
    except TimeoutError:
        raise ValueError(f"the workflow {name} said nothing for {valves.timeout_seconds} seconds") from None
    except aiohttp.ClientConnectorError as error:
        raise ValueError(f"n8n can't be reached at {error.host}:{error.port}") from None
    except aiohttp.ClientError as error:
        raise ValueError(f"the answer of the workflow {name} broke off: {error}") from None


def refusal(name: str, status: int, body: bytes) -> str:
    """What to tell of an answer that is no answer, by what it mostly means."""
    told = body.decode(errors="replace").strip()
    with contextlib.suppress(ValueError, AttributeError):
        told = json.loads(told).get("message") or told
    meaning = {
        401: "n8n asks for credentials: see the valve bearer_token",
        403: "n8n does not accept the credentials: see the valve bearer_token",
        404: "there is no such webhook: is the workflow active, and is the URL the production one (/webhook/, not /webhook-test/)?",
    }.get(status, "the workflow failed" if status >= 500 else "n8n did not accept the request")
    return f"{meaning} (workflow {name}, HTTP {status}: {str(told)[:ERROR_CHARACTERS]})"


async def read(valves, name: str, content: aiohttp.StreamReader) -> AsyncIterator[str]:
    """The words of an answer. A streamed one is told by its first line: n8n sends both as application/json."""
    streams, whole = None, []
    async for line in lines(name, content):
        chunk = chunk_of(line)
        if streams is None and line.strip():
            streams = chunk is not None
        if not streams:
            whole.append(line)
        elif word := word_of(name, chunk) if chunk else line.decode(errors="replace"):
            yield word
    if not streams:
        yield text_of(valves, name, b"\n".join(whole))


async def lines(name: str, content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    size, rest = 0, b""
    async for data in content.iter_any():
        size += len(data)
        if size > ANSWER_BYTES:
            raise ValueError(f"the answer of the workflow {name} is longer than {ANSWER_BYTES} bytes")
        *complete, rest = (rest + data).split(b"\n")
        for line in complete:
            yield line
    yield rest


def chunk_of(line: bytes) -> dict | None:
    """A line of a streamed answer."""
    with contextlib.suppress(ValueError):
        chunk = json.loads(line)
        if isinstance(chunk, dict) and chunk.get("type") in CHUNKS and ("metadata" in chunk or "content" in chunk):
            return chunk
    return None


def word_of(name: str, chunk: dict) -> str:
    if chunk["type"] in ("begin", "end"):
        return ""
    content = chunk.get("content") or ""
    if chunk["type"] == "error":
        raise ValueError(f"the workflow {name} failed: {content or 'it does not say why'}")
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def text_of(valves, name: str, body: bytes) -> str:
    """The text of an answer that came whole."""
    text = body.decode(errors="replace")
    try:
        answer = json.loads(text)
    except ValueError:
        if text.strip():
            return text
        raise ValueError(f"the workflow {name} answered nothing; its last node has to respond to the webhook") from None
    found = []
    for item in answer if isinstance(answer, list) else [answer]:
        if isinstance(item, dict):
            if valves.output_field not in item:
                has = ", ".join(sorted(item)) or "nothing"
                raise ValueError(f"the answer of the workflow {name} has no field {valves.output_field}; it has {has}")
            item = item[valves.output_field]
        found.append(item if isinstance(item, str) else json.dumps(item, ensure_ascii=False))
    return "\n\n".join(found)
