"""Figures of the shipped detector and refiner together, which is what the product does, and of the
detector alone, beside those of YuNet.

YuNet at 320 sees the same pixels as the detector; at 640 it sees four times as many.

Faces are those of the ``test`` split of ``faces.csv``; the shipped nets run in
ONNX Runtime on the product's crops. ``pad_dev`` is only reported on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..data import load_rgb, open_set, sha256_of
from ..refiner.points import INPUT as POINTS_INPUT
from ..refiner.points import SOURCE as PORTRAITS
from ..refiner.points import mean_points
from ..runlog import record_evaluation
from ..teachers import YuNet
from .metrics import (
    LARGE,
    LOWEST,
    THRESHOLD,
    Match,
    clopper_pearson,
    find_all,
    landmark_error,
    match,
    short_sides,
)
from .predict import Finder, OnnxFinder, RefinedFinder, onnx_refine
from .samples import Sample, read_faces
from .train import MODEL

THRESHOLDS = (THRESHOLD, 0.60)
#: Shorter sides in pixels of the stored image that recall is given for.
SIDES = ((0, 16), (16, 32), (32, 64), (64, 128), (128, 10_000))
#: Scale and place of the passes that measure the teacher's landmark noise; the first
#: is the picture as it is.
REPEATS = (
    (1.0, (0, 0)),
    (1.0, (1, 0)),
    (1.0, (0, 1)),
    (1.0, (1, 1)),
    (0.98, (0, 0)),
    (1.02, (0, 0)),
    (0.98, (1, 1)),
    (1.02, (1, 1)),
)
#: A face narrower than this share of the image width is too small for a selfie.
SMALLEST_SHARE = 0.05


@dataclass(frozen=True)
class Rate:
    """Hits out of a total."""

    hits: int
    total: int

    def record(self) -> dict:
        """For the run record."""
        low, high = clopper_pearson(self.hits, self.total)
        rate = self.hits / self.total if self.total else float("nan")
        return {"hits": self.hits, "total": self.total, "rate": round(rate, 4), "low": round(low, 4), "high": round(high, 4)}

    def __str__(self) -> str:
        low, high = clopper_pearson(self.hits, self.total)
        return f"{self.hits}/{self.total} = {self.hits / max(self.total, 1):.1%} [{low:.1%}, {high:.1%}]"


def rate(hits: list[bool]) -> Rate:
    """Rate of a list of outcomes."""
    return Rate(int(sum(hits)), len(hits))


def figures(matches: list[Match], threshold: float) -> dict[str, Rate | float]:
    """Every figure of the card at one threshold."""
    out: dict[str, Rate | float] = {}

    def recall(name: str, wanted: Callable[[str, float], bool]) -> None:
        hits = [
            score >= threshold
            for m in matches
            for label, side, score in zip(m.sample.labels, short_sides(m.sample), m.scores)
            if wanted(label, side)
        ]
        out[name] = rate(hits)

    def large_of_kind(kind: str, label: str, side: float) -> bool:
        return label == kind and side >= LARGE

    def labelled_between(low: float, high: float, label: str, side: float) -> bool:
        return label != "unlabelled" and low <= side < high

    recall(f"recall, labelled faces ≥ {LARGE} px", lambda label, side: label != "unlabelled" and side >= LARGE)
    for kind, text in (("with_mask", "with mask"), ("without_mask", "without mask"), ("incorrect", "mask worn wrongly"), ("", "teacher box")):
        recall(f"recall ≥ {LARGE} px, {text}", partial(large_of_kind, kind))
    recall(f"recall ≥ {LARGE} px, unlabelled", lambda label, side: label == "unlabelled" and side >= LARGE)
    for low, high in SIDES:
        text = f"{low} to {high} px" if high < 10_000 else f"from {low} px"
        recall(f"recall, labelled, {text}", partial(labelled_between, low, high))

    free = [m for m in matches if not m.sample.labels]
    out["face-free images with a face"] = rate([bool((m.extra >= threshold).any()) for m in free])
    shown = [m for m in matches if m.sample.labels]
    out["false faces per image with faces"] = round(sum(int((m.extra >= threshold).sum()) for m in shown) / len(shown), 4)

    single = [m for m in shown if len(m.sample.labels) == 1 and m.sample.source != "jolignier"]
    out["one face found, single portraits"] = rate([int((m.found.scores >= threshold).sum()) == 1 for m in single])
    crowd = [m for m in shown if m.sample.source == "jolignier" and _all_large(m.sample)]
    out["one face or not, jolignier"] = rate(
        [(int((m.found.scores >= threshold).sum()) == 1) == (len(m.sample.labels) == 1) for m in crowd]
    )
    return out


def _all_large(sample: Sample) -> bool:
    widths = sample.boxes[:, 2] - sample.boxes[:, 0]
    return bool((widths >= SMALLEST_SHARE * sample.image.shape[1]).all())


def landmark_errors(matches: list[Match], means: dict[str, list[list]]) -> dict[str, float | int]:
    """Landmark error on the udacity portraits: against the manifest's points, which are one pass of the
    teacher, and (``from_mean``) against the mean of the teacher's passes over slightly moved pictures."""
    portraits = [m for m in matches if m.sample.source == PORTRAITS]
    errors = np.concatenate([m.errors for m in portraits])
    errors = errors[~np.isnan(errors)]
    from_mean = [
        landmark_error(points, np.array(known))
        for m in portraits
        for points, known in zip(m.points, means[m.sample.name])
        if known and not np.isnan(points).any()
    ]
    return {
        "faces": len(errors),
        "mean": round(float(errors.mean()), 4),
        "median": round(float(np.median(errors)), 4),
        "p95": round(float(np.quantile(errors, 0.95)), 4),
        "from_mean": round(float(np.mean(from_mean)), 4),
        "from_mean_faces": len(from_mean),
    }


