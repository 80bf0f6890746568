"""What a branch taught by photographed screens would add to the liveness score, on held-out faces.

The branch learns from the photos that the liveness nets learn from, so not from those of the
photographers that calibrate them, nor from held-out pictures. It sees the context net's square at
its own size. Faces, simulated presentations, boxes and margins are those of the calibration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import crops
from ..data import ImageSet
from ..liveness.calibrate import Scorer, gather_margins
from ..liveness.net import FACTOR
from ..liveness.scenes import Scene, is_held_out
from ..rates import apcer_at_bpcer, auc
from .figures import DRAWS
from .net import Branch, Early
from .photos import Photos
from .train import Settings, judge, make_maps, train, weigh
from .views import SIZE, photo_view

WEIGHTS = (0.0, 0.125, 0.5)
"""Of the branch's margin beside the mean of both nets': none, small, and as much as each of them."""


class BranchScorer(Scorer):
    """The liveness nets' margins, then the branch's: (3,)."""

    def __init__(self, models: Path, branch: Branch) -> None:
        super().__init__(models)
        self._early, self._branch = Early(), branch

    def margins(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        view = crops.square_crop(frame, tuple(box), FACTOR, SIZE)
        return np.append(super().margins(frame, box), -judge(self._branch, self._early.maps(view[None])[None]))

    def looked_again(self, frame: np.ndarray, box: np.ndarray, margins: np.ndarray, closer: float) -> np.ndarray:
        return np.append(super().looked_again(frame, box, margins[:2], closer), margins[2])


def measure_faces(whole: ImageSet, photos: Photos, scenes: list[Scene], models: Path, settings: Settings, seed: int) -> dict[str, Any]:
    """AUC of bona fide faces against each kind of attack, with the branch at each of `WEIGHTS`."""
    among = np.array([not is_held_out(r["source"], r["image"]) for r in whole.rows])
    rng = np.random.default_rng(seed)
    views = make_maps(photos.images, lambda image: np.stack([photo_view(image, rng) for _ in range(settings.epochs)]))
    branch = train(views, photos.replay, weigh(photos, among), settings, seed)
    live, simulated, photographed = gather_margins(models, scenes, BranchScorer(models, branch))
    out: dict[str, Any] = {"photos that trained": int(among.sum()), "bona fide": len(live)}
    for name, attacks in (("photographed screens", photographed), ("simulated", simulated)):
        out[name] = {"faces": len(attacks)} | gains(live, attacks, np.random.default_rng(seed))
    return out


def gains(live: np.ndarray, attacks: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """For each weight AUC and APCER at a BPCER of 10 % of margins (n, 3), and the 95 % interval of
    the AUC and of what it gains over no branch, by a bootstrap over faces."""
    drawn = [(rng.integers(len(live), size=len(live)), rng.integers(len(attacks), size=len(attacks))) for _ in range(DRAWS)]

    def aucs(weight: float) -> np.ndarray:
        ours, theirs = fused(live, weight), fused(attacks, weight)
        return np.array([auc(ours[i], theirs[j]) for i, j in drawn])

    without = aucs(0.0)

    def row(weight: float) -> dict[str, Any]:
        ours, theirs, spread = fused(live, weight), fused(attacks, weight), aucs(weight)
        return {
            "AUC": round(auc(ours, theirs), 4),
            "interval": [round(float(v), 4) for v in np.percentile(spread, (2.5, 97.5))],
            "gain": [round(float(v), 4) for v in np.percentile(spread - without, (2.5, 97.5))],
            "APCER at BPCER 10%": round(apcer_at_bpcer(ours, theirs, 0.1), 4),
        }

    return {f"branch at {weight}": row(weight) for weight in WEIGHTS}


def fused(margins: np.ndarray, weight: float) -> np.ndarray:
    """Mean of the liveness nets' margins and `weight` of the branch's, of margins (n, 3)."""
    return margins[:, :2].mean(1) + weight * margins[:, 2]
