"""Client of a Livecheck server: is the face in this photo a live person's?

>>> from pathlib import Path
>>> from livecheck_client import ApiError, Livecheck
>>> with Livecheck("http://127.0.0.1:8080", "lck_…") as livecheck:  # doctest: +SKIP
...     try:
...         result = livecheck.check(Path("selfie.jpg"))
...     except ApiError as error:
...         print("take another photo" if error.can_retake else error)
...     else:
...         print(result.liveness, result.score)

Without blocking: :mod:`livecheck_client.aio`.
"""

from ._answers import Details, Result
from ._client import Livecheck, Session
from ._errors import (
    ApiError,
    ApiKeyError,
    BadRequestError,
    FaceCountError,
    FaceMaskError,
    ImageTooLargeError,
    LivecheckError,
    ResolutionTooLowError,
    ServerError,
    SessionLimitError,
    SessionNotFoundError,
    UnexpectedAnswerError,
    UnreachableError,
    UnreadableImageError,
)
from ._protocol import Photo

__all__ = [
    "ApiError",
    "ApiKeyError",
    "BadRequestError",
    "Details",
    "FaceCountError",
    "FaceMaskError",
    "ImageTooLargeError",
    "Livecheck",
    "LivecheckError",
    "Photo",
    "ResolutionTooLowError",
    "Result",
    "ServerError",
    "Session",
    "SessionLimitError",
    "SessionNotFoundError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "UnreadableImageError",
]
