"""Renders charts with helm, and checks what comes out by the schemas of Kubernetes."""

import subprocess

import jsonschema
import kubernetes_validate
import yaml

# The oldest that our chart says it runs on, and the newest that the schemas have.
VERSIONS = ["1.30", "1.33", "1.37"]

# Of the custom resources, of which kubernetes-validate knows none: what the Prometheus operator's API reference says of the
# fields that we use. Anything else is a mistake.
SERVICE_MONITOR = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "kind": {"const": "ServiceMonitor"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["selector", "endpoints"],
            "properties": {
                "selector": {"type": "object", "required": ["matchLabels"]},
                "namespaceSelector": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"matchNames": {"type": "array", "items": {"type": "string"}}},
                },
                "endpoints": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["port"],
                        "properties": {
                            name: {"type": "string"} for name in ("port", "path", "interval", "scrapeTimeout")
                        },
                    },
                },
            },
        },
    },
}


def run_helm(helm, *arguments):
    """Helm's exit code, and what it says."""
    done = subprocess.run([helm, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def render(helm, chart, release, *values, version=VERSIONS[-1], more=()):
    """The objects that a chart makes of files of values."""
    arguments = ["template", release, chart, "--namespace", "chat", "--kube-version", version, *more]
    for file in values:
        arguments += ["--values", file]
    code, out, err = run_helm(helm, *arguments)
    if code != 0:
        raise AssertionError(f"helm does not render {chart} with {[str(v) for v in values]}: {err.strip()}")
    return [found for found in yaml.safe_load_all(out) if found], out


def validate(found, version):
    """Raises what is wrong with an object; unknown fields are wrong too."""
    if found["apiVersion"].startswith("monitoring.coreos.com/"):
        jsonschema.validate(found, SERVICE_MONITOR)
    else:
        kubernetes_validate.validate(found, version, strict=True)


class Objects:
    """The objects of one rendering, by kind and name."""

    def __init__(self, objects):
        self.all = objects

    def kind(self, kind):
        return [found for found in self.all if found["kind"] == kind]

    def one(self, kind, suffix=""):
        named = [found for found in self.kind(kind) if found["metadata"]["name"].endswith(suffix)]
        # A suffix of nothing is the one with the shortest name.
        return min(named, key=lambda found: len(found["metadata"]["name"]))


def selects(selector, labels):
    """Whether labels have all of a selector's."""
    return bool(selector) and selector.items() <= labels.items()
