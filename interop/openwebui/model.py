"""A model that does as it is told, behind the API that Open WebUI asks models by.

A question that has the name of a tool in it is answered with a call of that tool; what a tool has answered is repeated. It
keeps what it was asked, and which tools it was offered.
"""

import json
import re

from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

MODEL = "scripted"
TOOL = re.compile(r"\b(?:\w+__\w+|tool_\w+_post)\b")
REPEATED = 10_000  # Longer answers are counted, not repeated.
# Questions as people ask them: the tool, and how its answer begins.
PHRASES = {"open tickets": ("crossway_tickets__my_tickets", "You have one open ticket:\n\n- ")}


class Model:
    def __init__(self):
        self.asked = []
        self.app = Starlette(
            routes=[
                Route("/v1/models", self.models),
                Route("/v1/chat/completions", self.complete, methods=["POST"]),
            ]
        )

    def offered(self, prefix=""):
        """The names of the tools that came with the last question."""
        tools = self.asked[-1].get("tools") or []
        return sorted(tool["function"]["name"] for tool in tools if tool["function"]["name"].startswith(prefix))

    async def models(self, _request):
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "us"}]})

    async def complete(self, request):
        body = await request.json()
        self.asked.append(body)
        return StreamingResponse(self.chunks(body), media_type="text/event-stream")

    async def chunks(self, body):
        for delta in self.answer(body["messages"]):
            chunk = {
                "id": "chatcmpl-1",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": MODEL,
                "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
            }
            yield f"data: {json.dumps(chunk)}\n\n"
        chunk["choices"] = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        yield f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"

    def answer(self, messages):
        last = messages[-1]
        if last["role"] == "tool":
            begin = next((said for part, (_, said) in PHRASES.items() if part in text_of(messages[-3])), "The tool says: ")
            said = text_of(last)
            words = said if len(said) < REPEATED else f"{len(said)} characters"
            return [{"role": "assistant", "content": begin}, {"content": words}]
        question = text_of(last)
        named = TOOL.search(question)
        tool = named.group() if named else next((tool for part, (tool, _) in PHRASES.items() if part in question), None)
        if tool is None:
            return [{"role": "assistant", "content": "There is nothing to "}, {"content": "look up."}]
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": tool, "arguments": "{}"}}
        return [{"role": "assistant", "tool_calls": [call]}]


def text_of(message):
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
