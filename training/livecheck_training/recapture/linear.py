"""Linear models by photographers left out: the baseline, and probes for shortcuts.

A probe asks whether something that isn't the presentation tells the class: the file, its size or
compression, the colours of a thumbnail, the border alone.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ..data import ImageSet
from .net import Branch, tensor
from .photos import FOLDS, Photos
from .train import weigh

REGULARISATION = 0.001
"""Inverse of the ridge's strength, scikit-learn's C, for features of unit variance."""

THUMBNAIL = 16
BORDER = 64
"""Side of the square that the border is taken from, in pixels; the border is four wide."""


def left_out_linear(photos: Photos, views: np.ndarray, looks: list[np.ndarray]) -> list[np.ndarray]:
    """For each kind of looks (n, looks, d) every photo's logit (n,), by logistic regression on
    features of training views (n, views, d) of other folds' photographers."""
    out = [np.zeros(len(photos)) for _ in looks]
    count = views.shape[1]
    for fold in range(FOLDS):
        here = photos.fold == fold
        train = views[~here].reshape(-1, views.shape[-1]).astype(np.float32)
        mean, spread = train.mean(0), train.std(0) + 1e-6
        model = LogisticRegression(C=REGULARISATION, max_iter=300, tol=1e-3)
        weight = np.repeat(weigh(photos, ~here)[~here], count) / count
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit((train - mean) / spread, np.repeat(photos.replay[~here], count), sample_weight=weight)
        for logits, kind in zip(out, looks):
            logits[here] = model.decision_function((kind[here].mean(1) - mean) / spread)
    return out


@torch.inference_mode()
def frozen_features(maps: np.ndarray) -> np.ndarray:
    """Features (n, k, d) of maps (n, k, s, s, c), by the net as ImageNet left it."""
    net = Branch().eval().to(memory_format=torch.channels_last)
    return np.stack([net.pooled(tensor(one)).numpy() for one in maps])


def probes(images: ImageSet, photos: Photos) -> dict[str, np.ndarray]:
    """Left-out logits (n,) of each probe."""
    rows, paths = images.rows, [images.path(r["image"]) for r in images.rows]
    side = ("source_width", "source_height") if "source_width" in rows[0] else ("width", "height")
    size = np.array([[float(r[s]) for s in side] for r in rows])
    cues = {
        "file size": np.log([[path.stat().st_size] for path in paths]),
        "image size and orientation": np.column_stack([size, np.log(size.prod(1)), size[:, 0] > size[:, 1]]),
        "JPEG tables": np.stack([jpeg_tables(path) for path in paths]),
        f"{THUMBNAIL}x{THUMBNAIL} thumbnail": np.stack([middle(image, THUMBNAIL).ravel() for image in photos.images]),
        "border alone": np.stack([border(image) for image in photos.images]),
    }
    return {name: left_out_linear(photos, cue[:, None], [cue[:, None]])[0] for name, cue in cues.items()}


def jpeg_tables(path: Path) -> np.ndarray:
    """The file's first two quantisation tables (128,); zero where there is none."""
    out = np.zeros((2, 64))
    with Image.open(path) as image:
        for key, table in getattr(image, "quantization", {}).items():
            if key < 2:
                out[key] = table
    return out.ravel()


def middle(image: np.ndarray, side: int) -> np.ndarray:
    """The largest square in the middle, averaged to `side` pixels, as float (side, side, 3)."""
    height, width = image.shape[:2]
    short = min(height, width)
    x, y = (width - short) / 2, (height - short) / 2
    box = (x, y, x + short, y + short)
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX, box=box), np.float64)


def border(image: np.ndarray) -> np.ndarray:
    """Colours along the four sides of the middle square."""
    square = middle(image, BORDER)
    sides = (square[:4], square[-4:], square[:, :4].swapaxes(0, 1), square[:, -4:].swapaxes(0, 1))
    return np.concatenate([side.mean(0).ravel() for side in sides])
