"""Training views: each call makes one varied square image with its faces.

A view starts as the product's own letterbox, as a random window (zoomed in until
a face fills more than the view or out until it is a speck, turned up to 30°), as
a mosaic, or as a face-free picture, perhaps with a face pasted in. Then parts of
faces are covered, which lowers the score asked for, and the camera is varied,
which does not.

Face masks, glasses and beards are no obstruction: what covers only the lower
half of a face counts little.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field, fields

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .samples import HUMAN_LABELS, Sample, TrainingData

Pair = tuple[float, float]
#: A face is large from this shorter side in the stored image on.
LARGE_SIDE = 48


@dataclass(frozen=True)
class ViewSettings:
    """Probabilities and ranges of the views. Lengths are shares of the view's side."""

    letterbox: float = 0.38
    mosaic: float = 0.10
    negative: float = 0.20
    #: Of the face-free pictures, this share comes from the smaller but richer sets.
    rich_negative: float = 0.6
    #: Rest: random windows on face images.
    crop_share: float = 0.15
    #: Of those, this share shows a face that is large and was boxed by a human:
    #: there are few of them, and they are what a selfie shows.
    large_share: float = 0.45
    paste_in_negative: float = 0.35
    face_side: Pair = (0.05, 1.15)
    #: Never enlarge a source by more than this.
    most_zoom: float = 4.0
    turn: float = 0.25
    turn_degrees: float = 30.0
    occlude: float = 0.25
    dim: float = 0.4
    cast: float = 0.3
    grey: float = 0.05
    blur: float = 0.15
    coarse: float = 0.15
    noise: float = 0.2
    jpeg: float = 0.25
    glare: float = 0.08


@dataclass
class View:
    """``image`` (size, size, 3) uint8; ``boxes`` (n, 4) clipped to the view;
    ``landmarks`` (n, 10), NaN where unknown; ``visible`` (n,) is the score to ask
    for if the box were perfect, -1 for faces to be ignored."""

    image: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray


@dataclass
class _Canvas:
    image: Image.Image
    boxes: list[np.ndarray] = field(default_factory=list)
    points: list[np.ndarray] = field(default_factory=list)


def score_when_cut(inside: float) -> float:
    """Score to ask for when this share of the face box lies in the view; -1: ignore."""
    if inside < 0.3:
        return -1.0
    return float(np.interp(inside, (0.3, 0.5, 0.85), (0.1, 0.3, 1.0)))


def score_when_hidden(hidden: float) -> float:
    """Score to ask for when this share of the face (weighted) is covered."""
    return float(np.interp(hidden, (0.12, 0.3, 0.5, 0.8), (1.0, 0.7, 0.4, 0.05)))


