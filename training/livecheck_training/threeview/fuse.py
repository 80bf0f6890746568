"""Joins the views net's three margins and the grain net's into one score, a probability at even odds.

logit = slope * ((wide + middle + near) / 3 + grain + softmin(wide, middle, near, grain)) + offset

The shares are not fitted: webcam sources hold no prints, and a fit to them gives the grain net, which knows
most of prints, next to nothing. So it counts as much as the views together, and the soft minimum lets one
view's alarm stand where a sum would drown it.

Slope and offset are set on webcam frames judged by the nets of the fold that left their source out, untouched
and disturbed, both classes and all sources of a class weighing the same. The slope is logistic regression's. The
offset puts 0.90 where `REFUSED` of the live people of untouched frames are refused.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp
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

SHARES = np.array([1 / 3, 1 / 3, 1 / 3, 1.0, 1.0])
"""Of the wide, the middle and the near margin, the grain net's, and the soft minimum, before the slope."""

SIDES = (320, 480)
"""Longer sides of a photo in pixels: up to the first the small nets alone judge, from the second on the views net and
the grain net alone. Every labelled frame has at least 640; the small nets learnt from frames of 240 to 640 pixels, many of
them made."""

THRESHOLD = 0.9
"""The score that the scale is anchored at: the product's default threshold."""

REFUSED = 0.1
"""Share of the live people of untouched webcam frames that `THRESHOLD` refuses, in the mean of the sources. The nets
of a fold know ten sources and are less sure of live people than the shipped ones, which know fifteen."""


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
    """Both classes half, every source of a class the same."""
    counts = Counter((s.live, s.source) for s in samples)
    sources = Counter(live for live, _ in counts)
    return np.array([0.5 / sources[s.live] / counts[s.live, s.source] for s in samples])


def anchor(z: np.ndarray, sources: np.ndarray) -> float:
    """What to add to the logits of live faces so that `THRESHOLD` refuses `REFUSED` of them, every source weighing
    the same."""
    counts = Counter(sources.tolist())
    weight = np.array([1 / counts[s] / len(counts) for s in sources.tolist()])
    order = np.argsort(z)
    below = np.cumsum(weight[order])
    return float(np.log(THRESHOLD / (1 - THRESHOLD)) - z[order][np.searchsorted(below, REFUSED, side="right")])


def fit(samples: list[Sample]) -> np.ndarray:
    """Weights of `features` and offset, shape (6,), by the webcam frames among the samples."""
    webcams = [s for s in samples if s.kind == "webcam"]
    z, weight = logits(webcams, np.append(SHARES, 0.0)), weights_of(webcams)
    sign = np.where([s.live for s in webcams], 1.0, -1.0)

    def loss(p: np.ndarray) -> float:
        return float((weight * np.logaddexp(0, -sign * (p[0] * z + p[1]))).sum())

    slope = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x[0]
    live = [s.live and not s.disturbed for s in webcams]
    names = np.array([s.source for s in webcams])[live]
    return np.append(slope * SHARES, anchor(slope * z[live], names))


def logits(samples: list[Sample], fusion: np.ndarray) -> np.ndarray:
    return features(np.array([s.margins for s in samples])) @ fusion[:-1] + fusion[-1]


def left_out_logits(samples: list[Sample]) -> np.ndarray:
    """Each webcam sample by a fusion fitted without its source, the others by the whole fit."""
    out = logits(samples, fit(samples))
    for source in sorted({s.source for s in samples if s.kind == "webcam"}):
        inside = [s.kind == "webcam" and s.source == source for s in samples]
        others = [s for s, here in zip(samples, inside) if not here]
        fusion = fit(others)
        out[inside] = logits([s for s, here in zip(samples, inside) if here], fusion)
    return out


def report(samples: list[Sample], z: np.ndarray) -> dict[str, Any]:
    """Error rates by kind and source at 0.90, untouched and disturbed, and the reliability at even odds."""
    live = np.array([s.live for s in samples])
    edge = np.log(THRESHOLD / (1 - THRESHOLD))
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
