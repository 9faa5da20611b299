"""Our values for the official chart of Open WebUI: against the list of its keys, and against the chart itself where it is at hand."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

from our_chart import CHART, config_can_be_used, promises
from rendered import Objects, render, validate

HERE = pathlib.Path(__file__).parents[1] / "open-webui"
# The sidecar needs init containers that are restarted, which the schemas have from 1.28 on.
VERSIONS = ["1.30", "1.37"]


def known_keys():
    lines = (HERE / "chart-keys.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def unknown(values, known, path=""):
    """The paths of values that the chart does not know."""
    if path and (path in known or f"{path}.*" in known):
        return []
    if not isinstance(values, dict):
        return [path]
    if path and not any(key.startswith(f"{path}.") for key in known):
        return [path]
    return [each for key, value in values.items() for each in unknown(value, known, f"{path}.{key}" if path else key)]


def check(helm, crossway, page, charts, report):
    known = known_keys()
    for name in ("values.yaml", "values-sidecar.yaml"):
        found = unknown(yaml.safe_load((HERE / name).read_text()), known)
        assert not found, f"open-webui/{name}: the chart ignores {found}"
        report(f"open-webui/{name}: the chart knows all of its keys")
    ignored = unknown(yaml.safe_load((HERE / "ignored-values.yaml").read_text()), known)
    assert ignored == ["env", "postgresql", "extraContainers", "ingress.className", "ingress.hosts"], ignored
    rows = table(page)
    assert {key for key, _ in rows} == {"env", "postgresql.enabled", "postgresql.auth", "extraContainers", "ingress.className", "ingress.hosts"}
    for key, instead in rows:
        parts = key.split(".")
        assert not any({".".join(parts[:n]), ".".join(parts[:n]) + ".*"} & known for n in range(1, len(parts) + 1)), key
        assert instead and all(each in known or f"{each}.*" in known for each in instead), (key, instead)
    report(f"{page.name}: the chart knows none of the {len(rows)} keys on the left, and all of those on the right")

    objects, _ = render(helm, CHART, "crossway", HERE / "crossway-values.yaml")
    for found in objects:
        validate(found, VERSIONS[-1])
    promises(Objects(objects), yaml.safe_load((HERE / "crossway-values.yaml").read_text()))
    config_can_be_used(crossway, Objects(objects))
    url = tools_url(yaml.safe_load((HERE / "values.yaml").read_text()))
    service = Objects(objects).one("Service")
    assert url == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/mcp", url
    sidecar(crossway)
    report("open-webui: its connection leads to our Service, and to the sidecar; crossway check takes both configs")
    if charts:
        with_the_chart(helm, pathlib.Path(charts), known, report)


def table(page):
    """The rows of the page's table of ignored keys: the key, and the keys to write instead."""
    rows = []
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 3:
            key = re.match(r"`([\w.]+)`", cells[0])
            if key:
                rows.append((key[1], re.findall(r"`([A-Za-z][\w.]+)`", cells[2])))
    return rows


def tools_url(values):
    # A JSON value is YAML too.
    return yaml.safe_load(values["extraEnvVars"]["TOOL_SERVER_CONNECTIONS"])[0]["url"]


