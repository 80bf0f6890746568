"""From the two nets' margins to the score: score = sigmoid(context * m + grain * n + offset).

Fitted on pictures that never trained, in the boxes of the product's detector: bona fide faces as
they are, against the same faces presented by the simulator and faces photographed from screens. The
margins weigh the same ("mean logit"): a rule, not a fit, because simulated attacks rank nets wrongly. The common
slope is logistic regression's, where bona fide and attacks weigh the same, and so do simulated
and photographed attacks. The offset is the regression's, moved so that the margin at which bona
fide and attacks are equally likely gets a score of `ANCHOR_SCORE`, the recommended threshold.

A score in `DOUBT` is made again: the grain net looks a second time, closer, and its two margins are
averaged. Samples that fall elsewhere and lie nearer to each other err otherwise, at no cost for faces
that are clear.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from scipy.optimize import minimize

from .. import crops, degrade
from ..detector.predict import shipped_finder
from ..teachers import session
from . import grain
from .net import FACTOR, SIZE
from .scenes import Scene
from .views import FRAME_CHANCES, FRAMES, Studio

SMALLEST_FACE = 48.0
LEAST_CONTEXT = 1.5
"""Faces count from this share of the picture's shorter side to the mean face side."""

ANCHOR_SCORE = 0.9

DOUBT = (0.8, 0.96)
"""Scores of the first look that the grain net looks again for: about the thresholds of 0.90 and 0.95."""

FOUND = 0.5
"""Least score of the detector for a face to count."""

PRESENTATIONS = 600
"""Simulated attacks, half of them prints."""


@dataclass(frozen=True)
class Fusion:
    """From margins to the score, as `liveness.json` has it; scores from `doubt[0]` to below `doubt[1]`
    are made again with a look at `closer` of the view."""

    context: float
    grain: float
    offset: float
    doubt: tuple[float, float] = DOUBT
    closer: float = grain.CLOSER

    @classmethod
    def read(cls, models: Path) -> Fusion:
        stored = json.loads((models / "liveness.json").read_text())
        return cls(stored["context"], stored["grain"], stored["offset"], tuple(stored["doubt"]), stored["closer"])

    def score(self, margins: np.ndarray) -> np.ndarray:
        """Score of margins (..., 2)."""
        return 1 / (1 + np.exp(-(margins @ (self.context, self.grain) + self.offset)))


class Scorer:
    """Margins of the exported nets: of the context net, of the grain net."""

    def __init__(self, models: Path) -> None:
        self._context = session(models / "liveness-context.onnx")
        self._grain = session(models / "liveness-grain.onnx")

    def logits(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Logits (2 nets, 3 classes) of the first look."""
        averaged = crops.square_crop(frame, tuple(box), FACTOR, SIZE)
        return np.stack([_run(self._context, averaged), self.grain_logits(frame, box)])

    def margins(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Margins (2,) of the first look."""
        return margins_of(self.logits(frame, box))

    def looked_again(self, frame: np.ndarray, box: np.ndarray, margins: np.ndarray, closer: float) -> np.ndarray:
        """Margins (2,) of both looks, from those of the first."""
        again = margins_of(self.grain_logits(frame, box, closer))
        return np.array([margins[0], (margins[1] + again) / 2])

    def score(self, frame: np.ndarray, box: np.ndarray, fusion: Fusion, logits: np.ndarray | None = None) -> float:
        """The product's score of a face (`logits`: its first look's, if known)."""
        margins = margins_of(self.logits(frame, box) if logits is None else logits)
        first = float(fusion.score(margins))
        if not fusion.doubt[0] <= first < fusion.doubt[1]:
            return first
        return float(fusion.score(self.looked_again(frame, box, margins, fusion.closer)))

    def grain_logits(self, frame: np.ndarray, box: np.ndarray, share: float = 1.0) -> np.ndarray:
        """Logits (3,) of the grain net on `share` of its view."""
        return _run(self._grain, crops.sampled_crop(frame, tuple(box), grain.FACTOR, grain.SIZE, share))


def _run(net: onnxruntime.InferenceSession, view: np.ndarray) -> np.ndarray:
    blob = np.ascontiguousarray(view.transpose(2, 0, 1)[None], np.float32)
    return net.run(None, {"input": blob})[0][0].astype(np.float64)


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


def gather_margins(
    models: Path, scenes: list[Scene], scorer: Scorer | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margins (n, 2) of both looks at bona fide, simulated and photographed attacks of held-out scenes,
    in the boxes that the product's detector finds; by another scorer than the exported nets', if given."""
    scorer, finder = scorer or Scorer(models), shipped_finder(models)

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


def fit(live: np.ndarray, attacks: list[np.ndarray]) -> tuple[float, float]:
    """Logistic regression with one feature; every group of attacks weighs the same."""
    margins = np.concatenate([live, *attacks])
    sign = np.concatenate([np.ones(len(live)), *(-np.ones(len(a)) for a in attacks)])
    weight = np.concatenate([np.full(len(live), 0.5 / len(live)), *(np.full(len(a), 0.5 / len(attacks) / len(a)) for a in attacks)])

    def loss(ab: np.ndarray) -> float:
        return float((weight * np.logaddexp(0, -sign * (ab[0] * margins + ab[1]))).sum())

    a, b = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(a), float(b)


def anchored(b: float) -> float:
    """The offset that gives ANCHOR_SCORE where the regression says 0.5."""
    return float(b + np.log(ANCHOR_SCORE / (1 - ANCHOR_SCORE)))


def calibrate(models: Path, scenes: list[Scene]) -> dict[str, Any]:
    """The contents of `liveness.json`."""
    live, simulated, photographed = (margins.mean(1) for margins in gather_margins(models, scenes))
    a, b = fit(live, [simulated, photographed])
    b = anchored(b)

    def refused(margins: np.ndarray, threshold: float) -> float:
        return round(float((1 / (1 + np.exp(-(a * margins + b))) < threshold).mean()), 4)

    return {
        "context": round(a / 2, 5),
        "grain": round(a / 2, 5),
        "offset": round(b, 5),
        "doubt": list(DOUBT),
        "closer": grain.CLOSER,
        "fitted_on": "held-out bona fide faces of the training sets, the same faces in simulated presentations, and screens of held-out photographers, in the boxes of the face detector; both margins weigh the same, slope and offset by logistic regression, moved so that even odds are a score of 0.90",
        "counts": {"bona fide": len(live), "simulated": len(simulated), "photographed screens": len(photographed)},
        "refused": {
            str(t): {"bona fide": refused(live, t), "simulated": refused(simulated, t), "photographed screens": refused(photographed, t)}
            for t in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
        },
    }
