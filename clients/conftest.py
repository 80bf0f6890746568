"""What the tests of all clients share: one real server, and photos."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drawn import png
from livecheck_server import Server
from real import live_face

#: The real photos are webcam pictures, smaller than what the server takes by default.
SMALL_PHOTOS = ("--min-image-side", "200", "--min-face-side", "40")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what uses a photo of a person where there is one."""
    for item in items:
        if {"any_photo", "live_photo"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("data")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real server."""
    server = Server(tmp_path_factory.mktemp("server"), *SMALL_PHOTOS)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def make_key(server: Server) -> Callable[..., str]:
    """Makes an API key; its arguments are flags of ``livecheck keys create``."""
    numbers = itertools.count()
    return lambda *flags: server.key(f"test-{next(numbers)}", *flags)


@pytest.fixture(scope="session")
def api_key(make_key: Callable[..., str]) -> str:
    """A key without sessions and limits."""
    return make_key()


@pytest.fixture(scope="session")
def faceless() -> bytes:
    """A readable image without a face."""
    return png(400, 400)


@pytest.fixture(scope="session")
def live_photo() -> bytes:
    """A photo of a live face."""
    photo = live_face()
    if photo is None:
        pytest.skip("LEFT OUT: LIVECHECK_DATA does not name the folder with real photos")
    return photo


@pytest.fixture(scope="session")
def any_photo(faceless: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a live face where there is one, else of the drawn image."""
    path = tmp_path_factory.mktemp("photo") / "selfie.jpg"
    path.write_bytes(live_face() or faceless)
    return path
