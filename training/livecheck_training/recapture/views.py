"""Square views of photos and patches, all of one size, cut by one rule for both classes.

Every training view passes random light, blur, noise and JPEG, so that a photo's own sharpness,
size and compression tell less. A photo's view is never smaller than the net's input if the photo
isn't, so that no class is enlarged; a patch keeps its native pixels in most views.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from PIL import Image

from .. import degrade

Rng: TypeAlias = np.random.Generator

SIZE = 144
"""Side of a view, in pixels: the shortest side of the photos."""

LEAST = 0.6
"""Smallest view of a photo, in its shorter side."""

NATIVE = 0.6
"""Share of a patch's training views that aren't reduced."""


def cut(image: np.ndarray, x: float, y: float, side: float) -> np.ndarray:
    """The square at (x, y), `side` pixels wide, at SIZE."""
    return np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=(x, y, x + side, y + side)))


def photo_looks(image: np.ndarray) -> np.ndarray:
    """Views (3, SIZE, SIZE, 3) that a photo is judged by: the largest squares at its start, middle, end."""
    height, width = image.shape[:2]
    side = min(height, width)
    return np.stack([cut(image, (width - side) * at, (height - side) * at, side) for at in (0.0, 0.5, 1.0)])


def photo_view(image: np.ndarray, rng: Rng) -> np.ndarray:
    """A training view of a photo: a square of 60 to 100 % of the shorter side, anywhere."""
    height, width = image.shape[:2]
    short = min(height, width)
    least = min(short, max(SIZE, LEAST * short))
    side = min(short, np.exp(rng.uniform(np.log(least), np.log(short))))
    view = cut(image, rng.uniform(0, width - side), rng.uniform(0, height - side), side)
    if rng.random() < 0.5:
        view = degrade.light(view, rng)
    return flipped(degrade.camera(view, rng), rng)


def patch_looks(patch: np.ndarray) -> np.ndarray:
    """Views (6, SIZE, SIZE, 3) that a patch is judged by: corners and middle at native pixels, and all of it."""
    far = patch.shape[0] - SIZE
    places = ((0, 0), (0, far), (far, 0), (far, far), (far // 2, far // 2))
    return np.stack([*(patch[y : y + SIZE, x : x + SIZE] for y, x in places), cut(patch, 0, 0, patch.shape[0])])


def patch_view(patch: np.ndarray, rng: Rng) -> np.ndarray:
    """A training view of a patch: at native pixels, or reduced by up to the patch's own size."""
    whole = patch.shape[0]
    side = SIZE if rng.random() < NATIVE else int(np.exp(rng.uniform(np.log(SIZE), np.log(whole))))
    x, y = rng.integers(0, whole + 1 - side, 2)
    view = patch[y : y + side, x : x + side]
    if side > SIZE:
        view = degrade.rescale(view, (SIZE, SIZE), rng)
    if rng.random() < 0.4:
        view = degrade.light(view, rng)
    if rng.random() < 0.3:
        view = degrade.blur(view, rng, 1.0)
    if rng.random() < 0.1:
        view = degrade.noise(view, rng)
    if rng.random() < 0.6:
        view = degrade.jpeg(view, int(rng.uniform(60, 98)))
    return flipped(view, rng)


def flipped(view: np.ndarray, rng: Rng) -> np.ndarray:
    """The view or its mirror image."""
    return np.ascontiguousarray(view[:, ::-1]) if rng.random() < 0.5 else view
