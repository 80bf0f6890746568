"""Joins the views net's three margins and the grain net's into one score, a probability at even odds.

logit = offset + wide * w + middle * m + near * n + grain * g + alarm * softmin(w, m, n, g)

The soft minimum lets one view's alarm stand where an average would drown it. Weights are fitted by logistic
regression, none below zero, on faces whose source trained neither net: webcam frames judged by the nets of
the fold that left their source out, untouched and disturbed, and held-out bona fide pictures, photographed
screens and simulated presentations. Both classes weigh the same in all, and so does every source in its class.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from torch import nn

from ..rates import apcer_at_bpcer, auc, rate
from .disturb import disturbed
from .frames import LIVE, PRINT, Frame
from .train import brought_to, judged

NAMES = ("wide", "middle", "near", "grain")

SHARPNESS = 1.0
"""Of the soft minimum, per unit of margin."""

LIMIT = 8.0
"""Margins count up to this, either way."""

GROUPS = {"webcam": 0.55, "scene": 0.25, "made": 0.2}
"""Share of each kind in the weight of a class that has it."""

RIDGE = 2e-3


@dataclass(frozen=True)
class Sample:
    """Margins (4,) of a face, and what it is."""

    margins: np.ndarray
    live: bool
    kind: str
    source: str
    disturbed: bool


def soft_minimum(margins: np.ndarray) -> np.ndarray:
    """Of margins (..., 4)."""
    return -logsumexp(-SHARPNESS * margins, axis=-1, b=1 / margins.shape[-1]) / SHARPNESS


def features(margins: np.ndarray) -> np.ndarray:
    """Margins (n, 4) within `LIMIT` and their soft minimum, shape (n, 5)."""
    held = np.clip(margins, -LIMIT, LIMIT)
    return np.concatenate([held, soft_minimum(held)[..., None]], -1)


def disturbed_frame(frame: Frame) -> Frame:
    """The frame as another camera might give it; the same at every call."""
    rng = np.random.default_rng(zlib.crc32(frame.key.encode()))
    image, box = brought_to(frame, 1.0)
    return Frame(disturbed(np.ascontiguousarray(image), rng), box, frame.attack, frame.kind, frame.source, frame.key, frame.teachers)


def samples_of(nets: dict[str, nn.Module], frames: list[Frame], also_disturbed: bool) -> list[Sample]:
    """Both nets' margins on the frames."""
    some = [(f, False) for f in frames] + ([(disturbed_frame(f), True) for f in frames] if also_disturbed else [])
    faces = [f for f, _ in some]
    margins = np.concatenate([judged(nets["views"], faces), judged(nets["grain"], faces, "grain")], 1)
    return [
        Sample(m, f.attack == LIVE, f.kind, "print" if f.kind == "made" and f.attack == PRINT else f.source, touched)
        for m, (f, touched) in zip(margins, some)
    ]


def weights_of(samples: list[Sample]) -> np.ndarray:
    """Both classes half; in each class the kinds by `GROUPS`, every source of a kind the same."""
    counts = Counter((s.live, s.kind, s.source) for s in samples)
    sources = Counter((live, kind) for live, kind, _ in counts)
    total = {live: sum(GROUPS[k] for k in GROUPS if (live, k) in sources) for live in (True, False)}
    return np.array([0.5 * GROUPS[s.kind] / total[s.live] / sources[s.live, s.kind] / counts[s.live, s.kind, s.source] for s in samples])


def fit(samples: list[Sample], weight: np.ndarray) -> np.ndarray:
    """(wide, middle, near, grain, alarm, offset)."""
    x = features(np.array([s.margins for s in samples]))
    sign = np.where([s.live for s in samples], 1.0, -1.0)

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        z = sign * (x @ p[:-1] + p[-1])
        slope = -weight * sign * expit(-z)
        return (
            float((weight * np.logaddexp(0, -z)).sum() + RIDGE * (p[:-1] ** 2).sum()),
            np.append(x.T @ slope + 2 * RIDGE * p[:-1], slope.sum()),
        )

    start = np.append(np.full(5, 0.2), 0.0)
    return minimize(loss, start, jac=True, bounds=[(0, None)] * 5 + [(None, None)]).x


def logits(samples: list[Sample], fusion: np.ndarray) -> np.ndarray:
    return features(np.array([s.margins for s in samples])) @ fusion[:-1] + fusion[-1]


def left_out_logits(samples: list[Sample]) -> np.ndarray:
    """Each webcam sample by a fusion fitted without its source, the others by the whole fit."""
    out = logits(samples, fit(samples, weights_of(samples)))
    for source in sorted({s.source for s in samples if s.kind == "webcam"}):
        inside = [s.kind == "webcam" and s.source == source for s in samples]
        others = [s for s, here in zip(samples, inside) if not here]
        fusion = fit(others, weights_of(others))
        out[inside] = logits([s for s, here in zip(samples, inside) if here], fusion)
    return out


def report(samples: list[Sample], z: np.ndarray) -> dict[str, Any]:
    """Error rates by kind and source at 0.90, untouched and disturbed, and the reliability at even odds."""
    live = np.array([s.live for s in samples])
    edge = np.log(9.0)
    out: dict[str, Any] = {}
    for touched in (False, True):
        here = np.array([s.kind == "webcam" and s.disturbed == touched for s in samples])
        if not here.any():
            continue
        out["webcams, disturbed" if touched else "webcams"] = {
            "AUC": round(auc(z[here & live], z[here & ~live]), 4),
            "APCER at BPCER 5 %": round(apcer_at_bpcer(z[here & live], z[here & ~live], 0.05), 4),
            "live refused": rate(int((z[here & live] < edge).sum()), int((here & live).sum())),
            "attacks passed": rate(int((z[here & ~live] >= edge).sum()), int((here & ~live).sum())),
        }
    by: dict[str, Any] = {}
    for key in sorted({(s.kind, s.source, s.live) for s in samples}):
        here = np.array([(s.kind, s.source, s.live) == key and not s.disturbed for s in samples])
        wrong = (z[here] < edge) if key[2] else (z[here] >= edge)
        by[" ".join((key[0], key[1], "live refused" if key[2] else "attacks passed"))] = rate(int(wrong.sum()), int(here.sum()))
    out["by source"] = by
    return out
