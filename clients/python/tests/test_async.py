"""The asynchronous client against a real server, and against a fake one."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import httpx
import pytest
from livecheck_server import Server
from scenarios import BUSY, DONE, REFUSALS, REFUSED, SCENARIOS, Fake

from livecheck_client import (
    ApiError,
    ApiKeyError,
    FaceCountError,
    ServerError,
    SessionLimitError,
    UnexpectedAnswerError,
    UnreachableError,
)
from livecheck_client.aio import AsyncLivecheck

MakeKey = Callable[..., str]

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Trio only where a test says so."""
    return "asyncio"


class Waits:
    """Notes how long it was to wait, and doesn't."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
async def livecheck(server: Server, api_key: str) -> AsyncIterator[AsyncLivecheck]:
    async with AsyncLivecheck(server.url, api_key) as client:
        yield client


async def test_a_live_face_gets_a_score(livecheck: AsyncLivecheck, live_photo: bytes) -> None:
    result = await livecheck.check(live_photo, details=True)
    assert 0.0 <= result.score <= 1.0
    assert result.details is not None
    assert result.liveness == (result.score >= result.details["thresholds"]["liveness"])
    assert result.request_id


async def test_a_photo_is_bytes_a_path_or_a_file(livecheck: AsyncLivecheck, faceless: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(faceless)
    with path.open("rb") as file:
        for photo in (faceless, bytearray(faceless), memoryview(faceless), path, file):
            with pytest.raises(FaceCountError):
                await livecheck.check(photo)
    with pytest.raises(TypeError, match=r"pathlib\.Path"):
        await livecheck.check("selfie.jpg")  # type: ignore[arg-type]


@pytest.mark.parametrize(("photo", "expected", "code"), REFUSALS, ids=REFUSED)
async def test_each_refusal_has_its_type(
    livecheck: AsyncLivecheck, photo: bytes, expected: type[ApiError], code: str
) -> None:
    with pytest.raises(expected) as caught:
        await livecheck.check(photo, request_id="test.refusal-1")
    error = caught.value
    assert type(error) is expected
    assert (error.code, error.request_id) == (code, "test.refusal-1")
    assert error.message and error.detail


async def test_a_wrong_key(server: Server) -> None:
    async with AsyncLivecheck(server.url, "lck_wrong") as livecheck:
        with pytest.raises(ApiKeyError):
            await livecheck.check(b"any")


async def test_a_session_is_good_for_three_checks(server: Server, make_key: MakeKey, faceless: bytes) -> None:
    async with AsyncLivecheck(server.url, make_key("--require-session")) as livecheck:
        session = await livecheck.open_session()
        assert session.token not in repr(session)
        for _ in range(3):
            with pytest.raises(FaceCountError):
                await session.check(faceless)
        with pytest.raises(SessionLimitError):
            await session.check(faceless)


@pytest.mark.parametrize(
    ("scenario", "liveness", "review"),
    [("live", True, False), ("attack", False, False), ("review", False, True)],
)
async def test_the_sandbox_gives_each_result(
    server: Server, make_key: MakeKey, faceless: bytes, scenario: str, liveness: bool, review: bool
) -> None:
    async with AsyncLivecheck(server.url, make_key("--sandbox")) as livecheck:
        result = await livecheck.check(faceless, sandbox=scenario)
    assert (result.liveness, result.review, result.sandbox) == (liveness, review, True)


@pytest.mark.parametrize(("scenario", "expected", "status"), SCENARIOS)
async def test_the_sandbox_gives_each_error(
    server: Server,
    make_key: MakeKey,
    faceless: bytes,
    scenario: str,
    expected: type[ApiError],
    status: int,
) -> None:
    waits = Waits()
    key = make_key("--sandbox")
    async with AsyncLivecheck(server.url, key, retries=2, sleep=waits) as livecheck:
        with pytest.raises(expected) as caught:
            await livecheck.check(faceless, sandbox=scenario)
    if status:
        assert caught.value.http_status == status
        assert caught.value.retry_after == 1
        assert len(waits.seconds) == 2, "it was tried again"
        assert all(1 <= wait <= 3 for wait in waits.seconds)
    else:
        assert caught.value.code == scenario
        assert waits.seconds == []


async def test_a_wait_longer_than_allowed_is_not_waited_for(server: Server, make_key: MakeKey, faceless: bytes) -> None:
    waits = Waits()
    key = make_key("--rate", "0.001/s", "--burst", "1")
    async with AsyncLivecheck(server.url, key, sleep=waits) as livecheck:
        with pytest.raises(FaceCountError):
            await livecheck.check(faceless)
        with pytest.raises(ServerError) as caught:
            await livecheck.check(faceless)
    assert caught.value.http_status == 429
    assert caught.value.retry_after is not None and caught.value.retry_after > 10
    assert waits.seconds == []


async def test_of_64_photos_sent_by_16_tasks_none_is_lost(tmp_path: Path, faceless: bytes) -> None:
    # Room for four at a time: most are turned away, and come back.
    server = Server(tmp_path, "--workers", "1", "--queue", "3")
    waits = 0
    codes: list[str] = []

    async def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1
        await anyio.sleep(seconds)

    async def send_four(livecheck: AsyncLivecheck) -> None:
        for _ in range(4):
            with pytest.raises(ApiError) as caught:
                await livecheck.check(faceless)
            codes.append(caught.value.code)

    try:
        key = server.key("crowd")
        async with (
            AsyncLivecheck(server.url, key, sleep=sleep) as livecheck,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(16):
                tasks.start_soon(send_four, livecheck)
    finally:
        server.stop()
    assert codes == ["051"] * 64
    assert waits > 0, "nobody was turned away"


async def test_nobody_there() -> None:
    for url in ("http://127.0.0.1:1", "127.0.0.1:1", "http://127.0.0.1:port"):
        async with AsyncLivecheck(url, "lck_any") as livecheck:
            with pytest.raises(UnreachableError):
                await livecheck.check(b"any")


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_busy_server_is_asked_again(fake: Callable[..., str]) -> None:
    waits = Waits()
    url = fake((503, {"Retry-After": "2"}, BUSY), (503, {}, BUSY), (200, {}, DONE))
    async with AsyncLivecheck(url, "lck_any", sleep=waits) as livecheck:
        assert (await livecheck.open_session()).token == "a-token"
    assert 2 <= waits.seconds[0] <= 4
    assert 0 < waits.seconds[1] <= 1


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"success": "yes"}', '{"success": true}'])
async def test_an_answer_of_another_form(fake: Callable[..., str], body: str) -> None:
    async with AsyncLivecheck(fake((200, {}, body)), "lck_any") as livecheck:
        with pytest.raises(UnexpectedAnswerError):
            await livecheck.open_session()


async def test_the_key_does_not_follow_a_redirect(fake: Callable[..., str]) -> None:
    url = fake((302, {"Location": "/elsewhere"}, ""), (200, {}, DONE))
    # Not even with a client that follows them otherwise.
    http = httpx.AsyncClient(follow_redirects=True)
    async with AsyncLivecheck(url, "lck_any", http=http) as livecheck:
        with pytest.raises(UnexpectedAnswerError):
            await livecheck.open_session()
    assert Fake.seen == ["/session/"]


def test_without_httpx_the_other_client_works_and_this_one_says_what_is_missing(
    tmp_path: Path,
) -> None:
    (tmp_path / "httpx.py").write_text("raise ImportError('no httpx')")
    source = Path(__file__).resolve().parents[1] / "src"
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(source)!r}]\n"
        "import livecheck_client\n"
        "try:\n    import livecheck_client.aio\n"
        "except ImportError as error:\n    print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'livecheck-client[async]'" in ran.stdout
