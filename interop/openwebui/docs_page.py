"""The page at /docs in a browser: what a person sees of the tools, and a call that the page makes."""

import asyncio
import contextlib
import json
import secrets

import aiohttp
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from browser import PAGE_SECONDS, chromium
from lab import Program, free_port

START_SECONDS = 60
SAID = "said in a browser"


async def run(lab):
    """`crossway openapi` with a key before the demo's tools, and a person who opens its page."""
    key, port = secrets.token_hex(16), free_port()
    command = [lab.crossway, "openapi", "--host", "127.0.0.1", "--port", port, "--api-key", key]
    command += ["--", lab.crossway, "demo", "--stdio"]
    origin = f"http://127.0.0.1:{port}"

    async def answers():
        async with aiohttp.ClientSession() as http:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"{origin}/docs") as answer:
                    return answer.status == 200
        return False

    async with Program(command, lab.dir / "docs-page.log", {}) as program:
        await program.until(answers, START_SECONDS)
        seen = await asyncio.to_thread(look, lab, origin, key)
    check = lab.checks.equal
    check("/docs: the page shows a tool", seen["summary"], ["echo", "Echo"])
    check("/docs: a search leaves it alone on the page", seen["found"], ["echo"])
    lab.checks.contains("/docs: without the key, a call is refused", seen["refused"], "Status 401")
    check("/docs: with the key, it shows the answer", seen["answered"], f'Status 200\n"{SAID}"')
    check("/docs: a picture is shown as one", seen["picture"], "data:image/png;base64")
    check("/docs: nothing is asked of another host", [url for url in seen["urls"] if not url.startswith(f"{origin}/")], [])
    lab.checks.contains("/docs: and that was looked at", " ".join(seen["urls"]), f"{origin}/openapi.json")
    check("/docs: the console has no error but the refusal", [line for line in seen["console"] if "401" not in line], [])


def look(lab, origin, key):
    with chromium(lab, "docs") as browser:
        wait = WebDriverWait(browser, PAGE_SECONDS)
        browser.get(f"{origin}/docs")
        wait.until(lambda page: tool(page, "echo"))
        browser.find_element(By.ID, "find").send_keys("echo")
        named = [card for card in browser.find_elements(By.CSS_SELECTOR, "details.tool") if card.is_displayed()]
        seen = {"found": [card.find_element(By.TAG_NAME, "code").text for card in named]}
        card = tool(browser, "echo")
        seen["summary"] = [part.text for part in card.find_elements(By.CSS_SELECTOR, ":scope > summary > *")]
        card.find_element(By.TAG_NAME, "summary").click()
        arguments = card.find_element(By.TAG_NAME, "textarea")
        arguments.clear()
        arguments.send_keys(json.dumps({"message": SAID}))
        seen["refused"] = called(wait, card)
        browser.find_element(By.ID, "key").send_keys(key)
        seen["answered"] = called(wait, card)
        find = browser.find_element(By.ID, "find")
        find.clear()
        find.send_keys("test_image")
        card = tool(browser, "test_image_content")
        card.find_element(By.TAG_NAME, "summary").click()
        called(wait, card)
        picture = card.find_element(By.TAG_NAME, "img")
        wait.until(lambda _: picture.get_property("naturalWidth") > 0)
        seen["picture"] = picture.get_attribute("src").split(",")[0]
        seen["urls"] = list(asked(browser.get_log("performance"), origin))
        seen["console"] = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        return seen


def tool(browser, name):
    """The card of a tool; None as long as the page has none."""
    found = [card for card in browser.find_elements(By.CSS_SELECTOR, "details.tool > summary > code") if card.text == name]
    return found[0].find_element(By.XPATH, "../..") if found else None


def called(wait, card):
    """Presses the button, and gives what is shown then."""
    button = card.find_element(By.TAG_NAME, "button")
    out = card.find_element(By.XPATH, "./div")
    before = out.text
    button.click()
    wait.until(lambda _: button.is_enabled() and out.text not in ("", before))
    return out.text


def asked(log, origin):
    """The URLs that the page asked for; the browser's own first page is another one."""
    for entry in log:
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent" and message["params"]["documentURL"].startswith(origin):
            url = message["params"]["request"]["url"]
            if not url.startswith("data:"):
                yield url
