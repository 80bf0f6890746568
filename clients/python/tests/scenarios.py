"""What both clients are tried on: photos that are refused, sandbox answers, and a fake server."""

import http.server
from typing import ClassVar

from drawn import png

from livecheck_client import (
    ApiError,
    BadRequestError,
    FaceCountError,
    ImageTooLargeError,
    ResolutionTooLowError,
    ServerError,
    UnreadableImageError,
)
from livecheck_client._errors import BY_CODE

TEN_MIB = 10 * 1024 * 1024

#: Photos with the error that the real server gives for them.
REFUSALS: list[tuple[bytes, type[ApiError], str]] = [
    (b"no image at all", UnreadableImageError, "002"),
    (png(400, 400) + bytes(TEN_MIB), ImageTooLargeError, "003"),
    (b"", BadRequestError, "004"),
    (png(40, 30), ResolutionTooLowError, "007"),
    (png(400, 400), FaceCountError, "051"),
]
REFUSED = [code for _, _, code in REFUSALS]

#: Sandbox answers with their error and, of busy ones, their status.
SCENARIOS: list[tuple[str, type[ApiError], int]] = [
    *((code, kind, 0) for code, kind in BY_CODE.items()),
    ("429", ServerError, 429),
    ("503", ServerError, 503),
]

BUSY = '{"success": false, "error_code": "005", "error_message": "Server internal error."}'
DONE = '{"success": true, "session_token": "a-token"}'


class Fake(http.server.BaseHTTPRequestHandler):
    """Gives the answers of ``script``, one after the other; then ends with 200."""

    script: ClassVar[list[tuple[int, dict[str, str], str]]] = []
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        status, headers, body = self.script.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass
