"""Webhooks as n8n has them: what a workflow got is kept, and what it answers has the forms that n8n answers in."""

import asyncio
import json

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

TOKEN = "the-token-of-the-webhook"


class N8n:
    def __init__(self):
        self.got = []
        self.go_on = asyncio.Event()
        self.app = Starlette(routes=[Route("/webhook/{name}/chat", self.webhook, methods=["POST"])])

    async def webhook(self, request):
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Response("Authorization data is wrong!", 403)
        answer = getattr(self, request.path_params["name"], None)
        if answer is None:
            said = {"code": 404, "message": "The requested webhook is not registered.", "hint": "Is it active?"}
            return JSONResponse(said, 404)
        self.got.append(await fields(request))
        return answer(self.got[-1])

    def agent(self, got):
        """Response mode "streaming": lines of JSON, for each node a begin and an end."""
        return StreamingResponse(self.chunks(got), media_type="application/json; charset=utf-8")

    async def chunks(self, got):
        yield chunk("begin") + chunk("item", "You said: ")
        await self.go_on.wait()
        if "fail" in got["chatInput"]:
            yield chunk("error", "the model of this agent is gone")
            return
        words = chunk("item", got["chatInput"]) + chunk("item", f", with {len(got['files'])} files.") + chunk("end")
        # Lines are cut wherever the network cuts them.
        yield words[:25]
        yield words[25:]

    def whole(self, got):
        """Response mode "last node": what its first item has."""
        return JSONResponse({"output": f"whole: {got['chatInput']}", "intermediateSteps": []})

    def items(self, got):
        """All of its items, with line breaks in between."""
        return Response(json.dumps([{"output": "one"}, {"output": {"two": 2}}], indent=2), media_type="application/json")

    def text(self, got):
        return PlainTextResponse("only\ntext")

    def other(self, got):
        return JSONResponse({"answer": "in another field"})

    def failing(self, got):
        return JSONResponse({"message": "Error in workflow"}, 500)


def chunk(kind, content=None):
    metadata = {"nodeId": "1", "nodeName": "AI Agent", "itemIndex": 0, "runIndex": 0, "timestamp": 0}
    said = {"type": kind, "metadata": metadata, **({} if content is None else {"content": content})}
    return json.dumps(said) + "\n"


async def fields(request):
    if request.headers["content-type"].startswith("multipart/form-data"):
        form = await request.form()
        files = form.getlist("files")
        named = {key: value for key, value in form.items() if key != "files"}
        return {**named, "files": [(file.content_type, file.filename, await file.read()) for file in files]}
    return {**await request.json(), "files": []}
