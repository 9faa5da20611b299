"""Web pages that speak MCP themselves, in a browser: one that may call, of another origin than the gateway, and one that may not."""

import asyncio
import contextlib
import hashlib
import json
import secrets

import aiohttp
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from browser import PAGE_SECONDS, chromium
from lab import Program, free_port, serving

START_SECONDS = 60
ALLOWED, FOREIGN = "app.test", "evil.test"

# Both transports as a page would speak them; whatever the browser keeps from the page is told as an error.
SCRIPT = """
const [base, key, tool, done] = arguments;
const proof = key ? { "Authorization": `Bearer ${key}` } : {};
const initialize = { jsonrpc: "2.0", id: 1, method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "page", version: "1" } } };
const post = (url, message, headers) => fetch(url, { method: "POST", body: JSON.stringify(message),
  headers: { "Content-Type": "application/json", "Accept": "application/json, text/event-stream", ...proof, ...headers } });
const said = async (response) => {
  const text = await response.text();
  return JSON.parse(text.startsWith("{") ? text : text.match(/^data: ?(\\{.*)$/m)[1]);
};
const streamable = async () => {
  const nobody = await fetch(`${base}/mcp`, { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } });
  const opened = await post(`${base}/mcp`, initialize, {});
  const session = { "Mcp-Session-Id": opened.headers.get("Mcp-Session-Id"), "MCP-Protocol-Version": "2025-11-25" };
  await post(`${base}/mcp`, { jsonrpc: "2.0", method: "notifications/initialized" }, session);
  const call = { jsonrpc: "2.0", id: 2, method: "tools/call",
    params: { name: tool, arguments: { message: "said by a page" } } };
  const called = await said(await post(`${base}/mcp`, call, { ...session, "Mcp-Param-Any": "1" }));
  const ended = await fetch(`${base}/mcp`, { method: "DELETE", headers: { ...session, ...proof } });
  return { nobody: nobody.status, challenge: nobody.headers.get("WWW-Authenticate"), opened: opened.status,
    called: JSON.stringify(called), ended: ended.status };
};
const sse = () => new Promise((resolve, reject) => {
  const events = new EventSource(`${base}/sse`);
  events.onerror = () => { events.close(); reject(new Error("no stream")); };
  events.addEventListener("endpoint", (event) => {
    post(new URL(event.data, base), initialize, {}).catch(reject);
  });
  events.addEventListener("message", (event) => { events.close(); resolve(JSON.parse(event.data).result.protocolVersion); });
});
const told = async (what) => { try { return await what(); } catch (error) { return `${error}`; } };
(async () => done({ streamable: await told(streamable), sse: key ? null : await told(sse) }))();
"""


async def run(lab):
    """A bridge and a gateway that ask for a key, before the demo; the pages are served from a third place."""

    async def page(_):
        return HTMLResponse("<!doctype html><title>a page</title>")

    async with serving(Starlette(routes=[Route("/", page)])) as (place, _):
        pages = place.rsplit(":", 1)[1]
        allowed = f"http://{ALLOWED}:{pages}"
        bridge, gateway, key = free_port(), free_port(), secrets.token_hex(16)
        config = lab.dir / "mcp-page.json"
        known = {"sha256": hashlib.sha256(key.encode()).hexdigest(), "subject": "page", "groups": ["pages"]}
        config.write_text(json.dumps({
            "listen": f"127.0.0.1:{gateway}",
            "allow_origins": [allowed],
            "identity": {"proof": "api-keys", "keys": [known]},
            "upstreams": {"demo": {"command": str(lab.crossway), "args": ["demo", "--stdio"]}},
            "tenants": {"pages": {"groups": ["pages"]}},
            "grants": [{"tenant": "pages", "upstream": "demo", "tools": ["echo"]}],
        }))
        open_one = [lab.crossway, "bridge", "--listen", f"127.0.0.1:{bridge}", "--allow-origin", allowed]
        open_one += ["--", lab.crossway, "demo", "--stdio"]
        async with (
            Program(open_one, lab.dir / "mcp-page-bridge.log", {}) as first,
            Program([lab.crossway, "serve", "--config", config], lab.dir / "mcp-page-serve.log", {}) as second,
        ):
            await first.until(lambda: answers(bridge), START_SECONDS)
            await second.until(lambda: answers(gateway), START_SECONDS)
            seen = await asyncio.to_thread(look, lab, pages, bridge, gateway, key)
    check = lab.checks.equal
    (may, sse), (known, _), (foreign, foreign_sse) = seen
    check("a page: the bridge's session is opened and ended", (may["opened"], may["ended"]), (200, 204))
    lab.checks.contains("a page: it calls a tool", may["called"], "said by a page")
    check("a page: it reads a refusal", may["nobody"], 400)
    check("a page: HTTP+SSE answers its EventSource", sse, "2025-11-25")
    check("a page: the gateway tells it to bring a key", (known["nobody"], known["challenge"]), (401, "Bearer"))
    lab.checks.contains("a page: with the key, it calls a tool", known["called"], "said by a page")
    check("another page: its browser keeps it out", (foreign, foreign_sse), ("TypeError: Failed to fetch", "Error: no stream"))


def look(lab, pages, bridge, gateway, key):
    with chromium(lab, "mcp", "host-resolver-rules=MAP *.test 127.0.0.1") as browser:
        browser.set_script_timeout(PAGE_SECONDS)

        def asked(host, port, key=None, tool="echo"):
            browser.get(f"http://{host}:{pages}/")
            told = browser.execute_async_script(SCRIPT, f"http://127.0.0.1:{port}", key, tool)
            return told["streamable"], told["sse"]

        return [asked(ALLOWED, bridge), asked(ALLOWED, gateway, key, "demo__echo"), asked(FOREIGN, bridge)]


async def answers(port):
    async with aiohttp.ClientSession() as http:
        with contextlib.suppress(aiohttp.ClientError):
            async with http.get(f"http://127.0.0.1:{port}/mcp") as answer:
                return answer.status < 500
    return False
