"""Alarms and dashboards use metrics that a real server has."""

import base64
import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from drawn import png
from livecheck_server import ROOT, Server
from real import live_face

USERS = sorted(
    [
        ROOT / "deploy/prometheus/alerts.yml",
        ROOT / "deploy/kubernetes/queue-depth/autoscaler.yaml",
        ROOT / "deploy/helm/livecheck/templates/_helpers.tpl",
        *(ROOT / "deploy/grafana").glob("*.json"),
    ]
)


#: Shown only after the first verdict, which needs a real face.
AFTER_A_VERDICT = "livecheck_verdicts_total"


def send(server: Server, photo: bytes) -> None:
    """One check, whatever comes of it."""
    body = json.dumps({"image_bytes": base64.b64encode(photo).decode()}).encode()
    headers = {"x-api-key": server.key(f"key-{len(photo)}"), "content-type": "application/json"}
    try:
        request = urllib.request.Request(server.url + "/liveness/", body, headers)
        urllib.request.urlopen(request, timeout=120).close()
    except urllib.error.HTTPError as error:
        error.close()


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every name of a sample that the server may have."""
    small = ("--min-image-side", "200", "--min-face-side", "40", "--score-histogram", "public")
    server = Server(tmp_path_factory.mktemp("server"), *small)
    face = live_face()
    try:
        # Some metrics show only once they have counted something.
        for photo in (png(400, 400), face):
            if photo:
                send(server, photo)
        with urllib.request.urlopen(server.url + "/metrics", timeout=60) as answer:
            text = answer.read().decode()
    finally:
        server.stop()
    suffixes = {
        "counter": ["_total"],
        "gauge": [""],
        "histogram": ["_bucket", "_sum", "_count"],
        "info": ["_info"],
    }
    types = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    assert types
    names = {name + suffix for name, kind in types for suffix in suffixes[kind]}
    return names if face else names | {AFTER_A_VERDICT}


@pytest.mark.parametrize("user", USERS, ids=lambda path: path.name)
def test_the_metrics_exist(user: Path, names: set[str]) -> None:
    used = set(re.findall(r"\blivecheck_\w+", user.read_text(encoding="utf-8")))
    assert used and used <= names, used - names
