"""AUCs by fold and photographer, and the fusion of a photo's views."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rates import auc
from .photos import FOLDS, Photos

LEAST = 10
"""Photos of each class that a photographer needs for an AUC of his own."""

DRAWS = 1000


def fuse(whole: np.ndarray, patch: np.ndarray, patches: list[list[int]]) -> np.ndarray:
    """Mean logit (n,) of the whole photo and of its patches' mean; the photo's alone where it has no patch."""
    return np.array([(w + patch[own].mean()) / 2 if own else w for w, own in zip(whole, patches)])


def figures(logits: np.ndarray, photos: Photos, seed: int = 0) -> dict[str, Any]:
    """AUC of photographed screens against real scenes: in each fold, their mean with its interval
    over photographers, by photographer, and the photographers' mean by tier."""
    folds = fold_aucs(logits, photos)
    own = {s: auc_of(logits, photos.replay, photos.source == s) for s in sorted(set(photos.source)) if enough(photos, s)}
    tiers = {t: [value for s, value in own.items() if photos.tier[photos.source == s][0] == t] for t in ("A", "B")}
    return {
        "mean AUC": round(float(np.mean(folds)), 4),
        "interval": interval(logits, photos, np.random.default_rng(seed)),
        "folds": [round(value, 4) for value in folds],
        "mean of photographers": round(float(np.mean(list(own.values()))), 4),
        "tier A": round(float(np.mean(tiers["A"])), 4),
        "tier B": round(float(np.mean(tiers["B"])), 4),
        "photographers": {s: round(value, 3) for s, value in own.items()},
    }


def enough(photos: Photos, source: str) -> bool:
    """Whether a photographer took enough photos of both kinds."""
    replay = photos.replay[photos.source == source]
    return min(replay.sum(), (~replay).sum()) >= LEAST


def auc_of(logits: np.ndarray, replay: np.ndarray, here: np.ndarray) -> float:
    """AUC among the photos `here`, a mask or indices."""
    return auc(logits[here][replay[here]], logits[here][~replay[here]])


def fold_aucs(logits: np.ndarray, photos: Photos) -> list[float]:
    """AUC in each fold."""
    return [auc_of(logits, photos.replay, photos.fold == fold) for fold in range(FOLDS)]


def interval(logits: np.ndarray, photos: Photos, rng: np.random.Generator) -> list[float]:
    """95 % bootstrap interval of the folds' mean AUC: in each fold photographers are drawn with
    replacement, then of each as many real photos and as many screens."""
    own = [
        [[np.flatnonzero((photos.source == s) & (photos.replay == kind)) for kind in (False, True)] for s in sorted(set(photos.source[photos.fold == fold]))]
        for fold in range(FOLDS)
    ]
    means = []
    for _ in range(DRAWS):
        values = []
        for people in own:
            drawn = [kind for i in rng.integers(len(people), size=len(people)) for kind in people[i]]
            chosen = np.concatenate([kind[rng.integers(len(kind), size=len(kind))] for kind in drawn if len(kind)])
            values.append(auc_of(logits, photos.replay, chosen))
        means.append(np.mean(values))
    return [round(float(v), 4) for v in np.percentile(means, (2.5, 97.5))]
