"""`Engine` and `check`."""

import copy
import pickle
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from photos import SAMPLE, png

import livecheck_engine
from livecheck_engine import Answer, Engine


def test_the_drawn_face_gets_a_verdict(engine: Engine) -> None:
    answer = engine.check(SAMPLE)
    assert answer.success
    assert answer.liveness is True
    assert answer.score is not None and 0.9 <= answer.score <= 1
    assert not answer.review
    assert answer.error_code is answer.error_message is answer.error_detail is None
    assert repr(answer).startswith("Answer(liveness=True, score=0.9")


@pytest.mark.parametrize("photo", [b"", b"no photo", b"\xff\xd8\xff", bytes(100), None])
def test_what_is_no_photo_has_a_code(engine: Engine, photo: bytes | None) -> None:
    answer = engine.check(photo)
    assert not answer.success
    assert answer.error_code == "002"
    assert answer.error_message == "Error reading image, please check the request format."
    assert answer.error_detail
    assert answer.liveness is answer.score is None


def test_a_photo_may_be_bytes_bytearray_or_memoryview(engine: Engine) -> None:
    answer = engine.check(SAMPLE)
    for photo in (bytearray(SAMPLE), memoryview(SAMPLE), memoryview(b"ab" + SAMPLE)[2:]):
        assert engine.check(photo) == answer


@pytest.mark.parametrize("photo", ["text", 1, 1.5, object(), [SAMPLE]])
def test_what_holds_no_bytes_is_a_mistake_of_the_program(engine: Engine, photo: Any) -> None:
    with pytest.raises(TypeError, match=r"photo is a .*; allowed are bytes, bytearray, memoryview"):
        engine.check(photo)


def test_thresholds_and_limits_are_in_force() -> None:
    assert Engine(liveness_threshold=1.0).check(SAMPLE).liveness is False
    assert Engine(liveness_threshold=1.0, review_threshold=0.5).check(SAMPLE).review
    assert Engine(face_threshold=1.0).check(SAMPLE).error_code == "051"
    assert Engine(mask_threshold=0.0).check(SAMPLE).error_code == "052"
    assert Engine(min_image_side=1000).check(SAMPLE).error_code == "007"
    assert Engine(min_face_side=1000).check(SAMPLE).error_code == "007"
    assert Engine(max_file_bytes=1000).check(SAMPLE).error_code == "003"
    assert Engine(max_pixels=1000).check(png(400, 400)).error_code == "003"
    assert Engine(preset="strict", liveness_threshold=0.0).check(SAMPLE).liveness


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"liveness_threshold": 1.5}, "liveness_threshold is 1.5; allowed is 0 to 1"),
        ({"liveness_threshold": float("nan")}, "liveness_threshold is NaN"),
        ({"preset": "easy"}, 'preset is "easy"; allowed is one of convenience, balanced, strict'),
        ({"runtime": "x"}, 'runtime is "x"; allowed is one of auto, embedded, onnxruntime'),
        ({"execution_provider": "tpu"}, 'execution_provider is "tpu"; allowed is one of cuda'),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Engine(**settings)


def test_a_setting_that_does_not_exist_is_named() -> None:
    with pytest.raises(TypeError, match="livness_threshold"):
        Engine(livness_threshold=0.5)  # type: ignore[call-arg]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Engine(calibration=tmp_path / "none.json")
    (tmp_path / "wrong.json").write_text("{}")
    with pytest.raises(ValueError, match=r"wrong\.json"):
        Engine(calibration=str(tmp_path / "wrong.json"))
    with pytest.raises(RuntimeError, match=r"ONNX Runtime cannot be loaded from .*none\.so"):
        Engine(runtime="onnxruntime", onnxruntime=tmp_path / "none.so")


def test_an_engine_travels_by_its_settings(engine: Engine, tmp_path: Path) -> None:
    assert repr(engine) == "Engine(min_image_side=200, min_face_side=40)"
    for other in (pickle.loads(pickle.dumps(engine)), copy.copy(engine)):
        assert repr(other) == repr(engine)
        assert other.check(SAMPLE) == engine.check(SAMPLE)
    assert repr(pickle.loads(pickle.dumps(Engine(preset="strict")))) == "Engine(preset='strict')"


def test_other_threads_run_while_a_photo_is_judged(engine: Engine) -> None:
    # The interpreter changes threads only when one gives it away.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        began, answers = threading.Event(), list[Answer]()

        def judge() -> None:
            began.set()
            answers.append(engine.check(SAMPLE))

        thread = threading.Thread(target=judge)
        thread.start()
        began.wait()
        running = not answers
        thread.join()
        assert running
        assert answers[0].success
    finally:
        sys.setswitchinterval(interval)


def test_the_runtime_and_the_version_are_told(engine: Engine) -> None:
    assert engine.runtime.startswith("embedded ")
    assert livecheck_engine.__version__.count(".") == 2
