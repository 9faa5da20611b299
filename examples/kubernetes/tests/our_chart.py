"""Our chart: each file of values in crossway/ci is rendered, and what comes out is held to what the chart promises."""

import copy
import pathlib
import subprocess
import tempfile

import jsonschema
import yaml

from rendered import VERSIONS, Objects, render, run_helm, selects, validate

CHART = pathlib.Path(__file__).parents[1] / "crossway"
# What the chart says itself, and so takes from nobody's values.
CHARTS_OWN = {"listen", "operations", "session_keys"}


def check(helm, crossway, report):
    for values in sorted((CHART / "ci").glob("*-values.yaml")):
        for version in VERSIONS:
            objects, _ = render(helm, CHART, "cw", values, version=version)
            for found in objects:
                validate(found, version)
        report(f"{values.name}: {len(objects)} objects, valid for Kubernetes {', '.join(VERSIONS)}")
        promises(Objects(objects), yaml.safe_load(values.read_text()))
        report(f"{values.name}: is what the chart promises")
        config_can_be_used(crossway, Objects(objects))
        report(f"{values.name}: crossway check takes the rendered config")
        code, out, err = run_helm(helm, "lint", "--strict", CHART, "--values", values)
        assert code == 0, f"helm lint of {values.name}: {out}{err}"
    refused(helm, report)
    changes(helm, report)
    keys(helm, crossway, report)
    the_check_can_fail(helm, report)


def pod_specs(objects):
    for found in objects.all:
        template = found.get("spec", {}).get("template")
        if template:
            yield found["kind"], template["metadata"], template["spec"]


