"""The photos and patches, their photographers, their folds, and which belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..data import ImageSet, load_rgb

FOLDS = 5

TOGETHER = (frozenset({"Aayush-Creates", "ShubhSharma34"}),)
"""Photographers who share photos: never apart."""

PATCH = 320
"""Side of a patch, in pixels of the photo as it was taken."""

SAME_SHAPE = 0.02
"""How far the ratio of width to height may differ between a photo and the one that a patch names."""


@dataclass(frozen=True)
class Photos:
    """`images` (h, w, 3) of one set, and for each: is it a photographed screen (`replay`), whose
    photo (`source`), does resolution or orientation possibly track its class (`tier` "B") or not
    ("A"), and the `fold` that it is measured in."""

    images: list[np.ndarray]
    replay: np.ndarray
    source: np.ndarray
    tier: np.ndarray
    fold: np.ndarray

    @classmethod
    def read(cls, images: ImageSet, folds: dict[str, int]) -> Photos:
        rows = images.rows
        return cls(
            [load_rgb(images.path(r["image"])) for r in rows],
            np.array([r["class"] == "replay" for r in rows]),
            np.array([r["source"] for r in rows]),
            np.array([r["tier"] for r in rows]),
            np.array([folds[r["source"]] for r in rows]),
        )

    def __len__(self) -> int:
        return len(self.replay)


def assign_folds(sources: Iterable[str]) -> dict[str, int]:
    """Photographer to fold, from one entry a photo: the one with most photos first, each into the
    fold that has fewest by then."""
    groups = Counter("+".join(sorted(next((t for t in TOGETHER if s in t), {s}))) for s in sources)
    photos, folds = [0] * FOLDS, {}
    for group, count in sorted(groups.items(), key=lambda item: (-item[1], item[0])):
        fold = int(np.argmin(photos))
        photos[fold] += count
        folds.update(dict.fromkeys(group.split("+"), fold))
    return folds


def patches_of(whole: ImageSet, photos: list[np.ndarray], patch: ImageSet, patches: list[np.ndarray]) -> list[list[int]]:
    """For each photo the indices of the patches that were cut from it. Names don't say: a patch
    belongs to the photo by the same photographer, class and shape that looks most like it at the
    place where the patch was cut, if it looks alike enough."""
    out: list[list[int]] = [[] for _ in photos]
    for i, row in enumerate(patch.rows):
        size = np.array([int(row["source_width"]), int(row["source_height"])])
        corner = np.array([int(row["patch_x"]), int(row["patch_y"])])
        best, found = -np.inf, None
        for j, other in enumerate(whole.rows):
            if (other["source"], other["class"]) != (row["source"], row["class"]):
                continue
            here = np.array(photos[j].shape[1::-1])
            if abs(here[0] / here[1] / (size[0] / size[1]) - 1) > SAME_SHAPE:
                continue
            scale = here / size
            box = np.concatenate([corner * scale, np.minimum((corner + PATCH) * scale, here)])
            correlation, difference = alike(photos[j], tuple(box), patches[i])
            if correlation - difference / 20 > best:
                best, found = correlation - difference / 20, (j, correlation, difference)
        if found and is_same(*found[1:]):
            out[found[0]].append(i)
    return out


def alike(photo: np.ndarray, box: tuple[float, ...], patch: np.ndarray) -> tuple[float, float]:
    """Correlation, and mean difference in grey levels, of a photo's part and a patch at the photo's scale."""
    side = max(4, round(box[2] - box[0]))
    part = np.asarray(Image.fromarray(photo).resize((side, side), Image.Resampling.BILINEAR, box=box), np.float64).ravel()
    small = np.asarray(Image.fromarray(patch).resize((side, side), Image.Resampling.BOX), np.float64).ravel()
    spread = part.std() * small.std()
    correlation = ((part - part.mean()) * (small - small.mean())).mean() / spread if spread > 0 else 0.0
    return float(correlation), float(np.abs(part - small).mean())


def is_same(correlation: float, difference: float) -> bool:
    """Whether a patch shows that part: alike in pattern, or, where there is little pattern, in level."""
    return (correlation > 0.9 and difference < 12) or (correlation > 0.7 and difference < 4)
