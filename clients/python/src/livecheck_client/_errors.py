"""What can go wrong: one exception type for each error code of the API."""

from __future__ import annotations

from typing import ClassVar


class LivecheckError(Exception):
    """Anything that kept a check from giving a result."""


class UnreachableError(LivecheckError):
    """No response: the server can't be reached, or didn't respond in time."""


class UnexpectedAnswerError(LivecheckError):
    """A response that isn't from this API: usually a proxy's, or a wrong address."""


class ApiError(LivecheckError):
    """The server responded with an error code. Codes unknown to this version have this type."""

    #: Whether another photo by the end user can help.
    can_retake: ClassVar[bool] = False

    def __init__(
        self,
        code: str,
        message: str,
        detail: str = "",
        *,
        http_status: int = 0,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}" + (f" ({detail})" if detail else ""))
        #: The three digits, such as ``"051"``.
        self.code = code
        #: The code's fixed text.
        self.message = message
        #: One sentence about this very request.
        self.detail = detail
        self.http_status = http_status
        #: What the server's log is searched by.
        self.request_id = request_id
        #: Seconds the server asked to wait, if it did.
        self.retry_after = retry_after


class ApiKeyError(ApiError):
    """``001``: the API key is missing, wrong, expired or revoked."""


class SessionNotFoundError(ApiError):
    """``061``: the session token is missing, unknown, expired or another key's."""


class SessionLimitError(ApiError):
    """``062``: all checks of the session are used."""


class UnreadableImageError(ApiError):
    """``002``: the file is not a readable JPEG, PNG or WebP."""

    can_retake = True


class ImageTooLargeError(ApiError):
    """``003``: too many bytes or pixels."""

    can_retake = True


class BadRequestError(ApiError):
    """``004``: the request isn't in the format the server expects."""


class ServerError(ApiError):
    """``005``: the server failed (500), is busy or stopping (503), or a limit is reached (429)."""


class ResolutionTooLowError(ApiError):
    """``007``: the image, or the face in it, has too few pixels."""

    can_retake = True


class FaceCountError(ApiError):
    """``051``: no face, or more than one."""

    can_retake = True


class FaceMaskError(ApiError):
    """``052``: a mask or another covering is worn."""

    can_retake = True


BY_CODE: dict[str, type[ApiError]] = {
    "001": ApiKeyError,
    "061": SessionNotFoundError,
    "062": SessionLimitError,
    "002": UnreadableImageError,
    "003": ImageTooLargeError,
    "004": BadRequestError,
    "005": ServerError,
    "007": ResolutionTooLowError,
    "051": FaceCountError,
    "052": FaceMaskError,
}