def promises(objects, values):
    assert not objects.kind("Secret"), "the chart makes no Secret: they are named alone"
    deployment = objects.one("Deployment")
    template = deployment["spec"]["template"]
    labels, spec = template["metadata"]["labels"], template["spec"]
    container = spec["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    for kind, _, pod in pod_specs(objects):
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0, kind
        assert pod["automountServiceAccountToken"] is False, kind
        for each in pod["containers"]:
            context = each["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"], kind
            assert context["capabilities"] == {"drop": ["ALL"]}, kind
            assert each["resources"]["requests"] and each["resources"]["limits"]["memory"], kind
        volumes = {volume["name"] for volume in pod["volumes"]}
        for mount in pod["containers"][0]["volumeMounts"]:
            assert mount["name"] in volumes, f"{kind}: nothing is mounted at {mount['mountPath']}"

    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "operations", probe
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"

    config = yaml.safe_load(objects.one("ConfigMap")["data"]["crossway.yaml"])
    assert config["listen"].endswith(f":{ports['mcp']}")
    assert config["operations"]["listen"].endswith(f":{ports['operations']}")
    drain = int(config["limits"]["drain"].removesuffix("s"))
    sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert drain == values.get("drain", 20)
    is_told = any(variable["name"] == "OTEL_EXPORTER_OTLP_ENDPOINT" for variable in container.get("env", []))
    at_the_end = 14 + (10 if is_told else 0)
    assert spec["terminationGracePeriodSeconds"] > drain + sleep + at_the_end, "a pod is killed before it has ended"
    keys = [f"session-keys/{key}" for key in values["sessionKeys"].get("keys", ["session-key"])]
    assert [key.removeprefix("file:/run/secrets/crossway/") for key in config["session_keys"]] == keys

    service = objects.one("Service")
    name = service["metadata"]["name"]
    assert service["spec"]["sessionAffinity"] == values.get("service", {}).get("sessionAffinity", "None")
    assert {name, f"{name}.chat", f"{name}.chat.svc"} <= set(config["allow_hosts"])
    for each in objects.kind("Service"):
        assert selects(each["spec"]["selector"], labels), each["metadata"]["name"]
        assert all(port["targetPort"] in ports for port in each["spec"]["ports"])
    for kind in ("PodDisruptionBudget", "NetworkPolicy"):
        is_wanted = values.get(kind[0].lower() + kind[1:], {}).get("enabled", True)
        assert len(objects.kind(kind)) == int(is_wanted), kind
        for each in objects.kind(kind):
            selector = each["spec"].get("selector") or each["spec"]["podSelector"]
            assert selects(selector["matchLabels"], labels), kind
    for constraint in spec.get("topologySpreadConstraints", []):
        assert selects(constraint["labelSelector"]["matchLabels"], labels)

    scaled = values.get("autoscaling", {}).get("enabled", False)
    assert len(objects.kind("HorizontalPodAutoscaler")) == int(scaled)
    assert ("replicas" in deployment["spec"]) != scaled, "an autoscaler and replicas contradict each other"
    for each in objects.kind("HorizontalPodAutoscaler"):
        assert each["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    for each in objects.kind("Ingress"):
        rule = each["spec"]["rules"][0]
        to = rule["http"]["paths"][0]["backend"]["service"]
        assert rule["host"] in config["allow_hosts"], "the gateway would refuse the Ingress's host"
        assert to == {"name": name, "port": {"name": service["spec"]["ports"][0]["name"]}}
    for each in objects.kind("ServiceMonitor"):
        watched = objects.one("Service", "-operations")
        assert selects(each["spec"]["selector"]["matchLabels"], watched["metadata"]["labels"])
        assert each["spec"]["endpoints"][0]["port"] == watched["spec"]["ports"][0]["name"]

    if values.get("check", {}).get("enabled", True):
        job, checked = objects.one("Job"), objects.one("ConfigMap", "-check")
        assert checked["data"] == objects.one("ConfigMap")["data"], "another config is checked than used"
        weights = [int(found["metadata"]["annotations"]["helm.sh/hook-weight"]) for found in (checked, job)]
        assert weights[0] < weights[1] < 0, "the config has to be there before its check"
        for found in (checked, job):
            assert {"pre-install", "pre-upgrade"} <= set(found["metadata"]["annotations"]["helm.sh/hook"].split(","))
        pod = job["spec"]["template"]
        assert pod["spec"]["containers"][0].get("env") == container.get("env"), "the check has other variables"
        assert pod["spec"]["containers"][0]["image"] == container["image"]
        assert not selects(service["spec"]["selector"], pod["metadata"]["labels"]), "the check would get calls"
    else:
        assert not objects.kind("Job")


def config_can_be_used(crossway, objects):
    """`crossway check` reads the rendered config, with made-up secrets where the pod would have real ones."""
    text = objects.one("ConfigMap")["data"]["crossway.yaml"]
    spec = objects.one("Deployment")["spec"]["template"]["spec"]
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        # The pod's folders, in this one.
        text = text.replace("/run/secrets/", f"{root}/run/secrets/")
        for volume in spec["volumes"]:
            mount = next(m for m in spec["containers"][0]["volumeMounts"] if m["name"] == volume["name"])
            place = root / mount["mountPath"].lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            for source in volume.get("projected", {}).get("sources", []):
                for item in source["secret"]["items"]:
                    (place / item["path"]).parent.mkdir(parents=True, exist_ok=True)
                    (place / item["path"]).write_text("bWFkZSB1cCBmb3IgdGhlIHRlc3Qgb2YgdGhlIGNoYXI=\n")
            if "secret" in volume:
                for name in ("globex", "acme"):
                    (place / name).write_text("made up\n")
        (root / "crossway.yaml").write_text(text)
        env = {"PATH": "/usr/bin:/bin"}
        for variable in spec["containers"][0].get("env", []):
            env[variable["name"]] = variable.get("value", "made-up-for-the-test-of-the-chart")
        command = [crossway, "check", "--config", str(root / "crossway.yaml")]
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
        assert done.returncode == 0, f"crossway check: {done.stdout}{done.stderr}"


def refused(helm, report):
    """Files of values that must not be rendered, each with what helm has to say in its first line."""
    files = sorted((CHART / "ci" / "refused").glob("*.yaml"))
    assert files
    for values in files:
        wanted = values.read_text().splitlines()[0].removeprefix("# ")
        code, _, err = run_helm(helm, "template", "cw", CHART, "--values", values)
        assert code != 0 and wanted in err, f"{values.name}: wanted {wanted!r}, got {code} {err.strip()!r}"
    code, _, err = run_helm(helm, "template", "cw", CHART, "--values", CHART / "ci/least-values.yaml", "--kube-version", "1.29")
    assert code != 0 and "kubeVersion" in err, err
    report(f"{len(files)} files of values are refused, each for its reason, and so is Kubernetes 1.29")


def changes(helm, report):
    """What rolls the pods, and what does not."""

    def checksum(*more):
        objects, _ = render(helm, CHART, "cw", CHART / "ci/least-values.yaml", more=more)
        return Objects(objects).one("Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    grant = ("--set", "config.grants[0].tools[0]=search")
    limit = ("--set", "config.limits.connections=100")
    assert checksum() == checksum()
    assert len({checksum(), checksum(*grant), checksum(*limit)}) == 3
    reload = ("--set", "reload=true")
    assert checksum(*reload) == checksum(*reload, *grant), "what is taken up while it runs rolls the pods"
    assert checksum(*reload) != checksum(*reload, *limit), "what is read at the start rolls nothing"
    report("the checksum changes with the config, and with reload=true only with what is read at the start")


def keys(helm, crossway, report):
    """The chart's schema has the keys of the config that the gateway has."""
    done = subprocess.run([crossway, "schema"], capture_output=True, text=True, check=True, timeout=60)
    theirs = set(yaml.safe_load(done.stdout)["properties"]) - CHARTS_OWN
    ours = set(yaml.safe_load((CHART / "values.schema.json").read_text())["properties"]["config"]["properties"])
    assert ours == theirs, f"values.schema.json: config has {sorted(ours ^ theirs)} on one side alone"
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())["properties"]
    assert set(values) == set(schema) - {"global"}, f"values.yaml and its schema: {set(values) ^ (set(schema) - {'global'})}"
    report("values.schema.json has the keys of the gateway's config, and those of values.yaml")


def the_check_can_fail(helm, report):
    """Mistakes put in on purpose are found: else nothing above says anything."""
    objects, _ = render(helm, CHART, "cw", CHART / "ci/production-values.yaml")
    for kind, path, value in [
        ("Deployment", ["spec", "template", "spec", "containers", 0, "readOnlyRootFilesystem"], True),
        ("Deployment", ["spec", "replicas"], "three"),
        ("NetworkPolicy", ["spec", "ingress", 0, "from", 0, "podSelektor"], {}),
        ("HorizontalPodAutoscaler", ["spec", "metrics", 0, "resource", "cpu"], 60),
        ("ServiceMonitor", ["spec", "endpoints", 0, "intervall"], "30s"),
    ]:
        broken = copy.deepcopy(Objects(objects).one(kind))
        place = broken
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        try:
            validate(broken, VERSIONS[-1])
        except jsonschema.ValidationError:
            continue
        raise AssertionError(f"nobody minds {path[-1]} in a {kind}")
    report("five mistakes put in on purpose are found")
