"""From the two nets' margins to the score: score = sigmoid(context * m + grain * n + offset).

Fitted on pictures that never trained: bona fide faces as they are, against the same
faces presented by the simulator and faces photographed from screens. The margins weigh the
same ("mean logit"): a rule, not a fit, because simulated attacks rank nets wrongly. The common
slope is logistic regression's, where bona fide and attacks weigh the same, and so do simulated
and photographed attacks. The offset then anchors the scale: a score of `ANCHOR_SCORE`, the
recommended threshold, refuses the share `ANCHOR_BPCER` of the bona fide.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from .. import crops, degrade
from ..teachers import session
from . import grain
from .net import FACTOR, SIZE
from .scenes import Scene
from .views import FRAME_CHANCES, FRAMES, Studio

SMALLEST_FACE = 48.0
LEAST_CONTEXT = 1.5
"""Faces count from this share of the picture's shorter side to the mean face side."""

ANCHOR_SCORE = 0.9
ANCHOR_BPCER = 0.1

PRESENTATIONS = 600
"""Simulated attacks, half of them prints."""


class Scorer:
    """Margins of the exported nets: of the context net, of the grain net."""

    def __init__(self, models: Path) -> None:
        self._context = session(models / "liveness-context.onnx")
        self._grain = session(models / "liveness-grain.onnx")

    def logits(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Logits (2 nets, 3 classes)."""
        views = (crops.square_crop(frame, tuple(box), FACTOR, SIZE), crops.sampled_crop(frame, tuple(box), grain.FACTOR, grain.SIZE))
        nets = (self._context, self._grain)
        blobs = (np.ascontiguousarray(view.transpose(2, 0, 1)[None], np.float32) for view in views)
        return np.stack([net.run(None, {"input": blob})[0][0] for net, blob in zip(nets, blobs)]).astype(np.float64)

    def margins(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Margins (2,)."""
        return margins_of(self.logits(frame, box))


def margins_of(logits: np.ndarray) -> np.ndarray:
    """Live against print and screen together, for logits (..., 3)."""
    return logits[..., 0] - np.logaddexp(logits[..., 1], logits[..., 2])


def usable(scene: Scene) -> list[np.ndarray]:
    """Faces large enough and with surroundings."""
    short = min(scene.image.shape[:2])
    return [
        box
        for box in scene.faces
        if min(box[2] - box[0], box[3] - box[1]) >= SMALLEST_FACE
        and short / ((box[2] - box[0] + box[3] - box[1]) / 2) >= LEAST_CONTEXT
    ]


def gather_margins(models: Path, scenes: list[Scene]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margins (n, 2) of bona fide, simulated and photographed attacks of held-out scenes."""
    scorer = Scorer(models)
    held_out = [s for s in scenes if s.held_out]
    real = [(s, box) for s in held_out if s.kind == "real" for box in usable(s)]
    live = np.array([scorer.margins(s.image, box) for s, box in real])
    photographed = np.array([scorer.margins(s.image, box) for s in held_out if s.kind == "replay" for box in s.faces])
    studio = Studio(held_out)
    rng = np.random.default_rng(3)
    simulated = []
    for i in range(PRESENTATIONS):
        scene, box = real[rng.integers(len(real))]
        size = FRAMES[rng.choice(len(FRAMES), p=FRAME_CHANCES)]
        frame, box = studio.compose(scene, box, size, "print" if i % 2 else "screen", rng)
        simulated.append(scorer.margins(degrade.camera(frame, rng), box))
    return live, np.array(simulated), photographed


def fit(live: np.ndarray, attacks: list[np.ndarray]) -> tuple[float, float]:
    """Logistic regression with one feature; every group of attacks weighs the same."""
    margins = np.concatenate([live, *attacks])
    sign = np.concatenate([np.ones(len(live)), *(-np.ones(len(a)) for a in attacks)])
    weight = np.concatenate([np.full(len(live), 0.5 / len(live)), *(np.full(len(a), 0.5 / len(attacks) / len(a)) for a in attacks)])

    def loss(ab: np.ndarray) -> float:
        return float((weight * np.logaddexp(0, -sign * (ab[0] * margins + ab[1]))).sum())

    a, b = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(a), float(b)


def anchored(a: float, live: np.ndarray) -> float:
    """The offset that puts ANCHOR_SCORE at the margin which ANCHOR_BPCER of the bona fide miss."""
    return float(np.log(ANCHOR_SCORE / (1 - ANCHOR_SCORE)) - a * np.quantile(live, ANCHOR_BPCER))


def calibrate(models: Path, scenes: list[Scene]) -> dict[str, Any]:
    """The contents of `liveness.json`."""
    live, simulated, photographed = (margins.mean(1) for margins in gather_margins(models, scenes))
    a, _ = fit(live, [simulated, photographed])
    b = anchored(a, live)

    def refused(margins: np.ndarray, threshold: float) -> float:
        return round(float((1 / (1 + np.exp(-(a * margins + b))) < threshold).mean()), 4)

    return {
        "context": round(a / 2, 5),
        "grain": round(a / 2, 5),
        "offset": round(b, 5),
        "fitted_on": "held-out bona fide faces of the training sets, the same faces in simulated presentations, and screens of held-out photographers; both margins weigh the same, the slope by logistic regression, the offset so that 0.90 refuses a tenth of these bona fide faces",
        "counts": {"bona fide": len(live), "simulated": len(simulated), "photographed screens": len(photographed)},
        "refused": {
            str(t): {"bona fide": refused(live, t), "simulated": refused(simulated, t), "photographed screens": refused(photographed, t)}
            for t in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
        },
    }