def landmark_noise(
    teacher: YuNet, samples: list[Sample], means: dict[str, list[list]]
) -> dict[str, float | int]:
    """How far the yardstick itself moves: the teacher's landmarks on the udacity
    portraits when the picture is moved by a pixel or scaled by 2 %, against its
    landmarks on the picture as it is (``repeat``); how far each of these passes
    and their mean lie from the manifest's points (``single``, ``mean``); and how far the
    mean of passes about the product's scale does (``many``). Shares of the eye distance,
    means over faces."""
    repeat, single, mean = [], [], []
    many = [
        landmark_error(np.array(points), known)
        for sample in samples
        if sample.source == PORTRAITS
        for points, known in zip(means[sample.name], sample.landmarks)
        if points and not np.isnan(known).any()
    ]
    for sample in samples:
        if sample.source != PORTRAITS:
            continue
        passes = [match(sample, teacher.detect_at(sample.image, s, c, LOWEST)) for s, c in REPEATS]
        for i, known in enumerate(sample.landmarks):
            points = [m.points[i] for m in passes]
            if np.isnan(known).any() or np.isnan(points).any():
                continue
            repeat.append(np.mean([landmark_error(p, points[0]) for p in points[1:]]))
            single.append(np.mean([landmark_error(p, known) for p in points]))
            mean.append(landmark_error(np.mean(points, axis=0), known))
    return {
        "faces": len(repeat),
        "repeat": round(float(np.mean(repeat)), 4),
        "single": round(float(np.mean(single)), 4),
        "mean": round(float(np.mean(mean)), 4),
        "many": round(float(np.mean(many)), 4),
        "many_faces": len(many),
    }


def one_face_rate(finder: Finder, data: Path, cache: Path) -> dict[str, Rate]:
    """How often exactly one face is found in ``pad_dev``, by source and class."""
    images = open_set("pad_dev", data, cache)
    hits: dict[str, list[bool]] = {}
    for row in images.rows:
        found = finder.detect(load_rgb(images.path(row["image"])), LOWEST)
        hits.setdefault(f"{row['source']} {row['class']}", []).append(len(found.above(THRESHOLD)) == 1)
    return {name: rate(h) for name, h in sorted(hits.items())}


def evaluate(data: Path, cache: Path, teachers: Path, model: Path, refiner: Path, pad_dev: bool) -> None:
    """Prints a Markdown table and puts the figures into the run record."""
    images = open_set("faces", data, cache)
    samples = read_faces(images, "test")
    detector = OnnxFinder(model)
    teacher, random = YuNet(teachers, POINTS_INPUT), np.random.default_rng(1)
    finders: dict[str, Finder] = {
        "shipped": RefinedFinder(detector, onnx_refine(refiner)),
        "detector alone": detector,
        "YuNet 320": YuNet(teachers, 320),
        f"YuNet {POINTS_INPUT}": teacher,
    }
    means = {s.name: mean_points(teacher, s, random) for s in samples if s.source == PORTRAITS}
    columns: dict[str, dict[str, Any]] = {}
    record: dict[str, Any] = {
        "onnx_sha256": sha256_of(model),
        "refiner_sha256": sha256_of(refiner),
        "faces_manifest": images.manifest_sha256,
    }
    for name, finder in finders.items():
        matches = find_all(finder, samples)
        record[name] = {"landmarks, udacity": landmark_errors(matches, means)}
        for threshold in THRESHOLDS:
            column = figures(matches, threshold)
            columns[f"{name} at {threshold:.2f}"] = column
            record[name][f"{threshold:.2f}"] = {k: v.record() if isinstance(v, Rate) else v for k, v in column.items()}
        if pad_dev:
            rates = one_face_rate(finder, data, cache)
            record[name]["pad_dev, exactly one face at 0.75"] = {k: v.record() for k, v in rates.items()}
    noise = landmark_noise(teacher, samples, means)
    record["landmark noise of YuNet, udacity"] = noise
    print(f"| figure | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for row in next(iter(columns.values())):
        print(f"| {row} | {' | '.join(str(c[row]) for c in columns.values())} |")
    for name in finders:
        print(f"\n{name}: landmark error as a share of the eye distance, udacity: {record[name]['landmarks, udacity']}")
        for row, value in record[name].get("pad_dev, exactly one face at 0.75", {}).items():
            print(f"  one face, {row}: {value['hits']}/{value['total']} = {value['rate']:.1%}")
    print(f"\nYuNet's own landmark noise there: {noise}")
    record_evaluation(MODEL, record)
