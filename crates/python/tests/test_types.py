"""The stubs say what the module does, and strict programs can use them."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def mypy(*arguments: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=HERE.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.returncode == 0, run.stdout


def test_mypy_strict_passes(tmp_path: Path) -> None:
    mypy("mypy", "--cache-dir", str(tmp_path))


def test_the_stubs_are_those_of_the_module() -> None:
    mypy("mypy.stubtest", "livecheck_engine")
