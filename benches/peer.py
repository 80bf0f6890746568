"""Compares Livecheck with the usual Python pipeline, photo by photo, in one run on one core.

    python benches/peer.py TEACHERS PHOTOS --binary target/release/livecheck --core 0

The peer: Pillow, YuNet at 640 and both Silent-Face nets on ONNX Runtime, one thread (folder
TEACHERS, see training/README.md). Each photo goes to every contestant in turn, in an order that
changes, so that whatever else the machine does falls on all of them. Prints a table of times (the
stages and `total` by the clock, `cpu` by the processor time of the thread, which a busy machine
disturbs least), the ratios to the peer, and the same as JSON. Needs numpy, onnxruntime and Pillow.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))

import numpy as np
import onnxruntime
from PIL import Image

from livecheck_training.teachers import SilentFacePair, YuNet

Times = dict[str, float]


class Peer:
    """The Python pipeline."""

    def __init__(self, teachers: Path):
        self._detector = YuNet(teachers, 640)
        self._pair = SilentFacePair(teachers)

    def __call__(self, photo: Path) -> Times:
        file = photo.read_bytes()
        worked = time.thread_time()
        start = time.perf_counter()
        image = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
        decoded = time.perf_counter()
        faces = self._detector.detect(image)
        detected = time.perf_counter()
        if len(faces):
            self._pair.live(image, faces.boxes[0])
        end = time.perf_counter()
        return {
            "decode": (decoded - start) * 1e3,
            "detect": (detected - decoded) * 1e3,
            "liveness": (end - detected) * 1e3,
            "total": (end - start) * 1e3,
            "cpu": (time.thread_time() - worked) * 1e3,
        }


class Livecheck:
    """`livecheck bench --stdin` on one runtime."""

    def __init__(self, binary: Path, *flags: str):
        self._process = subprocess.Popen(
            [str(binary), "bench", "--stdin", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.verdicts = 0

    def __call__(self, photo: Path) -> Times:
        assert self._process.stdin and self._process.stdout
        worked = self._worked()
        self._process.stdin.write(f"{photo}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        times = {"total": answer["total_ms"], "cpu": (self._worked() - worked) / 1e6}
        if "details" in answer:
            self.verdicts += 1
            timings = answer["details"]["timings"]
            times |= {k: timings[f"{k}_ms"] for k in ("decode", "detect", "mask", "liveness")}
        return times

    def _worked(self) -> int:
        """Processor time of the judging thread, nanoseconds; reading the file and writing the
        answer are in it."""
        return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[0])

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def compare(
    contestants: dict[str, Callable[[Path], Times]], photos: list[Path], runs: int
) -> dict[str, list[Times]]:
    """The times of each contestant, photo by photo."""
    names = list(contestants)
    for name in names:
        for photo in photos[:2]:
            contestants[name](photo)
    times: dict[str, list[Times]] = {name: [] for name in names}
    for run in range(runs):
        for number, photo in enumerate(photos):
            turn = (run + number) % len(names)
            for name in names[turn:] + names[:turn]:
                times[name].append(contestants[name](photo))
    return times


def summary(times: list[Times]) -> dict[str, dict[str, float]]:
    """p50, p95 and mean by stage, milliseconds."""
    stages: dict[str, dict[str, float]] = {}
    for stage in ("decode", "detect", "mask", "liveness", "total", "cpu"):
        values = sorted(row[stage] for row in times if stage in row)
        if values:
            stages[stage] = {
                "p50": statistics.median(values),
                "p95": values[min(len(values) - 1, int(len(values) * 0.95))],
                "mean": statistics.fmean(values),
            }
    return stages


def find_library() -> Path:
    """The shared library inside the Python package, which the peer runs on too."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    return next(folder.glob("libonnxruntime.so*"))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("teachers", type=Path)
    parser.add_argument("photos", type=Path, nargs="+", help="folders; the first is the base of the ratios")
    parser.add_argument("--binary", type=Path, default=Path("target/release/livecheck"))
    parser.add_argument("--before", type=Path, help="an older binary with `bench --stdin`, to compare with")
    parser.add_argument("--core", type=int, help="run everything on this core")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})

    embedded = ("--runtime", "embedded")
    library = ("--runtime", "onnxruntime", "--onnxruntime", str(find_library()))
    contestants: dict[str, Callable[[Path], Times]] = {
        "peer": Peer(arguments.teachers),
        "onnxruntime": Livecheck(arguments.binary, *library),
        "embedded": Livecheck(arguments.binary, *embedded),
    }
    if arguments.before:
        contestants["before"] = Livecheck(arguments.before, *embedded)
    report: dict[str, object] = {"onnxruntime": onnxruntime.__version__}
    for folder in arguments.photos:
        photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg"})
        figures = {name: summary(rows) for name, rows in compare(contestants, photos, arguments.runs).items()}
        print(f"\n{folder.name}: {len(photos)} photos x {arguments.runs}, ms (p50)")
        heads = ("decode", "detect", "mask", "liveness", "total", "p95", "cpu", "of peer", "cpu of peer")
        print(" " * 12 + "".join(f"{head:>12}" for head in heads))
        for name, stages in figures.items():
            cells = [stages.get(s, {}).get("p50", float("nan")) for s in ("decode", "detect", "mask", "liveness", "total")]
            cells += [stages["total"]["p95"], stages["cpu"]["p50"]]
            cells += [stages[s]["p50"] / figures["peer"][s]["p50"] for s in ("total", "cpu")]
            print(f"{name:12}" + "".join(f"{cell:12.2f}" for cell in cells))
        report[folder.name] = figures
    for contestant in contestants.values():
        if isinstance(contestant, Livecheck):
            contestant.close()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
