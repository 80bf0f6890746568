"""Training windows: what the refiner would be shown of pictures whose faces are known.

The detector's own proposals are taken, and boxes moved at random about known faces. Then the
picture may end within the face, parts of the face are covered, which lowers the score asked for,
and the camera is varied, which does not, all as in the detector's views.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..crops import placed_crop, window_crop
from ..data import sha256_of
from ..detector.predict import Finder, Refine, mixed_scores
from ..detector.samples import HUMAN_LABELS, Sample, TrainingData
from ..detector.views import LARGE_SIDE, ViewMaker, ViewSettings, score_when_cut
from ..runlog import write_json
from ..teachers import Faces, iou
from .lookalikes import hand, scrambled
from .net import FACTOR, SIZE
from .points import SOURCE

LEAST_SCORE = 0.1
"""Proposals of the detector are collected from this score on."""

FACE_OVERLAP = 0.45
"""A proposal with this IoU to a known face stands for it..."""

OTHER_OVERLAP = 0.25
"""... and with less than this to every known one for none."""

UNSURE_SCORE = 0.4
"""In a picture with faces, a proposal on none of them counts as no face below this score of the
detector: above, it may be a face that nobody labelled."""

MOST_RATED = 8
"""Proposals of a face-free picture that a trained net sees again."""

BATCH = 256
"""Proposals that are rated at a time."""

SMALLEST = 16
"""Faces with a shorter side below this, in pixels, are not learnt from."""


@dataclass(frozen=True)
class WindowSettings:
    """Probabilities and ranges of the windows. Lengths are shares of the face's mean side."""

    #: Windows without a face...
    other: float = 0.4
    #: ... which are the detector's proposals, parts of faces, drawn hands or scrambled faces; the rest is
    #: taken at random.
    proposed_other: float = 0.65
    part: float = 0.15
    hand: float = 0.0
    scrambled: float = 0.0
    #: Faces: of these groups, by share.
    large: float = 0.40
    any_face: float = 0.25
    crop: float = 0.20
    #: The rest: portraits whose points come from many passes of the teacher.
    proposed: float = 0.4
    shift: float = 0.07
    scale: float = 0.10
    far: float = 0.25
    far_factor: float = 2.5
    turn: float = 0.3
    turn_degrees: float = 30.0
    end: float = 0.15
    occlude: float = 0.2


SECOND = WindowSettings(
    other=0.5, proposed_other=0.55, part=0.08, hand=0.15, scrambled=0.10, large=0.30, any_face=0.22, crop=0.16, far=0.15
)
"""For a run that goes on from a trained net: more portraits, proposals nearer to the face, and more of what
that net takes for a face."""

@dataclass
class Window:
    """`image` (80, 80, 3) uint8; `score` asked for, -1 where it doesn't matter; `box` (4,) and `points`
    (10,) in sides of the window, NaN where unknown."""

    image: np.ndarray
    score: float
    box: np.ndarray
    points: np.ndarray


@dataclass(frozen=True)
class Proposal:
    """A box that the detector proposed in a sample, and its score."""

    sample: Sample
    box: np.ndarray
    score: float


def strongest(proposed: list[Proposal]) -> list[Proposal]:
    """The `MOST_RATED` of each picture that the detector is surest of."""
    by_sample: dict[int, list[Proposal]] = {}
    for proposal in proposed:
        by_sample.setdefault(id(proposal.sample), []).append(proposal)
    return [p for group in by_sample.values() for p in sorted(group, key=lambda p: -p.score)[:MOST_RATED]]


def rated(proposed: list[Proposal], refine: Refine) -> list[Proposal]:
    """The proposals with the scores that detector and refiner give together."""
    out = []
    for first in range(0, len(proposed), BATCH):
        batch = proposed[first : first + BATCH]
        windows = np.stack([window_crop(p.sample.image, tuple(p.box), FACTOR, SIZE) for p in batch])
        scores = mixed_scores(np.array([p.score for p in batch]), refine(windows)[:, 0])
        out += [replace(p, score=float(score)) for p, score in zip(batch, scores)]
    return out


def proposals(finder: Finder, model: Path, samples: list[Sample], seed: int, cache: Path) -> list[Proposal]:
    """What the detector proposes in each picture: in the whole, and in two random parts of it, one of
    them mirrored. Kept in the cache, because looking takes minutes."""
    known = cache / f"proposals-{sha256_of(model)[:12]}-{len(samples)}-{seed}.json"
    if not known.exists():
        random = np.random.default_rng(seed)
        write_json(known, [_look(finder, sample.image, random) for sample in samples])
    seen = json.loads(known.read_text())
    return [Proposal(s, np.array(row[:4], np.float32), row[4]) for s, rows in zip(samples, seen) for row in rows]


