"""Makes training views ahead of the trainer and keeps them as numbered shards in the cache.

Shard `n` depends on the scenes, this code and `n` alone. Several processes may make
shards at once: process k of m makes k, k + m, k + 2m, ...
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..teachers import SilentFacePair
from .net import SIZE
from .scenes import Scene
from .views import CROPS, Studio

VIEWS = 500
"""Views of a shard."""

HELD_OUT_SHARDS = 2
"""Shards made from held-out scenes, to measure and select on."""


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npz"


def make_shard(path: Path, studio: Studio, pair: SilentFacePair, seed: tuple[int, ...]) -> None:
    """Writes one shard: `crops` (views, CROPS, SIZE, SIZE, 3), `live` and `attack` (views,)."""
    rng = np.random.default_rng(seed)
    crops = np.empty((VIEWS, CROPS, SIZE, SIZE, 3), np.uint8)
    live, attack = np.empty(VIEWS, np.float32), np.empty(VIEWS, np.int8)
    for i in range(VIEWS):
        view = studio.view(pair, rng)
        crops[i], live[i], attack[i] = view.crops, view.live, view.attack
    scratch = path.with_suffix(".tmp.npz")
    np.savez(scratch, crops=crops, live=live, attack=attack)
    scratch.replace(path)


def generate(scenes: list[Scene], teachers: Path, folder: Path, held_out: bool, first: int, step: int, last: int) -> None:
    """Makes the shards first, first + step, ... below `last` that don't exist yet."""
    # A session of its own: Linux shares the processor among sessions first.
    os.setsid()
    folder.mkdir(parents=True, exist_ok=True)
    studio = Studio([s for s in scenes if s.held_out == held_out])
    pair = SilentFacePair(teachers)
    for number in range(first, last, step):
        path = shard_path(folder, number)
        if not path.exists():
            make_shard(path, studio, pair, (int(held_out), number))
