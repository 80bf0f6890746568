"""Starts the real server for tests: a free port, a database of its own."""

import json
import os
import queue
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Longest wait for a start: the debug build checks its models first.
START_SECONDS = 120


def binary() -> Path:
    """The program that LIVECHECK_BINARY names, else the one cargo built last."""
    named = os.environ.get("LIVECHECK_BINARY")
    if named:
        return Path(named).resolve()
    built = [ROOT / "target" / profile / "livecheck" for profile in ("release", "debug")]
    built = [path for path in built if path.exists()]
    if not built:
        raise FileNotFoundError("build livecheck, or name it in LIVECHECK_BINARY")
    return max(built, key=lambda path: path.stat().st_mtime)


def environment() -> dict[str, str]:
    """This process's, without settings of a Livecheck server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LIVECHECK_")}


def opens_admin_listener(folder: Path, variables: dict[str, str], *flags: str) -> bool:
    """Whether ``livecheck doctor`` accepts the admin listener of these settings, on free ports."""
    done = subprocess.run(
        [binary(), "doctor", "--listen", "127.0.0.1:0", "--admin-listen", "0.0.0.0:0", "--database", "none.db", *flags],
        cwd=folder,
        env=environment() | variables,
        capture_output=True,
        text=True,
    )
    assert "ok    settings:" in done.stdout, done.stdout + done.stderr
    return "WRONG admin listener:" not in done.stdout


class Server:
    """A running server; stop it with :meth:`stop`."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self._folder = folder
        self.database = str(folder / "keys.db")
        self._process = subprocess.Popen(
            [
                str(binary()), "serve",
                "--listen", "127.0.0.1:0",
                "--database", self.database,
                "--log-format", "json",
                "--metrics", "public",
                "--version", "public",
                *flags,
            ],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read_log, daemon=True).start()
        try:
            address = self._wait_for("listening")["address"]
            self.url = f"http://{address}"
            self._wait_for("ready")
            self._get("/readyz")
        except BaseException:
            self.stop()
            raise

    def key(self, name: str, *flags: str) -> str:
        """A new API key."""
        return subprocess.run(
            [str(binary()), "keys", "create", "--name", name, "--database", self.database, *flags],
            cwd=self._folder,
            env=environment(),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()

    def stop(self) -> None:
        """Ends the server."""
        self._process.terminate()
        self._process.wait()

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def _wait_for(self, message: str) -> dict[str, str]:
        seen: list[str] = []
        while True:
            line = self._lines.get(timeout=START_SECONDS)
            if line is None:
                raise RuntimeError("the server did not start:\n" + "".join(seen))
            seen.append(line)
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and event.get("message") == message:
                return event

    def _get(self, path: str) -> None:
        try:
            urllib.request.urlopen(self.url + path, timeout=START_SECONDS).close()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path} answers {error.code}") from error