def _look(finder: Finder, image: np.ndarray, random: np.random.Generator) -> list[list[float]]:
    height, width = image.shape[:2]
    rows = _rows(finder.detect(image, LEAST_SCORE), 0, 0, 0)
    for mirrored in (0, 1):
        share = random.uniform(0.35, 0.9)
        w, h = max(int(width * share), 16), max(int(height * share), 16)
        x, y = (int(random.uniform(0, max(room, 0) + 1)) for room in (width - w, height - h))
        part = image[y : y + h, x : x + w]
        w = part.shape[1]
        part = np.ascontiguousarray(part[:, ::-1]) if mirrored else part
        rows += _rows(finder.detect(part, LEAST_SCORE), x, y, w * mirrored)
    return rows


def _rows(found: Faces, x: int, y: int, width: int) -> list[list[float]]:
    """Boxes with scores in pixels of the picture; `width` of a mirrored part, else 0."""
    rows = []
    for (x0, y0, x1, y1), score in zip(found.boxes.tolist(), found.scores.tolist()):
        if width:
            x0, x1 = width - x1, width - x0
        rows.append([round(v, 2) for v in (x0 + x, y0 + y, x1 + x, y1 + y)] + [round(score, 4)])
    return rows


class WindowMaker:
    """Draws windows from the training data; the generator decides everything."""

    def __init__(self, data: TrainingData, proposed: list[Proposal], seed: int, settings: WindowSettings = WindowSettings()):
        self.settings = settings
        self.views = ViewMaker(data, seed, ViewSettings(blur=0.25, coarse=0.3))
        self.random = self.views.random
        every = [(s, i) for s in data.faces for i in range(len(s.boxes)) if _side(s.boxes[i]) >= SMALLEST]
        self._large = [(s, i) for s, i in every if s.labels[i] in HUMAN_LABELS and _side(s.boxes[i]) >= LARGE_SIDE]
        self._any = every
        self._crops = [(s, 0) for s in data.crops]
        self._portraits = [(s, i) for s, i in every if s.source == SOURCE and _side(s.boxes[i]) >= LARGE_SIDE]
        self._negatives = data.negatives
        self._on_face: dict[tuple[int, int], list[np.ndarray]] = {}
        self._on_none: list[Proposal] = []
        for p in proposed:
            overlap = iou(p.box, p.sample.boxes) if len(p.sample.boxes) else np.zeros(1)
            if overlap.max() >= FACE_OVERLAP:
                self._on_face.setdefault((id(p.sample), int(overlap.argmax())), []).append(p.box)
            elif overlap.max() < OTHER_OVERLAP and (not len(p.sample.boxes) or p.score < UNSURE_SCORE):
                self._on_none.append(p)
        # The likelier the detector finds it, the oftener it is shown.
        weight = np.array([p.score**2 for p in self._on_none])
        self._on_none_chance = weight / weight.sum()

    def counts(self) -> dict[str, int]:
        """How many there are of each kind, for the run record."""
        return {
            "large_faces": len(self._large),
            "faces": len(self._any),
            "mask_crops": len(self._crops),
            "portraits": len(self._portraits),
            "proposals_on_faces": sum(map(len, self._on_face.values())),
            "proposals_on_none": len(self._on_none),
        }

    def window(self) -> Window:
        """One window."""
        if self._chance(self.settings.other):
            return self._other()
        return self._face()

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def _pick(self, things: list):
        return things[self.random.integers(len(things))]

    def _moved(self, box: np.ndarray, factor: float = 1.0) -> np.ndarray:
        """The box with its centre and size changed at random."""
        s, centre, half = self.settings, (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        centre = centre + self.random.normal(0, s.shift * factor, 2) * 2 * half.mean()
        half = half * np.exp(self.random.normal(0, s.scale * factor))
        return np.concatenate([centre - half, centre + half])

    def _face(self) -> Window:
        s, draw = self.settings, self.random.random()
        groups = ((s.large, self._large), (s.any_face, self._any), (s.crop, self._crops), (1.0, self._portraits))
        for share, group in groups:  # noqa: B007, the last one drawn is used below
            draw -= share
            if draw < 0:
                break
        sample, face = self._pick(group)
        known = self._on_face.get((id(sample), face))
        box = sample.boxes[face]
        if known and self._chance(s.proposed):
            seen = self._moved(self._pick(known), 0.3)
        else:
            seen = self._moved(box, s.far_factor if self._chance(s.far) else 1.0)
        return self._cut_out(sample, seen, face)

    def _other(self) -> Window:
        s, draw = self.settings, self.random.random()
        if draw < s.proposed_other and self._on_none:
            p = self._on_none[self.random.choice(len(self._on_none), p=self._on_none_chance)]
            return self._cut_out(p.sample, self._moved(p.box), None)
        if draw < s.proposed_other + s.part:
            sample, face = self._pick(self._any)
            for _ in range(8):
                box = self._moved(sample.boxes[face], 6.0)
                if iou(box.astype(np.float32), sample.boxes).max() < OTHER_OVERLAP:
                    return self._cut_out(sample, box, None)
            draw = 1.0
        draw -= s.proposed_other + s.part
        if 0 <= draw < s.scrambled:
            sample, face = self._pick(self._crops or self._any)
            return self._cut_out(sample, self._moved(sample.boxes[face]), None, lambda image: scrambled(image, self.random))
        sample = self.views.face_free()
        height, width = sample.image.shape[:2]
        side = min(width, height) * np.exp(self.random.uniform(np.log(0.08), 0))
        x, y = self.random.uniform(0, 1, 2) * (width, height)
        box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
        if s.scrambled <= draw < s.scrambled + s.hand:
            tone = self._skin_tone()
            return self._cut_out(sample, box, None, lambda image: hand(image, tone, self.random))
        return self._cut_out(sample, box, None)

    def _skin_tone(self) -> np.ndarray:
        """Mean colour between the eyes and above of some face."""
        while True:
            sample, face = self._pick(self._large or self._any)
            points = sample.landmarks[face]
            if not np.isnan(points).any():
                break
        (x, y), unit = points[:2].mean(0), np.hypot(*(points[1] - points[0]))
        height, width = sample.image.shape[:2]
        x, y = int(np.clip(x, 1, width - 2)), int(np.clip(y - 0.3 * unit, 1, height - 2))
        reach = max(1, int(0.1 * unit))
        part = sample.image[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        return part.reshape(-1, 3).mean(0) * self.random.uniform(0.8, 1.2)

    def _cut_out(
        self, sample: Sample, seen: np.ndarray, face: int | None, changed: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> Window:
        """The window about `seen`; `face` tells which face of the sample it stands for, and `changed` makes
        another picture of it."""
        s, frame, offset = self.settings, sample.image, np.zeros(2)
        box = None if face is None else sample.boxes[face].astype(np.float64)
        score = 0.0
        if box is not None:
            overlap = float(iou(seen.astype(np.float32), box[None].astype(np.float32))[0])
            score = 1.0 if overlap >= FACE_OVERLAP else 0.0 if overlap < OTHER_OVERLAP else -1.0
            if self._chance(s.end):
                frame, offset = self._ended(frame, box)
                box, seen = box - np.tile(offset, 2), seen - np.tile(offset, 2)
            height, width = frame.shape[:2]
            inside = np.concatenate([np.clip(box[:2], 0, (width, height)), np.clip(box[2:], 0, (width, height))])
            share = float(np.prod(np.maximum(inside[2:] - inside[:2], 0)) / np.prod(box[2:] - box[:2]))
            # A box that a human drew beyond the picture is that of a whole face.
            score = min(score, score_when_cut(share)) if offset.any() or share < 0.5 else score
        side = FACTOR * float((seen[2] - seen[0]) + (seen[3] - seen[1])) / 2
        step = max(side, 4.0) / SIZE
        angle = float(np.radians(self.random.uniform(-1, 1) * s.turn_degrees)) if self._chance(s.turn) else 0.0
        a, b = step * np.cos(angle), step * np.sin(angle)
        centre = (seen[:2] + seen[2:]) / 2
        tx, ty = centre[0] - (a - b) * SIZE / 2, centre[1] - (b + a) * SIZE / 2
        image = placed_crop(frame, (a, b, tx, ty), SIZE)
        if changed:
            image = changed(image)

        def mapped(points: np.ndarray) -> np.ndarray:
            moved = points - (tx, ty)
            return np.stack([moved @ (a, b), moved @ (-b, a)], -1) / step**2

        target, points = np.full(4, np.nan), np.full((5, 2), np.nan)
        if box is not None and score != 0.0:
            middle, half = mapped(((box[:2] + box[2:]) / 2)[None])[0], (box[2:] - box[:2]) / 2 / step
            target = np.concatenate([middle - half, middle + half])
            points = mapped(sample.landmarks[face].astype(np.float64) - offset)
        if self._chance(0.5):
            image = image[:, ::-1]
            target[[0, 2]] = SIZE - target[[2, 0]]
            points[:, 0] = SIZE - points[:, 0]
            points = points[[1, 0, 2, 4, 3]]
        picture = Image.fromarray(np.ascontiguousarray(image))
        if score > 0 and self._chance(s.occlude):
            visible = [score]
            picture = self.views.cover(picture, [target], visible, SIZE)
            score = visible[0]
        return Window(self.views.camera(picture, SIZE), score, target / SIZE, points.ravel() / SIZE)

    def _ended(self, frame: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The picture ended within or near the face on one side; and where it now begins."""
        height, width = frame.shape[:2]
        axis, length = self.random.integers(2), (width, height)
        low, high = box[axis], box[axis + 2]
        begin, end = np.zeros(2, int), np.array(length)
        reach = self.random.uniform(-0.3, 0.6) * (high - low)
        if self._chance(0.5):
            begin[axis] = int(np.clip(low + reach, 0, length[axis] - 8))
        else:
            end[axis] = int(np.clip(high - reach, 8, length[axis]))
        return frame[begin[1] : end[1], begin[0] : end[0]], begin.astype(np.float64)


def _side(box: np.ndarray) -> float:
    return float(min(box[2] - box[0], box[3] - box[1]))
