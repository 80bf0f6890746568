"""Landmarks to learn from: the mean of the teacher's passes over slightly moved pictures.

One pass of YuNet moves by 5 % of the eye distance when the picture moves by a pixel; the mean of many
does not, and is what can be learnt.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..detector.metrics import match
from ..detector.samples import Sample
from ..runlog import write_json
from ..teachers import YuNet

INPUT = 640
"""Input of the teacher, so that a picture of 320 pixels can move in it."""

SIDE = 320.0
"""Longer side of the picture there, about which the passes lie: as in the product."""

PASSES = 24

SPREAD = 0.08
"""Largest deviation of a pass's scale from that, logarithmic."""

LEAST_SCORE = 0.5
"""A pass counts where the teacher is this sure of the face."""

MANIFEST = 0.5
"""Share of the manifest's own points in the answer: they are one more pass, whose name is unknown, and
what the test is measured by."""


SOURCE = "udacity"
"""The portraits whose points are averaged so; those of the others are means of five passes already."""


def averaged(samples: list[Sample], teachers: Path, cache: Path) -> list[Sample]:
    """The samples, portraits among them with landmarks averaged over passes, which the cache keeps. A
    face that no pass finds keeps its own."""
    portraits = [sample for sample in samples if sample.source == SOURCE]
    known = cache / f"yunet-points-{len(portraits)}-{PASSES}.json"
    if not known.exists():
        teacher, random = YuNet(teachers, INPUT), np.random.default_rng(1)
        write_json(known, {sample.name: mean_points(teacher, sample, random) for sample in portraits})
    points = json.loads(known.read_text())
    return [replace(s, landmarks=_blend(s.landmarks, points[s.name])) if s.name in points else s for s in samples]


def mean_points(teacher: YuNet, sample: Sample, random: np.random.Generator) -> list[list]:
    """For each face of the sample its mean landmarks (5, 2) over the passes, or none."""
    sums, counts = np.zeros((len(sample.boxes), 5, 2)), np.zeros(len(sample.boxes))
    for _ in range(PASSES):
        scale = SIDE / max(sample.image.shape[:2]) * np.exp(random.uniform(-SPREAD, SPREAD))
        left, top = (int(v) for v in random.integers(0, 96, 2))
        seen = match(sample, teacher.detect_at(sample.image, scale, (left, top), LEAST_SCORE))
        there = ~np.isnan(seen.points).any((1, 2))
        sums[there] += seen.points[there]
        counts += there
    return [(total / count).round(3).tolist() if count else [] for total, count in zip(sums, counts)]


def _blend(landmarks: np.ndarray, means: list[list]) -> np.ndarray:
    blended = landmarks.copy()
    for i, mean in enumerate(means):
        if mean and np.isnan(landmarks[i]).any():
            blended[i] = mean
        elif mean:
            blended[i] = MANIFEST * landmarks[i] + (1 - MANIFEST) * np.array(mean)
    return blended
