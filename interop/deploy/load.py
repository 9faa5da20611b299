"""Clients that call all the time, check each answer, and count what goes wrong and how."""

import collections
import itertools
import threading
import time

from mcp import PATIENCE, Client, Failed

# How often a call that failed is made anew, on a new connection. What is called here only reads.
RETRIES = 8


class Load:
    """Threads of clients. What they count is kept by phase."""

    def __init__(self, url, headers_of):
        self.url, self.headers_of = url, headers_of
        self.lock, self.stop = threading.Condition(), threading.Event()
        self.phase, self.counts, self.failures = None, {}, collections.defaultdict(list)
        self.threads, self.broken = [], []

    def client(self, user):
        # nginx closes connections that are kept when it is told of other replicas, also those that a request is on its way on:
        # what is lost by that is nginx's, and not to be counted here.
        return Client(self.url, self.headers_of(user), keep=False)

    def count(self, what, text=None):
        with self.lock:
            self.counts[self.phase][what] += 1
            if text:
                self.failures[self.phase].append(f"{what}: {text}")
            self.lock.notify_all()

    def start(self, phase):
        with self.lock:
            self.counts[phase], self.phase = collections.Counter(), phase

    def until(self, what, more):
        """Waits until so much more was counted in this phase."""
        with self.lock:
            wanted = self.counts[self.phase][what] + more
            enough = lambda: self.broken or self.counts[self.phase][what] >= wanted
            if not self.lock.wait_for(enough, PATIENCE * 2):
                raise SystemExit(f"{what} are no longer counted in {self.phase}: {self.counts[self.phase]}")
        if self.broken:
            raise self.broken[0]

    def run(self, work, *arguments):
        def running():
            try:
                work(*arguments)
            except Exception as error:  # Anything: the checks have to end by it, and not by a thread that is silent.
                with self.lock:
                    self.broken.append(error)
                    self.lock.notify_all()

        thread = threading.Thread(target=running, daemon=True)
        thread.start()
        self.threads.append(thread)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        if self.broken:
            raise self.broken[0]

    def calls(self, user, tools, in_session, slow):
        """One client's calls, each with a text that nobody else sends and that has to come back. With `slow` they take four steps
        of so many milliseconds, each of which is told.
        """
        client = self.client(user)
        if in_session:
            client.open()
        for number, tool in zip(itertools.count(), itertools.cycle(tools)):
            if self.stop.is_set():
                break
            text = f"{user}-{id(client)}-{number}"
            self.one(client, tool, text, slow)
        if in_session:
            client.end()
        client.close()

    def one(self, client, tool, text, slow):
        for tried in range(RETRIES):
            try:
                if slow:
                    got, wanted = client.call(f"{tool}__slow", progress=True, steps=4, ms=slow), f"Took 4 steps of {slow} ms."
                else:
                    got, wanted = client.call(f"{tool}__echo", message=text), text
            except Failed as failed:
                is_lost = "status 404" in str(failed)
                kind = "lost sessions" if is_lost else "not sent" if not failed.sent else "failed"
                self.count(kind, str(failed))
                client.close()
                # As clients do: a moment, and not at once.
                time.sleep(0.05 * 2**tried)
                continue
            if got != wanted:
                self.count("wrong", f"{got!r} instead of {wanted!r}")
            self.count("streams" if slow else "calls")
            if tried:
                self.count("answered at the second try" if tried == 1 else "answered later")
            return
        self.count("given up", text)

    def lists(self, user, wanted):
        """One client's turns, as Open WebUI has them: a session, a list, a call, the end. A list with another's tools is wrong."""
        while not self.stop.is_set():
            client = self.client(user)
            try:
                client.open()
                if client.tools() != wanted:
                    self.count("wrong", f"{user} sees other tools")
                client.call("url__echo", message=user)
                client.end()
                self.count("turns")
            except Failed as failed:
                self.count("failed" if failed.sent else "not sent", f"in a turn: {failed}")
            client.close()

    def listens(self, user):
        """A session with its stream of messages of the server; one that ends is opened anew."""
        client = self.client(user).open()
        while not self.stop.is_set():
            stream = self.client(user)
            stream.session = client.session
            try:
                status = stream.listen()
            except Failed:
                status = None
            if status == 200:
                self.count("listens")
                while not self.stop.is_set() and stream.is_open():
                    pass
            elif status == 404:
                self.count("lost sessions", "at GET")
                return
            elif status is not None:
                self.count("failed", f"GET: status {status}")
            stream.close()
        client.end()
