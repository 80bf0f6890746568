"""Faces with landmarks and a label, from `faces` and `masks`.

`incorrect` (worn below the nose or chin) counts as covered, as in the product.
A face without landmarks in its manifest gets YuNet's, or is left out.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .. import crops
from ..data import ImageSet, load_rgb, share_of
from ..teachers import YuNet, iou
from .net import SIZE

POINTS = tuple(
    f"{point}_{axis}" for point in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right") for axis in "xy"
)

SMALLEST_FACE = 28.0
"""Faces with a shorter side below this, in pixels, are too blurred to learn from."""

CONTEXT = 0.5
"""Margin kept about a stored face, in face sides."""

LARGEST_SCALE = 1.5
"""Stored faces are shrunk to at most this many image pixels per crop pixel."""

HELD_OUT = 0.1
"""Share of the training images that only choose the checkpoint."""


@dataclass(frozen=True)
class Sample:
    """A face cut with some context; landmarks of shape (5, 2) in its pixels."""

    image: np.ndarray
    landmarks: np.ndarray
    label: str
    kind: str
    source: str
    key: str
    side: float
    """Shorter side of the face box in the stored picture, in pixels."""

    @property
    def covered(self) -> bool:
        return self.label != "without_mask"

    @property
    def held_out(self) -> bool:
        return share_of(self.key, "mask") < HELD_OUT


def gather(faces: ImageSet, masks: ImageSet, split: str, teachers: Path, cache: Path) -> list[Sample]:
    """All usable faces of a split (`masks` is all training). Cached by the manifests' hashes."""
    stored = cache / f"mask-{split}-{faces.manifest_sha256[:8]}-{masks.manifest_sha256[:8]}.pickle"
    if stored.exists():
        return pickle.loads(stored.read_bytes())
    yunet = YuNet(teachers, 320)
    samples = list(from_faces(faces, split, yunet))
    if split == "train":
        samples += from_masks(masks, yunet)
    stored.write_bytes(pickle.dumps(samples))
    return samples


def from_faces(faces: ImageSet, split: str, yunet: YuNet) -> Iterator[Sample]:
    """Labelled faces; a teacher's box without a label is a bare face in these sources."""
    for row in faces.rows:
        if row["split"] != split or row["label"] in ("none", "unlabelled"):
            continue
        box = np.array([float(row[k]) for k in "xywh"])
        if min(box[2:]) < SMALLEST_FACE:
            continue
        box[2:] += box[:2]
        frame = load_rgb(faces.path(row["image"]))
        if row["nose_x"]:
            landmarks = np.array([float(row[p]) for p in POINTS]).reshape(5, 2)
        else:
            found = find_landmarks(frame, box, yunet)
            if found is None:
                continue
            landmarks = found
        yield cut(frame, box, landmarks, row["label"] or "without_mask", "real", row["source"], row["image"])


def from_masks(masks: ImageSet, yunet: YuNet) -> Iterator[Sample]:
    """Face crops; the whole picture is the box."""
    for row in masks.rows:
        frame = load_rgb(masks.path(row["image"]))
        height, width = frame.shape[:2]
        box = np.array([0.0, 0.0, width, height])
        landmarks = find_landmarks(frame, box, yunet)
        if landmarks is not None and min(width, height) >= SMALLEST_FACE:
            yield cut(frame, box, landmarks, row["label"], row["kind"], row["source"], row["image"])


def find_landmarks(frame: np.ndarray, box: np.ndarray, yunet: YuNet) -> np.ndarray | None:
    """YuNet's landmarks of the face in `box`, looked for in the box with a margin."""
    side = max(box[2:] - box[:2])
    left, top = np.floor((box[:2] + box[2:]) / 2 - side).astype(int)
    span = int(np.ceil(2 * side))
    patch = np.zeros((span, span, 3), np.uint8)
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + span, width), min(top + span, height)
    patch[y0 - top : y1 - top, x0 - left : x1 - left] = frame[y0:y1, x0:x1]
    faces = yunet.detect(patch, 0.4)
    if not len(faces):
        return None
    overlap = iou(box - (left, top, left, top), faces.boxes)
    best = int(np.argmax(overlap))
    return faces.landmarks[best].astype(np.float64) + (left, top) if overlap[best] >= 0.3 else None


def cut(
    frame: np.ndarray, box: np.ndarray, landmarks: np.ndarray, label: str, kind: str, source: str, key: str
) -> Sample:
    """Keeps the face with `CONTEXT` about it, shrunk where it's larger than needed."""
    margin = CONTEXT * (box[2:] - box[:2]).max()
    height, width = frame.shape[:2]
    low = np.clip(np.floor(np.minimum(box[:2], landmarks.min(0)) - margin), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(np.maximum(box[2:], landmarks.max(0)) + margin), low + 1, (width, height)).astype(int)
    image, points = frame[low[1] : high[1], low[0] : high[0]], landmarks - low
    a, b, _, _ = crops.face_to_image(points, SIZE)
    shrink = LARGEST_SCALE / max(np.hypot(a, b), LARGEST_SCALE)
    if shrink < 1:
        size = np.maximum(np.round((high - low) * shrink), 1).astype(int)
        image = np.asarray(Image.fromarray(image).resize(tuple(size), Image.Resampling.BOX))
        points = points * size / (high - low)
    return Sample(np.ascontiguousarray(image), points, label, kind, source, key, float(min(box[2:] - box[:2])))
