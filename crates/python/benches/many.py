"""Throughput and memory of ``check_many``, on the photos of a folder, again and again.

``python crates/python/benches/many.py FOLDER --photos 20000 --threads 2`` prints, after every
thousand photos, how many there were per second and the memory of this process.
"""

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from livecheck_engine import Engine


def resident() -> int:
    """Memory of this process in MiB."""
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) // 1024


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--onnxruntime", type=Path, default=None)
    parser.add_argument("--min-image-side", type=int, default=None)
    parser.add_argument("--min-face-side", type=int, default=None)
    arguments = parser.parse_args()
    engine = Engine(
        onnxruntime=arguments.onnxruntime,
        min_image_side=arguments.min_image_side,
        min_face_side=arguments.min_face_side,
    )
    files = sorted(path for path in arguments.folder.iterdir() if path.is_file())
    if not files:
        parser.error(f"there is no file in {arguments.folder}")
    # What is prepared with the first photo is not counted.
    engine.check_many(file.read_bytes() for file in files[:4])
    print(f"{engine.runtime}, {len(files)} files, {resident()} MiB before the first photo", flush=True)
    began = time.perf_counter()
    # With the processors busy elsewhere the time on them says more than that on the clock.
    used = time.process_time()

    def photos() -> Iterator[bytes]:
        last = began
        for number, file in enumerate(itertools.islice(itertools.cycle(files), arguments.photos)):
            if number and number % 1000 == 0:
                now = time.perf_counter()
                print(f"{number:6} {1000 / (now - last):6.1f}/s {resident():5} MiB", flush=True)
                last = now
            yield file.read_bytes()

    table = engine.check_many(photos(), threads=arguments.threads)
    took, used = time.perf_counter() - began, time.process_time() - used
    codes = Counter(table["error_code"].to_pylist())
    print(
        f"{arguments.photos} photos in {took:.1f} s: {arguments.photos / took:.2f}/s,"
        f" {1000 * used / arguments.photos:.1f} ms of a processor each; {resident()} MiB;"
        f" verdicts {codes.pop(None, 0)}, refusals {dict(sorted(codes.items()))}"
    )


if __name__ == "__main__":
    main()
