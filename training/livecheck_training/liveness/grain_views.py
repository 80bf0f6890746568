"""Views for the grain net: many frames as cameras give them, several crops of each.

The teacher judges every crop on its own pixels, so a crop may be moved, turned over,
coloured or blended freely: whatever comes out is one more point of the function to match
(Beyer et al., https://arxiv.org/abs/2106.05237). No label of live or attack is used.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

import numpy as np

from .. import crops
from .grain import FACTOR, SIZE
from .scenes import Scene
from .tune import plain_shot
from .views import Studio, moved, reencoded

Rng: TypeAlias = np.random.Generator

FRAMES = 250
"""Frames of a shard."""

CROPS = 8
"""Crops of a frame: five of it as it is, three of it re-encoded."""

PLAIN = 0.6
"""Share of frames that are plain windows of pictures; the others are composed, many of them
shown on a screen or in print (`views.py`)."""

LARGE_FRAMES = ((640, 480), (480, 640), (640, 640), (960, 720))
"""Frames of every fifth shard: their samples lie further apart."""

LARGE_EVERY = 5


def make_shard(path: Path, studio: Studio, seed: tuple[int, ...], large: bool = False) -> None:
    """Writes `crops` (FRAMES * CROPS, SIZE, SIZE, 3), crops of one frame together; `large`: of
    LARGE_FRAMES instead of the usual ones."""
    rng = np.random.default_rng(seed)
    out = np.empty((FRAMES * CROPS, SIZE, SIZE, 3), np.uint8)
    for i in range(FRAMES):
        size = LARGE_FRAMES[rng.integers(len(LARGE_FRAMES))] if large else None
        shot = plain_shot(studio, rng, size) if rng.random() < PLAIN else studio.shot(rng, size)
        out[i * CROPS : (i + 1) * CROPS] = crops_of(shot.frame, shot.box, rng)
    scratch = path.with_suffix(".tmp.npy")
    np.save(scratch, out)
    scratch.replace(path)


def crops_of(frame: np.ndarray, box: np.ndarray, rng: Rng) -> np.ndarray:
    """CROPS crops of one face."""
    again = [reencoded(frame, rng) for _ in range(3)]
    frames = [(frame, box)] * (CROPS - len(again)) + [(image, box * scale) for image, scale in again]
    views = []
    for index, (image, where) in enumerate(frames):
        if index:
            where = moved(where, rng)
            if rng.random() < 0.5:
                # Another detector's proportions.
                middle, half = (where[:2] + where[2:]) / 2, (where[2:] - where[:2]) / 2
                half = half * np.exp(rng.uniform(-0.08, 0.08, 2))
                where = np.concatenate([middle - half, middle + half])
        views.append(crops.sampled_crop(image, tuple(where), FACTOR, SIZE))
    return np.stack(views)


def varied(images: np.ndarray, rng: Rng) -> np.ndarray:
    """A batch (n, s, s, 3) coloured, mirrored, grained and blended anew, each crop its own way."""
    count = len(images)
    x = images.astype(np.float32)
    flip = rng.random(count) < 0.5
    x[flip] = x[flip, :, ::-1]
    tone = rng.random(count) < 0.6
    gain = np.exp(rng.normal(0, 0.18, (count, 1, 1, 1)) + rng.normal(0, 0.07, (count, 1, 1, 3))).astype(np.float32)
    lift = rng.normal(0, 10, (count, 1, 1, 1)).astype(np.float32)
    x[tone] = x[tone] * gain[tone] + lift[tone]
    grain = rng.random(count) < 0.25
    if grain.any():
        sigma = rng.uniform(0.5, 7, (int(grain.sum()), 1, 1, 1)).astype(np.float32)
        x[grain] += rng.standard_normal(x[grain].shape, np.float32) * sigma
    blend = np.flatnonzero(rng.random(count) < 0.06)
    x[blend] += (x[rng.permutation(count)[: len(blend)]] - x[blend]) * rng.uniform(0, 0.5, (len(blend), 1, 1, 1)).astype(np.float32)
    return np.clip(x + 0.5, 0, 255).astype(np.uint8)


def generate(scenes: list[Scene], folder: Path, held_out: bool, first: int, step: int, last: int) -> None:
    """Makes the shards first, first + step, ... below `last` that don't exist yet."""
    os.setsid()
    folder.mkdir(parents=True, exist_ok=True)
    studio = Studio([s for s in scenes if s.held_out == held_out])
    for number in range(first, last, step):
        path = folder / f"{number:05d}.npy"
        if not path.exists():
            make_shard(path, studio, (int(held_out), number, 80), number % LARGE_EVERY == LARGE_EVERY - 1)
