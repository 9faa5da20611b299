"""mcpo and crossway openapi before the same servers: documents and answers are compared, and schemathesis tries both.

Prints what differs, and ends with 1 if anything does that is not among the known differences, or if schemathesis finds anything of ours.
"""

import argparse
import json
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
KEY = "top-secret"

# Each call: tool, arguments. What is known to differ has a reason.
CALLS = {
    "fixture": [
        ("echo", {"message": "hello"}, None),
        ("echo", {"message": "{\"a\": [1.5, null]}"}, None),
        ("echo", {"message": "12345678901234567890"}, None),
        ("as_json", {"size": 3}, None),
        ("several", {}, None),
        ("picture", {}, None),
        ("add", {"a": 2, "b": 3}, None),
        ("add", {"a": 2}, None),
        ("weather", {"place": "Oslo"}, None),
        ("weather", {"place": "Oslo", "unit": "F"}, None),
        ("visit", {"start": {"first": {"city": "a"}, "last": {"city": "b"}}}, None),
        ("fail", {"reason": "no"}, "a tool's failure is 424 here and 500 there"),
        ("echo", {}, None),
        ("weather", {"place": "Oslo", "unit": "K"}, "mcpo loses an enum, and the tool fails: 500"),
        ("add", {"a": "2"}, "mcpo makes a number of a text; here the arguments have to fit the schema"),
        ("gone", {}, None),
    ],
    "time": [
        ("get_current_time", {"timezone": "nowhere"}, "a tool's failure is 424 here and 500 there"),
        ("convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}, None),
        ("convert_time", {}, None),
    ],
}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(url, body=None, key=KEY):
    request = urllib.request.Request(url, method="GET" if body is None else "POST")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    data = None
    if body is not None:
        request.add_header("Content-Type", "application/json")
        data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, data, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


class Served:
    """One of the two, before one server."""

    def __init__(self, name, command, server, log):
        self.name, self.port = name, free_port()
        line = [*command, "--host", "127.0.0.1", "--port", str(self.port), "--api-key", KEY, "--", *server]
        self.server = server
        self.process = subprocess.Popen(line, stdout=log, stderr=log)

    def starts(self):
        """Whether it serves tools, after a while."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if ask(self.url("/openapi.json"))[1]["paths"]:
                    return True
            except (OSError, ValueError):
                pass
            time.sleep(0.1)
        return False

    def started(self):
        if not self.starts():
            raise SystemExit(f"{self.name} did not start before {self.server}")
        return self

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def end(self):
        self.process.terminate()
        self.process.wait()


def described(document):
    """What Open WebUI reads of a document: the tools, and the names of their arguments."""
    described = {}
    for path, item in document["paths"].items():
        operation = item["post"]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if "$ref" in body:
            body = document["components"]["schemas"][body["$ref"].rsplit("/", 1)[1]]
        described[path] = {
            "operationId": operation["operationId"],
            "summary": operation["summary"],
            "description": operation.get("description"),
            "arguments": sorted(body.get("properties", {})),
            "required": sorted(body.get("required", [])),
        }
    return described


def compare(which, ours, theirs, report):
    failures = 0
    mine, others = (described(ask(served.url("/openapi.json"))[1]) for served in (ours, theirs))
    if mine != others:
        failures += 1
        report(f"{which}: the documents differ:\n  ours {json.dumps(mine)}\n  mcpo {json.dumps(others)}")
    for tool, arguments, known in CALLS[which]:
        mine, others = (ask(served.url(f"/{tool}"), arguments) for served in (ours, theirs))
        is_same = mine == others if mine[0] == 200 or others[0] == 200 else mine[0] == others[0]
        line = f"{which}: {tool} {json.dumps(arguments)}: ours {mine[0]}, mcpo {others[0]}"
        if is_same and known:
            failures += 1
            report(f"{line}: said to differ ({known}), and does not")
        elif is_same:
            report(f"{line}: the same")
        elif known:
            report(f"{line}: {known}")
        else:
            failures += 1
            report(f"{line}: DIFFERENT\n  ours {json.dumps(mine)}\n  mcpo {json.dumps(others)}")
    for key, status in ((None, 401), ("wrong", 403)):
        for served in (ours, theirs):
            found = ask(served.url(f"/{CALLS[which][0][0]}"), {}, key)[0]
            if found != status:
                failures += 1
                report(f"{which}: {served.name} answers {found} to the key {key}")
    return failures


# Schemas that are tools like the others here, and the end of mcpo: one that refers to itself, and one that is `true`. Open WebUI trips
# over what is no object in the place of a schema.
ODD = {
    "recursive": ("/wander", {"start": {"city": "a", "near": [{"city": "b"}]}}, "a"),
    "boolean": ("/anything", {"value": [1]}, [1]),
}


def odd(commands, server, folder):
    failures = 0
    for which, (path, arguments, wanted) in ODD.items():
        with open(folder / f"{which}.log", "wb") as log:
            for name, command in commands.items():
                served = Served(name, command, [*server, which], log)
                try:
                    starts = served.starts()
                    call = ask(served.url(path), arguments) if starts else None
                    document = ask(served.url("/openapi.json"))[1] if starts else {"paths": {}}
                finally:
                    served.end()
                print(f"{which}: {name} {'answers ' + json.dumps(call) if starts else 'does not start'}")
                failures += name == "crossway" and (call != (200, wanted) or not all_objects(document))
    return failures


def all_objects(document):
    """Whether each argument's schema is an object."""
    bodies = (item["post"]["requestBody"]["content"]["application/json"]["schema"] for item in document["paths"].values())
    return all(isinstance(schema, dict) for body in bodies for schema in body.get("properties", {}).values())


def tried(schemathesis, served, examples):
    """What schemathesis finds, and in how many cases."""
    line = [schemathesis, "--config-file", HERE / "schemathesis.toml", "run", served.url("/openapi.json")]
    line += ["-H", f"Authorization: Bearer {KEY}", "--max-examples", str(examples), "--seed", "1", "--no-color"]
    done = subprocess.run([str(word) for word in line], capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    found = re.search(r"(\d+) generated", text)
    if not found:
        raise SystemExit(f"schemathesis has not run:\n{text}")
    failures = re.search(r"found (\d+) unique failures?", text)
    errors = re.search(r"(\d+) errored", text)
    findings = int(failures[1]) if failures else 0
    return int(found[1]), findings + (int(errors[1]) if errors else 0), text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crossway", required=True)
    parser.add_argument("--mcpo", required=True, type=pathlib.Path, help="the environment that has mcpo")
    parser.add_argument("--schemathesis", required=True)
    parser.add_argument("--examples", type=int, default=50)
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    binaries = options.mcpo / "bin"
    servers = {
        "fixture": [str(binaries / "python"), str(HERE / "fixture.py")],
        "time": [str(binaries / "mcp-server-time"), "--local-timezone=UTC"],
    }
    commands = {
        "crossway": [options.crossway, "openapi", "--log-level", "warning"],
        "mcpo": [str(binaries / "mcpo"), "--log-level", "ERROR"],
    }
    failures = odd(commands, servers["fixture"], options.dir)
    for which, server in servers.items():
        with open(options.dir / f"{which}.log", "wb") as log:
            ours, theirs = (Served(name, command, server, log) for name, command in commands.items())
            try:
                ours.started()
                theirs.started()
                failures += compare(which, ours, theirs, print)
                for served in (ours, theirs):
                    cases, findings, text = tried(options.schemathesis, served, options.examples)
                    print(f"{which}: schemathesis on {served.name}: {findings} findings in {cases} cases", flush=True)
                    (options.dir / f"{which}-{served.name}.txt").write_text(text)
                    if served is ours and findings:
                        failures += 1
                        print(text)
            finally:
                ours.end()
                theirs.end()
    print("nothing is wrong" if not failures else f"{failures} things are wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