def sidecar(crossway):
    values = yaml.safe_load((HERE / "values-sidecar.yaml").read_text())
    container = values["extraInitContainers"][0]
    text = values["extraResources"][0]["data"]["crossway.yaml"]
    config = yaml.safe_load(text)
    assert tools_url(values) == f"http://{config['listen']}/mcp"
    assert container["startupProbe"]["httpGet"]["port"] == int(config["operations"]["listen"].rsplit(":")[-1])
    assert ":8080" not in config["listen"] + config["operations"]["listen"], "Open WebUI's own port"
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "crossway.yaml"
        file.write_text(text)
        env = {"PATH": "/usr/bin:/bin"} | {each["name"]: "made-up-for-the-test-of-the-chart" for each in container["env"]}
        command = [crossway, "check", "--config", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
        assert done.returncode == 0, f"crossway check: {done.stdout}{done.stderr}"


def with_the_chart(helm, charts, known, report):
    """The official chart itself, of a clone of open-webui/helm-charts: what it depends on and is not in there is empty here."""
    with tempfile.TemporaryDirectory() as folder:
        chart = pathlib.Path(folder) / "open-webui"
        shutil.copytree(charts / "charts/open-webui", chart)
        version = yaml.safe_load((chart / "Chart.yaml").read_text())["version"]
        for name in ("pipelines", "terminals"):
            shutil.copytree(charts / "charts" / name, chart / "charts" / name)
        for name in ("ollama", "tika"):
            (chart / "charts" / name).mkdir(parents=True)
            (chart / "charts" / name / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 99.0.0\n")
            (chart / "charts" / name / "values.yaml").write_text("service: {}\n")
        theirs = paths(yaml.safe_load((chart / "values.yaml").read_text()))
        assert theirs == known, f"chart-keys.txt and chart {version} differ in {sorted(theirs ^ known)}"
        report(f"chart-keys.txt has the keys of open-webui {version}")

        for files in (["values.yaml"], ["values.yaml", "values-sidecar.yaml"]):
            for kubernetes in VERSIONS:
                objects, _ = render(helm, chart, "open-webui", *(HERE / file for file in files), version=kubernetes)
                for found in objects:
                    validate(found, kubernetes)
            as_meant(Objects(objects), is_sidecar=len(files) > 1)
            report(f"open-webui {version} with {' and '.join(files)}: {len(objects)} objects, valid, and as they are meant")
        _, without = render(helm, chart, "open-webui", HERE / "values.yaml")
        _, with_ignored = render(helm, chart, "open-webui", HERE / "values.yaml", HERE / "ignored-values.yaml")
        assert without == with_ignored, "a key of ignored-values.yaml is not ignored"
        report("ignored-values.yaml changes not a byte of what the chart renders")


def paths(values, path=""):
    if path in ("ollama", "pipelines", "tika", "terminals") or (isinstance(values, (dict, list)) and not values):
        return {f"{path}.*"}
    if isinstance(values, dict):
        return set().union(*(paths(value, f"{path}.{key}" if path else key) for key, value in values.items()))
    return {f"{path}.*"} if isinstance(values, list) else {path}


def as_meant(objects, is_sidecar):
    workload = objects.one("StatefulSet")
    assert workload["spec"]["replicas"] == 3
    pod = workload["spec"]["template"]["spec"]
    env = {each["name"]: each for each in pod["containers"][0]["env"]}
    for name in ("DATABASE_URL", "WEBUI_SECRET_KEY", "FORWARD_USER_INFO_HEADER_JWT_SECRET"):
        assert env[name]["valueFrom"]["secretKeyRef"], name
    assert env["REDIS_URL"]["value"].startswith("redis://") and objects.one("Deployment", "-redis")
    order = list(env)
    assert order.index("CROSSWAY_CONNECTION_KEY") < order.index("TOOL_SERVER_CONNECTIONS")
    assert tools_url({"extraEnvVars": {"TOOL_SERVER_CONNECTIONS": env["TOOL_SERVER_CONNECTIONS"]["value"]}}).startswith(
        "http://127.0.0.1:" if is_sidecar else "http://crossway:"
    )
    assert objects.one("PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteMany"]
    assert objects.one("Ingress")["spec"]["ingressClassName"] == "nginx"
    assert len(objects.kind("StatefulSet")) == 1 and len(objects.kind("Deployment")) == 1, "more is installed than is meant"
    sidecars = [each for each in pod["initContainers"] if each.get("restartPolicy") == "Always"]
    assert len(sidecars) == int(is_sidecar)
    for each in sidecars:
        names = {volume["name"]: volume for volume in pod["volumes"]}
        config = names[each["volumeMounts"][0]["name"]]["configMap"]["name"]
        assert objects.one("ConfigMap", config)["data"]["crossway.yaml"]
