"""Measures how the service scales on this machine, and works out what larger ones would do.

    python benches/scale.py --binary target/release/livecheck --photos PHOTOS --output docs/images/scale.svg

Measures photos a second with one and with two workers for photos of 0.3, 0.9 and 12 megapixels
(`livecheck bench`; the photos of PHOTOS, brought to each size), and requests a second of the server
for 1 to 64 connections that stay open. From these and from the figures of the store it works out
machines of 8, 32 and 128 cores and ten nodes of 8, with the first limit that bites:

- cores: workers disturb each other as the step from one to two shows (Gunther's universal
  scalability law with its first coefficient, http://www.perfdynamics.com/Manifesto/USLscalability.html);
- the database: writes a second that one takes, and writes that a check needs;
- memory: bytes that a check moves, and the bandwidth of the machine;
- the network: bytes of a photo, and the line.

Settings come from the environment, such as `LIVECHECK_RUNTIME=embedded`. What is assumed and not measured
stands in `Assumed`; every number there is an option. Prints the tables, and draws the curve as an SVG file.
Needs Pillow.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, fields
from pathlib import Path

from load import Server, body
from PIL import Image

MEGAPIXELS = {0.3: (640, 480), 0.9: (1280, 720), 12.0: (4000, 3000)}
"""Sizes of the photos; portraits keep their direction."""

CONNECTIONS = (1, 2, 4, 8, 16, 32, 64)

MACHINES = {"2 cores": (2, 1), "8 cores": (8, 1), "32 cores": (32, 1), "128 cores": (128, 1), "10 nodes of 8": (8, 10)}
"""Cores of a node, and nodes."""


@dataclass
class Assumed:
    """What this run does not measure."""

    database_writes: float = 1944.0
    """Writes a second of one PostgreSQL (docs, SCALING: `take_use` of 32 callers)."""
    writes_per_check: float = 1.0
    """One for a session token."""
    gigabytes_per_second: float = 25.0
    """Memory bandwidth for each 8 cores of a node, up to eight times of it."""
    megabytes_per_check: float = 40.0
    """Memory traffic of a check of 0.9 megapixels beyond the caches: weights of all nets once, pixels, large maps."""
    gigabits_per_second: float = 10.0
    """The line of a node."""


def sized(photos: list[Path], size: tuple[int, int], folder: Path) -> Path:
    """The photos, brought to a size, as JPEGs of quality 90."""
    folder.mkdir()
    for number, path in enumerate(photos):
        with Image.open(path) as image:
            wide = image.width >= image.height
            image.convert("RGB").resize(size if wide else size[::-1], Image.Resampling.LANCZOS).save(folder / f"{number}.jpg", quality=90)
    return folder


def bench(binary: Path, folder: Path) -> dict[int, float]:
    """Photos a second by workers."""
    command: list[str | Path] = [binary, "bench", folder, "--workers", "2", "--runs", "6", "--json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    throughput = said["report"]["groups"][0]["throughput"]
    return {row["workers"]: row["per_second"] for row in throughput}


def answers(server: Server, photo: bytes, connections: int, seconds: float) -> tuple[float, float]:
    """Answers with a verdict a second, and the median time of one in ms."""
    payload, kind = body(photo)
    times: list[float] = []
    until = time.monotonic() + seconds

    def client() -> None:
        connection = server.connect()
        while time.monotonic() < until:
            start = time.perf_counter()
            connection.request("POST", "/liveness/", payload, {"x-api-key": server.key, "content-type": kind})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                times.append((time.perf_counter() - start) * 1e3)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times) / seconds, statistics.median(times) if times else float("nan")


def predicted(one: float, two: float, bytes_per_photo: float, assumed: Assumed, cores: int, nodes: int) -> tuple[float, str]:
    """Photos a second, and the limit that bites first."""
    # Contention such that two workers do what was measured, at least nothing.
    contention = max(0.0, 2 * one / two - 1)
    memory = assumed.gigabytes_per_second * 1e3 * min(max(cores / 8, 1), 8)
    limits = {
        "cores": nodes * one * cores / (1 + contention * (cores - 1)),
        "database": assumed.database_writes / assumed.writes_per_check,
        "memory": nodes * memory / assumed.megabytes_per_check,
        "network": nodes * assumed.gigabits_per_second * 1e9 / 8 / bytes_per_photo,
    }
    first = min(limits, key=limits.__getitem__)
    return limits[first], first


def drawing(rows: list[tuple[str, float, str]]) -> str:
    """Photos a second by machine, on a logarithmic scale, as SVG."""
    import math

    width, height, left, bottom, top = 640, 300, 60, 40, 30
    most = max(rate for _, rate, _ in rows)
    decades = range(math.ceil(math.log10(most)) + 1)
    scale = (height - bottom - top) / decades[-1]

    def y(rate: float) -> float:
        return height - bottom - scale * math.log10(max(rate, 1))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="18">Photos of 0.9 megapixels a second, and the first limit</text>',
    ]
    for decade in decades:
        at = y(10**decade)
        parts.append(f'<line x1="{left}" x2="{width - 10}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{10**decade:,}</text>')
    step = (width - left - 10) / len(rows)
    for number, (name, rate, limit) in enumerate(rows):
        x, at = left + step * number + step * 0.2, y(rate)
        parts.append(f'<rect x="{x:.1f}" y="{at:.1f}" width="{step * 0.6:.1f}" height="{height - bottom - at:.1f}" fill="#2b6cb0"/>')
        parts.append(f'<text x="{x + step * 0.3:.1f}" y="{at - 5:.1f}" text-anchor="middle">{rate:,.0f} ({limit})</text>')
        parts.append(f'<text x="{x + step * 0.3:.1f}" y="{height - bottom + 18}" text-anchor="middle">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Measures, works out, prints and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=Path("target/release/livecheck"))
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos with one face")
    parser.add_argument("--most", type=int, default=12, help="photos that are taken of it (default: 12)")
    parser.add_argument("--seconds", type=float, default=5, help="time for each number of connections (default: 5)")
    parser.add_argument("--output", type=Path, help="the SVG file")
    for field in fields(Assumed):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=float, default=field.default)
    arguments = parser.parse_args()
    assumed = Assumed(**{field.name: getattr(arguments, field.name) for field in fields(Assumed)})
    photos = sorted(path for path in arguments.photos.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))[: arguments.most]
    if not photos:
        raise SystemExit(f"no photo in {arguments.photos}")

    rates: dict[float, dict[int, float]] = {}
    with tempfile.TemporaryDirectory() as work:
        print("| megapixels | one worker, photos a second | two workers | ratio |\n|---|---|---|---|")
        for megapixels, size in MEGAPIXELS.items():
            folder = sized(photos, size, Path(work) / str(megapixels))
            rates[megapixels] = by_workers = bench(arguments.binary, folder)
            one, two = by_workers[1], by_workers[2]
            print(f"| {megapixels} | {one:.1f} | {two:.1f} | {two / one:.2f} |", flush=True)
        photo = (Path(work) / "0.9" / "0.jpg").read_bytes()

    # All connections come from one address.
    server = Server(arguments.binary, "--max-connections-per-address", "0")
    try:
        print("\n| connections | answers a second | median, ms |\n|---|---|---|")
        for connections in CONNECTIONS:
            rate, median = answers(server, photo, connections, arguments.seconds)
            print(f"| {connections} | {rate:.1f} | {median:.0f} |", flush=True)
    finally:
        server.stop()

    rows = []
    print("\n| machine | photos a second | first limit |\n|---|---|---|")
    for name, (cores, nodes) in MACHINES.items():
        rate, limit = predicted(rates[0.9][1], rates[0.9][2], len(photo), assumed, cores, nodes)
        rows.append((name, rate, limit))
        print(f"| {name} | {rate:,.0f} | {limit} |")
    if arguments.output:
        arguments.output.write_text(drawing(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
