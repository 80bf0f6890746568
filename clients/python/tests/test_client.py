"""The client against a real server; and against a fake one for what a real one rarely says."""

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from livecheck_server import Server
from scenarios import BUSY, DONE, REFUSALS, REFUSED, SCENARIOS, Fake

from livecheck_client import (
    ApiError,
    ApiKeyError,
    FaceCountError,
    Livecheck,
    ServerError,
    SessionLimitError,
    SessionNotFoundError,
    UnexpectedAnswerError,
    UnreachableError,
)

MakeKey = Callable[..., str]


@pytest.fixture
def livecheck(server: Server, api_key: str) -> Iterator[Livecheck]:
    with Livecheck(server.url, api_key) as client:
        yield client


def test_a_live_face_gets_a_score(livecheck: Livecheck, live_photo: bytes) -> None:
    result = livecheck.check(live_photo)
    assert 0.0 <= result.score <= 1.0
    assert result.details is None
    assert result.request_id


def test_details_say_what_was_measured(livecheck: Livecheck, live_photo: bytes) -> None:
    result = livecheck.check(live_photo, details=True)
    assert result.details is not None
    assert result.liveness == (result.score >= result.details["thresholds"]["liveness"])
    content = {"x0": 0, "y0": 0, "x1": 320, "y1": 240}
    assert result.details["image"] == {"width": 320, "height": 240, "content": content, "rotated": 0, "format": "jpeg"}
    assert len(result.details["face"]["landmarks"]) == 5
    assert 0 <= result.details["attack_score"] <= 1


def test_a_photo_is_bytes_a_path_or_a_file(livecheck: Livecheck, faceless: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(faceless)
    with path.open("rb") as file:
        for photo in (faceless, bytearray(faceless), memoryview(faceless), path, file):
            with pytest.raises(FaceCountError):
                livecheck.check(photo)


def test_text_is_no_photo(livecheck: Livecheck) -> None:
    with pytest.raises(TypeError, match=r"pathlib\.Path"):
        livecheck.check("selfie.jpg")  # type: ignore[arg-type]


@pytest.mark.parametrize(("photo", "expected", "code"), REFUSALS, ids=REFUSED)
def test_each_refusal_has_its_type(livecheck: Livecheck, photo: bytes, expected: type[ApiError], code: str) -> None:
    with pytest.raises(expected) as caught:
        livecheck.check(photo, request_id="test.refusal-1")
    error = caught.value
    assert type(error) is expected
    assert error.code == code
    assert error.message and error.detail
    assert error.request_id == "test.refusal-1"
    assert error.can_retake == (code != "004")
    assert error.detail in str(error)


def test_a_wrong_key(server: Server) -> None:
    with pytest.raises(ApiKeyError) as caught:
        Livecheck(server.url, "lck_wrong").check(b"any")
    assert (caught.value.http_status, caught.value.can_retake) == (401, False)


def test_a_session_is_good_for_three_checks(server: Server, make_key: MakeKey, faceless: bytes) -> None:
    livecheck = Livecheck(server.url, make_key("--require-session"))
    session = livecheck.open_session()
    assert session.token not in repr(session)
    for _ in range(3):
        with pytest.raises(FaceCountError):
            session.check(faceless)
    with pytest.raises(SessionLimitError):
        session.check(faceless)
    with pytest.raises(SessionNotFoundError):
        livecheck.check(faceless)
    with pytest.raises(FaceCountError):
        livecheck.open_session().check(io.BytesIO(faceless))


def test_a_wait_longer_than_allowed_is_not_waited_for(server: Server, make_key: MakeKey, faceless: bytes) -> None:
    waits: list[float] = []
    key = make_key("--rate", "0.001/s", "--burst", "1")
    livecheck = Livecheck(server.url, key, sleep=waits.append)
    with pytest.raises(FaceCountError):
        livecheck.check(faceless)
    with pytest.raises(ServerError) as caught:
        livecheck.check(faceless)
    assert caught.value.http_status == 429
    assert caught.value.retry_after is not None and caught.value.retry_after > 10
    assert waits == []


def test_a_limited_key_is_tried_again_after_the_time_it_was_told(
    server: Server, make_key: MakeKey, faceless: bytes
) -> None:
    waits: list[float] = []
    key = make_key("--rate", "0.01/s", "--burst", "1")
    livecheck = Livecheck(server.url, key, retries=2, max_wait=10_000, sleep=waits.append)
    with pytest.raises(FaceCountError):
        livecheck.check(faceless)
    with pytest.raises(ServerError) as caught:
        livecheck.check(faceless)
    assert len(waits) == 2
    assert caught.value.retry_after is not None
    assert 1 <= waits[-1] / caught.value.retry_after <= 3


@pytest.fixture
def sandbox(server: Server, make_key: MakeKey) -> Iterator[tuple[Livecheck, list[float]]]:
    """A client with a sandbox key, and its waits."""
    waits: list[float] = []
    with Livecheck(server.url, make_key("--sandbox"), retries=2, sleep=waits.append) as client:
        yield client, waits


@pytest.mark.parametrize(
    ("scenario", "liveness", "review"),
    [("live", True, False), ("attack", False, False), ("review", False, True)],
)
def test_the_sandbox_gives_each_result(
    sandbox: tuple[Livecheck, list[float]],
    faceless: bytes,
    scenario: str,
    liveness: bool,
    review: bool,
) -> None:
    result = sandbox[0].check(faceless, sandbox=scenario, details=True)
    assert (result.liveness, result.review, result.sandbox) == (liveness, review, True)
    assert result.details is not None
    assert result.details["image"]["width"] == 400


@pytest.mark.parametrize(("scenario", "expected", "status"), SCENARIOS)
def test_the_sandbox_gives_each_error(
    sandbox: tuple[Livecheck, list[float]],
    faceless: bytes,
    scenario: str,
    expected: type[ApiError],
    status: int,
) -> None:
    client, waits = sandbox
    with pytest.raises(expected) as caught:
        client.check(faceless, sandbox=scenario)
    if status:
        assert caught.value.http_status == status
        assert caught.value.retry_after == 1
        assert len(waits) == 2, "it was tried again"
        assert all(1 <= wait <= 3 for wait in waits)
    else:
        assert caught.value.code == scenario
        assert waits == []


def test_of_64_photos_sent_by_16_threads_none_is_lost(tmp_path: Path, faceless: bytes) -> None:
    # Room for four at a time: most are turned away, and come back.
    server = Server(tmp_path, "--workers", "1", "--queue", "3")
    try:
        livecheck = Livecheck(server.url, server.key("crowd"))
        with ThreadPoolExecutor(16) as threads:
            errors = list(threads.map(lambda _: refusal_of(livecheck, faceless), range(64)))
    finally:
        server.stop()
    assert errors == ["051"] * 64


def refusal_of(livecheck: Livecheck, photo: bytes) -> str:
    with pytest.raises(ApiError) as caught:
        livecheck.check(photo)
    return caught.value.code


def test_nobody_there() -> None:
    with pytest.raises(UnreachableError):
        Livecheck("http://127.0.0.1:1", "lck_any").check(b"any")


def test_another_program_answers(server: Server, api_key: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match="is the address correct"):
        Livecheck(server.url + "/docs/index.html?", api_key).open_session()


def test_a_busy_server_is_asked_again(fake: Callable[..., str]) -> None:
    waits: list[float] = []
    url = fake((503, {"Retry-After": "2"}, BUSY), (503, {}, BUSY), (200, {}, DONE))
    assert Livecheck(url, "lck_any", sleep=waits.append).open_session().token == "a-token"
    assert 2 <= waits[0] <= 4
    assert 0 < waits[1] <= 1


@pytest.mark.parametrize(("status", "code"), [(500, "005"), (429, "062"), (429, "099"), (401, "061")])
def test_other_failures_are_not_asked_again(fake: Callable[..., str], status: int, code: str) -> None:
    url = fake((status, {"Retry-After": "0"}, BUSY.replace("005", code)))
    with pytest.raises(ApiError) as caught:
        Livecheck(url, "lck_any").open_session()
    assert caught.value.code == code
    assert Fake.seen == ["/session/"]


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"success": "yes"}', '{"success": true}'])
def test_an_answer_of_another_form(fake: Callable[..., str], body: str) -> None:
    with pytest.raises(UnexpectedAnswerError):
        Livecheck(fake((200, {}, body)), "lck_any").open_session()


def test_the_key_does_not_follow_a_redirect(fake: Callable[..., str]) -> None:
    url = fake((302, {"Location": "/elsewhere"}, ""), (200, {}, DONE))
    with pytest.raises(UnexpectedAnswerError):
        Livecheck(url, "lck_any").open_session()
    assert Fake.seen == ["/session/"]


def test_the_types_hold() -> None:
    project = Path(__file__).resolve().parents[1]
    arguments = ["--config-file", "pyproject.toml", "src"]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
