"""Starts the pods that our chart renders: the containers of the images with their arguments, variables and mounts, as bubblewrap can
do it. First the Job that checks the config, then the Deployment's pod, with its probes, calls by the Service's name, and its end.
"""

import argparse
import base64
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from alone import alone
from dockerfile import stages
from image import DOCKER, ROOT, Container, distroless, is_confined
from mcp import Client, report

sys.path.append(str(ROOT / "examples/kubernetes/tests"))
CHART = ROOT / "examples/kubernetes/crossway"
KEY = {"Authorization": "Bearer quick-start-key"}
# What stands in the Secrets that ci/demo-values.yaml names.
SECRETS = {
    "crossway-session-keys": {"session-key": base64.b64encode(os.urandom(32)).decode()},
    "crossway-admin": {"admin-key": "an-admin-key-for-this-test"},
    "crossway-audit": {"key": "an-audit-key-for-this-test"},
    "demo-tokens": {"alice_40acme.example": "a-token-of-alice"},
}


class Cluster:
    """Folders for the volumes of pods, as a kubelet would fill them."""

    def __init__(self, objects, crossway, folder):
        self.objects, self.crossway, self.folder = objects, crossway, folder
        self.base = distroless(crossway, folder) + ["--ro-bind", "/etc/hosts", "/etc/hosts"]

    def volume(self, volume):
        place = self.folder / "volumes" / volume["name"]
        place.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            data = next(each for each in self.objects.kind("ConfigMap") if each["metadata"]["name"] == volume["configMap"]["name"])["data"]
        elif "projected" in volume:
            items = [(source["secret"]["name"], item) for source in volume["projected"]["sources"] for item in source["secret"]["items"]]
            data = {item["path"]: SECRETS[secret][item["key"]] for secret, item in items}
        elif "secret" in volume:
            data = SECRETS[volume["secret"]["secretName"]]
        else:
            assert "emptyDir" in volume, volume
            data = {}
        for name, text in data.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
        return place

    def container(self, pod):
        """The pod's one container, on the image that the Dockerfile makes."""
        spec = pod["containers"][0]
        stage = stages((DOCKER / "Dockerfile").read_text())["crossway"]
        assert "command" not in spec and spec["image"].startswith("ghcr.io/crossway-mcp/crossway:")
        assert stage.user.split(":")[0] == str(pod["securityContext"]["runAsUser"]), "the image has another user than the pod"
        stage.cmd = spec["args"]
        for variable in spec.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            stage.env[variable["name"]] = SECRETS[reference["name"]][reference["key"]] if reference else variable["value"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        base, config = list(self.base), None
        for mount in spec["volumeMounts"]:
            place = self.volume(volumes[mount["name"]])
            if mount["mountPath"] == "/etc/crossway":
                config = place
            elif mount.get("readOnly"):
                base += ["--ro-bind", place, mount["mountPath"]]
            else:
                base += ["--bind", place, mount["mountPath"]]
        return Container(stage, base, self.crossway, config)


def probe(spec, port):
    """What a kubelet asks, by an address."""
    url = f"http://127.0.0.1:{port}{spec['httpGet']['path']}"
    return urllib.request.urlopen(url, timeout=spec.get("timeoutSeconds", 1)).status == 200


def check_job(cluster):
    job = cluster.objects.one("Job")["spec"]["template"]["spec"]
    container = cluster.container(job)
    done = subprocess.run(container.command(container.stage.entrypoint + container.stage.cmd), capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def deployment(cluster):
    pod = cluster.objects.one("Deployment")["spec"]["template"]["spec"]
    spec = pod["containers"][0]
    ports = {each["name"]: each["containerPort"] for each in spec["ports"]}
    container = cluster.container(pod)
    with container.running(cluster.folder / "pod.log") as (program, first):
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            program.until(lambda: probe(spec[name], ports[spec[name]["httpGet"]["port"]]))
        is_confined(container.stage, first, scratch=True)
        report("the Deployment's pod serves: its probes are content, as its user, with no right, and /tmp alone to write to")
        service = cluster.objects.one("Service")
        port = service["spec"]["ports"][0]["port"]
        url = f"http://{service['metadata']['name']}.chat.svc:{port}/mcp"
        assert "hello" in Client(url, KEY).call("demo__echo", message="hello")
        admin = urllib.request.Request(f"http://127.0.0.1:{ports['operations']}/admin/upstreams")
        admin.add_header("Authorization", f"Bearer {SECRETS['crossway-admin']['admin-key']}")
        assert urllib.request.urlopen(admin, timeout=10).status == 200
        assert '"key"' not in program.said() and "a-token-of-alice" not in program.said()
        report("a call by the Service's name is answered, and the admin key of its Secret opens /admin")
        slow = Client(url, KEY)
        slow.open()
        begun = time.monotonic()
        os.kill(first, signal.SIGTERM)
        assert program.process.wait(pod["terminationGracePeriodSeconds"]) == 0, program.said()
        report(f"it ends by itself {time.monotonic() - begun:.1f} s after SIGTERM, of {pod['terminationGracePeriodSeconds']} s that it is given")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--helm", required=True)
    parser.add_argument("--crossway", required=True, type=pathlib.Path)
    options = parser.parse_args()
    alone("--mount")
    from rendered import Objects, render

    values = CHART / "ci/demo-values.yaml"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        hosts = folder / "hosts"
        hosts.write_text("127.0.0.1 localhost cw-crossway.chat.svc\n")
        subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
        objects, _ = render(options.helm, CHART, "cw", values)
        cluster = Cluster(Objects(objects), options.crossway.resolve(), folder)
        code, said = check_job(cluster)
        assert code == 0 and "can be used" in said, said
        broken, _ = render(options.helm, CHART, "cw", values, more=["--set", "config.upstreams.demo.comand=x"])
        code, said = check_job(Cluster(Objects(broken), options.crossway.resolve(), folder))
        assert code == 1 and 'is "command" meant?' in said, said
        report("the Job takes the config, and fails with another that has a mistake in it, of which it tells")
        deployment(cluster)


if __name__ == "__main__":
    main()
