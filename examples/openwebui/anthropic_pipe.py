"""
title: Anthropic
description: Models of Anthropic's Messages API, with streaming, images, system prompts and tools. Open WebUI does most of this by itself: read on.
author: Crossway
version: 1.0.0
license: MIT OR Apache-2.0
required_open_webui_version: 0.12.0
"""

# Open WebUI 0.12 speaks to Anthropic by itself: Admin Settings > Connections, with the URL https://api.anthropic.com/v1 and a key. Take
# that unless you need what it does not have:
#   - a key of each user's own (the user valve api_key) instead of one for all,
#   - the Messages API at another host: a proxy, a gateway. Open WebUI knows Anthropic by "api.anthropic.com" in the URL alone,
#   - a list of models that shows what is wrong, or a shorter one (the valve models).
# Extended thinking, citations and prompt caching are not here.

import contextlib
import json
import os
import re
import time
from collections.abc import AsyncIterator

import aiohttp
from pydantic import BaseModel, Field

VERSION = "2023-06-01"
ERROR_CHARACTERS = 300
# For how long a list of models holds: Open WebUI asks for it each time somebody opens a chat.
LIST_SECONDS = 300
# How often a list may go on: 1,000 models a page.
LIST_PAGES = 10
# One event of a stream is a few words, or a piece of a tool's arguments.
EVENT_BYTES = 4 * 1024 * 1024
IMAGE = re.compile(r"data:(?P<type>image/[\w.+-]+);base64,(?P<data>.*)", re.DOTALL)
FINISHES = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls"}


class Pipe:
    class Valves(BaseModel):
        api_key: str = Field(
            default_factory=lambda: os.environ.get("ANTHROPIC_API_KEY", ""),
            description="The key for all who have none of their own. Empty: each needs one.",
            json_schema_extra={"input": {"type": "password"}},
        )
        base_url: str = Field(default="https://api.anthropic.com/v1", description="Where the Messages API is, with its version.")
        models: str = Field(default="", description="Only models that have one of these in their id, separated by commas. Empty: all.")
        max_tokens: int = Field(default=8192, ge=1, description="How long an answer may be, where the chat does not say it.")
        timeout_seconds: int = Field(
            default=120, ge=1, le=3600, description="For how long the API may say nothing, from the start or its last words on."
        )

    class UserValves(BaseModel):
        api_key: str = Field(
            default="", description="Your own key, instead of everybody's.", json_schema_extra={"input": {"type": "password"}}
        )

    def __init__(self):
        self.valves = self.Valves()
        self.listed = None

    async def pipes(self) -> list[dict]:
        api = Api(self.valves, self.valves.api_key)
        if not self.valves.api_key:
            # The list is everybody's, and can't be asked for with one user's key.
            ids = [name.strip() for name in self.valves.models.split(",") if name.strip()]
            if ids:
                return [{"id": name, "name": name} for name in ids]
            return [{"id": "misconfigured", "name": "Anthropic: the valves have neither a key nor the ids of models"}]
        asked = (api.url, api.key, self.valves.models)
        if self.listed and self.listed[0] == asked and time.monotonic() < self.listed[1]:
            return self.listed[2]
        try:
            models = await api.models(self.valves.models)
        except ValueError as error:
            # A list that is empty without a word would leave the administrator searching.
            return [{"id": "misconfigured", "name": f"Anthropic: {error}"}]
        self.listed = (asked, time.monotonic() + LIST_SECONDS, models)
        return models

    async def pipe(self, body: dict, __user__: dict):
        valves = __user__.get("valves")
        api = Api(self.valves, (valves.api_key if valves else "") or self.valves.api_key)
        request = request_of(body, self.valves.max_tokens)
        if not body.get("stream"):
            return completion_of(await api.answer(request))
        chunks = Chunks(body["model"]).of(api.events(request))
        # The first one is awaited here, where an error still becomes the chat's error.
        return follow(await anext(chunks, None), chunks)


async def follow(first: dict | None, chunks: AsyncIterator[dict]) -> AsyncIterator[dict]:
    """The chunks as they come; an error on the way ends them, and is shown."""
    async with contextlib.aclosing(chunks):
        if first:
            yield first
        try:
            async for chunk in chunks:
                yield chunk
        except Exception as error:
            yield {"error": {"detail": str(error)}}


