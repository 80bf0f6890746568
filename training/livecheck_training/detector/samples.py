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

    What YuNet sees in the recapture photos and mask crops is kept in the cache,
    because looking takes minutes.
    """
    sets = {name: open_set(name, data, cache) for name in ("faces", "masks", "recapture", "recapture_whole")}
    train, held_out = [], []
    opinions = _teacher_opinions(sets["faces"], cache, teachers)
    for sample in read_faces(sets["faces"], "train"):
        if share_of(sample.name, "detector") < HELD_OUT:
            held_out.append(sample)
        else:
            train.append(agreed(sample, opinions[sample.name]))
    faces = [s for s in train if len(s.boxes)]
    negatives = [s for s in train if not len(s.boxes)]
    crops = []
    yunet = None
    for name in ("recapture_whole", "recapture", "masks"):
        known = cache / f"yunet-{name}-{sets[name].manifest_sha256[:12]}.json"
        if not known.exists():
            yunet = yunet or YuNet(teachers, 320)
            write_json(known, _look(yunet, sets[name]))
        seen = json.loads(known.read_text())
        for row in sets[name].rows:
            image = row["image"]
            found = seen[image]
            if name == "masks":
                good = [f for f in found if f["score"] >= MASK_CROP_SCORE]
                if len(good) == 1 and share_of(image, "detector") >= HELD_OUT:
                    crops.append(_sample(sets[name], row, good, row["label"]))
            elif all(f["score"] < FACE_FREE_BELOW for f in found):
                out = share_of(image, "detector") < HELD_OUT
                (held_out if out else negatives).append(_sample(sets[name], row, [], "none"))
    return TrainingData(faces, crops, negatives, held_out, list(sets.values()))


def _teacher_opinions(faces: ImageSet, cache: Path, teachers: Path) -> dict[str, list[dict]]:
    """What YuNet sees in the training images at 320 and at 640."""
    train = ImageSet(
        faces.name,
        [{"image": i} for i in dict.fromkeys(r["image"] for r in faces.rows if r["split"] == "train")],
        faces.folder,
        faces.manifest_sha256,
    )
    seen: dict[str, list[dict]] = {}
    for size in (320, 640):
        known = cache / f"yunet{size}-faces-{faces.manifest_sha256[:12]}.json"
        if not known.exists():
            write_json(known, _look(YuNet(teachers, size), train))
        for image, found in json.loads(known.read_text()).items():
            seen.setdefault(image, []).extend(found)
    return seen


def agreed(sample: Sample, opinions: list[dict]) -> Sample:
    """The sample with each box and landmark averaged over the manifest and the
    teacher's opinions of the same face: less noise, one convention for all
    sources, and points for faces that lacked them."""
    boxes, landmarks = sample.boxes.copy(), sample.landmarks.copy()
    sure = [o for o in opinions if o["score"] >= OPINION_SCORE]
    for i, box in enumerate(sample.boxes):
        same = [o for o in sure if iou(box, np.array([o["box"]], np.float32))[0] >= OPINION_OVERLAP]
        if same:
            boxes[i] = np.mean([box, *(o["box"] for o in same)], axis=0)
            points = [sample.landmarks[i], *(np.array(o["landmarks"]) for o in same)]
            landmarks[i] = np.mean([p for p in points if not np.isnan(p).any()], axis=0)
    return replace(sample, boxes=boxes, landmarks=landmarks)


def _look(yunet: YuNet, images: ImageSet) -> dict[str, list[dict]]:
    seen = {}
    for row in images.rows:
        image = load_rgb(images.path(row["image"]))
        if images.name == "masks":
            found = yunet.detect(padded(image), FACE_FREE_BELOW)
            shift = _margin(image)
        else:
            found, shift = yunet.detect(image, FACE_FREE_BELOW), 0
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
