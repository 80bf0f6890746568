"""The crops that the nets see. The Rust engine (`crop.rs`) cuts the same ones.

Frames are upright RGB `uint8` arrays of shape (height, width, 3). Boxes are
(x0, y0, x1, y1) and landmarks (x, y) in pixels of the frame, where pixel (0, 0)
covers [0, 1) x [0, 1). Both implementations must agree to one grey level;
`livecheck_training.golden` writes the files that a Rust test compares with.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

DETECTOR_SIZE = 320
"""Longer side of the detector's input, in pixels."""

DETECTOR_SIDES = (192, 224, 256, 320)
"""The shorter sides that its input may have, in pixels."""

DETECTOR_MARGIN = 16
"""Least black between the picture and the end of a shorter input: the net's answers near its end
are those of the full square within a hundredth."""

FACE_TEMPLATE = np.array([(0.34, 0.38), (0.66, 0.38), (0.50, 0.56), (0.37, 0.72), (0.63, 0.72)])
"""Where left eye, right eye, nose and mouth corners lie in an aligned crop of side 1
(left and right as seen in the image)."""

FINEST_STEP = 10.8
"""Pixels between samples up to which they take single pixels: those of a face 320 pixels wide."""

PART_MARGIN = 2
"""Crop pixels about a placed crop that are reduced with it."""


