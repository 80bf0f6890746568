"""The client itself."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, Union, cast

import requests

from ._answers import Details, Result
from ._errors import BY_CODE, ApiError, UnexpectedAnswerError, UnreachableError

#: The bytes of an image file, the path of one, or a file opened for reading bytes.
Photo = Union[bytes, bytearray, memoryview, "os.PathLike[str]", IO[bytes]]

#: Seconds before the first retry when the server names no time; doubles with each further one.
_FIRST_WAIT = 0.5

#: Most times the wait that the server names by which a retry comes later.
_MOST_SPREAD = 8.0


@dataclass(frozen=True)
class Session:
    """A session of one end user: a few checks under one token."""

    client: Livecheck
    #: A secret: who has it can use up the session's checks.
    token: str = field(repr=False)

    def check(
        self,
        photo: Photo,
        *,
        details: bool = False,
        request_id: str | None = None,
        sandbox: str | None = None,
    ) -> Result:
        """As :meth:`Livecheck.check`, counted against this session."""
        return self.client.check(
            photo,
            session_token=self.token,
            details=details,
            request_id=request_id,
            sandbox=sandbox,
        )


class Livecheck:
    """Talks to one server with one key. Keeps connections open: make one and use it again, one a
    thread.

    :param url: the server's address, such as ``http://127.0.0.1:8080``.
    :param api_key: the key, ``lck_…``.
    :param timeout: seconds to wait for the connection and for each answer.
    :param retries: further tries when the server is busy (``005`` with HTTP 503 or 429). Each comes
        after the time that the server names and a random time more, which grows with each try:
        clients that were turned away together don't come back together.
    :param max_wait: longest time that the server may name, in seconds. When it names a longer one,
        its error is raised at once, with ``retry_after``.
    :param http: a ``requests.Session`` of your own, for proxies, certificates or adapters.
    :param sleep: how to wait.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float = 60.0,
        retries: int = 8,
        max_wait: float = 10.0,
        http: requests.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._timeout = timeout
        self._retries = retries
        self._max_wait = max_wait
        self._http = http if http is not None else requests.Session()
        self._sleep = sleep

    def check(
        self,
        photo: Photo,
        *,
        session_token: str | None = None,
        details: bool = False,
        request_id: str | None = None,
        sandbox: str | None = None,
    ) -> Result:
        """Judges one photo.

        :param session_token: for keys that require a session; see :meth:`open_session`.
        :param details: also return what was measured.
        :param request_id: your id for this request; the server's log repeats it.
        :param sandbox: the answer that a sandbox key asks for: ``live``, ``attack``, ``review``, an
            error code, ``429`` or ``503``.
        :raises ApiError: the subclass of the server's error code.
        :raises UnreachableError: no answer.
        :raises UnexpectedAnswerError: an answer that isn't of this API.
        """
        answer, answered_id = self._send(
            "POST",
            "/liveness/",
            {
                "x-session-token": session_token,
                "x-request-id": request_id,
                "x-livecheck-sandbox": sandbox,
            },
            files={"image": ("photo", _read(photo))},
            data={"details": "true"} if details else None,
        )
        try:
            result = answer["result"]
            return Result(
                liveness=bool(result["liveness"]),
                score=float(result["score"]),
                details=cast("Details | None", result.get("details")),
                request_id=answered_id,
                review=bool(result.get("review", False)),
                sandbox=bool(answer.get("sandbox", False)),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise UnexpectedAnswerError(
                f"the response contains no result: {answer!r}"
            ) from error

    def open_session(self) -> Session:
        """Opens a session: a token for a few checks.

        :raises LivecheckError: as :meth:`check`.
        """
        answer, _ = self._send("GET", "/session/", {})
        token = answer.get("session_token")
        if not isinstance(token, str):
            raise UnexpectedAnswerError("the response contains no session token")
        return Session(self, token)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Livecheck:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(
        self, method: str, path: str, headers: dict[str, str | None], **body: Any
    ) -> tuple[dict[str, Any], str]:
        """The body of a successful response and its id."""
        attempt = 0
        while True:
            response = self._once(method, path, headers, **body)
            request_id = response.headers.get("X-Request-Id", "")
            answer = _json(response)
            if answer.get("success") is True:
                return answer, request_id
            error = _error(answer, response, request_id)
            wait = self._wait(error, attempt)
            if wait is None:
                raise error
            self._sleep(wait)
            attempt += 1

    def _once(
        self, method: str, path: str, headers: dict[str, str | None], **body: Any
    ) -> requests.Response:
        sent = {name: value for name, value in headers.items() if value is not None}
        sent["x-api-key"] = self._api_key
        try:
            return self._http.request(
                method,
                self._url + path,
                headers=sent,
                timeout=self._timeout,
                # The key must not follow to wherever a redirect points.
                allow_redirects=False,
                **body,
            )
        except requests.RequestException as error:
            raise UnreachableError(f"no response from {self._url}: {error}") from error

    def _wait(self, error: ApiError, attempt: int) -> float | None:
        """Seconds before the next try; ``None``: no further one."""
        is_busy = error.code == "005" and error.http_status in (429, 503)
        if not is_busy or attempt >= self._retries:
            return None
        if error.retry_after is None:
            # Spread, so that clients that failed together don't come back together.
            wait = _FIRST_WAIT * 2.0**attempt * random.uniform(0.5, 1.0)
            return min(wait, self._max_wait)
        if error.retry_after > self._max_wait:
            return None
        # Wider, the more tries were in vain: so many clients find room one after the other.
        spread = min(2.0**attempt, _MOST_SPREAD)
        return error.retry_after * (1.0 + spread * random.random())


def _read(photo: Photo) -> bytes:
    """The file's bytes: whole, so that a retry can send them again."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    if isinstance(photo, os.PathLike):
        with open(photo, "rb") as file:
            return file.read()
    if hasattr(photo, "read"):
        return photo.read()
    raise TypeError(
        f"a photo is bytes, a pathlib.Path or a file opened with 'rb', not {type(photo).__name__}"
    )


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("success"), bool):
        return answer
    raise UnexpectedAnswerError(
        f"HTTP {response.status_code} from {response.url} is not a response from Livecheck: "
        "is the address correct, and is there a proxy in front of the server?"
    )


def _error(
    answer: dict[str, Any], response: requests.Response, request_id: str
) -> ApiError:
    code = str(answer.get("error_code", ""))
    retry_after = response.headers.get("Retry-After", "")
    return BY_CODE.get(code, ApiError)(
        code,
        str(answer.get("error_message", "")),
        str(answer.get("error_detail", "")),
        http_status=response.status_code,
        request_id=request_id,
        retry_after=float(retry_after) if retry_after.isdigit() else None,
    )
