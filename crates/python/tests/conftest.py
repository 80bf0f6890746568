"""What the tests of the Python module share."""

import os
from pathlib import Path

import pytest
from photos import ROOT

from livecheck_engine import Engine

#: Many of the real photos are webcam pictures, smaller than what is judged by default.
SMALL = {"min_image_side": 200, "min_face_side": 40}


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Judges small photos as well."""
    return Engine(min_image_side=SMALL["min_image_side"], min_face_side=SMALL["min_face_side"])


@pytest.fixture(scope="session")
def livecheck() -> Path:
    """The command line: the program that LIVECHECK_BINARY names, else the one cargo built last."""
    named = os.environ.get("LIVECHECK_BINARY")
    if named:
        return Path(named).resolve()
    built = [ROOT / "target" / profile / "livecheck" for profile in ("release", "debug")]
    built = [path for path in built if path.exists()]
    if not built:
        raise FileNotFoundError("build livecheck, or name it in LIVECHECK_BINARY")
    return max(built, key=lambda path: path.stat().st_mtime)
