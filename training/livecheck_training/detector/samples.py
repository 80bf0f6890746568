"""What the detector learns from: images in memory with their faces.

Faces come from ``faces.csv`` (human boxes where they exist, YuNet's elsewhere)
and from the face crops of ``masks.csv`` (YuNet boxes); face-free pictures from
``faces.csv`` and from the recapture photos in which YuNet sees no face.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..data import ImageSet, load_rgb, open_set, share_of
from ..runlog import write_json
from ..teachers import YuNet, iou

#: Share of the training images, by hash of their name, that select the checkpoint.
HELD_OUT = 0.1
#: A picture counts as face-free when YuNet's best score in it stays below this.
FACE_FREE_BELOW = 0.3
#: A teacher box on a mask crop is believed from this score on.
MASK_CROP_SCORE = 0.7

#: Labels of faces whose boxes a human drew; the others are the teacher's.
HUMAN_LABELS = frozenset({"with_mask", "without_mask", "incorrect"})
#: The teacher's passes over an image: its input, and the share of it that the image
#: fills. Its landmarks move by 8 % of the eye distance from pass to pass; the mean of
#: many passes is what can be learnt.
PASSES = ((320, 1.0), (320, 0.93), (320, 0.86), (320, 0.7))
#: The same over face crops.
CROP_PASSES = PASSES[:1]
#: The teacher's opinion of a face counts from this score on, and with this IoU.
OPINION_SCORE = 0.5
OPINION_OVERLAP = 0.5

POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


@dataclass
class Sample:
    """One image. ``boxes`` (n, 4) x0 y0 x1 y1 and ``landmarks`` (n, 5, 2) in its
    pixels; landmarks that nobody knows are NaN. ``labels`` as in the manifest."""

    name: str
    source: str
    image: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    labels: list[str]


def faces_of(rows: list[dict[str, str]]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Boxes, landmarks and labels of one image's rows in ``faces.csv``."""
    boxes, landmarks, labels = [], [], []
    for row in rows:
        if row["label"] == "none":
            continue
        x, y, w, h = (float(row[k]) for k in "xywh")
        boxes.append((x, y, x + w, y + h))
        known = row["left_eye_x"] != ""
        landmarks.append([[float(row[f"{p}_{a}"]) if known else np.nan for a in "xy"] for p in POINTS])
        labels.append(row["label"])
    return (
        np.asarray(boxes, np.float32).reshape(-1, 4),
        np.asarray(landmarks, np.float32).reshape(-1, 5, 2),
        labels,
    )


def read_faces(faces: ImageSet, split: str) -> list[Sample]:
    """Every image of one split of ``faces.csv``, decoded."""
    by_image: dict[str, list[dict[str, str]]] = {}
    for row in faces.rows:
        if row["split"] == split:
            by_image.setdefault(row["image"], []).append(row)
    return [
        Sample(name, rows[0]["source"], load_rgb(faces.path(name)), *faces_of(rows))
        for name, rows in by_image.items()
    ]


@dataclass
class TrainingData:
    """Training images by what they are good for, and the held-out ones."""

    faces: list[Sample]
    crops: list[Sample]
    negatives: list[Sample]
    held_out: list[Sample]
    sets: list[ImageSet]

    def counts(self) -> dict[str, int]:
        """Images and faces, for the run record."""
        return {
            "face_images": len(self.faces),
            "faces": sum(len(s.boxes) for s in self.faces),
            "mask_crops": len(self.crops),
            "face_free": len(self.negatives),
            "held_out_images": len(self.held_out),
        }


def read_training_data(data: Path, cache: Path, teachers: Path) -> TrainingData:
    """Reads all training images into memory (about 3 GB).

    What YuNet sees in them is kept in the cache, because looking takes ten minutes.
    """
    sets = {name: open_set(name, data, cache) for name in ("faces", "masks", "recapture", "recapture_whole")}
    train, held_out = [], []
    teacher = _Teacher(teachers, cache)
    opinions = teacher.opinions(_training_part(sets["faces"]), PASSES)
    for sample in read_faces(sets["faces"], "train"):
        if share_of(sample.name, "detector") < HELD_OUT:
            held_out.append(sample)
        else:
            train.append(agreed(sample, opinions[sample.name], [label in HUMAN_LABELS for label in sample.labels]))
    faces = [s for s in train if len(s.boxes)]
    negatives = [s for s in train if not len(s.boxes)]
    crops = []
    for name in ("recapture_whole", "recapture", "masks"):
        seen = teacher.opinions(sets[name], CROP_PASSES if name == "masks" else PASSES[:1])
        for row in sets[name].rows:
            image = row["image"]
            found = seen[image]
            if name == "masks":
                good = [f for f in found if f["pass"] == 0 and f["score"] >= MASK_CROP_SCORE]
                if len(good) == 1 and share_of(image, "detector") >= HELD_OUT:
                    crops.append(agreed(_sample(sets[name], row, good, row["label"]), found, [False]))
            elif all(f["score"] < FACE_FREE_BELOW for f in found):
                out = share_of(image, "detector") < HELD_OUT
                (held_out if out else negatives).append(_sample(sets[name], row, [], "none"))
    return TrainingData(faces, crops, negatives, held_out, list(sets.values()))


