"""The recipes on real engines in local mode: same rows as `check_many`, and what is done stays done."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from livecheck_engine import Engine

HERE = Path(__file__).resolve().parent
SAMPLE = (HERE.parents[2] / "web" / "sample.jpg").read_bytes()

#: Faces, and photos that must not stop a job.
PHOTOS = [
    SAMPLE,
    b"",
    b"no photo",
    None,
    SAMPLE[:5000],
    bytes(11 * 1024 * 1024),
    SAMPLE[:-2],
    b"\xff\xd8" * 1000,
]
FILES = 3

#: Spark listens on this machine alone; Ray waits for its workers however busy the machine is.
LOCAL = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "RAY_worker_register_timeout_seconds": "600"}


def names(file: int) -> list[str]:
    """Of the photos in one file."""
    return [f"{file}/{at}.jpg" for at in range(len(PHOTOS))]


@pytest.mark.parametrize("recipe", ["duckdb", "polars", "ray", "spark"])
def test_a_job_that_is_started_again_judges_the_rest(recipe: str, tmp_path: Path) -> None:
    photos, verdicts = tmp_path / "photos", tmp_path / "verdicts"
    photos.mkdir()
    command = [sys.executable, HERE / f"{recipe}_recipe.py", photos, verdicts]
    if recipe in ("ray", "spark"):
        command.append(tmp_path / "checkpoint")
    if recipe == "spark" and not shutil.which("java"):
        pytest.skip("LEFT OUT: Spark: Java is not installed")

    def run(files: range) -> list[dict[str, object]]:
        for file in files:
            table = pyarrow.table({"file": names(file), "photo": pyarrow.array(PHOTOS, "binary")})
            pyarrow.parquet.write_table(table, photos / f"{file}.parquet")
        # Ray's sockets lie in a folder with a short path, and its token in the home folder.
        with tempfile.TemporaryDirectory(prefix="ray") as ray:
            environment = LOCAL | {"RAY_TMPDIR": ray, "HOME": ray}
            ran = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
            )
        assert ran.returncode == 0, ran.stdout
        written = [path for path in verdicts.glob("*.parquet") if path.stat().st_size]
        tables = [pyarrow.parquet.read_table(path) for path in written]
        return pyarrow.concat_tables(tables, promote_options="permissive").to_pylist()

    first = run(range(FILES - 1))
    assert len(first) == (FILES - 1) * len(PHOTOS)
    # As if the run had been stopped before the last file.
    rows = run(range(FILES - 1, FILES))
    assert max(Counter(row["file"] for row in rows).values()) == 1, "none is judged twice"

    all_names = [name for file in range(FILES) for name in names(file)]
    expected = Engine().check_many(PHOTOS * FILES, names=all_names)
    found = {row["file"]: row for row in rows}
    for wanted in expected.to_pylist():
        row = found.pop(wanted["file"])
        assert {name: row[name] for name in wanted} == wanted
    assert not found