def resize(frame: np.ndarray, box: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """Part `box` of the frame at `size` = (width, height), by an antialiased triangle filter."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = box
    inside = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR, box=inside))


def letterbox(frame: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """The detector's input: the whole frame at the top left of a black canvas, which is as short
    as `DETECTOR_SIDES` and `DETECTOR_MARGIN` allow.

    Also returns (x scale, y scale): divide the detector's coordinates by them to
    get coordinates of the frame.
    """
    height, width = frame.shape[:2]
    scale = DETECTOR_SIZE / max(width, height)
    new_width = max(1, math.floor(width * scale + 0.5))
    new_height = max(1, math.floor(height * scale + 0.5))
    canvas = np.zeros((canvas_side(new_height), canvas_side(new_width), 3), np.uint8)
    canvas[:new_height, :new_width] = resize(frame, (0.0, 0.0, width, height), (new_width, new_height))
    return canvas, (new_width / width, new_height / height)


def canvas_side(side: int) -> int:
    """Side of the detector's input for a picture of `side` pixels there."""
    return next((s for s in DETECTOR_SIDES if side + DETECTOR_MARGIN <= s), DETECTOR_SIZE)


def square_box(
    frame_size: tuple[int, int], face_box: tuple[float, float, float, float], factor: float
) -> tuple[float, float, float, float]:
    """The square of `factor` mean face sides about the face, shifted (not cut) to lie inside
    a frame of `frame_size` = (width, height), and shrunk only where it's larger than the frame."""
    width, height = frame_size
    x0, y0, x1, y1 = (float(value) for value in face_box)
    side = min(factor * ((x1 - x0) + (y1 - y0)) / 2, float(width), float(height))
    left = min(max((x0 + x1) / 2 - side / 2, 0.0), width - side)
    top = min(max((y0 + y1) / 2 - side / 2, 0.0), height - side)
    return left, top, left + side, top + side


def square_crop(
    frame: np.ndarray, face_box: tuple[float, float, float, float], factor: float, size: int
) -> np.ndarray:
    """The liveness net's view: `square_box` resized to `size` x `size`."""
    height, width = frame.shape[:2]
    return resize(frame, square_box((width, height), face_box, factor), (size, size))


def sampled_box(
    frame_size: tuple[int, int], face_box: tuple[float, float, float, float], factor: float, share: float = 1.0
) -> tuple[int, int, int, int]:
    """The rectangle of `factor` face boxes about the face in whole pixels (x0, y0, x1, y1): the
    factor lowered until it fits a frame of `frame_size` = (width, height), `share` of that taken,
    then shifted inside."""
    width, height = frame_size
    x0, y0, x1, y1 = (float(v) for v in face_box)
    w, h = max(x1 - x0, 1.0), max(y1 - y0, 1.0)
    factor = min(factor, (height - 1) / h, (width - 1) / w) * share
    w, h = w * factor, h * factor
    left = max(min((x0 + x1) / 2 - w / 2, width - 1 - w), 0.0)
    top = max(min((y0 + y1) / 2 - h / 2, height - 1 - h), 0.0)
    return int(left), int(top), min(int(left + w) + 1, width), min(int(top + h) + 1, height)


def sampled_crop(
    frame: np.ndarray, face_box: tuple[float, float, float, float], factor: float, size: int, share: float = 1.0
) -> np.ndarray:
    """The grain net's view: `sampled_box` as `size` x `size` samples of `sample_taps`, stretched where
    the face box isn't square."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = sampled_box((width, height), face_box, factor, share)
    columns, across = sample_taps(x0, x1 - x0, width, size)
    rows, down = sample_taps(y0, y1 - y0, height, size)
    lines = frame[rows.ravel()].reshape(size, -1, width, 3).astype(np.float32)
    lines = (lines * down[..., None, None]).sum(1)
    samples = (lines[:, columns] * across[..., None]).sum(2)
    return np.floor(samples + 0.5).astype(np.uint8)


def turned_sampled_crop(
    frame: np.ndarray, face_box: tuple[float, float, float, float], factor: float, size: int, turn: float
) -> np.ndarray:
    """`sampled_crop`, turned about the middle of the face: `turn` radians, clockwise in the frame.
    Beyond the frame its border goes on."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = sampled_box((width, height), face_box, factor)
    middle_x, middle_y = ((float(face_box[axis]) + float(face_box[axis + 2]) - 1) / 2 for axis in (0, 1))
    across = sample_places(x0, x1 - x0, size)[None, :] - middle_x
    down = sample_places(y0, y1 - y0, size)[:, None] - middle_y
    sine, cosine = math.sin(turn), math.cos(turn)
    columns, along = taps_at(middle_x + cosine * across - sine * down, (x1 - x0) / size, width)
    rows, below = taps_at(middle_y + sine * across + cosine * down, (y1 - y0) / size, height)
    pixels = frame[rows[..., :, None], columns[..., None, :]].astype(np.float32)
    samples = (pixels * (below[..., :, None] * along[..., None, :])[..., None]).sum((2, 3))
    return np.floor(samples + 0.5).astype(np.uint8)


def sample_taps(start: int, length: int, side: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (wanted, n) and their weights (wanted, n) of samples along an axis of `side` pixels, which
    cover `length` of them from `start` on."""
    return taps_at(sample_places(start, length, wanted), length / wanted, side)


def sample_places(start: int, length: int, wanted: int) -> np.ndarray:
    """Where `wanted` samples lie on `length` pixels from `start` on; the middle of pixel 0 is 0."""
    return start + (np.arange(wanted) + 0.5) * (length / wanted) - 0.5


def taps_at(at: np.ndarray, step: float, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (..., n) and their weights (..., n) of the samples at `at` (...), `step` pixels apart, on an
    axis of `side` pixels.

    Up to `FINEST_STEP` apart a sample is bilinear, so that single pixels show; beyond, its triangle
    widens in proportion, so that a photo read at a reduced size gives nearly the same view.
    """
    radius = max(1.0, step / FINEST_STEP)
    pixels = np.floor(at - radius).astype(np.int64)[..., None] + 1 + np.arange(math.ceil(2 * radius))
    weights = np.maximum(1 - np.abs(pixels - at[..., None]) / radius, 0.0)
    return np.clip(pixels, 0, side - 1), (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def face_to_image(landmarks: np.ndarray, size: int) -> tuple[float, float, float, float]:
    """The least-squares similarity from crop to frame, as (a, b, tx, ty):
    x' = a x - b y + tx, y' = b x + a y + ty. Scale is hypot(a, b); no reflection."""
    template = FACE_TEMPLATE * size
    target = np.asarray(landmarks, np.float64).reshape(5, 2)
    template_mean, target_mean = template.mean(0), target.mean(0)
    p, q = template - template_mean, target - target_mean
    spread = (p**2).sum()
    a = (p * q).sum() / spread
    b = (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / spread
    tx = target_mean[0] - a * template_mean[0] + b * template_mean[1]
    ty = target_mean[1] - b * template_mean[0] - a * template_mean[1]
    return float(a), float(b), float(tx), float(ty)


def roll(landmarks: np.ndarray) -> float:
    """How far the face is turned in the picture's plane, radians, clockwise."""
    a, b, *_ = face_to_image(landmarks, 1)
    return math.atan2(b, a)


def aligned_crop(frame: np.ndarray, landmarks: np.ndarray, size: int) -> np.ndarray:
    """The mask net's view: the face upright, landmarks at `FACE_TEMPLATE`, `size` x `size`."""
    return placed_crop(frame, face_to_image(landmarks, size), size)


def window_to_image(
    face_box: tuple[float, float, float, float], factor: float, size: int
) -> tuple[float, float, float, float]:
    """The map, as `face_to_image` gives it, of a `size` x `size` window of `factor` mean face sides
    about the face."""
    x0, y0, x1, y1 = (float(value) for value in face_box)
    side = factor * ((x1 - x0) + (y1 - y0)) / 2
    return side / size, 0.0, (x0 + x1) / 2 - side / 2, (y0 + y1) / 2 - side / 2


def window_crop(
    frame: np.ndarray, face_box: tuple[float, float, float, float], factor: float, size: int
) -> np.ndarray:
    """The face refiner's view: `factor` mean face sides about the face, `size` x `size`."""
    return placed_crop(frame, window_to_image(face_box, factor, size), size)


def placed_crop(frame: np.ndarray, placed: tuple[float, float, float, float], size: int) -> np.ndarray:
    """A crop of `size` x `size` whose map to the frame is `placed`, as (a, b, tx, ty).

    The part of the frame that it shows is first reduced, never enlarged, by the antialiased filter
    until one of its pixels is about one of the crop; then each output pixel is one bilinear sample.
    Beyond the frame its border goes on.
    """
    height, width = frame.shape[:2]
    a, b, tx, ty = placed
    reduction = max(math.hypot(a, b), 1.0)
    corners = np.array([(a * u - b * v + tx, b * u + a * v + ty) for u in (0, size) for v in (0, size)])

    def part(axis: int, side: int) -> tuple[int, int, int]:
        """First pixel, pixel behind the last, and pixels after the reduction."""
        first = int(np.clip(math.floor(corners[:, axis].min() - PART_MARGIN * reduction), 0, side - 1))
        last = int(np.clip(math.ceil(corners[:, axis].max() + PART_MARGIN * reduction), first + 1, side))
        return first, last, max(1, math.floor((last - first) / reduction + 0.5))

    (x0, x1, columns), (y0, y1, rows) = part(0, width), part(1, height)
    reduced = resize(frame, (x0, y0, x1, y1), (columns, rows)).astype(np.float32)
    u, v = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    x = np.clip((a * u - b * v + tx - x0) * columns / (x1 - x0) - 0.5, 0.0, columns - 1.0)
    y = np.clip((b * u + a * v + ty - y0) * rows / (y1 - y0) - 0.5, 0.0, rows - 1.0)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, bottom = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    fx, fy = (x - left).astype(np.float32)[..., None], (y - top).astype(np.float32)[..., None]
    upper = reduced[top, left] * (1 - fx) + reduced[top, right] * fx
    lower = reduced[bottom, left] * (1 - fx) + reduced[bottom, right] * fx
    return np.floor(upper * (1 - fy) + lower * fy + 0.5).astype(np.uint8)
