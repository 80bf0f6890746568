"""The benchmark counts what the product says of drawn pictures, and how often a set was looked at."""

import csv
import json
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from livecheck_training import benchmark
from livecheck_training.benchmark import Answer, Photo
from livecheck_training.data import ImageSet


def drawn(folder: Path, name: str, colour: tuple[int, int, int]) -> Path:
    path = folder / f"{name}.png"
    Image.new("RGB", (64, 48), colour).save(path)
    return path


def answer(score: float, width: float = 20) -> Answer:
    return Answer("", score, (0, 0, width, 20), 0.5, False, 48)


@pytest.fixture
def judged(tmp_path):
    """Two cameras: at the second one a live person is refused and an attack passes."""
    rows = [
        ("live", "a", answer(0.95, width=30)),
        ("live", "a", answer(0.9, width=30)),
        ("print", "a", answer(0.2)),
        ("screen", "a", answer(0.1)),
        ("live", "b", answer(0.5)),
        ("screen", "b", answer(0.91)),
        ("screen", "b", answer(0.3)),
        ("live", "b", Answer("051")),
    ]
    photos = [Photo(drawn(tmp_path, str(at), (90 + at, 80, 70)), label, source) for at, (label, source, _) in enumerate(rows)]
    return photos, [its for *_, its in rows]


def test_errors_are_counted_by_source_and_pooled(judged):
    found = benchmark.measure(*judged, lambda image, box: float(image[0, 0, 0]) / 255)
    ours = found["Livecheck"]
    pooled = ours["pooled"]
    assert (pooled["live refused"]["errors"], pooled["live refused"]["of"]) == (1, 3)
    assert (pooled["attacks passed"]["errors"], pooled["attacks passed"]["of"]) == (1, 4)
    assert ours["sources"]["a"]["AUC"] == 1.0 and ours["sources"]["b"]["AUC"] == 0.5
    assert ours["mean AUC"] == 0.75
    # 0.95 beats all four attacks, 0.9 and 0.5 three of them.
    assert pooled["AUC"] == pytest.approx(10 / 12, abs=1e-4)
    # Of one in twenty of three live people none may be refused: from 0.5 on, one of four passes.
    assert pooled["APCER at BPCER 5%"] == 0.25
    assert found["without a verdict"] == {"live": {"051": 1}, "print": {}, "screen": {}}
    # The pair sees the same seven photos.
    assert found["Silent-Face pair"]["pooled"]["live"] == 3 and found["Silent-Face pair"]["pooled"]["attacks"] == 4


def test_probes_are_folded(judged):
    found = benchmark.measure(*judged, None)["probes"]
    # Widths 30, 30, 20 against 20: (1 + 1 + 0.5) / 3.
    assert found["face size"]["pooled"] == pytest.approx(2.5 / 3, abs=1e-4)
    assert found["face size"]["mean of sources"] == pytest.approx(0.75)
    assert found["brightness"]["pooled"] == 0.5
    assert benchmark.folded(np.array([0.0, 1.0]), np.array(["live", "screen"])) == 1.0
    assert benchmark.colours(np.full((4, 4, 3), (99, 50, 49), np.uint8)) == (2.0, 50.0)


def test_reliability_weighs_the_classes_alike():
    live = np.array([True] + [False] * 9)
    # Scores of .5 for one live person and nine attacks are right at even odds.
    assert benchmark.reliability(np.full(10, 0.5), live) == pytest.approx(0)
    assert benchmark.reliability(np.where(live, 1.0, 0.0), live) == pytest.approx(0)
    assert benchmark.reliability(np.where(live, 0.0, 1.0), live) == pytest.approx(1)


def test_looks_are_counted_by_set(tmp_path):
    looks = tmp_path / "notes/looks.csv"
    for candidate, name, look in (("one", "pad_dev", 1), ("one", "webcams", 1), ("two", "pad_dev", 2), ("two", "pad_dev", 3)):
        assert benchmark.log_look(looks, candidate, name, "AUC .9; x", "2026-01-02") == look
    with open(looks, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["candidate"], row["set"], row["look"]) for row in rows][-1] == ("two", "pad_dev", "3")
    assert rows[0]["figures"] == "AUC .9; x"


