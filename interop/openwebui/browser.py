"""A user's chat in a browser: what a person sees of a tool's answer, and a picture of it."""

import asyncio
import contextlib
import shutil

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from model import MODEL
from tools import MCP

QUESTION = "What are my open tickets?"
TOOL = "crossway_tickets__my_tickets"
ANSWER = "ACME-17: The printer on the third floor is on fire"
PAGE_SECONDS = 60
SIZE = (1100, 640)


async def run(lab):
    """Alice asks, and opens the chat; gives the path of the picture."""
    answer = await lab.alice.chat(MODEL, QUESTION, MCP)
    lab.checks.contains("Alice's chat has her ticket", answer["content"], ANSWER)
    picture = lab.dir / "chat.png"
    text = await asyncio.to_thread(look, lab, f"{lab.url}/c/{answer['chat']}", picture)
    for what, part in [("her question", QUESTION), ("the tool that was called", TOOL), ("the tool's answer", ANSWER)]:
        lab.checks.contains(f"the page shows {what}", text, part)
    return picture


def look(lab, url, picture):
    with chromium(lab, "chat") as browser:
        browser.get(f"{lab.url}/static/favicon.png")  # Of the same origin, so that the token can be put there.
        browser.execute_script("localStorage.token = arguments[0]; localStorage.theme = 'light'", lab.alice.token)
        browser.get(url)
        wait = WebDriverWait(browser, PAGE_SECONDS)
        wait.until(lambda page: ANSWER in shown(page))
        unfold(browser, wait)
        browser.save_screenshot(str(picture))
        return shown(browser)


@contextlib.contextmanager
def chromium(lab, name, *more):
    """Chromium without a window, with a profile of its own, and `more` switches. It remembers what it asked for, and what its console said."""
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium")
    # No sandbox: containers mostly have none to give, and only our own page is opened.
    options.add_argument("--headless=new")
    for switch in ("no-sandbox", "disable-dev-shm-usage", "disable-gpu", "hide-scrollbars", "force-device-scale-factor=1", *more):
        options.add_argument(f"--{switch}")
    options.add_argument(f"--window-size={SIZE[0]},{SIZE[1]}")
    options.add_argument(f"--user-data-dir={lab.dir / f'browser-{name}'}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.ChromeService(program("chromedriver"), log_output=str(lab.dir / f"chromedriver-{name}.log"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        browser.set_page_load_timeout(PAGE_SECONDS)
        yield browser
    finally:
        browser.quit()


def unfold(browser, wait):
    """Opens what the chat says of the tool, so that the picture has what it answered."""
    browser.find_element(By.XPATH, f"//*[text()='View Result from {TOOL}']").click()
    wait.until(lambda page: shown(page).count(ANSWER) > 1)


def shown(browser):
    return browser.find_element(By.TAG_NAME, "body").text


def program(name):
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not there: apt-get install chromium chromium-driver")
    return found
