"""The module and the command line say the same of every photo, in every column."""

import csv
import os
import struct
import subprocess
import warnings
from collections import Counter
from pathlib import Path

import pyarrow
import pytest
from conftest import SMALL
from photos import drawn, hostile, real

from livecheck_engine import Engine

PHOTOS = 900
HOSTILE = 100


def as_text(value: object) -> str:
    """A value of the table as CSV shows it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def single(text: str) -> str:
    """A score of the CSV as the table's column of single precision gives it."""
    return as_text(struct.unpack("f", struct.pack("f", float(text)))[0]) if text else ""


@pytest.mark.data
def test_a_thousand_photos_are_judged_as_by_the_command_line(
    engine: Engine, livecheck: Path, tmp_path: Path
) -> None:
    photos = real(PHOTOS)
    if photos is None:
        warnings.warn(
            "LEFT OUT: equality on real photos: LIVECHECK_DATA does not name the data folder",
            stacklevel=1,
        )
        photos = list(drawn(PHOTOS))
    files = []
    for number, photo in enumerate(photos + hostile(HOSTILE)):
        files.append(tmp_path / f"{number:04}.jpg")
        files[-1].write_bytes(photo)
    # A name that is no UTF-8, and one with everything that CSV has to quote.
    for at, name in ((0, b"\xff\xfe.jpg"), (1, b'a "b",\n c.jpg')):
        files[at] = files[at].rename(tmp_path / os.fsdecode(name))
    assert len(files) == PHOTOS + HOSTILE

    written = subprocess.run(
        [
            livecheck, "check", "--format", "csv", "--runtime", "embedded",
            *(f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()),
            *files,
        ],
        check=False,
        stdout=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if "LIVECHECK" not in name},
    )  # fmt: skip
    assert written.returncode == 1, "some of them have no verdict"
    text = written.stdout.decode("utf-8")
    header, *expected = csv.reader(text.splitlines(keepends=True))
    column = pyarrow.array([file.read_bytes() for file in files], pyarrow.large_binary())
    table = engine.check_many(column, names=files)

    assert table.column_names == header
    assert table.num_rows == len(expected) == len(files)
    score = header.index("score")
    for row, wanted in zip(table.to_pylist(), expected, strict=True):
        wanted[score] = single(wanted[score])
        assert [as_text(value) for value in row.values()] == wanted
    # It compares more than refusals.
    outcomes = Counter(table["error_code"].to_pylist())
    assert outcomes[None] > PHOTOS // 3, outcomes
    assert len(outcomes) >= 4, outcomes


def test_one_by_one_photos_get_the_same_answers(engine: Engine) -> None:
    photos = list(drawn(8)) + hostile(30)
    table = engine.check_many(iter(photos), threads=2)
    for photo, row in zip(photos, table.to_pylist(), strict=True):
        answer = engine.check(photo)
        assert row == {
            "file": None,
            "file_hex": None,
            "success": answer.success,
            "liveness": answer.liveness,
            "score": answer.score,
            "error_code": answer.error_code,
            "error_message": answer.error_message,
            "error_detail": answer.error_detail,
        }
