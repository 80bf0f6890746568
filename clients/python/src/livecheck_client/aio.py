"""The asynchronous client, for asyncio and Trio: ``pip install livecheck-client[async]``.

>>> from pathlib import Path
>>> from livecheck_client import ApiError
>>> from livecheck_client.aio import AsyncLivecheck
>>> async def main() -> None:
...     async with AsyncLivecheck("http://127.0.0.1:8080", "lck_…") as livecheck:
...         result = await livecheck.check(Path("selfie.jpg"))
...         print(result.liveness, result.score)
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

try:
    import anyio
    import anyio.to_thread
    import httpx
except ImportError as error:
    raise ImportError("the asynchronous client needs httpx: pip install 'livecheck-client[async]'") from error

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

__all__ = ["AsyncLivecheck", "AsyncSession"]


@dataclass(frozen=True)
class AsyncSession:
    """A session of one end user: a few checks under one token."""

    client: AsyncLivecheck
    #: A secret: who has it can use up the session's checks.
    token: str = field(repr=False)

    async def check(
        self,
        photo: Photo,
        *,
        details: bool = False,
        request_id: str | None = None,
        sandbox: str | None = None,
    ) -> Result:
        """As :meth:`AsyncLivecheck.check`, counted against this session."""
        return await self.client.check(
            photo,
            session_token=self.token,
            details=details,
            request_id=request_id,
            sandbox=sandbox,
        )


class AsyncLivecheck:
    """Talks to one server with one key. Keeps connections open: make one and use it in all tasks of an
    event loop.

    Parameters, results and errors are those of :class:`livecheck_client.Livecheck`, but for

    :param http: an ``httpx.AsyncClient`` of your own, for proxies, certificates or limits.
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
        http: httpx.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        # However long the other tasks have all connections.
        self._timeout = httpx.Timeout(timeout, pool=None)
        self._retries = Retries(retries, max_wait)
        self._http = http if http is not None else httpx.AsyncClient()
        self._sleep = sleep

    async def check(
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
        if not isinstance(photo, (bytes, bytearray, memoryview)):
            # A disk may take its time.
            photo = await anyio.to_thread.run_sync(read_photo, photo)
        request = check_request(
            self._api_key,
            read_photo(photo),
            session_token=session_token,
            details=details,
            request_id=request_id,
            sandbox=sandbox,
        )
        return result_of(await self._send(request))

    async def open_session(self) -> AsyncSession:
        """Opens a session: a token for a few checks.

        :raises LivecheckError: as :meth:`check`.
        """
        return AsyncSession(self, token_of(await self._send(session_request(self._api_key))))

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncLivecheck:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _send(self, request: Request) -> Answer:
        """The answer of a successful request, after as many tries as it takes."""
        for attempt in itertools.count():
            response = await self._once(request)
            try:
                return read_answer(response)
            except ApiError as error:
                wait = self._retries.wait(error, attempt)
                if wait is None:
                    raise
            await self._sleep(wait)
        raise AssertionError("the number of tries is limited")

    async def _once(self, request: Request) -> Response:
        try:
            response = await self._http.request(
                request.method,
                self._url + request.path,
                headers=request.headers,
                files=request.files,
                data=request.data,
                timeout=self._timeout,
                # The key must not follow to wherever a redirect points.
                follow_redirects=False,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"no response from {self._url}: {error}") from error
        return Response(response.status_code, response.headers, response.content, str(response.url))
