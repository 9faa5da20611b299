"""What a gateway costs of processor time and memory, in the units that sizing goes by: docs/deployment/sizing.md has the sums.

One `crossway serve` as replicas.py has them: API keys, two tenants, a stdio server and one that is a URL.
"""

import argparse
import json
import pathlib
import tempfile
import threading

from alone import alone
from mcp import Client
from replicas import Lab, headers_of

URL = "http://127.0.0.1:8811/mcp"
THREADS = 8


def processor_time(process):
    """Nanoseconds that the threads of a process have run, as the scheduler counts them."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks)


def resident(pid):
    """Kilobytes that are the process's own, and its share of those that it shares."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def children(process):
    tasks = pathlib.Path(f"/proc/{process.pid}/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def measured(process, times, work):
    """Microseconds of processor time per piece of work, done by several clients at once; without what warms up."""
    clients = [Client(URL, headers_of("alice")) for _ in range(THREADS)]

    def each(count):
        def run(client):
            for _ in range(count // THREADS):
                work(client)

        threads = [threading.Thread(target=run, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    each(times // 10 + THREADS)
    before = processor_time(process)
    each(times)
    return round((processor_time(process) - before) / (times // THREADS * THREADS) / 1000, 1)


def modern_turn(client):
    client.request("server/discover", {})
    client.tools()
    client.call("url__echo", message="x" * 64)


def legacy_turn(client):
    client.open()
    client.tools()
    client.call("url__echo", message="x" * 64)
    client.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crossway", required=True, type=pathlib.Path)
    parser.add_argument("--times", type=int, default=4000)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--record", type=pathlib.Path)
    options = parser.parse_args()
    options.crossway = options.crossway.resolve()
    alone()
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(options.crossway, pathlib.Path(folder))
        with lab.stack:
            lab.start_upstream()
            lab.start(1)
            gateway = lab.replicas[1]
            found = {"memory at the start, KiB": resident(gateway.pid)}
            works = {
                "a call, URL": lambda client: client.call("url__echo", message="x" * 64),
                "a call, stdio": lambda client: client.call("stdio__echo", message="x" * 64),
                "a list": Client.tools,
                "a turn of 2026-07-28: discover, list, call": modern_turn,
                "a turn in a session: initialize, list, call, DELETE": legacy_turn,
            }
            for name, work in works.items():
                found[f"{name}, us"] = measured(gateway, options.times, work)
            before = resident(gateway.pid)
            sessions = [Client(URL, headers_of("alice"), keep=False).open() for _ in range(options.sessions)]
            found["an idle session, KiB"] = round((resident(gateway.pid) - before) / len(sessions), 2)
            found["memory after all of it, KiB"] = resident(gateway.pid)
            found["a process of the demo server on stdio, KiB"] = [resident(pid) for pid in children(gateway)]
    for name, value in found.items():
        print(f"{name}: {value}")
    if options.record:
        options.record.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