class Api:
    """The Messages API, with somebody's key."""

    def __init__(self, valves, key: str):
        self.url, self.key, self.silence = valves.base_url.rstrip("/"), key, valves.timeout_seconds

    @contextlib.asynccontextmanager
    async def ask(self, method: str, path: str, **more):
        if not self.key:
            raise ValueError("there is no key for Anthropic: put yours into this function's user valves (Controls > Valves)")
        headers = {"x-api-key": self.key, "anthropic-version": VERSION}
        timeout = aiohttp.ClientTimeout(total=None, connect=30, sock_read=self.silence)
        try:
            async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
                url = f"{self.url}{path}"
                async with session.request(method, url, headers=headers, allow_redirects=False, **more) as answer:
                    if answer.status != 200:
                        raise ValueError(refusal(answer, await answer.content.read(64 * 1024)))
                    yield answer
        except TimeoutError:
            raise ValueError(f"Anthropic said nothing for {self.silence} seconds") from None
        except aiohttp.ClientConnectorError as error:
            raise ValueError(f"Anthropic can't be reached at {error.host}:{error.port}") from None
        except aiohttp.ClientError as error:
            raise ValueError(f"Anthropic's answer broke off: {error}") from None

    async def models(self, wanted: str) -> list[dict]:
        parts = [part.strip() for part in wanted.split(",") if part.strip()]
        found, query = [], {"limit": "1000"}
        for _ in range(LIST_PAGES):
            async with self.ask("GET", "/models", params=query) as answer:
                page = await answer.json()
            found += [{"id": model["id"], "name": model.get("display_name") or model["id"]} for model in page["data"]]
            if not page.get("has_more"):
                break
            query["after_id"] = page["last_id"]
        return [model for model in found if not parts or any(part in model["id"] for part in parts)]

    async def answer(self, request: dict) -> dict:
        async with self.ask("POST", "/messages", json=request) as answer:
            return await answer.json()

    async def events(self, request: dict) -> AsyncIterator[dict]:
        """The events of a streamed answer (text/event-stream), each in one line of data."""
        async with self.ask("POST", "/messages", json={**request, "stream": True}) as answer:
            line = b""
            async for data in answer.content.iter_any():
                *lines, line = (line + data).split(b"\n")
                if len(line) > EVENT_BYTES:
                    raise ValueError(f"Anthropic sent an event of more than {EVENT_BYTES} bytes")
                for complete in lines:
                    if complete.startswith(b"data:"):
                        yield json.loads(complete[5:])


def refusal(answer: aiohttp.ClientResponse, body: bytes) -> str:
    """What to tell of an answer that is no answer, by what it mostly means."""
    told = body.decode(errors="replace").strip()
    with contextlib.suppress(ValueError, AttributeError, KeyError, TypeError):
        told = json.loads(told)["error"]["message"]
    wait = answer.headers.get("retry-after")
    meaning = {
        400: "Anthropic did not accept the request",
        401: "Anthropic does not accept the key",
        403: "the key may not do this",
        404: "Anthropic has no such model",
        413: "the chat is too large for one request",
        429: f"the key's rate limit is reached{f'; try again in {wait} s' if wait else ''}",
        529: "Anthropic is overloaded; try again later",
    }.get(answer.status, "Anthropic failed" if answer.status >= 500 else "Anthropic did not accept the request")
    return f"{meaning} (HTTP {answer.status}: {str(told)[:ERROR_CHARACTERS]})"


def request_of(body: dict, max_tokens: int) -> dict:
    """Open WebUI's request, which has OpenAI's form, in the form of the Messages API."""
    request = {
        "model": body["model"].split(".", 1)[-1],
        "max_tokens": body.get("max_tokens") or body.get("max_completion_tokens") or max_tokens,
        "messages": messages_of(body["messages"]),
    }
    system = [block for message in body["messages"] if message["role"] == "system" for block in blocks(message["content"])]
    if system:
        request["system"] = system
    for key in ("temperature", "top_p", "top_k"):
        if body.get(key) is not None:
            request[key] = body[key]
    if body.get("stop"):
        request["stop_sequences"] = body["stop"] if isinstance(body["stop"], list) else [body["stop"]]
    if body.get("tools"):
        request["tools"] = [
            {
                "name": tool["function"]["name"],
                "description": tool["function"].get("description") or "",
                "input_schema": tool["function"].get("parameters") or {"type": "object"},
            }
            for tool in body["tools"]
        ]
    return request