def row(name: str, wrong: int, passed: int) -> dict:
    def share(errors: int) -> dict:
        return {"errors": errors, "of": 10, "rate": errors / 10}

    return {
        "name": name,
        "turned": share(wrong + passed),
        "live": {"wrong": share(wrong), "no_verdict": share(0)},
        "attacks": {"print": {"wrong": share(passed)}},
    }


def test_the_worst_row_of_each_goal_is_named():
    stability = {
        "undisturbed": row("as they are", 0, 0),
        "disturbances": [
            row("2500 K", 1, 4), row("saturation 0", 9, 0), row("noise (sigma 5)", 3, 0), row("noise (sigma 12)", 10, 0),
            row("black frame of 8 px", 4, 0), row("letterbox (bars to 9:16)", 5, 0), row("turned 20° left, 4000 K", 2, 6),
        ],
    }
    found = benchmark.summary_of(stability)
    worst = {what: one["row"] for what, one in found["worst"].items()}
    assert worst == {
        "live called attacks, any border": "letterbox (bars to 9:16)",
        "live called attacks, any light or balance": "2500 K",
        "live called attacks, noise up to 5": "noise (sigma 5)",
        "live called attacks, grey": "saturation 0",
        "live called attacks, any row": "noise (sigma 12)",
        "print passed, any light": "turned 20° left, 4000 K",
        "print passed, any row": "turned 20° left, 4000 K",
    }
    assert found["rows"]["2500 K"]["live called attacks"] == "1/10"


def test_photos_left_out_of_training_make_the_set_of_screens():
    whole = [
        {"image": "s1", "source": "LegenD742", "class": "replay", "face_x": "3"},
        {"image": "s2", "source": "LegenD742", "class": "replay", "face_x": ""},
        {"image": "s3", "source": "somebody", "class": "replay", "face_x": "3"},
        {"image": "l1", "source": "Tanya0916", "class": "real", "face_x": "3"},
    ]
    faces = [
        {"image": f"f{at}", "source": "x", "split": split, "label": label}
        for at, (split, label) in enumerate([("train", "without_mask"), ("test", ""), ("train", "with_mask")] * 30)
    ]
    photos = benchmark.screen_photos(ImageSet("w", whole, Path(), ""), ImageSet("f", faces, Path(), ""))
    names = {photo.path.name: photo.label for photo in photos}
    assert names["s1"] == "screen" and names["l1"] == "live" and "s2" not in names and "s3" not in names
    trained = {f"f{at}" for at in range(90) if at % 3}
    assert not trained & set(names) and 0 < len(names) - 2 < 15


def test_the_binary_judges_and_the_table_shows_it(tmp_path):
    verdict = {
        "success": True,
        "result": {"liveness": True, "score": 0.97, "details": {
            "face": {"bbox": {"x0": 1, "y0": 2, "x1": 31, "y1": 42}}, "attack_score": 0.3,
            "quality": {"brightness": 0.4}, "image": {"width": 64, "height": 48},
        }},
    }
    refusal = {"success": False, "error_code": "051", "error_message": "", "error_detail": ""}
    photos = [Photo(drawn(tmp_path, name, (9, 9, 9)), label, "s") for name, label in (("one", "live"), ("two", "screen"), ("three", "screen"))]
    lines = [its | {"file": str(p.path)} for p, its in zip(photos, (verdict, refusal, verdict))]
    (tmp_path / "answers").write_text("\n".join(json.dumps(line) for line in lines))
    binary = tmp_path / "binary"
    binary.write_text(f'#!/bin/sh\nfor last; do [ "$previous" = --output ] && cp {tmp_path}/answers "$last"; previous=$last; done\nexit 1\n')
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    answers = benchmark.judge(binary, photos)
    assert answers[1].code == "051"
    assert (answers[0].box, answers[0].score, answers[0].short) == ((1, 2, 31, 42), 0.97, 48)
    assert not answers[0].in_view and answers[1].in_view
    result = benchmark.measure(photos, answers, lambda image, box: 0.1) | {"look": 4}
    assert benchmark.headline(result) == "AUC 0.500/0.500; live refused 0/1 0.0%; attacks passed 1/1 100.0%"
    shown = benchmark.table("first", {"drawn": result}, {})
    assert "drawn (look 4)" in shown and "Silent-Face pair, pooled" in shown and "{'051': 1}" in shown
