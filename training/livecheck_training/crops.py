"""The four crops that the nets see. The Rust engine (`crop.rs`) cuts the same ones.

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

MAX_SUBSAMPLES = 4
"""Most sub-samples an aligned crop takes along one side of an output pixel."""


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
    frame_size: tuple[int, int], face_box: tuple[float, float, float, float], factor: float
) -> tuple[int, int, int, int]:
    """The rectangle of `factor` face boxes about the face in whole pixels (x0, y0, x1, y1): the
    factor lowered until it fits a frame of `frame_size` = (width, height), then shifted inside."""
    width, height = frame_size
    x0, y0, x1, y1 = (float(v) for v in face_box)
    w, h = max(x1 - x0, 1.0), max(y1 - y0, 1.0)
    factor = min(factor, (height - 1) / h, (width - 1) / w)
    w, h = w * factor, h * factor
    left = max(min((x0 + x1) / 2 - w / 2, width - 1 - w), 0.0)
    top = max(min((y0 + y1) / 2 - h / 2, height - 1 - h), 0.0)
    return int(left), int(top), min(int(left + w) + 1, width), min(int(top + h) + 1, height)


def sampled_crop(
    frame: np.ndarray, face_box: tuple[float, float, float, float], factor: float, size: int
) -> np.ndarray:
    """The grain net's view: `sampled_box` at `size` x `size` by bilinear samples at pixel centres,
    not averaged, so that single pixels show; stretched where the face box isn't square."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = sampled_box((width, height), face_box, factor)
    return bilinear_resize(frame[y0:y1, x0:x1], size, size)


def bilinear_resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bilinear samples without antialiasing, pixel centres at .5, rounded half up."""

    def taps(length: int, wanted: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)
        low = np.floor(at).astype(np.int64)
        return low, np.minimum(low + 1, length - 1), (at - low).astype(np.float32)

    r0, r1, fr = taps(image.shape[0], height)
    c0, c1, fc = taps(image.shape[1], width)
    fr, fc = fr[:, None, None], fc[None, :, None]
    above = image[r0][:, c0] * (1 - fc) + image[r0][:, c1] * fc
    below = image[r1][:, c0] * (1 - fc) + image[r1][:, c1] * fc
    return np.floor(above * (1 - fr) + below * fr + 0.5).astype(np.uint8)


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


def aligned_crop(frame: np.ndarray, landmarks: np.ndarray, size: int) -> np.ndarray:
    """The mask net's view: the face upright, landmarks at `FACE_TEMPLATE`, `size` x `size`.

    Each output pixel is the mean of k x k bilinear samples, k = image pixels per crop
    pixel rounded up, at most `MAX_SUBSAMPLES`. Beyond the frame its border goes on.
    """
    height, width = frame.shape[:2]
    a, b, tx, ty = face_to_image(landmarks, size)
    k = int(min(max(math.ceil(math.hypot(a, b)), 1), MAX_SUBSAMPLES))
    steps = (np.arange(size * k) + 0.5) / k
    u, v = np.meshgrid(steps, steps)
    x = np.clip(a * u - b * v + tx - 0.5, 0.0, width - 1.0)
    y = np.clip(b * u + a * v + ty - 0.5, 0.0, height - 1.0)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    fx, fy = (x - left).astype(np.float32)[..., None], (y - top).astype(np.float32)[..., None]
    flat = frame.reshape(-1, 3).astype(np.float32)

    def at(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return flat[row * width + column]

    upper = at(top, left) * (1 - fx) + at(top, right) * fx
    lower = at(bottom, left) * (1 - fx) + at(bottom, right) * fx
    samples = upper * (1 - fy) + lower * fy
    mean = samples.reshape(size, k, size, k, 3).mean(axis=(1, 3), dtype=np.float32)
    return np.floor(mean + 0.5).astype(np.uint8)
