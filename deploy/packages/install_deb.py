"""Installs the Debian package in a root folder and asks the service, as root in namespaces of its own.

``unshare … python install_deb.py ROOT PACKAGE`` prints one JSON object with what it saw.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from in_namespace import ask, key_in, loopback_up, wait_until_ready

CONFIG = "/etc/livecheck/livecheck.toml"
AS_SERVICE = ["setpriv", "--reuid", "livecheck", "--regid", "livecheck", "--init-groups"]


def inside(root: Path, *command: str) -> list[str]:
    """A command in the root folder, with no variable of this machine."""
    path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    return ["chroot", str(root), "env", "--ignore-environment", path, *command]


def output(root: Path, *command: str) -> str:
    """What a command prints; ends this program with that when it fails."""
    done = subprocess.run(inside(root, *command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}")
    return done.stdout.strip()


def start_line(root: Path) -> list[str]:
    """The command of the installed unit."""
    unit = (root / "usr/lib/systemd/system/livecheck.service").read_text("utf-8")
    line = re.search(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    assert line is not None
    return line[1].split()


def main(root: Path, package: Path) -> None:
    """Installs, starts as the unit does, asks, stops, removes, purges."""
    loopback_up()
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    (root / "tmp/livecheck.deb").write_bytes(package.read_bytes())
    seen: dict[str, object] = {}
    output(root, "dpkg", "--install", "/tmp/livecheck.deb")
    seen["status"] = output(root, "dpkg-query", "--show", "--showformat=${Status}", "livecheck")
    seen["user"] = output(root, "id", "--user", "--name", "livecheck")
    seen["folder"] = output(root, "stat", "--format=%U %a", "/var/lib/livecheck")
    seen["version"] = output(root, "livecheck", "version").splitlines()[0]
    create = ["livecheck", "keys", "create", "--name", "test", "--config", CONFIG]
    key = key_in(output(root, *AS_SERVICE, *create))
    output(root, *AS_SERVICE, "livecheck", "doctor", "--config", CONFIG)
    service = subprocess.Popen(
        inside(root, *AS_SERVICE, *start_line(root)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until_ready(service)
        seen["session"] = ask("/session/", x_api_key=key)
        seen["wrong key"] = ask("/session/", x_api_key="wrong")
        seen["owner of the process"] = output(root, "stat", "--format=%U", f"/proc/{service.pid}")
    finally:
        service.terminate()
        seen["exit code"] = service.wait(60)
    output(root, "dpkg", "--remove", "livecheck")
    seen["keys after removal"] = (root / "var/lib/livecheck/livecheck.db").exists()
    output(root, "dpkg", "--purge", "livecheck")
    seen["keys after purge"] = (root / "var/lib/livecheck").exists()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