def messages_of(messages: list[dict]) -> list[dict]:
    """Messages that take turns: what one side says in several goes into one, and results of tools are the user's."""
    turns = []
    for message in messages:
        if message["role"] == "system":
            continue
        role = "assistant" if message["role"] == "assistant" else "user"
        if message["role"] == "tool":
            content = blocks(message["content"])
            said = [{"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": content}]
        else:
            said = blocks(message.get("content"))
            for call in message.get("tool_calls") or []:
                function = call["function"]
                arguments = json.loads(function.get("arguments") or "{}")
                said.append({"type": "tool_use", "id": call["id"], "name": function["name"], "input": arguments})
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += said
        elif said:
            turns.append({"role": role, "content": said})
    return turns


def blocks(content) -> list[dict]:
    """A message's content as blocks. Empty texts are left out: the API refuses them."""
    if not content:
        return []
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    found = []
    for part in content:
        if part["type"] == "text" and part["text"].strip():
            found.append({"type": "text", "text": part["text"]})
        elif part["type"] == "image_url":
            url = part["image_url"]["url"]
            match = IMAGE.fullmatch(url)
            if match:
                source = {"type": "base64", "media_type": match["type"], "data": match["data"]}
            elif url.startswith("https://"):
                source = {"type": "url", "url": url}
            else:
                raise ValueError("an image of this chat can't be read")
            found.append({"type": "image", "source": source})
    return found


class Chunks:
    """Makes chunks of OpenAI's form, which Open WebUI reads, of the events of one answer."""

    def __init__(self, model: str):
        self.model, self.calls, self.usage = model, {}, {}

    async def of(self, events: AsyncIterator[dict]) -> AsyncIterator[dict]:
        ended = False
        async with contextlib.aclosing(events):
            async for event in events:
                ended = ended or event["type"] == "message_stop"
                if chunk := self.chunk(event):
                    yield chunk
        if not ended:
            raise ValueError("Anthropic's answer ended before its end")

    def chunk(self, event: dict) -> dict | None:
        match event["type"]:
            case "error":
                error = event.get("error") or {}
                raise ValueError(f"Anthropic failed on the way ({error.get('type')}: {error.get('message')})")
            case "message_start":
                self.usage = dict(event["message"].get("usage") or {})
            case "content_block_start" if event["content_block"]["type"] == "tool_use":
                block = event["content_block"]
                number = self.calls.setdefault(event["index"], len(self.calls))
                call = {"index": number, "id": block["id"], "type": "function"}
                return self.delta({"tool_calls": [{**call, "function": {"name": block["name"], "arguments": ""}}]})
            case "content_block_delta":
                delta = event["delta"]
                if delta["type"] == "text_delta":
                    return self.delta({"content": delta["text"]})
                if delta["type"] == "input_json_delta" and event["index"] in self.calls:
                    function = {"arguments": delta["partial_json"]}
                    return self.delta({"tool_calls": [{"index": self.calls[event["index"]], "function": function}]})
            case "message_delta":
                self.usage.update(event.get("usage") or {})
                reason = event["delta"].get("stop_reason")
                if reason == "refusal":
                    raise ValueError("the model declined to answer this")
                return {**self.delta({}, FINISHES.get(reason, "stop")), "usage": usage_of(self.usage)}
        return None

    def delta(self, delta: dict, finish: str | None = None) -> dict:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"object": "chat.completion.chunk", "model": self.model, "choices": [choice]}


def usage_of(usage: dict) -> dict:
    asked, answered = usage.get("input_tokens") or 0, usage.get("output_tokens") or 0
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def completion_of(answer: dict) -> dict:
    """A whole answer in OpenAI's form."""
    said = {"role": "assistant", "content": "".join(block["text"] for block in answer["content"] if block["type"] == "text")}
    calls = [
        {"id": block["id"], "type": "function", "function": {"name": block["name"], "arguments": json.dumps(block["input"])}}
        for block in answer["content"]
        if block["type"] == "tool_use"
    ]
    if calls:
        said["tool_calls"] = calls
    choice = {"index": 0, "message": said, "finish_reason": FINISHES.get(answer.get("stop_reason"), "stop")}
    return {
        "object": "chat.completion",
        "model": answer.get("model"),
        "choices": [choice],
        "usage": usage_of(answer.get("usage") or {}),
    }
