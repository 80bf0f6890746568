"""Every shipped configuration may open its admin listener."""

from pathlib import Path

import yaml
from livecheck_server import ROOT, opens_admin_listener

DEPLOY = ROOT / "deploy"


def test_the_manifests_may_open_it(tmp_path: Path) -> None:
    assert opens_admin_listener(tmp_path, {}, "--config", str(DEPLOY / "kubernetes/base/livecheck.toml"))


def test_the_nodes_of_the_composition_may_open_it(tmp_path: Path) -> None:
    services = yaml.safe_load((DEPLOY / "compose/cluster.yaml").read_text("utf-8"))["services"]
    for node in ["node1", "node2", "node3"]:
        variables = dict(services[node]["environment"])
        assert variables.pop("LIVECHECK_ADMIN_LISTEN") == "0.0.0.0:9090"
        del variables["LIVECHECK_DATABASE"]
        assert opens_admin_listener(tmp_path, variables)
        del variables["LIVECHECK_ADMIN_OPEN"]
        assert not opens_admin_listener(tmp_path, variables)
