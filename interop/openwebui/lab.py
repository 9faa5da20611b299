"""Programs that run beside the checks, servers within them, and what is checked."""

import asyncio
import contextlib
import os
import socket
import subprocess

import uvicorn

END_SECONDS = 15
LOOK_SECONDS = 0.1


class Checks:
    """Says what holds and what does not, and remembers whether anything failed."""

    def __init__(self):
        self.failures, self.count = 0, 0

    def equal(self, what, got, wanted):
        self.count += 1
        if got == wanted:
            print(f"ok    {what}", flush=True)
            return
        self.failures += 1
        print(f"FAIL  {what}\n      wanted: {wanted!r}\n      got:    {got!r}", flush=True)

    def contains(self, what, text, part):
        self.equal(what, part if part in text else text, part)


def free_port():
    """A port that was free just now, for programs that have to be told one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.asynccontextmanager
async def serving(app):
    """Serves an ASGI application until the end of the block; gives its URL and a way to end it sooner."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, lifespan="on")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # Signals are for the checks, which end all of it.
    task = asyncio.create_task(server.serve(sockets=[listener]))

    async def end():
        server.should_exit = True
        await task
        listener.close()

    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", end
    finally:
        await end()


class Program:
    """A program that runs until the end of the block; what it prints goes to a log."""

    def __init__(self, command, log, env):
        self.command, self.log, self.env = [str(word) for word in command], log, env

    async def __aenter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self.env}
            )
        return self

    async def __aexit__(self, *_):
        self.end()

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    async def until(self, ready, seconds):
        """Waits until `ready()` is true, as long as the program lives."""
        clock = asyncio.get_running_loop()
        end = clock.time() + seconds
        while not await ready():
            if self.process.poll() is not None or clock.time() > end:
                last = self.log.read_text(errors="replace").splitlines()[-20:]
                raise SystemExit("\n".join([f"{self.command[0]} does not serve; the end of {self.log}:", *last]))
            await asyncio.sleep(LOOK_SECONDS)
