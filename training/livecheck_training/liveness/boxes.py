"""What the detector's boxes and where the samples fall change in the liveness score.

On held-out pictures, simulated presentations of them and photographed screens, none of `pad_dev`: how
far the product's boxes lie from YuNet's, whether a correction by box size or landmarks brings the score
nearer to the teacher's on YuNet's box, and what the mean of the grain net over several views gains.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import crops, degrade
from ..detector.predict import Finder, shipped_finder
from ..rates import auc
from ..teachers import FeatureTeacher, YuNet
from . import evaluate
from .calibrate import ANCHOR_SCORE, Fusion, Scorer, margins_of, usable
from .grain import FACTOR, SIZE
from .scenes import Scene
from .views import FRAME_CHANCES, FRAMES, Studio

PRESENTATIONS = 400
"""Simulated attacks, half of them prints."""

TRAINED_FACES = 2000
"""Faces of training pictures that fit the corrections."""

SURE = 0.5
"""Least score of a face of the product's detector."""

VIEWS = {
    "one": ((0.0, 1.0),),
    "one, 0.9": ((0.0, 0.9),),
    "whole, 6 % left and right": ((0.0, 1.0), (-0.06, 1.0), (0.06, 1.0)),
    "whole, 0.9": ((0.0, 1.0), (0.0, 0.9)),
    "whole, 0.8": ((0.0, 1.0), (0.0, 0.8)),
    "whole, 0.7": ((0.0, 1.0), (0.0, 0.7)),
    "whole, 0.9, 0.8": ((0.0, 1.0), (0.0, 0.9), (0.0, 0.8)),
    "whole, 0.8, 0.7": ((0.0, 1.0), (0.0, 0.8), (0.0, 0.7)),
    "whole, 0.8 with 6 % left and right": ((0.0, 1.0), (-0.06, 0.8), (0.06, 0.8)),
}
"""The grain net's views, whose margins are averaged: shift in face widths, share of the view."""

LOOKS = tuple(dict.fromkeys(look for views in VIEWS.values() for look in views))
"""Every view once; the first is the whole one."""

DISTURBANCES = ("box 10 % to the left", "box 10 % to the right", "box 15 % larger", "box 15 % smaller", "JPEG 75", "75 % of the size")
"""Of those in `evaluate.py`, what verdicts are compared under."""


@dataclass(frozen=True)
class Pair:
    """A face with YuNet's box, the product's, and the product's landmarks."""

    frame: np.ndarray
    yunet: np.ndarray
    product: np.ndarray
    landmarks: np.ndarray

    @classmethod
    def find(cls, frame: np.ndarray, box: np.ndarray, finder: Finder) -> Pair | None:
        faces = finder.detect(frame, SURE)
        face = faces.closest(box)
        if face is None:
            return None
        return cls(frame, np.asarray(box, float), faces.boxes[face].astype(float), faces.landmarks[face].astype(float))

    @property
    def offset(self) -> np.ndarray:
        """From the product's box to YuNet's: centre in boxes, logarithm of width and height."""
        (centre, size), (wanted, wanted_size) = centred(self.product), centred(self.yunet)
        return np.concatenate([(wanted - centre) / size, np.log(wanted_size / size)])

    def features(self, kind: str) -> np.ndarray:
        centre, size = centred(self.product)
        pixels = np.log(np.sqrt(size.prod()) * crops.DETECTOR_SIZE / max(self.frame.shape[:2]) / 64)
        places = ((self.landmarks - centre) / size).ravel()
        return np.array({"constant": [1.0], "size": [1.0, pixels], "landmarks": [1.0, pixels, np.log(size[0] / size[1]), *places]}[kind])

    def corrected(self, kind: str, weights: np.ndarray) -> np.ndarray:
        offset = self.features(kind) @ weights
        centre, size = centred(self.product)
        centre, size = centre + offset[:2] * size, size * np.exp(offset[2:])
        return np.concatenate([centre - size / 2, centre + size / 2])