def _training_part(faces: ImageSet) -> ImageSet:
    """One row for each training image."""
    images = dict.fromkeys(r["image"] for r in faces.rows if r["split"] == "train")
    return replace(faces, rows=[{"image": i} for i in images])


class _Teacher:
    """YuNet's opinions, looked up in the cache where they were asked for before."""

    def __init__(self, folder: Path, cache: Path):
        self._folder, self._cache = folder, cache
        self._nets: dict[int, YuNet] = {}

    def opinions(self, images: ImageSet, passes: tuple[tuple[int, float], ...]) -> dict[str, list[dict]]:
        """What each pass sees in each image; ``pass`` tells them apart."""
        seen: dict[str, list[dict]] = {}
        for number, (size, fill) in enumerate(passes):
            known = self._cache / f"yunet{size}-{fill:.2f}-{images.name}-{images.manifest_sha256[:12]}.json"
            if not known.exists():
                if size not in self._nets:
                    self._nets[size] = YuNet(self._folder, size)
                write_json(known, _look(self._nets[size], fill, images))
            for image, found in json.loads(known.read_text()).items():
                seen.setdefault(image, []).extend(f | {"pass": number} for f in found)
        return seen


def agreed(sample: Sample, opinions: list[dict], human: list[bool]) -> Sample:
    """The sample with each landmark averaged over the manifest and the teacher's
    opinions of the same face. The teacher's own boxes are averaged too; a box that a
    human drew stays as it is, because the mean would be neither's convention."""
    boxes, landmarks = sample.boxes.copy(), sample.landmarks.copy()
    sure = [o for o in opinions if o["score"] >= OPINION_SCORE]
    for i, box in enumerate(sample.boxes):
        same = [o for o in sure if iou(box, np.array([o["box"]], np.float32))[0] >= OPINION_OVERLAP]
        if not same:
            continue
        if not human[i]:
            boxes[i] = np.mean([box, *(o["box"] for o in same)], axis=0)
        points = [sample.landmarks[i], *(np.array(o["landmarks"]) for o in same)]
        landmarks[i] = np.mean([p for p in points if not np.isnan(p).any()], axis=0)
    return replace(sample, boxes=boxes, landmarks=landmarks)


def _look(yunet: YuNet, fill: float, images: ImageSet) -> dict[str, list[dict]]:
    seen = {}
    for row in images.rows:
        image = load_rgb(images.path(row["image"]))
        shift = _margin(image) if images.name == "masks" else 0
        found = yunet.detect(padded(image) if shift else image, FACE_FREE_BELOW, fill=fill)
        seen[row["image"]] = [
            {"score": float(s), "box": (b - shift).tolist(), "landmarks": (p - shift).tolist()}
            for s, b, p in zip(found.scores, found.boxes, found.landmarks)
        ]
    return seen


def _margin(image: np.ndarray) -> int:
    return max(image.shape[:2]) // 3


def padded(image: np.ndarray) -> np.ndarray:
    """A face crop on a grey border of a third of its longer side, so that a
    detector trained on whole pictures sees a face and not a wall of skin."""
    margin = _margin(image)
    height, width = image.shape[:2]
    out = Image.new("RGB", (width + 2 * margin, height + 2 * margin), (110, 110, 110))
    out.paste(Image.fromarray(image), (margin, margin))
    return np.asarray(out)


def _sample(images: ImageSet, row: dict[str, str], found: list[dict], label: str) -> Sample:
    return Sample(
        f"{images.name}/{row['image']}",
        row["source"],
        load_rgb(images.path(row["image"])),
        np.asarray([f["box"] for f in found], np.float32).reshape(-1, 4),
        np.asarray([f["landmarks"] for f in found], np.float32).reshape(-1, 5, 2),
        [label] * len(found),
    )
