"""Three replicas of `crossway serve` with one session key behind nginx: first each session's requests go to all of them in turns, then
all is as examples/nginx has it. One is killed, and each is rolled, while clients call all the time. What went wrong is counted, and what
must not happen ends this with 1.
"""

import argparse
import base64
import collections
import contextlib
import hashlib
import json
import os
import pathlib
import secrets
import signal
import subprocess
import tempfile
import time
import urllib.request

import staying
from alone import alone
from load import Load
from mcp import Client, Program, report

HERE = pathlib.Path(__file__).resolve().parent
NGINX = HERE.parents[1] / "examples/nginx/crossway.conf"
HOST = {"Host": "gateway.acme.example"}
URL = "http://127.0.0.1:8080/mcp"
NAMES = [1, 2, 3]
LISTS = {"alice": ["stdio__echo", "stdio__slow", "url__echo", "url__slow", "url__test_elicitation"], "bob": ["stdio__echo", "url__echo"]}
# How long nginx goes on with a replica's connections after it was told of others: what a Service of Kubernetes takes, and its
# `preStop` waits for.
NOTICE = 1
# The example's line by which a session stays with a replica, and what stands for it while sessions are to move.
STAYS, MOVES = "hash $crossway_session consistent;", "least_conn;"
# How many clients of each kind there are that one replica has to see all of: by chance alone they would not all come through.
STAYING = 6


