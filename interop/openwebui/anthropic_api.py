"""Anthropic's Messages API as far as it is documented: it looks at requests as strictly, and keeps them."""

import asyncio
import base64
import json

from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

KEYS = {"key-of-all": "everybody", "key-of-bob": "Bob"}
MODELS = [("claude-large-1", "Claude Large 1"), ("claude-small-1", "Claude Small 1"), ("embedding-1", "Embedding 1")]


class Refused(Exception):
    def __init__(self, status, kind, message):
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


class AnthropicApi:
    def __init__(self):
        self.asked = []
        self.go_on = asyncio.Event()
        routes = [
            Route("/v1/models", self.models),
            Route("/v1/messages", self.messages, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes, exception_handlers={Refused: refused})

    async def models(self, request):
        caller(request)
        ids = [name for name, _ in MODELS]
        begin = ids.index(request.query_params["after_id"]) + 1 if "after_id" in request.query_params else 0
        page = MODELS[begin : begin + 2]  # Two a page, so that the list has several.
        data = [{"type": "model", "id": name, "display_name": title} for name, title in page]
        more = begin + 2 < len(MODELS)
        return JSONResponse({"data": data, "has_more": more, "first_id": page[0][0], "last_id": page[-1][0]})

    async def messages(self, request):
        who, body = caller(request), await request.json()
        check(body)
        self.asked.append({"who": who, **body})
        last = body["messages"][-1]["content"]
        text = " ".join(block["text"] for block in last if block["type"] == "text")
        if "too much" in text:
            raise Refused(429, "rate_limit_error", "This request would exceed your rate limit.")
        blocks = answer(body, last, text)
        usage = {"input_tokens": 11, "output_tokens": 1}
        stop = "tool_use" if blocks[-1]["type"] == "tool_use" else "end_turn"
        about = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "usage": usage}
        if not body.get("stream"):
            return JSONResponse({**about, "content": blocks, "stop_reason": stop})
        events = self.events(about, blocks, stop, breaks="break off" in text)
        return StreamingResponse(events, media_type="text/event-stream; charset=utf-8")

    async def events(self, about, blocks, stop, breaks):
        yield event("message_start", message={**about, "content": [], "stop_reason": None})
        yield event("ping")
        for index, block in enumerate(blocks):
            is_text = block["type"] == "text"
            empty = {"type": "text", "text": ""} if is_text else {**block, "input": {}}
            yield event("content_block_start", index=index, content_block=empty)
            whole = block["text"] if is_text else json.dumps(block["input"])
            for part in (whole[:7], whole[7:]):
                delta = {"type": "text_delta", "text": part} if is_text else {"type": "input_json_delta", "partial_json": part}
                yield event("content_block_delta", index=index, delta=delta)
                await self.go_on.wait()
            if breaks:
                yield event("error", error={"type": "overloaded_error", "message": "Overloaded"})
                return
            yield event("content_block_stop", index=index)
        yield event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage={"output_tokens": 7})
        yield event("message_stop")


def event(kind, **more):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n"


def refused(_request, error):
    said = {"type": "error", "error": {"type": error.kind, "message": error.message}, "request_id": "req_1"}
    return JSONResponse(said, error.status, {"retry-after": "20"} if error.status == 429 else {})


def caller(request):
    if request.headers.get("x-api-key") not in KEYS:
        raise Refused(401, "authentication_error", "invalid x-api-key")
    if request.headers.get("anthropic-version") != "2023-06-01":
        raise Refused(400, "invalid_request_error", "anthropic-version: header is required")
    return KEYS[request.headers["x-api-key"]]


def check(body):
    """Refuses what the API refuses: roles that don't take turns would be joined, so they are not among it."""
    def expect(holds, message):
        if not holds:
            raise Refused(400, "invalid_request_error", message)

    known = {"model", "max_tokens", "messages", "system", "stream", "temperature", "top_p", "top_k", "stop_sequences", "tools"}
    expect(set(body) <= known, f"{sorted(set(body) - known)}: Extra inputs are not permitted")
    if body["model"] not in dict(MODELS):
        raise Refused(404, "not_found_error", f"model: {body['model']}")
    expect(isinstance(body.get("max_tokens"), int), "max_tokens: Field required")
    expect(body["messages"] and body["messages"][0]["role"] == "user", "messages: the first message must use the user role")
    calls = set()
    for message in body["messages"]:
        expect(message["role"] in ("user", "assistant"), "messages: Unexpected role")
        expect(message["content"], "messages: content must be non-empty")
        answered = {block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"}
        expect(calls == answered, "tool_use ids were found without tool_result blocks immediately after")
        calls = {block["id"] for block in message["content"] if block["type"] == "tool_use"}
        for block in message["content"] + (body.get("system") or []):
            expect(block["type"] != "text" or block["text"].strip(), "messages: text content blocks must be non-empty")
            if block["type"] == "image":
                expect(block["source"]["media_type"] == "image/png", "messages: media_type")
                base64.b64decode(block["source"]["data"], validate=True)


def answer(body, last, text):
    results = [block for block in last if block["type"] == "tool_result"]
    if results:
        said = results[0]["content"][0]["text"]
        return [{"type": "text", "text": f"The tool says: {said}"}]
    named = [tool["name"] for tool in body.get("tools") or [] if tool["name"] in text]
    if named:
        return [
            {"type": "text", "text": "I will look that up. "},
            {"type": "tool_use", "id": "toolu_1", "name": named[0], "input": {}},
        ]
    images = sum(block["type"] == "image" for block in last)
    system = " ".join(block["text"] for block in body.get("system") or []) or "no system prompt"
    return [{"type": "text", "text": f"{text} ({images} images, {system})"}]
