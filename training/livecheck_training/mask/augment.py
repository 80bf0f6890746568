"""Variations of a face for training the mask net.

Both classes pass through the same steps. Only bare faces get things before the mouth
that aren't masks (fingers, a beard's dark patch, a microphone): these stay bare.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .. import crops, degrade
from .net import SIZE
from .samples import Sample

OCCLUDER_RATE = 0.28
"""Share of bare faces that get something before the mouth."""

TRAINED_OCCLUDERS = ("fingers", "beard", "microphone", "scarf")
OCCLUDERS = (*TRAINED_OCCLUDERS, "dark glasses")
"""What the simulator draws on a face that is no mask; the last was kept for measuring."""

MIRRORED = np.array([1, 0, 2, 4, 3])
"""Order of the landmarks after a flip."""


def view(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """One training crop, SIZE x SIZE: landmarks moved by 0..5 % of the eye distance each,
    the whole by +-10 degrees, +-12 % scale and +-6 % shift, then light and camera."""
    image, landmarks = sample.image, sample.landmarks
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
        landmarks = (landmarks * (-1, 1) + (image.shape[1], 0))[MIRRORED]
    if not sample.covered and rng.random() < OCCLUDER_RATE:
        image = occlude(image, landmarks, rng)
    eyes = np.linalg.norm(landmarks[1] - landmarks[0]) + 1e-6
    landmarks = landmarks + rng.normal(0, rng.uniform(0, 0.05) * eyes, (5, 2))
    centre = landmarks.mean(0)
    angle, scale = np.deg2rad(rng.uniform(-10, 10)), np.exp(rng.uniform(-0.12, 0.12))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (landmarks - centre) @ turn.T + centre + rng.uniform(-0.12, 0.12, 2) * eyes
    image = degrade.light(image, rng)
    if rng.random() < 0.5:
        # As if the face had been 20 to 96 pixels wide: no class may be told by sharpness.
        height, width = image.shape[:2]
        small = np.exp(rng.uniform(np.log(20), np.log(96))) / (2.5 * eyes)
        if small < 1:
            size = (max(4, round(width * small)), max(4, round(height * small)))
            image = degrade.rescale(image, size, rng)
            landmarks = landmarks * np.array(size) / (width, height)
    return crops.aligned_crop(degrade.camera(image, rng), landmarks, SIZE)


def occlude(image: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, kind: str | None = None) -> np.ndarray:
    """One of OCCLUDERS drawn on the face, by default one of those of the training: fingers or a
    microphone before the mouth, a dark beard, a scarf up to the lower lip, dark glasses."""
    unit = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    mouth = landmarks[3:].mean(0)
    cover = Image.new("L", (image.shape[1], image.shape[0]))
    draw = ImageDraw.Draw(cover)
    kind = kind or rng.choice(TRAINED_OCCLUDERS)
    if kind == "fingers":
        cheek = landmarks[2] + (rng.uniform(-0.6, 0.6) * unit, -0.1 * unit)
        colour = patch_colour(image, cheek, unit * 0.2) * rng.uniform(0.75, 1.15)
        start = mouth + rng.uniform(-0.5, 0.5, 2) * unit
        direction = rng.uniform(0, 2 * np.pi)
        along = np.array([np.cos(direction), np.sin(direction)])
        for finger in range(int(rng.integers(1, 5))):
            begin = start + finger * 0.24 * unit * np.array([-along[1], along[0]])
            line(draw, begin, begin + along * unit * rng.uniform(0.8, 2.5), 0.22 * unit)
    elif kind == "beard":
        colour = np.array([1.0, 0.85, 0.75]) * rng.uniform(10, 75)
        low = mouth + (0, 0.75 * unit)
        ellipse(draw, low - (0, 0.45 * unit), (0.85 * unit, rng.uniform(0.55, 0.8) * unit))
        if rng.random() < 0.6:
            ellipse(draw, mouth, (0.32 * unit, 0.12 * unit), 0)
    elif kind == "microphone":
        colour = np.full(3, rng.uniform(5, 90))
        head = mouth + rng.uniform((-0.5, 0.0), (0.5, 0.6)) * unit
        ellipse(draw, head, np.full(2, rng.uniform(0.2, 0.4) * unit))
        line(draw, head, head + (rng.uniform(-1, 1) * unit, 3 * unit), 0.2 * unit)
    elif kind == "scarf":
        colour = rng.uniform(20, 235, 3)
        upper = mouth + (0, rng.uniform(0.3, 0.7) * unit)
        ellipse(draw, upper + (0, 1.6 * unit), (rng.uniform(1.5, 2.2) * unit, 1.6 * unit))
    else:
        colour = np.full(3, rng.uniform(5, 50))
        for eye in landmarks[:2]:
            ellipse(draw, eye, (rng.uniform(0.38, 0.48) * unit, rng.uniform(0.28, 0.42) * unit))
        line(draw, landmarks[0], landmarks[1], 0.08 * unit)
    soft = np.asarray(cover.filter(ImageFilter.GaussianBlur(0.04 * unit + 0.3)), np.float32)[..., None] / 255
    shade = rng.normal(0, 14 if kind == "beard" else 5, (*image.shape[:2], 1)).astype(np.float32)
    painted = np.clip(colour.astype(np.float32) + shade, 0, 255)
    strength = rng.uniform(0.6, 0.95) if kind == "beard" else 1.0
    return (image + (painted - image) * soft * strength).astype(np.uint8)


def line(draw: ImageDraw.ImageDraw, start: np.ndarray, end: np.ndarray, width: float) -> None:
    draw.line([tuple(start), tuple(end)], 255, max(1, round(width)))
    ellipse(draw, start, np.full(2, width / 2))


def ellipse(draw: ImageDraw.ImageDraw, centre: np.ndarray, radii: np.ndarray, fill: int = 255) -> None:
    (x, y), (rx, ry) = centre, radii
    draw.ellipse([x - rx, y - ry, x + rx, y + ry], fill)


def patch_colour(image: np.ndarray, at: np.ndarray, radius: float) -> np.ndarray:
    """Mean colour about a point."""
    x, y = (int(v) for v in np.clip(at, 0, (image.shape[1] - 1, image.shape[0] - 1)))
    r = max(1, int(radius))
    return image[max(y - r, 0) : y + r + 1, max(x - r, 0) : x + r + 1].reshape(-1, 3).mean(0)