def centred(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (box[:2] + box[2:]) / 2, box[2:] - box[:2]


def fit(pairs: list[Pair], kind: str) -> np.ndarray:
    """Linear regression of the offset; a residual over 0.05 weighs by its size and not its square."""
    x, wanted = np.stack([p.features(kind) for p in pairs]), np.stack([p.offset for p in pairs])
    weight = np.ones_like(wanted)
    for _ in range(15):
        columns = ((x * w[:, None], t) for w, t in zip(weight.T, wanted.T))
        fitted = np.stack([np.linalg.solve(xw.T @ x + 1e-3 * np.eye(x.shape[1]), xw.T @ t) for xw, t in columns], 1)
        weight = np.minimum(1, 0.05 / np.maximum(np.abs(wanted - x @ fitted), 1e-9))
    return fitted


def photographed(scenes: list[Scene], finder: Finder) -> list[Pair]:
    """Faces on photographed screens."""
    pairs = (Pair.find(s.image, box, finder) for s in scenes if s.kind == "replay" for box in s.faces)
    return [pair for pair in pairs if pair is not None]


def simulated(scenes: list[Scene], yunet: YuNet, finder: Finder) -> list[Pair]:
    """Presentations of held-out faces, found anew by both detectors."""
    studio, rng, pairs = Studio(scenes), np.random.default_rng(3), []
    real = [(s, box) for s in scenes if s.kind == "real" for box in usable(s)]
    for i in range(PRESENTATIONS):
        scene, box = real[rng.integers(len(real))]
        size = FRAMES[rng.choice(len(FRAMES), p=FRAME_CHANCES)]
        frame, box = studio.compose(scene, box, size, "screen" if i % 2 else "print", rng)
        frame = degrade.camera(frame, rng)
        faces = yunet.detect(frame, 0.3)
        face = faces.closest(box)
        pair = None if face is None else Pair.find(frame, faces.boxes[face].astype(float), finder)
        if pair is not None:
            pairs.append(pair)
    return pairs


def compare_boxes(models: Path, scenes: list[Scene], teachers: Path) -> dict[str, Any]:
    """Offsets, corrections and views, as a report."""
    finder, scorer, teacher = shipped_finder(models), Scorer(models), FeatureTeacher(teachers)

    def pairs_of(some: list[Scene], most: int) -> list[Pair]:
        pairs: list[Pair] = []
        for scene in some:
            if len(pairs) < most and scene.kind == "real":
                pairs += [p for p in (Pair.find(scene.image, box, finder) for box in usable(scene)) if p is not None]
        return pairs

    order = np.random.default_rng(0).permutation(len(scenes))
    trained = pairs_of([scenes[i] for i in order if not scenes[i].held_out], TRAINED_FACES)
    held_out = [s for s in scenes if s.held_out]
    bona_fide = pairs_of(held_out, len(scenes))
    presented, screens = simulated(held_out, YuNet(teachers, 640), finder), photographed(held_out, finder)
    pairs = bona_fide + presented

    fusion = Fusion.read(models)
    edge = np.log(ANCHOR_SCORE / (1 - ANCHOR_SCORE))

    def looked(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """The context net's margin, then the grain net's of each of LOOKS."""
        width = box[2] - box[0]
        others = (scorer.grain_logits(frame, box + np.array((x, 0, x, 0)) * width, share) for x, share in LOOKS[1:])
        return np.append(scorer.margins(frame, box), [margins_of(answer) for answer in others])

    def logits(margins: np.ndarray, views: tuple[tuple[float, float], ...] = VIEWS["one"]) -> np.ndarray:
        """Logits (n,) of the score from margins (n, 1 + looks)."""
        grain = margins[:, [1 + LOOKS.index(view) for view in views]].mean(1)
        return fusion.context * margins[:, 0] + fusion.grain * grain + fusion.offset

    def of_boxes(boxes: Iterable[np.ndarray]) -> np.ndarray:
        return logits(np.array([scorer.margins(p.frame, box) for p, box in zip(pairs, boxes)]))

    seen = np.stack([crops.sampled_crop(p.frame, tuple(p.yunet), FACTOR, SIZE) for p in pairs])
    wanted = margins_of(np.concatenate([teacher.run(part)[2] for part in np.array_split(seen, 40)]).astype(np.float64))
    of_yunet = of_boxes(p.yunet for p in pairs)

    def agreement(scores: np.ndarray) -> dict[str, float]:
        return {
            "correlation with the teacher": round(float(np.corrcoef(scores, wanted)[0, 1]), 4),
            "verdicts other than on YuNet's box": round(float(((scores >= edge) != (of_yunet >= edge)).mean()), 4),
        }

    first = of_boxes(p.product for p in pairs)
    report: dict[str, Any] = {
        "faces": {"fitted": len(trained), "bona fide": len(bona_fide), "simulated": len(presented), "photographed": len(screens)},
        "median offset of training faces": dict(zip(("x", "y", "width", "height"), np.median([p.offset for p in trained], 0).round(4).tolist())),
        "on YuNet's box": agreement(of_yunet),
        "on the product's box": agreement(first),
        "corrected": {},
        "views": {},
    }
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(pairs), len(pairs)) for _ in range(2000)]
    for kind in ("constant", "size", "landmarks"):
        fitted = fit(trained, kind)
        scores = of_boxes(p.corrected(kind, fitted) for p in pairs)
        gains = [np.corrcoef(scores[d], wanted[d])[0, 1] - np.corrcoef(first[d], wanted[d])[0, 1] for d in draws]
        report["corrected"][kind] = agreement(scores) | {"gain of correlation, 95 %": np.percentile(gains, (2.5, 97.5)).round(4).tolist()}
    plain, photographs = (np.array([looked(p.frame, p.product) for p in some]) for some in (pairs, screens))
    disturbed = {
        change: np.array([looked(*map(np.asarray, evaluate.DISTURBANCES[change](p.frame, p.product))) for p in pairs])
        for change in DISTURBANCES
    }
    for name, views in VIEWS.items():
        scores = logits(plain, views)
        live, simulations = scores[: len(bona_fide)], scores[len(bona_fide) :]
        report["views"][name] = agreement(scores) | {
            "AUC simulated": round(auc(live, simulations), 4),
            "AUC photographed": round(auc(live, logits(photographs, views)), 4),
        }
        for change, margins in disturbed.items():
            turned = (logits(margins, views) >= edge) != (scores >= edge)
            report["views"][name][f"turned by {change}"] = round(float(turned.mean()), 4)
    return report
