"""Pictures with their faces, from `faces`, `masks` and `recapture_whole`.

Boxes are YuNet's, the kind of box that the product cuts by. Pictures without a face
serve as backgrounds and, with made-up boxes, as views of their own.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..data import ImageSet, load_rgb, share_of
from ..teachers import YuNet

LEFT_OUT = frozenset({"Ishika-Tanwar", "LegenD742", "Tanya0916"})
"""Recapture photographers that never train: they choose and calibrate."""

HELD_OUT = 0.1
"""Share of the other pictures that never trains either."""

SMALLEST_FACE = 28.0
"""Shorter side of the smallest face used, in pixels."""

LONGEST_SIDE = 640
"""Stored pictures are shrunk to this."""


@dataclass(frozen=True)
class Scene:
    """A picture, its faces (n, 4) as x0, y0, x1, y1, and what it is: "real", "replay"
    (a photographed screen) or "crop" (little but a face)."""

    image: np.ndarray
    faces: np.ndarray
    kind: str
    source: str
    key: str

    @property
    def held_out(self) -> bool:
        return is_held_out(self.source, self.key)


def is_held_out(source: str, key: str) -> bool:
    """Whether a picture chooses and calibrates, and so never trains."""
    return source in LEFT_OUT or share_of(key, "liveness") < HELD_OUT


def gather(faces: ImageSet, masks: ImageSet, recapture: ImageSet, teachers: Path, cache: Path) -> list[Scene]:
    """All scenes that may train, calibrate or select; cached by the manifests' hashes."""
    name = "-".join(s.manifest_sha256[:8] for s in (faces, masks, recapture))
    stored = cache / f"liveness-scenes-{name}.pickle"
    if stored.exists():
        return pickle.loads(stored.read_bytes())
    yunet = YuNet(teachers, 640)
    scenes = []
    pictures = {r["image"]: r["source"] for r in faces.rows if r["split"] == "train"}
    for key, source in pictures.items():
        scenes.append(scene(load_rgb(faces.path(key)), "real", source, key, yunet))
    for row in recapture.rows:
        kind = "real" if row["class"] == "real" else "replay"
        scenes.append(scene(load_rgb(recapture.path(row["image"])), kind, row["source"], row["image"], yunet))
    crops_yunet = YuNet(teachers, 320)
    for row in masks.rows:
        if row["kind"] == "real" and min(int(row["width"]), int(row["height"])) >= 64:
            one = scene(load_rgb(masks.path(row["image"])), "crop", row["source"], row["image"], crops_yunet, 0.2)
            if len(one.faces):
                scenes.append(one)
    stored.write_bytes(pickle.dumps(scenes))
    return scenes


def scene(image: np.ndarray, kind: str, source: str, key: str, yunet: YuNet, pad: float = 0.0) -> Scene:
    """Shrinks the picture where it's large and finds its faces; `pad` widens it for the search."""
    height, width = image.shape[:2]
    shrink = min(1.0, LONGEST_SIDE / max(width, height))
    if shrink < 1:
        image = np.asarray(Image.fromarray(image).resize((round(width * shrink), round(height * shrink)), Image.Resampling.BILINEAR))
    extra = int(pad * max(image.shape[:2]))
    found = yunet.detect(np.pad(image, ((extra, extra), (extra, extra), (0, 0))), 0.6)
    boxes = found.boxes.astype(np.float64) - extra
    boxes = boxes[np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) >= SMALLEST_FACE]
    return Scene(image, boxes, kind, source, key)
