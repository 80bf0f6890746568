"""`check_many`: what it takes, what it gives, and what it leaves alone."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars
import pyarrow
import pytest
from photos import SAMPLE

from livecheck_engine import Engine

#: Two verdicts and two refusals.
PHOTOS = [SAMPLE, b"no photo", None, SAMPLE]
CODES = [None, "002", "002", None]


def columns() -> dict[str, Any]:
    """The photos in everything that holds such."""
    chunked = pyarrow.chunked_array([PHOTOS[:1], [], PHOTOS[1:]], pyarrow.binary())
    table = pyarrow.table({"id": [1, 2, 3, 4], "photo": chunked})
    return {
        "list": PHOTOS,
        "tuple": tuple(PHOTOS),
        "generator": (photo for photo in PHOTOS),
        "array": pyarrow.array(PHOTOS, pyarrow.binary()),
        "large array": pyarrow.array(PHOTOS, pyarrow.large_binary()),
        "view array": pyarrow.array(PHOTOS, pyarrow.binary_view()),
        "slice": pyarrow.array([b"x", *PHOTOS, b"y", b"z"])[1:5],
        "chunked array": chunked,
        "table column": table["photo"],
        "record batch column": table.combine_chunks().to_batches()[0]["photo"],
        "polars series": polars.Series("photo", PHOTOS, dtype=polars.Binary),
    }


@pytest.mark.parametrize("kind", columns())
def test_photos_come_in_any_column(engine: Engine, kind: str) -> None:
    table = engine.check_many(columns()[kind], threads=2)
    assert isinstance(table, pyarrow.Table)
    assert table["error_code"].to_pylist() == CODES
    assert table["success"].to_pylist() == [True, False, False, True]
    assert table["liveness"].to_pylist() == [True, None, None, True]
    scores = table["score"].to_pylist()
    assert scores[0] == scores[3] == engine.check(SAMPLE).score


def test_the_table_has_these_columns(engine: Engine) -> None:
    schema = engine.check_many([]).schema
    string, boolean = pyarrow.string(), pyarrow.bool_()
    assert schema == pyarrow.schema(
        [
            ("file", string),
            ("file_hex", string),
            pyarrow.field("success", boolean, nullable=False),
            ("liveness", boolean),
            ("score", pyarrow.float32()),
            ("error_code", string),
            ("error_message", string),
            ("error_detail", string),
        ]
    )


def test_fixed_size_binary_is_taken(engine: Engine) -> None:
    column = pyarrow.array([b"1234", None], pyarrow.binary(4))
    assert engine.check_many(column)["error_code"].to_pylist() == ["002", "002"]


def test_no_photos_are_an_empty_table(engine: Engine) -> None:
    kind = pyarrow.binary()
    nothings: list[Any] = [[], iter(()), pyarrow.array([], kind), pyarrow.chunked_array([], kind)]
    for nothing in nothings:
        assert engine.check_many(nothing, names=[]).num_rows == 0


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b", None, os.fsdecode(b"\xff")],
        iter(["a", "b", None, os.fsdecode(b"\xff")]),
        [Path("a"), Path("b"), None, Path(os.fsdecode(b"\xff"))],
    ],
)
def test_names_fill_two_columns(engine: Engine, names: Any) -> None:
    table = engine.check_many([b""] * 4, names=names)
    assert table["file"].to_pylist() == ["a", "b", None, "\N{REPLACEMENT CHARACTER}"]
    assert table["file_hex"].to_pylist() == [None, None, None, "ff"]


def test_names_may_be_a_column(engine: Engine) -> None:
    names = pyarrow.chunked_array([["a"], ["b"]])
    assert engine.check_many([b"", b""], names=names)["file"].to_pylist() == ["a", "b"]


def test_rows_have_the_photos_order(engine: Engine) -> None:
    # What takes long stands before what does not.
    photos = [SAMPLE if at % 7 == 0 else b"no photo" for at in range(40)]
    names = [str(at) for at in range(40)]
    table = engine.check_many(photos, names=names, threads=4)
    assert table["file"].to_pylist() == names
    assert table["success"].to_pylist() == [photo is SAMPLE for photo in photos]


@pytest.mark.parametrize("threads", [1, 2, 3, 64])
def test_the_number_of_threads_changes_nothing(engine: Engine, threads: int) -> None:
    assert engine.check_many(PHOTOS, threads=threads) == engine.check_many(PHOTOS, threads=1)


@pytest.mark.parametrize(
    ("photos", "arguments", "error", "message"),
    [
        (b"one photo", {}, TypeError, "photos is one photo"),
        ("text", {}, TypeError, r"photos\[0\] is a str"),
        ([b"", 1], {}, TypeError, r"photos\[1\] is a int"),
        (5, {}, TypeError, "not iterable"),
        (pyarrow.array(["text"]), {}, TypeError, "of type Utf8; allowed is one column of binary"),
        (pyarrow.table({"photo": [b""]}), {}, TypeError, r"table\[\"photo\"\]"),
        ([], {"threads": 0}, ValueError, "threads is 0; allowed is 1 to 1024"),
        ([], {"threads": -1}, ValueError, "threads is -1"),
        ([], {"threads": 10**6}, ValueError, "threads is 1000000"),
        ([b"", b""], {"names": ["a"]}, ValueError, "more photos than names, of which there are 1"),
        ([b""], {"names": ["a", "b"]}, ValueError, "more names than photos, of which there are 1"),
        ([b""], {"names": [1]}, TypeError, r"names\[0\]"),
        ([b""], {"names": "a"}, TypeError, "names is one str"),
    ],
)
def test_a_mistake_of_the_program_is_named(
    engine: Engine, photos: Any, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine.check_many(photos, **arguments)


def test_an_error_of_the_iterable_passes_through(engine: Engine) -> None:
    def broken() -> Iterator[bytes]:
        yield SAMPLE
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        engine.check_many(broken())


def test_an_iterable_is_read_as_the_work_goes_on(engine: Engine) -> None:
    alive = 0
    most = 0

    class Photo(bytes):
        """Bytes that tell when they are gone."""

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def photos() -> Iterator[bytes]:
        nonlocal alive, most
        for _ in range(200):
            alive += 1
            most = max(most, alive)
            yield Photo(b"no photo")

    assert engine.check_many(photos(), threads=2).num_rows == 200
    # One in work and one that waits for each thread, and those that were just made and just judged.
    assert most <= 10
    assert alive == 0


def test_other_threads_run_while_photos_are_judged(engine: Engine) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        began, tables = threading.Event(), list[Any]()

        def judge() -> None:
            began.set()
            tables.append(engine.check_many(pyarrow.array([SAMPLE] * 3)))

        thread = threading.Thread(target=judge)
        thread.start()
        began.wait()
        running = not tables
        thread.join()
        assert running
        assert tables[0].num_rows == 3
    finally:
        sys.setswitchinterval(interval)


def test_ctrl_c_stops_the_work(engine: Engine) -> None:
    # No Python code runs on this thread meanwhile: the column is Arrow's.
    photo = pyarrow.array([SAMPLE])
    column = pyarrow.chunked_array([photo] * 100_000)
    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        engine.check_many(column)
    timer.join()
    assert engine.check(SAMPLE).success


MEASURE = """
    import resource, sys
    import pyarrow
    from livecheck_engine import Engine

    engine = Engine()
    # Large, and refused at once.
    photo = b"no photo" + bytes(9 * 1024 * 1024)
    engine.check(photo)
    {given}
    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    before = peak()
    table = engine.check_many(photos, threads=2)
    assert table["error_code"].to_pylist() == ["002"] * {count}
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="LEFT OUT: memory is measured on Linux alone")
@pytest.mark.parametrize(
    ("given", "count"),
    [
        ("photos = pyarrow.array([photo] * 50, pyarrow.binary())", 50),
        ("photos = pyarrow.chunked_array([pyarrow.array([photo])] * 50)", 50),
        ("photos = (b'no photo' + bytes(9 * 1024 * 1024) for _ in range(2000))", 2000),
    ],
    ids=["array", "chunked array", "generator"],
)
def test_photos_are_not_copied_and_not_kept(given: str, count: int) -> None:
    script = textwrap.dedent(MEASURE).format(given=given, count=count)
    measured = subprocess.run(
        [sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True
    )
    # The column has 450 MiB, the generator makes 18 GiB, five photos of it at a time.
    assert int(measured.stdout) < 100
