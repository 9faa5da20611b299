"""Reads a Dockerfile as far as it says how a container starts."""

import json
import re
import shlex

# What Docker gives every container that says nothing else.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Stage:
    def __init__(self, base):
        self.base, self.env, self.copies, self.runs = base, {"PATH": PATH}, [], []
        self.user, self.workdir, self.entrypoint, self.cmd, self.healthcheck = "0:0", "/", [], [], []
        self.exposed = []


def instructions(text):
    """Instructions with their arguments; comments and continued lines are taken care of."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


def program(text):
    """A program with its words. The form without brackets needs a shell, which our images don't have."""
    assert text.startswith("["), f"{text}: needs a shell"
    return json.loads(text)


def stages(text):
    """The stages by name, in their order."""
    found, arguments, stage = {}, {}, None
    for word, rest in instructions(text):
        if word == "ARG" and stage is None:
            arguments.update([rest.split("=", 1)])
        elif word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()
            for key, value in arguments.items():
                base = base.replace(f"${{{key}}}", value)
            stage = found[name] = Stage(base)
        elif word == "ENV":
            stage.env.update(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "COPY":
            stage.copies.append(shlex.split(rest))
        elif word == "RUN":
            stage.runs.append(rest)
        elif word == "EXPOSE":
            stage.exposed += map(int, rest.split())
        elif word == "HEALTHCHECK":
            stage.healthcheck = program(rest[rest.index("CMD") + 3 :].strip())
        elif word in ("ENTRYPOINT", "CMD"):
            setattr(stage, word.lower(), program(rest))
        elif word in ("USER", "WORKDIR"):
            setattr(stage, word.lower(), rest)
        else:
            assert word == "STOPSIGNAL" and rest == "SIGTERM", f"{word} is not read here"
    return found
