"""Matching found faces to labelled ones, and the figures made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from ..teachers import Faces, iou
from .predict import Finder
from .samples import Sample

#: A labelled face counts as found when a box overlaps it at least this much.
MATCH = 0.5
#: Faces whose shorter side is below this many pixels of the stored image are left
#: out of the main recall figure.
LARGE = 64
#: The product's threshold on the score.
THRESHOLD = 0.75
#: Faces are collected from this score on, so that other thresholds can be tried.
LOWEST = 0.2


def clopper_pearson(hits: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a rate."""
    if total == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, total - hits + 1))
    high = 1.0 if hits == total else float(beta.ppf(1 - tail, hits + 1, total - hits))
    return low, high


@dataclass(frozen=True)
class Match:
    """What was found in one sample. For each labelled face: the score of the best
    face on it (0 if none), the IoU, its landmarks (n, 5, 2) and their mean error as a
    share of the distance between the eyes (NaN if unknown). ``extra``: scores of
    faces that lie on no labelled one."""

    sample: Sample
    found: Faces
    scores: np.ndarray
    overlaps: np.ndarray
    points: np.ndarray
    errors: np.ndarray
    extra: np.ndarray


def match(sample: Sample, found: Faces) -> Match:
    """Pairs faces greedily, best score first, each labelled face at most once."""
    n = len(sample.boxes)
    scores, overlaps, errors = np.zeros(n), np.zeros(n), np.full(n, np.nan)
    matched = np.full((n, 5, 2), np.nan)
    extra = []
    free = np.ones(n, bool)
    for box, score, points in zip(found.boxes, found.scores, found.landmarks):
        ious = iou(box, sample.boxes) * free if n else np.zeros(0)
        if n and ious.max() >= MATCH:
            i = int(ious.argmax())
            free[i] = False
            scores[i], overlaps[i], matched[i] = score, ious[i], points
            errors[i] = landmark_error(points, sample.landmarks[i])
        else:
            extra.append(score)
    return Match(sample, found, scores, overlaps, matched, errors, np.asarray(extra))


def landmark_error(points: np.ndarray, known: np.ndarray) -> float:
    """Mean distance of the five points over the distance between the known eyes."""
    eyes = float(np.hypot(*(known[1] - known[0])))
    return float(np.hypot(*(points - known).T).mean() / max(eyes, 1e-6))


def short_sides(sample: Sample) -> np.ndarray:
    """The shorter side of each labelled face, in pixels of the stored image."""
    return (sample.boxes[:, 2:] - sample.boxes[:, :2]).min(1) if len(sample.boxes) else np.zeros(0)


def find_all(finder: Finder, samples: list[Sample]) -> list[Match]:
    """Runs a detector over samples."""
    return [match(s, finder.detect(s.image, LOWEST)) for s in samples]


def validate(finder: Finder, samples: list[Sample], false_share: float = 0.01) -> dict[str, float]:
    """Figures that choose the checkpoint. ``level`` is the score that this share of the
    face-free pictures reaches; ``selection`` is the recall of large labelled faces
    there, less the landmark error, so that neither is bought with the other."""
    matches = find_all(finder, samples)
    large_scores: list[float] = []
    small_scores: list[float] = []
    errors: list[float] = []
    overlaps: list[float] = []
    for m in matches:
        sides = short_sides(m.sample)
        for label, side, score, error, overlap in zip(m.sample.labels, sides, m.scores, m.errors, m.overlaps):
            if label == "unlabelled":
                continue
            (large_scores if side >= LARGE else small_scores).append(score)
            if side >= LARGE and score > 0:
                overlaps.append(overlap)
                if not np.isnan(error):
                    errors.append(error)
    free = np.array([m.extra.max(initial=0.0) for m in matches if not len(m.sample.boxes)])
    large, small = np.array(large_scores), np.array(small_scores)
    level = max(float(np.quantile(free, 1 - false_share)), LOWEST)
    recall = float((large >= level).mean())
    # The median stands for frontal faces; profiles have no eye distance to speak of.
    error = float(np.median(errors)) if errors else 1.0
    return {
        "selection": recall - error,
        "recall_at_level": recall,
        "small_at_level": float((small >= level).mean()),
        "level": level,
        "recall_large": float((large >= THRESHOLD).mean()),
        "recall_small": float((small >= THRESHOLD).mean()),
        "false_images": float((free >= THRESHOLD).mean()),
        "landmarks": error,
        "iou": float(np.mean(overlaps)) if overlaps else 0.0,
    }
