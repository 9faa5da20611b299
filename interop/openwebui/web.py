"""Open WebUI's own API, as its pages use it."""

import asyncio
import json
import uuid

PASSWORD = "a-password-for-nobody"
TURN_SECONDS = 60
LOOK_SECONDS = 0.1


class Person:
    """Somebody who is signed in."""

    def __init__(self, http, url, token, name):
        self.http, self.url, self.token, self.name = http, url, token, name
        self.answers = []

    async def ask(self, method, path, body=None, status=200):
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.request(method, f"{self.url}{path}", json=body, headers=headers) as answer:
            if answer.status != status:
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()

    async def get(self, path, **more):
        return await self.ask("GET", path, **more)

    async def post(self, path, body, **more):
        return await self.ask("POST", path, body, **more)

    async def stream(self, path, body):
        """The data of an answer's events, as they come."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.post(f"{self.url}{path}", json=body, headers=headers) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])

    async def tools(self):
        """The ids of the tool servers that this person may choose."""
        return sorted(tool["id"] for tool in await self.get("/api/v1/tools/"))

    async def chat(self, model, content, tools=(), messages=()):
        """A new chat with one question; gives the answer's message, as it is saved."""
        question, answer = str(uuid.uuid4()), str(uuid.uuid4())
        text = content if isinstance(content, str) else next(part["text"] for part in content if "text" in part)
        body = {
            "model": model,
            "stream": True,
            "messages": [*messages, {"role": "user", "content": content}],
            "parent_id": None,
            "user_message": {"id": question, "role": "user", "content": text, "parentId": None, "models": [model]},
            "id": answer,
            "session_id": str(uuid.uuid4()),
            "tool_ids": list(tools),
        }
        begun = await self.post("/api/chat/completions", body)
        return await self.answer(begun["chat_id"], answer)

    async def answer(self, chat, message):
        async with asyncio.timeout(TURN_SECONDS):
            while True:
                saved = await self.get(f"/api/v1/chats/{chat}")
                found = saved["chat"]["history"]["messages"].get(message, {})
                if found.get("done"):
                    self.answers.append({**found, "chat": chat})
                    return self.answers[-1]
                await asyncio.sleep(LOOK_SECONDS)


async def sign_up(http, url, name, email):
    """The first one who signs up is the administrator."""
    body = {"name": name, "email": email, "password": PASSWORD}
    async with http.post(f"{url}/api/v1/auths/signup", json=body) as answer:
        answer.raise_for_status()
        return Person(http, url, (await answer.json())["token"], name)


async def add(admin, name, email):
    """Adds a user, and gives the person."""
    body = {"name": name, "email": email, "password": PASSWORD, "role": "user"}
    added = await admin.post("/api/v1/auths/add", body)
    return Person(admin.http, admin.url, added["token"], name)
