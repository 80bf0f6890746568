"""What both tests in namespaces of their own use: the network's one interface, and requests."""

import fcntl
import json
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request

ORIGIN = "http://127.0.0.1:8080"
#: A debug build checks its models first.
START_SECONDS = 120


def loopback_up() -> None:
    """Switches the new network namespace's one interface on."""
    get_flags, set_flags, up = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, get_flags, request))[1]
        fcntl.ioctl(control, set_flags, struct.pack("16sh14x", b"lo", flags | up))


def ask(path: str, **headers: str) -> tuple[int, object]:
    """The status and the body of the answer to a request without a body."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(ORIGIN + path, headers=names)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_until_ready(service: "subprocess.Popen[str]") -> tuple[int, object]:
    """The answer of ``/readyz`` once it is 200; ends this program when the service does not start."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            answer = ask("/readyz")
            if answer[0] == 200:
                return answer
        except (urllib.error.URLError, OSError):
            pass
        if service.poll() is not None or time.monotonic() > until:
            service.kill()
            assert service.stderr is not None
            raise SystemExit("the service did not start:\n" + service.stderr.read())
        time.sleep(0.2)


def key_in(output: str) -> str:
    """The API key that ``livecheck keys create`` printed."""
    return next(line for line in output.splitlines() if line.startswith("lck_"))
