"""What both clients share: everything but sending and waiting."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Union, cast

from ._answers import Details, Result
from ._errors import BY_CODE, ApiError, UnexpectedAnswerError

#: The bytes of an image file, the path of one, or a file opened for reading bytes.
Photo = Union[bytes, bytearray, memoryview, "os.PathLike[str]", IO[bytes]]

#: Seconds before the first retry when the server names no time; doubles with each further one.
_FIRST_WAIT = 0.5

#: Most times the wait that the server names by which a retry comes later.
_MOST_SPREAD = 8.0


@dataclass(frozen=True)
class Request:
    """A request before it is sent; the same again for each retry."""

    method: str
    path: str
    headers: dict[str, str]
    files: dict[str, tuple[str, bytes]] | None = None
    data: dict[str, str] | None = None


@dataclass(frozen=True)
class Response:
    """What came back, of either HTTP library."""

    status: int
    #: Names are found in upper and lower case.
    headers: Mapping[str, str]
    body: bytes
    url: str


@dataclass(frozen=True)
class Answer:
    """The body of a successful response."""

    fields: dict[str, Any]
    request_id: str


@dataclass(frozen=True)
class Retries:
    """When to try again."""

    #: Further tries.
    most: int
    #: Longest time that the server may name, in seconds.
    max_wait: float

    def wait(self, error: ApiError, attempt: int) -> float | None:
        """Seconds before the next try, after ``attempt`` of them; ``None``: no further one."""
        is_busy = error.code == "005" and error.http_status in (429, 503)
        if not is_busy or attempt >= self.most:
            return None
        if error.retry_after is None:
            # Spread, so that clients that failed together don't come back together.
            wait = _FIRST_WAIT * 2.0**attempt * random.uniform(0.5, 1.0)
            return min(wait, self.max_wait)
        if error.retry_after > self.max_wait:
            return None
        # Wider, the more tries were in vain: so many clients find room one after the other.
        spread = min(2.0**attempt, _MOST_SPREAD)
        return error.retry_after * (1.0 + spread * random.random())


def check_request(
    api_key: str,
    photo: bytes,
    *,
    session_token: str | None,
    details: bool,
    request_id: str | None,
    sandbox: str | None,
) -> Request:
    """The request that judges a photo."""
    optional = {
        "x-session-token": session_token,
        "x-request-id": request_id,
        "x-livecheck-sandbox": sandbox,
    }
    sent = {name: value for name, value in optional.items() if value is not None}
    return Request(
        "POST",
        "/liveness/",
        {**sent, "x-api-key": api_key},
        files={"image": ("photo", photo)},
        data={"details": "true"} if details else None,
    )


def session_request(api_key: str) -> Request:
    """The request that opens a session."""
    return Request("GET", "/session/", {"x-api-key": api_key})


def read_answer(response: Response) -> Answer:
    """The answer in a response.

    :raises ApiError: the subclass of the server's error code.
    :raises UnexpectedAnswerError: a response that isn't of this API.
    """
    try:
        fields = json.loads(response.body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("success"), bool):
        raise UnexpectedAnswerError(
            f"HTTP {response.status} from {response.url} is not a response from Livecheck: "
            "is the address correct, and is there a proxy in front of the server?"
        )
    request_id = response.headers.get("X-Request-Id", "")
    if not fields["success"]:
        raise _error(fields, response, request_id)
    return Answer(fields, request_id)


def result_of(answer: Answer) -> Result:
    """The result of a check."""
    try:
        result = answer.fields["result"]
        return Result(
            liveness=bool(result["liveness"]),
            score=float(result["score"]),
            details=cast("Details | None", result.get("details")),
            request_id=answer.request_id,
            review=bool(result.get("review", False)),
            sandbox=bool(answer.fields.get("sandbox", False)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnexpectedAnswerError(f"the response contains no result: {answer.fields!r}") from error


def token_of(answer: Answer) -> str:
    """The token of a session that was opened."""
    token = answer.fields.get("session_token")
    if not isinstance(token, str):
        raise UnexpectedAnswerError("the response contains no session token")
    return token


def read_photo(photo: Photo) -> bytes:
    """The file's bytes: whole, so that a retry can send them again."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    if isinstance(photo, os.PathLike):
        with open(photo, "rb") as file:
            return file.read()
    if hasattr(photo, "read"):
        return photo.read()
    raise TypeError(f"a photo is bytes, a pathlib.Path or a file opened with 'rb', not {type(photo).__name__}")


def _error(fields: dict[str, Any], response: Response, request_id: str) -> ApiError:
    code = str(fields.get("error_code", ""))
    retry_after = response.headers.get("Retry-After", "")
    return BY_CODE.get(code, ApiError)(
        code,
        str(fields.get("error_message", "")),
        str(fields.get("error_detail", "")),
        http_status=response.status,
        request_id=request_id,
        retry_after=float(retry_after) if retry_after.isdigit() else None,
    )
