"""The nginx configuration, run in front of two real nodes on one database."""

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from drawn import png
from livecheck_server import ROOT, Server

CONFIGURATION = ROOT / "deploy" / "nginx" / "livecheck.conf"

#: `user` only means something, and then is needed, when root starts it.
NGINX = """
user root;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/livecheck.conf;
}}
"""

UPSTREAM = """
upstream livecheck {{
    least_conn;
    server {first} max_fails=1 fail_timeout=5s;
    server {second} max_fails=1 fail_timeout=5s;
    keepalive 64;
}}
"""


@dataclass
class Cluster:
    port: int
    nodes: list[Server]
    key: str
    log: Path

    def post(self, body: bytes, key: str, kind: str = "application/json") -> tuple[Any, Any, str]:
        """Status, headers and error code of a check."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"x-api-key": key, "content-type": kind}
        connection.request("POST", "/liveness/", body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        assert set(answer) == {"success", "error_code", "error_message", "error_detail"}
        return response.status, response.headers, answer["error_code"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if shutil.which("nginx") is None:
        pytest.skip("LEFT OUT: nginx is not installed")
    nodes = [Server(tmp_path), Server(tmp_path)]
    port = free_port()
    text = CONFIGURATION.read_text(encoding="utf-8")
    for old, new in {
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "/etc/nginx/livecheck-upstream.conf": f"{tmp_path}/upstream.conf",
        "/dev/stdout": f"{tmp_path}/access.log",
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (tmp_path / "livecheck.conf").write_text(text, encoding="utf-8")
    first, second = (node.url.removeprefix("http://") for node in nodes)
    upstream = UPSTREAM.format(first=first, second=second)
    (tmp_path / "upstream.conf").write_text(upstream, encoding="utf-8")
    main = tmp_path / "nginx.conf"
    main.write_text(NGINX.format(folder=tmp_path), encoding="utf-8")
    nginx = subprocess.Popen(["nginx", "-c", str(main), "-p", str(tmp_path)])
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert nginx.poll() is None, (tmp_path / "error.log").read_text()
            time.sleep(0.1)
        yield Cluster(port, nodes, nodes[0].key("test"), tmp_path / "access.log")
    finally:
        nginx.terminate()
        nginx.wait()
        for node in nodes:
            node.stop()


def test_nginx_in_front_of_two_nodes(cluster: Cluster) -> None:
    form = "multipart/form-data; boundary=line"
    head = b'--line\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    photo = head + png(400, 400) + b"\r\n--line--\r\n"

    assert cluster.post(b"{}", "lck_wrong")[::2] == (401, "001")
    status, headers, code = cluster.post(photo, cluster.key, form)
    assert (status, code) == (422, "051")
    assert headers["X-Request-Id"]

    # Larger than any request with an allowed image: nginx says so itself.
    assert cluster.post(bytes(42 * 1024 * 1024), cluster.key)[::2] == (413, "003")

    # One node is gone: the other one answers every time.
    cluster.nodes[0].stop()
    codes = [cluster.post(photo, cluster.key, form)[2] for _ in range(4)]
    assert codes == ["051"] * 4

    # Both are gone: the API's own form of "try again".
    cluster.nodes[1].stop()
    status, headers, code = cluster.post(photo, cluster.key, form)
    assert (status, code) == (503, "005")
    assert int(headers["Retry-After"]) > 0

    assert "lck_" not in cluster.log.read_text()
