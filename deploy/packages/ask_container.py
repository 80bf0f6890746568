"""Starts a container and asks the service in it, as root in namespaces of its own.

``unshare … python ask_container.py RUN COMMAND``, both JSON lists: what runs a command in the container,
and the image's own command. Prints one JSON object with what it saw.
"""

import json
import subprocess
import sys

from in_namespace import ask, key_in, loopback_up, wait_until_ready


def main(run: list[str], command: list[str]) -> None:
    """Makes a key, starts, asks, stops."""
    loopback_up()
    create = [*run, "livecheck", "keys", "create", "--name", "test"]
    created = subprocess.run(create, capture_output=True, text=True)
    if created.returncode != 0:
        raise SystemExit(created.stdout + created.stderr)
    key = key_in(created.stdout)
    service = subprocess.Popen([*run, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        seen = {
            "ready": wait_until_ready(service),
            "session": ask("/session/", x_api_key=key),
            "wrong key": ask("/session/", x_api_key="wrong"),
        }
        subprocess.run([*run, "livecheck", "healthcheck"], check=True, stdout=sys.stderr)
    finally:
        service.kill()
        service.wait()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), json.loads(sys.argv[2]))
