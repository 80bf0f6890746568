"""The time that a photo takes: command line, ``check_many``, and the recipes of ``engines/``, in one run.

``python crates/python/benches/engines.py FOLDER --binary target/release/livecheck`` prints a table. FOLDER
has photos, and no other files. Spark is left out, and named, where Java isn't installed. The
time on a processor counts all processes of a way, with start and loading of the models. With
``--rounds`` each way runs so often, in turn, and the table has medians; the ratio is that of one round.
"""

import argparse
import ctypes
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet

ENGINES = Path(__file__).resolve().parents[1] / "engines"

#: ``check_many`` on a column of a Parquet folder, with a number of threads.
MANY = """
import sys, pyarrow.dataset
from livecheck_engine import Engine
table = pyarrow.dataset.dataset(sys.argv[1]).to_table()
Engine().check_many(table["photo"], names=table["file"], threads=int(sys.argv[2]))
"""


def adopt_orphans() -> None:
    """Workers whose parent ends before them become this process's children, so that their time counts."""
    set_child_subreaper = 36
    if ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) != 0:
        raise OSError("prctl")


def reap() -> None:
    """Waits for adopted workers."""
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def processor_time() -> float:
    """Seconds on a processor of all ended child processes, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write_parquet(folder: Path, photos: Path, files: int) -> int:
    """The photos as Parquet files; returns how many."""
    paths = sorted(path for path in photos.iterdir() if path.is_file())
    folder.mkdir()
    for number in range(files):
        part = paths[number::files]
        table = pyarrow.table(
            {
                "file": [path.name for path in part],
                "photo": pyarrow.array([path.read_bytes() for path in part], "binary"),
            }
        )
        pyarrow.parquet.write_table(table, folder / f"{number}.parquet")
    return len(paths)


def ways(photos: Path, parquet: Path, work: Path, binary: Path) -> list[tuple[str, list[str | Path], str | None]]:
    """Name, command, and what is missing for it."""
    python = sys.executable

    def recipe(name: str, *arguments: Path) -> list[str | Path]:
        return [python, ENGINES / f"{name}_recipe.py", parquet, work / f"{name}-verdicts", *arguments]

    java = None if shutil.which("java") else "Java is not installed"
    check: list[str | Path] = [binary, "check", photos, "--format", "csv", "--output", work / "v.csv"]
    return [
        ("livecheck check --workers 2", [*check, "--workers", "2"], None),
        ("check_many, one thread", [python, "-c", MANY, parquet, "1"], None),
        ("check_many, two threads", [python, "-c", MANY, parquet, "2"], None),
        ("DuckDB recipe", recipe("duckdb"), None),
        ("Polars recipe", recipe("polars"), None),
        ("Ray recipe", recipe("ray", work / "ray-checkpoint"), None),
        ("Spark recipe", recipe("spark", work / "spark-checkpoint"), java),
    ]


class FailedError(Exception):
    """A measured command failed, so it has no figure."""


def measure(
    command: list[str | Path], environment: dict[str, str], limit: float, allowed: set[int]
) -> tuple[float, float]:
    """Runs a command; returns its seconds on a processor, and those that passed."""
    used, began = processor_time(), time.perf_counter()
    try:
        done = subprocess.run(
            command, env=environment, timeout=limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except subprocess.TimeoutExpired:
        raise FailedError(f"not done after {limit:.0f} s") from None
    took = time.perf_counter() - began
    reap()
    if done.returncode not in allowed:
        raise FailedError(f"it failed: {done.stdout.strip().splitlines()[-1:]}")
    return processor_time() - used, took


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--limit", type=float, default=600, help="seconds that one way may take")
    parser.add_argument("--rounds", type=int, default=1, help="how often each way runs, one after the other")
    arguments = parser.parse_args()
    adopt_orphans()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIVECHECK_")}
    environment["SPARK_LOCAL_IP"] = "127.0.0.1"
    # The same runtime on both sides.
    environment["LIVECHECK_RUNTIME"] = "embedded"
    binary = arguments.binary.resolve()
    figures: dict[str, list[tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        count = write_parquet(Path(name) / "photos", arguments.folder, files=2)
        print(f"{count} photos, {os.cpu_count()} processors, {arguments.rounds} rounds", flush=True)
        for number in range(arguments.rounds):
            first = None
            work = Path(name) / str(number)
            work.mkdir()
            for way, command, missing in ways(arguments.folder, Path(name) / "photos", work, binary):
                try:
                    if missing:
                        raise FailedError(missing)
                    # The command line ends with 1 when a photo was refused.
                    allowed = {0} if first else {0, 1}
                    used, took = measure(command, environment, arguments.limit, allowed)
                except FailedError as error:
                    print(f"LEFT OUT: {way}: {error}", flush=True)
                    continue
                first = first or used
                figures.setdefault(way, []).append((used, used / first, took))
                print(f"round {number + 1}: {way}: {used:.1f} s of a processor in {took:.1f} s", flush=True)
    print("\n| | ms of a processor per photo | of the command line's | photos per second |\n|---|---|---|---|")
    for way, rounds in figures.items():
        used, ratio, took = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {way} | {1000 * used / count:.1f} | {ratio:.2f} | {count / took:.1f} |")


if __name__ == "__main__":
    main()
