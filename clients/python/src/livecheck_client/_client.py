"""The client that waits for each answer."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

from ._answers import Result
from ._errors import ApiError, UnreachableError
from ._protocol import (
    Answer,
    Photo,
    Request,
    Response,
    Retries,
    check_request,
    read_answer,
    read_photo,
    result_of,
    session_request,
    token_of,
)


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
        self._retries = Retries(retries, max_wait)
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
        request = check_request(
            self._api_key,
            read_photo(photo),
            session_token=session_token,
            details=details,
            request_id=request_id,
            sandbox=sandbox,
        )
        return result_of(self._send(request))

    def open_session(self) -> Session:
        """Opens a session: a token for a few checks.

        :raises LivecheckError: as :meth:`check`.
        """
        return Session(self, token_of(self._send(session_request(self._api_key))))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Livecheck:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, request: Request) -> Answer:
        """The answer of a successful request, after as many tries as it takes."""
        for attempt in itertools.count():
            response = self._once(request)
            try:
                return read_answer(response)
            except ApiError as error:
                wait = self._retries.wait(error, attempt)
                if wait is None:
                    raise
            self._sleep(wait)
        raise AssertionError("the number of tries is limited")

    def _once(self, request: Request) -> Response:
        try:
            response = self._http.request(
                request.method,
                self._url + request.path,
                headers=request.headers,
                files=request.files,
                data=request.data,
                timeout=self._timeout,
                # The key must not follow to wherever a redirect points.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise UnreachableError(f"no response from {self._url}: {error}") from error
        return Response(response.status_code, response.headers, response.content, response.url)