class ViewMaker:
    """Draws views from the training data; the generator decides everything."""

    def __init__(self, data: TrainingData, seed: int, settings: ViewSettings = ViewSettings()):
        self.data = data
        self.settings = settings
        self.random = np.random.default_rng(seed)
        self._large = [
            (sample, i)
            for sample in data.faces
            for i, (box, label) in enumerate(zip(sample.boxes, sample.labels))
            if label in HUMAN_LABELS and min(box[2] - box[0], box[3] - box[1]) >= LARGE_SIDE
        ]
        self._rich = [s for s in data.negatives if not s.name.startswith("recapture")]
        self._grain = self.random.normal(0, 1, (700, 700, 3)).astype(np.float32)

    def view(self, size: int) -> View:
        """One view of ``size`` × ``size``."""
        s, draw = self.settings, self.random.random()
        if draw < s.negative:
            canvas = self._window(self.face_free(), size, None)
            if self._chance(s.paste_in_negative):
                self._paste(canvas, size)
        elif draw < s.negative + s.mosaic:
            canvas = self._mosaic(size)
        elif draw < s.negative + s.mosaic + s.letterbox:
            canvas = self._letterbox(self._any(self.data.faces), size)
        else:
            canvas = self._face_window(size)
        return self._finish(canvas, size)

    # Geometry

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def _any(self, samples: list[Sample]) -> Sample:
        return samples[self.random.integers(len(samples))]

    def face_free(self) -> Sample:
        """Animals, scenes and goods are few beside the recapture photos of objects,
        and yet they are what looks like a face."""
        rich = self._rich and self._chance(self.settings.rich_negative)
        return self._any(self._rich if rich else self.data.negatives)

    def _log_uniform(self, low: float, high: float) -> float:
        return float(np.exp(self.random.uniform(np.log(low), np.log(high))))

    def _face_window(self, size: int, side: Pair | None = None) -> _Canvas:
        crop = self.data.crops and self._chance(self.settings.crop_share)
        if not crop and self._large and self._chance(self.settings.large_share):
            sample, face = self._large[self.random.integers(len(self._large))]
            return self._window(sample, size, face, side)
        sample = self._any(self.data.crops if crop else self.data.faces)
        return self._window(sample, size, self.random.integers(len(sample.boxes)), side)

    def _letterbox(self, sample: Sample, size: int) -> _Canvas:
        image = Image.fromarray(sample.image)
        scale = size / max(image.size)
        if self._chance(0.3):
            scale *= self.random.uniform(0.6, 1.0)
        w, h = (max(1, int(v * scale + 0.5)) for v in image.size)
        out = Image.new("RGB", (size, size))
        out.paste(image.resize((w, h), Image.Resampling.BILINEAR))
        canvas = _Canvas(out)
        ratio = np.array([w / image.width, h / image.height], np.float32)
        self._add(canvas, sample, lambda p: p * ratio)
        return self._flip(canvas, w) if self._chance(0.5) else canvas

    def _flip(self, canvas: _Canvas, width: int) -> _Canvas:
        """Mirrors the left ``width`` pixels, so that a letterbox keeps its padding."""
        part = canvas.image.crop((0, 0, width, canvas.image.height))
        canvas.image.paste(part.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
        for box in canvas.boxes:
            box[:, 0] = width - box[:, 0]
        for points in canvas.points:
            points[:, 0] = width - points[:, 0]
            points[[0, 1, 3, 4]] = points[[1, 0, 4, 3]]
        return canvas

    def _window(self, sample: Sample, size: int, face: int | None, side: Pair | None = None) -> _Canvas:
        """A window on a sample. With a face, that face gets a random size and place."""
        source = Image.fromarray(sample.image)
        if face is None:
            scale = self._log_uniform(0.7, 2.2) * size / max(source.size)
            room = np.maximum(np.array(source.size) - size / scale, 0)
            low = self.random.uniform(0, 1, 2) * room
            if self._chance(0.3):
                low -= self.random.uniform(-0.3, 0.3, 2) * size / scale
        else:
            x0, y0, x1, y1 = sample.boxes[face]
            length = float(np.sqrt((x1 - x0) * (y1 - y0)))
            wanted = self._log_uniform(*(side or self.settings.face_side)) * size
            scale = min(wanted / length, self.settings.most_zoom)
            half = 0.5 * length * scale / size
            # Mostly whole in the view; at times reaching over its edge.
            reach = half if half < 0.45 and not self._chance(0.1) else min(half, 0.5) * 0.6
            place = self.random.uniform(min(reach, 0.45), 1 - min(reach, 0.45), 2)
            low = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - place * size / scale
        angle = 0.0
        if self._chance(self.settings.turn):
            angle = float(np.radians(self.random.uniform(-1, 1) * self.settings.turn_degrees))
        grow = abs(np.cos(angle)) + abs(np.sin(angle))
        big = int(np.ceil(size * grow))
        corner = low - (big - size) / 2 / scale
        out, origin, ratio = self._fetch(source, corner, scale, big)
        middle, centre = big / 2, size / 2
        c, s = np.cos(angle), np.sin(angle)
        if angle:
            # Output pixel to the larger unturned one: turned about the centre.
            a, b = c, -s
            data = (a, b, middle - a * centre - b * centre, s, c, middle - s * centre - c * centre)
            out = out.transform((size, size), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
        turn = np.array([[c, s], [-s, c]], np.float32)

        def mapped(points: np.ndarray) -> np.ndarray:
            return ((points - origin) * ratio - middle) @ turn.T + centre

        canvas = _Canvas(out)
        self._add(canvas, sample, mapped)
        return self._flip(canvas, size) if self._chance(0.5) else canvas

    def _fetch(self, source: Image.Image, corner: np.ndarray, scale: float, side: int):
        """A ``side``-pixel square whose top left is ``corner`` in the source, filled
        where the source ends. Returns it with the exact origin and scale used."""
        a = np.clip(corner, 0, None)
        b = np.minimum(corner + side / scale, source.size)
        to_a = np.floor((a - corner) * scale + 0.5).astype(int)
        to_b = np.minimum(np.floor((b - corner) * scale + 0.5).astype(int), side)
        whole = (to_a == 0).all() and (to_b == side).all()
        out = Image.new("RGB", (side, side)) if whole else self._fill(source, side)
        if (b - a > 1).all() and (to_b > to_a).all():
            wh = tuple(int(v) for v in to_b - to_a)
            part = source.resize(wh, Image.Resampling.BILINEAR, box=(*a, *b), reducing_gap=2.0)
            out.paste(part, tuple(int(v) for v in to_a))
            ratio = (to_b - to_a) / (b - a)
            return out, a - to_a / ratio, ratio
        return out, corner, np.array([scale, scale])

    def _fill(self, source: Image.Image, side: int) -> Image.Image:
        draw = self.random.random()
        if draw < 0.4:
            return Image.new("RGB", (side, side))
        if draw < 0.55:
            return Image.new("RGB", (side, side), tuple(int(v) for v in self.random.integers(0, 256, 3)))
        if draw < 0.7:
            return source.resize((8, 8)).resize((side, side), Image.Resampling.BILINEAR)
        return Image.fromarray(self._any(self.data.negatives).image).resize(
            (side, side), Image.Resampling.BILINEAR
        )

    def _mosaic(self, size: int) -> _Canvas:
        out = _Canvas(Image.new("RGB", (size, size)))
        cx, cy = (int(v) for v in self.random.uniform(0.3, 0.7, 2) * size)
        for x0, y0, x1, y1 in ((0, 0, cx, cy), (cx, 0, size, cy), (0, cy, cx, size), (cx, cy, size, size)):
            side = max(x1 - x0, y1 - y0)
            tile = self._face_window(side, (22 / side, 0.8))
            out.image.paste(tile.image.crop((0, 0, x1 - x0, y1 - y0)), (x0, y0))
            self._adopt(out, tile, np.array([x0, y0]), (x0, y0, x1, y1))
        return out

    def _paste(self, canvas: _Canvas, size: int) -> None:
        """A face with some of its surroundings, pasted with hard edges as a photo
        or a screen in the scene would have them."""
        side = int(self.random.uniform(0.25, 0.8) * size)
        tile = self._face_window(side, (max(0.3, 18 / side), 0.8))
        x, y = (int(v) for v in self.random.integers(0, size - side, 2))
        canvas.image.paste(tile.image, (x, y))
        self._adopt(canvas, tile, np.array([x, y]), (x, y, x + side, y + side))

    @staticmethod
    def _adopt(canvas: _Canvas, tile: _Canvas, shift: np.ndarray, bounds: tuple) -> None:
        low, high = np.array(bounds[:2]), np.array(bounds[2:])
        for quad, points in zip(tile.boxes, tile.points):
            quad = quad + shift
            # The uncut corners stay in the last rows, for the visible share.
            canvas.boxes.append(np.concatenate([np.clip(quad[:2], low, high), quad[2:]]))
            canvas.points.append(points + shift)

    @staticmethod
    def _add(canvas: _Canvas, sample: Sample, mapped) -> None:
        """Adds every face of the sample. An upright box is kept about the turned
        one's centre at the size it had: a turned face is about as wide and high."""
        for box, points in zip(sample.boxes, sample.landmarks):
            centre = mapped(np.array([[(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]], np.float32))[0]
            edges = mapped(np.array([[box[0], box[1]], [box[2], box[1]], [box[0], box[3]]], np.float32))
            half = np.array([np.hypot(*(edges[1] - edges[0])), np.hypot(*(edges[2] - edges[0]))]) / 2
            quad = np.stack([centre - half, centre + half])
            canvas.boxes.append(np.concatenate([quad, quad]))
            canvas.points.append(mapped(points))

    # Content

    def _finish(self, canvas: _Canvas, size: int) -> View:
        boxes, visible, points = [], [], []
        for rows, five in zip(canvas.boxes, canvas.points):
            whole_low, whole_high = np.minimum(rows[2], rows[3]), np.maximum(rows[2], rows[3])
            low = np.clip(np.minimum(rows[0], rows[1]), 0, size)
            high = np.clip(np.maximum(rows[0], rows[1]), 0, size)
            if (high - low < 2).any():
                continue
            inside = float(np.prod(high - low) / max(np.prod(whole_high - whole_low), 1e-6))
            boxes.append(np.concatenate([low, high]))
            visible.append(score_when_cut(inside))
            points.append(five.ravel())
        image = canvas.image
        if boxes and self._chance(self.settings.occlude):
            image = self.cover(image, boxes, visible, size)
        return View(
            self.camera(image, size),
            np.asarray(boxes, np.float32).reshape(-1, 4),
            np.asarray(points, np.float32).reshape(-1, 10),
            np.asarray(visible, np.float32),
        )

    def cover(self, image: Image.Image, boxes: list, visible: list, size: int) -> Image.Image:
        """Covers part of one face and lowers the score of every face it touches."""
        i = self.random.integers(len(boxes))
        x0, y0, x1, y1 = boxes[i]
        w, h = x1 - x0, y1 - y0
        if min(w, h) < 20:
            return image
        mask = Image.new("L", (size, size))
        pen = ImageDraw.Draw(mask)
        cx, cy = x0 + w * self.random.uniform(-0.1, 1.1), y0 + h * self.random.uniform(-0.1, 0.9)
        rw, rh = w * self._log_uniform(0.12, 0.7), h * self._log_uniform(0.12, 0.7)
        shape = self.random.integers(4)
        if shape == 0:
            pen.ellipse((cx - rw, cy - rh, cx + rw, cy + rh), fill=255)
        elif shape == 1:
            pen.rectangle((cx - rw, cy - rh, cx + rw, cy + rh), fill=255)
        else:
            corners = np.sort(self.random.uniform(0, 2 * np.pi, 3 + shape * 2))
            reach = self.random.uniform(0.5, 1.1, len(corners))
            pen.polygon([(cx + rw * r * np.cos(t), cy + rh * r * np.sin(t)) for t, r in zip(corners, reach)], fill=255)
        kind = self.random.random()
        if kind < 0.35:
            cover = Image.new("RGB", (size, size), (int(self.random.integers(225, 256)),) * 3)
            mask = mask.filter(ImageFilter.BoxBlur(float(0.15 * min(rw, rh))))
        elif kind < 0.6:
            # Skin and hair tones, from light to dark.
            red = self.random.integers(40, 235)
            tone = (red, red * self.random.uniform(0.6, 0.85), red * self.random.uniform(0.4, 0.75))
            cover = Image.new("RGB", (size, size), tuple(int(v) for v in tone))
        elif kind < 0.8:
            cover = Image.new("RGB", (size, size), tuple(int(v) for v in self.random.integers(0, 256, 3)))
        else:
            cover = Image.fromarray(self._any(self.data.negatives).image).resize((size, size))
        for j, box in enumerate(boxes):
            if visible[j] > 0:
                visible[j] *= score_when_hidden(hidden_share(mask, box))
        return Image.composite(cover, image, mask)

    def camera(self, image: Image.Image, size: int) -> np.ndarray:
        s, random = self.settings, self.random
        if self._chance(s.coarse):
            small = int(size * random.uniform(0.3, 0.9))
            down = random.choice([Image.Resampling.BILINEAR, Image.Resampling.BOX, Image.Resampling.NEAREST], p=[0.5, 0.4, 0.1])
            image = image.resize((small, small), Image.Resampling(int(down)))
            image = image.resize((size, size), Image.Resampling.BILINEAR)
        if self._chance(s.blur):
            image = image.filter(ImageFilter.BoxBlur(self._log_uniform(0.4, 2.5) * size / 320))
        if self._chance(s.grey):
            image = image.convert("L").convert("RGB")
        if self._chance(s.dim):
            image = image.point(self._tones())
        if self._chance(s.glare):
            spot = Image.new("L", (size, size))
            x, y = random.uniform(0, size, 2)
            r = random.uniform(0.03, 0.2) * size
            ImageDraw.Draw(spot).ellipse((x - r, y - r, x + r, y + r), fill=int(random.uniform(40, 150)))
            spot = spot.filter(ImageFilter.BoxBlur(r * 0.6))
            image = Image.composite(Image.new("RGB", (size, size), (255, 255, 250)), image, spot)
        if self._chance(s.noise):
            x, y = random.integers(0, 700 - size, 2)
            grain = self._grain[y : y + size, x : x + size] * self._log_uniform(2, 16)
            if self._chance(0.4):
                grain = grain[..., :1]
            image = Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
        if self._chance(s.jpeg):
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=int(random.integers(25, 95)))
            image = Image.open(buffer)
        return np.array(image.convert("RGB"))

    def _tones(self) -> list[int]:
        """One look-up table a channel: gamma, contrast, exposure, colour cast."""
        random = self.random
        level = np.linspace(0, 1, 256)
        level = level ** self._log_uniform(0.5, 2.0)
        level = (level - 0.5) * self._log_uniform(0.6, 1.5) + 0.5
        level = level * self._log_uniform(0.35, 1.5) + random.uniform(-0.08, 0.08)
        gains = np.ones(3)
        if self._chance(self.settings.cast):
            gains = np.exp(random.normal(0, 0.15, 3))
        table = np.clip(level[None] * gains[:, None], 0, 1) * 255
        return [int(v + 0.5) for v in table.ravel()]


#: Weights of a face's cells for the covered share: an ellipse, in which what lies
#: below the nose counts little, so that nothing worn over the mouth lowers the score.
def _face_weights(rows: int = 16, cols: int = 12) -> np.ndarray:
    y, x = np.mgrid[:rows, :cols]
    y, x = (y + 0.5) / rows, (x + 0.5) / cols
    inside = ((x - 0.5) / 0.5) ** 2 + ((y - 0.5) / 0.5) ** 2 <= 1
    return inside * np.where(y < 0.58, 1.0, 0.2)


FACE_WEIGHTS = _face_weights()


def hidden_share(mask: Image.Image, box: np.ndarray) -> float:
    """Weighted share of a face box that a mask of 0..255 covers."""
    rows, cols = FACE_WEIGHTS.shape
    x0, y0, x1, y1 = (float(v) for v in box)
    part = mask.resize((cols, rows), Image.Resampling.BOX, box=(max(x0, 0), max(y0, 0), min(x1, mask.width), min(y1, mask.height)))
    covered = np.asarray(part, np.float32) / 255
    return float((np.clip(covered * 1.5 - 0.5, 0, 1) * FACE_WEIGHTS).sum() / FACE_WEIGHTS.sum())


def settings_record(settings: ViewSettings) -> dict:
    """The settings as they go into the run record."""
    return {f.name: getattr(settings, f.name) for f in fields(settings)}
