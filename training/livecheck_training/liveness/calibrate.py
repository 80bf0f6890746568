"""From the margins of the two small nets to the score: score = sigmoid(context * m + grain * n + offset).

Fitted on pictures that never trained, in the boxes of the product's detector: bona fide faces as
they are, against the same faces presented by the simulator and faces photographed from screens. The
margins weigh the same ("mean logit"): a rule, not a fit, because simulated attacks rank nets wrongly. The common
slope is logistic regression's, where bona fide and attacks weigh the same, and so do simulated
and photographed attacks. The offset is the regression's, moved so that the margin at which bona
fide and attacks are equally likely gets a score of `ANCHOR_SCORE`, the recommended threshold. That
makes too much of the attacks below; so below `ANCHOR_SCORE` the logit falls `below` times as fast, the factor
by which the score is most likely of all what was seen. No verdict at the recommended threshold or above changes.

A score in `DOUBT` is made again: the grain net looks a second time, closer, and its two margins are
averaged. Samples that fall elsewhere and lie nearer to each other err otherwise, at no cost for faces
that are clear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from .. import degrade
from ..detector.predict import shipped_finder
from . import grain
from .scenes import Scene
from .scorer import Scorer
from .views import FRAME_CHANCES, FRAMES, Studio

SMALLEST_FACE = 48.0
LEAST_CONTEXT = 1.5
"""Faces count from this share of the picture's shorter side to the mean face side."""

ANCHOR_SCORE = 0.9
ANCHOR = float(np.log(ANCHOR_SCORE / (1 - ANCHOR_SCORE)))
"""Its logit."""

DOUBT = (0.8, 0.96)
"""Scores of the first look that the grain net looks again for: about the thresholds of 0.90 and 0.95."""

FOUND = 0.5
"""Least score of the detector for a face to count."""

PRESENTATIONS = 600
"""Simulated attacks, half of them prints."""


def usable(scene: Scene) -> list[np.ndarray]:
    """Faces large enough and with surroundings."""
    short = min(scene.image.shape[:2])
    return [
        box
        for box in scene.faces
        if min(box[2] - box[0], box[3] - box[1]) >= SMALLEST_FACE
        and short / ((box[2] - box[0] + box[3] - box[1]) / 2) >= LEAST_CONTEXT
    ]


def gather_margins(
    models: Path, scenes: list[Scene]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margins (n, 2) of both looks at bona fide, simulated and photographed attacks of held-out scenes,
    in the boxes that the product's detector finds."""
    scorer, finder = Scorer(models), shipped_finder(models)

    def margins(views: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        out = []
        for frame, box in views:
            faces = finder.detect(frame, FOUND)
            face = faces.closest(box)
            if face is not None:
                found = faces.boxes[face].astype(float)
                out.append(scorer.looked_again(frame, found, scorer.margins(frame, found), grain.CLOSER))
        return np.array(out)

    def presented() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        studio, rng = Studio(held_out), np.random.default_rng(3)
        for i in range(PRESENTATIONS):
            scene, box = real[rng.integers(len(real))]
            size = FRAMES[rng.choice(len(FRAMES), p=FRAME_CHANCES)]
            frame, box = studio.compose(scene, box, size, "print" if i % 2 else "screen", rng)
            yield degrade.camera(frame, rng), box

    held_out = [s for s in scenes if s.held_out]
    real = [(s, box) for s in held_out if s.kind == "real" for box in usable(s)]
    photographed = ((s.image, box) for s in held_out if s.kind == "replay" for box in s.faces)
    return margins((s.image, box) for s, box in real), margins(presented()), margins(photographed)


def loss(live: np.ndarray, attacks: list[np.ndarray]) -> float:
    """What logits cost by the logarithm of the probability; every group of attacks weighs the same."""
    of_attacks = sum(np.logaddexp(0, logits).mean() for logits in attacks) / len(attacks)
    return float(np.logaddexp(0, -live).mean() + of_attacks) / 2


def fit(live: np.ndarray, attacks: list[np.ndarray]) -> tuple[float, float]:
    """Logistic regression with one feature."""

    def cost(ab: np.ndarray) -> float:
        return loss(ab[0] * live + ab[1], [ab[0] * margins + ab[1] for margins in attacks])

    a, b = minimize(cost, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(a), float(b)


def steeper(logits: np.ndarray, below: float) -> np.ndarray:
    """Logits that fall `below` times as fast below that of `ANCHOR_SCORE`."""
    beyond = logits - ANCHOR
    return ANCHOR + beyond * np.where(beyond < 0, below, 1.0)


def fit_below(live: np.ndarray, attacks: list[np.ndarray]) -> float:
    """The factor of `steeper`, of anchored logits."""

    def cost(below: float) -> float:
        return loss(steeper(live, below), [steeper(logits, below) for logits in attacks])

    return float(minimize_scalar(cost, bounds=(1.0, 8.0), method="bounded").x)


def anchored(b: float) -> float:
    """The offset that gives ANCHOR_SCORE where the regression says 0.5."""
    return float(b + ANCHOR)


def calibrate(models: Path, scenes: list[Scene]) -> dict[str, Any]:
    """The fusion of the small nets, as `small` of `liveness.json` has it, and what it was fitted on."""
    live, simulated, photographed = (margins.mean(1) for margins in gather_margins(models, scenes))
    a, b = fit(live, [simulated, photographed])
    b = anchored(b)
    below = fit_below(a * live + b, [a * margins + b for margins in (simulated, photographed)])

    def refused(margins: np.ndarray, threshold: float) -> float:
        return round(float((steeper(a * margins + b, below) < np.log(threshold / (1 - threshold))).mean()), 4)

    return {
        "context": round(a / 2, 5),
        "grain": round(a / 2, 5),
        "offset": round(b, 5),
        "below": round(below, 3),
        "doubt": list(DOUBT),
        "closer": grain.CLOSER,
        "fitted_on": "held-out bona fide faces of the training sets, the same faces in simulated presentations, and screens of held-out photographers, in the boxes of the face detector; both margins weigh the same, slope and offset by logistic regression, moved so that even odds are a score of 0.90; below by the least logarithmic loss",
        "counts": {"bona fide": len(live), "simulated": len(simulated), "photographed screens": len(photographed)},
        "refused": {
            str(t): {"bona fide": refused(live, t), "simulated": refused(simulated, t), "photographed screens": refused(photographed, t)}
            for t in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
        },
    }
