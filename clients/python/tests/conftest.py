"""What the tests of both clients share."""

import http.server
import threading
from collections.abc import Callable, Iterator

import pytest
from scenarios import Fake


@pytest.fixture
def fake() -> Iterator[Callable[..., str]]:
    """Starts a fake server with a script; returns its address."""
    servers = []

    def start(*script: tuple[int, dict[str, str], str]) -> str:
        Fake.script, Fake.seen = list(script), []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fake)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
