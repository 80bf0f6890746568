"""Memory under load, and what the server adds to the bare engine.

    python benches/load.py memory --binary target/release/livecheck --photo LARGE.jpg --seconds 300
    python benches/load.py overhead --binary target/release/livecheck --photo SELFIE.jpg

`memory`: starts a server of its own on 127.0.0.1, which 64 clients send files of 10 MB until the time
is over, and prints its memory every ten seconds. A photo is filled up to 10 MB behind its end.
`overhead`: one client sends one photo again and again; prints the time of an answer beside the time
that the engine says the check took, and beside that of a request that asks for nothing, which is mostly this
client's own. Standard library only.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

LIMIT = 10 * 1024 * 1024


class Server:
    """A server on a free port, with a key."""

    def __init__(self, binary: Path, *flags: str):
        self.folder = tempfile.TemporaryDirectory()
        database = str(Path(self.folder.name) / "bench.db")
        environment = {k: v for k, v in os.environ.items() if k != "LIVECHECK_DATA"}
        environment |= {"LIVECHECK_DATABASE": database, "LIVECHECK_LOG_LEVEL": "warn,livecheck_server=info"}
        self.key = subprocess.run(
            [str(binary), "keys", "create", "--name", "bench"],
            env=environment, check=True, capture_output=True, text=True,
        ).stdout.strip()
        started = time.monotonic()
        self.process = subprocess.Popen(
            [str(binary), "serve", "--listen", "127.0.0.1:0", "--log-format", "json", *flags],
            env=environment, stderr=subprocess.PIPE, text=True,
        )
        self.port = 0
        assert self.process.stderr
        for line in self.process.stderr:
            event = json.loads(line)
            text = json.dumps(event)
            if "listening" in text and not self.port:
                fields = event.get("fields", event)
                self.port = int(str(fields["address"]).rsplit(":", 1)[1])
            if '"ready"' in text:
                break
        self.ready_ms = (time.monotonic() - started) * 1e3
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        assert self.process.stderr
        for _ in self.process.stderr:
            pass

    def memory(self) -> float:
        """Resident memory, MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024 / 1e6
        return float("nan")

    def connect(self) -> http.client.HTTPConnection:
        """A connection of one client."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def stop(self) -> None:
        """Ends the server."""
        self.process.terminate()
        self.process.wait()


def body(file: bytes) -> tuple[bytes, str]:
    """A multipart body with the file."""
    edge = "----livecheck-bench"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    return head.encode() + file + f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"


def memory(server: Server, photo: bytes, clients: int, seconds: float) -> None:
    """64 clients, large files."""
    print(f"ready after {server.ready_ms:.0f} ms, {server.memory():.0f} MB")
    payload, kind = body(photo + bytes(max(0, LIMIT - len(photo))))
    end = time.monotonic() + seconds
    statuses: Counter[str] = Counter()
    times: list[float] = []

    def client() -> None:
        while time.monotonic() < end:
            connection = server.connect()
            started = time.monotonic()
            try:
                connection.request("POST", "/liveness/", payload, {"x-api-key": server.key, "content-type": kind})
                answer = connection.getresponse()
                answer.read()
                statuses[str(answer.status)] += 1
                times.append(time.monotonic() - started)
            except OSError as error:
                # A refusal while the body is still being sent closes the connection.
                statuses[type(error).__name__] += 1
                time.sleep(0.05)
            finally:
                connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    samples = []
    while time.monotonic() < end:
        time.sleep(10 if seconds > 60 else 2)
        samples.append(server.memory())
        print(f"{seconds - (end - time.monotonic()):5.0f} s {samples[-1]:6.0f} MB {dict(statuses)}", flush=True)
    for thread in threads:
        thread.join()
    half = len(samples) // 2
    times.sort()
    print(json.dumps({
        "clients": clients, "seconds": seconds, "statuses": statuses, "largest_mb": max(samples),
        "mean_mb_of_second_quarter": statistics.fmean(samples[half // 2 : half]),
        "mean_mb_of_last_quarter": statistics.fmean(samples[half + half // 2 :]),
        "answer_p99_s": times[int(len(times) * 0.99)] if times else None,
        "after_mb": server.memory(),
    }))


def overhead(server: Server, photo: bytes, requests: int) -> None:
    """One client, one photo."""
    payload, kind = body(photo)
    headers = {"x-api-key": server.key, "content-type": kind}
    connection = server.connect()

    def timed(method: str, path: str, *sent: Any) -> tuple[float, bytes]:
        started = time.perf_counter()
        connection.request(method, path, *sent)
        answer = connection.getresponse().read()
        return (time.perf_counter() - started) * 1e3, answer

    answers, checks, bare = [], [], []
    for number in range(requests + 5):
        # What the engine says it took is in the details, which cost time themselves: so another answer is timed.
        _, detailed = timed("POST", "/liveness/?details=true", payload, headers)
        spent, _ = timed("POST", "/liveness/", payload, headers)
        least, _ = timed("GET", "/healthz")
        if number >= 5:
            answers.append(spent)
            checks.append(json.loads(detailed)["result"]["details"]["timings"]["total_ms"])
            bare.append(least)
    added = [answer - check for answer, check in zip(answers, checks)]
    print(json.dumps({
        "requests": requests, "answer_p50_ms": statistics.median(answers),
        "check_p50_ms": statistics.median(checks), "added_p50_ms": statistics.median(added),
        "added_share": statistics.median(added) / statistics.median(checks),
        "healthz_p50_ms": statistics.median(bare),
    }))


def main() -> None:
    """Starts a server, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["memory", "overhead"])
    parser.add_argument("--binary", type=Path, default=Path("target/release/livecheck"))
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--flag", action="append", default=[], help="a flag of `serve`, such as --flag=--runtime=embedded")
    arguments = parser.parse_args()
    server = Server(arguments.binary.resolve(), *arguments.flag)
    try:
        photo = arguments.photo.read_bytes()
        if arguments.what == "memory":
            memory(server, photo, arguments.clients, arguments.seconds)
        else:
            overhead(server, photo, arguments.requests)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