class Lab:
    def __init__(self, crossway, folder):
        self.crossway, self.folder, self.stack = crossway, folder, contextlib.ExitStack()
        self.replicas, self.moves = {}, True
        (folder / "session-key").write_text(base64.b64encode(secrets.token_bytes(32)).decode())
        config = (HERE / "replicas.yaml").read_text()
        for user in ("alice", "bob"):
            config = config.replace(user.upper(), hashlib.sha256(f"{user}-key".encode()).hexdigest())
        (folder / "crossway.yaml").write_text(config)

    def start_upstream(self):
        demo = Program([self.crossway, "demo", "--listen", "127.0.0.1:9100"], self.folder / "demo.log")
        self.stack.enter_context(demo)
        demo.until(lambda: Client("http://127.0.0.1:9100/mcp").tools())

    def start_all(self):
        self.start_upstream()
        for name in NAMES:
            self.start(name)
        self.tell_nginx(NAMES)
        self.nginx = self.stack.enter_context(Program(self.nginx_command(), self.folder / "nginx.log"))
        self.nginx.until(lambda: Client(URL, headers_of("alice")).tools())

    def start(self, name):
        env = {
            "PATH": os.environ["PATH"],
            "CROSSWAY": str(self.crossway),
            "DEMO_URL": "http://127.0.0.1:9100/mcp",
            "LISTEN": f"127.0.0.1:{8810 + name}",
            "OPERATIONS": f"127.0.0.1:{9810 + name}",
        }
        command = [self.crossway, "serve", "--config", self.folder / "crossway.yaml"]
        program = self.stack.enter_context(Program(command, self.folder / f"replica-{name}.log", env=env))
        ready = f"http://127.0.0.1:{9810 + name}/readyz"
        program.until(lambda: urllib.request.urlopen(ready, timeout=5).status == 200)
        self.replicas[name] = program.process

    def answered(self, name):
        """How many calls a replica has answered, as it tells Prometheus."""
        with urllib.request.urlopen(f"http://127.0.0.1:{9810 + name}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("crossway_calls_total{"))

    def nginx_command(self, *more):
        return ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf", *more]

    def tell_nginx(self, names):
        """The example's own lines, for these replicas."""
        lines = []
        text = NGINX.read_text()
        assert STAYS in text
        for line in (text.replace(STAYS, MOVES) if self.moves else text).splitlines():
            for name in NAMES:
                line = line.replace(f"crossway-{name}:8808", f"127.0.0.1:{8810 + name}")
            is_other = any(f":{8810 + name} " in line for name in NAMES if name not in names)
            lines += [] if is_other else [line]
        (self.folder / "crossway.conf").write_text("\n".join(lines))
        places = "".join(f"{each}_temp_path {each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(
            "user root; daemon off; worker_processes 2; pid nginx.pid; error_log stderr warn; events {}\n"
            f"http {{ access_log off; {places} include crossway.conf; }}\n"
        )

    def reload_nginx(self, names):
        self.tell_nginx(names)
        subprocess.run(self.nginx_command("-s", "reload"), check=True, capture_output=True)

    def roll(self, name):
        """As a Deployment does it: out of the Service, then SIGTERM, then a new one that is ready, then back."""
        self.reload_nginx([other for other in NAMES if other != name])
        time.sleep(NOTICE)
        process = self.replicas[name]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, f"replica {name} did not end by itself"
        self.start(name)
        self.reload_nginx(NAMES)


def headers_of(user):
    return HOST | {"Authorization": f"Bearer {user}-key"}


def clients(load):
    """Sessions and requests without one, of two tenants, short calls and streams; turns as Open WebUI has them; open streams."""
    for _ in range(4):
        load.run(load.calls, "alice", ["stdio", "url"], True, 0)
        load.run(load.calls, "bob", ["url", "stdio"], True, 0)
        load.run(load.calls, "alice", ["url", "stdio"], False, 0)
    for in_session in (True, False):
        load.run(load.calls, "alice", ["stdio", "url"], in_session, 50)
        # Longer than what nginx is given to notice: such a call is in flight when its replica is asked to end.
        load.run(load.calls, "alice", ["url", "stdio"], in_session, NOTICE * 500)
    load.run(load.lists, "alice", LISTS["alice"])
    load.run(load.lists, "bob", LISTS["bob"])
    load.run(load.listens, "alice")
    load.run(load.listens, "bob")
    return len(load.threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crossway", required=True, type=pathlib.Path)
    parser.add_argument("--calls", type=int, default=400, help="how many calls there are between what is done")
    parser.add_argument("--record", type=pathlib.Path, help="a file for the counts")
    options = parser.parse_args()
    options.crossway = options.crossway.resolve()
    alone()
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(options.crossway, pathlib.Path(folder))
        with lab.stack:
            lab.start_all()
            load = Load(URL, headers_of)
            load.start("all is well")
            try:
                count = clients(load)
                run(lab, load, options.calls)
            finally:
                load.stop.set()
            load.end()
        failures = {phase: collections.Counter(said) for phase, said in load.failures.items()}
        record = {"clients": count, "calls between": options.calls, "counts": load.counts, "failures": failures}
        if options.record:
            options.record.write_text(json.dumps(record, indent=1) + "\n")
        judge(load, count)


def run(lab, load, calls):
    load.until("calls", calls)
    shares = [lab.answered(name) for name in NAMES]
    assert min(shares) > calls / 10, f"not all replicas get calls: {shares}"
    lab.moves = False
    lab.reload_nginx(NAMES)
    load.start("sessions stay")
    load.until("calls", calls)
    for _ in range(STAYING):
        staying.over_sse(URL, headers_of("alice"), 4)
        staying.asked(URL, headers_of("alice"), 4)
    report(f"{STAYING} clients of HTTP+SSE and {STAYING} that are asked during calls: each message met the replica that it was for")
    load.start("one is killed")
    lab.replicas[1].kill()
    load.until("calls", calls)
    load.start("it is back")
    lab.start(1)
    load.until("calls", calls)
    load.start("each is rolled")
    for name in NAMES:
        lab.roll(name)
        load.until("calls", calls // 2)
        load.until("streams", 2)
        load.until("turns", 2)
    load.start("all are new")
    load.until("calls", calls)
    # What a pod without preStop does: nginx learns of it by what goes wrong.
    load.start("one ends without notice")
    lab.replicas[2].send_signal(signal.SIGTERM)
    load.until("calls", calls)
    assert lab.replicas[2].wait(30) == 0
    load.start("the end")


def judge(load, clients):
    for phase, counts in load.counts.items():
        print(f"    {phase}: {dict(counts)}")
    for phase, failures in load.failures.items():
        for failure, times in collections.Counter(failures).most_common():
            print(f"    {phase}: {times} x {failure}")
    everything = sum(load.counts.values(), start=type(load.counts["the end"])())
    for never in ("wrong", "lost sessions", "given up"):
        assert everything[never] == 0, f"{never}: {everything[never]}"
    report(f"{everything['calls'] + everything['streams'] + everything['turns']} calls: no wrong answer, no session lost, none given up")
    for phase in ("one is killed", "one ends without notice"):
        bad = load.counts[phase]["failed"] + load.counts[phase]["not sent"]
        assert bad <= clients, f"{phase}: {bad} calls failed, more than were in flight"
        report(f"{phase}: {bad} calls ended with an error, of at most {clients} in flight; each was answered when it was made anew")
    for phase in ("all is well", "sessions stay", "it is back", "each is rolled", "all are new"):
        counts = load.counts[phase]
        assert counts["failed"] + counts["not sent"] == 0, f"{phase}: {dict(counts)}"
    report(f"when all three were rolled, each of {load.counts['each is rolled']['calls']} calls was answered at once")


if __name__ == "__main__":
    main()
