"""Ten faults of a portrait at five strengths each: what `findings` must name."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge of a face, pixels."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault, named as the check that must find it."""

    check: str
    meaning: str
    """What a strength stands for."""
    strengths: tuple[float, ...]
    """From weak to strong."""
    apply: Callable[[np.ndarray, Box, float, np.random.Generator], np.ndarray]
    """RGB bytes, the face, a strength and the photo's own chance, to RGB bytes."""


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _from_centre(image: np.ndarray, x: float, y: float, across: float, down: float) -> np.ndarray:
    """Distance of each pixel from a point, in units of an ellipse's two radii."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    return np.hypot((columns - x) / across, (rows - y) / down)


def _edge(distance: np.ndarray, softness: float) -> np.ndarray:
    """1 within distance 1, falling to 0 over `softness`; a channel axis added."""
    return np.clip((1 + softness / 2 - distance) / softness, 0, 1)[..., None]


def blur(image: np.ndarray, face: Box, share: float, _chance: np.random.Generator) -> np.ndarray:
    """A Gaussian blur whose deviation is a share of the face's width."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(share * (face[2] - face[0]))))


def scale(image: np.ndarray, _face: Box, factor: float, _chance: np.random.Generator) -> np.ndarray:
    """Stored values times a factor: less light than the camera was set for."""
    return _bytes(image * np.float32(factor))


def expose(image: np.ndarray, face: Box, level: float, _chance: np.random.Generator) -> np.ndarray:
    """As much more light as gives the face that mean luma, if nothing were held at white."""
    x0, y0, x1, y1 = (max(0, round(v)) for v in face)
    luma = image[y0:y1, x0:x1].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return _bytes(image * np.float32(max(1.0, 255 * level / max(1.0, float(luma.mean())))))


def flatten(image: np.ndarray, _face: Box, factor: float, _chance: np.random.Generator) -> np.ndarray:
    """Stored values drawn towards middle grey: haze, a smeared lens."""
    return _bytes(128 + (image.astype(np.float32) - 128) * factor)


def backlight(image: np.ndarray, face: Box, factor: float, _chance: np.random.Generator) -> np.ndarray:
    """The person is darkened by a factor, and what is missing to white behind shrinks by it."""
    x0, y0, x1, y1 = face
    x, y, width, height = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
    head = _edge(_from_centre(image, x, y, 0.75 * width, 0.75 * height), 0.3)
    body = _edge(_from_centre(image, x, y + 2.6 * height, 1.3 * width, 2.1 * height), 0.2)
    person = np.maximum(head, body)
    values = image.astype(np.float32)
    return _bytes(person * values * factor + (1 - person) * (255 - (255 - values) * factor))


def glare(image: np.ndarray, face: Box, share: float, chance: np.random.Generator) -> np.ndarray:
    """Two white spots, on the forehead and on a cheek, whose radius is a share of the face's width."""
    x0, y0, x1, y1 = face
    x, y, width, height = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
    side = chance.choice([-1, 1])
    values = image.astype(np.float32)
    for right, down in ((0.05, -0.27), (0.22, 0.08)):
        spot = _from_centre(image, x + side * right * width, y + down * height, share * width, 0.8 * share * width)
        white = _edge(spot, 0.4)
        values = 255 * white + (1 - white) * values
    return _bytes(values)


def compress(image: np.ndarray, _face: Box, quality: float, _chance: np.random.Generator) -> np.ndarray:
    """Written as JPEG of a quality, and read."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(quality))
    return np.asarray(Image.open(file).convert("RGB"))


def enlarge(image: np.ndarray, face: Box, width: float, _chance: np.random.Generator) -> np.ndarray:
    """Reduced until the face has a width in pixels, and enlarged to the old size."""
    picture = Image.fromarray(image)
    factor = min(1, width / (face[2] - face[0]))
    small = [max(1, round(side * factor)) for side in picture.size]
    return np.asarray(picture.resize(tuple(small), Image.Resampling.BOX).resize(picture.size, Image.Resampling.BICUBIC))


def roll(image: np.ndarray, face: Box, degrees: float, chance: np.random.Generator) -> np.ndarray:
    """Turned about the face to either side; the border goes on beyond itself."""
    margin = max(image.shape)
    wide = Image.fromarray(np.pad(image, ((margin, margin), (margin, margin), (0, 0)), "edge"))
    centre = (margin + (face[0] + face[2]) / 2, margin + (face[1] + face[3]) / 2)
    turned = wide.rotate(float(chance.choice([-1, 1])) * degrees, Image.Resampling.BILINEAR, center=centre)
    return np.asarray(turned)[margin:-margin, margin:-margin]


def cut_off(image: np.ndarray, face: Box, share: float, chance: np.random.Generator) -> np.ndarray:
    """The photo ends within the face, at any of its sides: a share of the box is outside."""
    x0, y0, x1, y1 = face
    width, height = x1 - x0, y1 - y0
    rows, columns = slice(None), slice(None)
    match chance.integers(4):
        case 0:
            columns = slice(max(0, round(x0 + share * width)), None)
        case 1:
            columns = slice(None, round(x1 - share * width))
        case 2:
            rows = slice(max(0, round(y0 + share * height)), None)
        case _:
            rows = slice(None, round(y1 - share * height))
    return image[rows, columns]


FAULTS = (
    Fault("blur", "deviation over the face's width", (0.01, 0.017, 0.025, 0.035, 0.05), blur),
    Fault("dark", "factor on stored values", (0.5, 0.35, 0.25, 0.17, 0.1), scale),
    Fault("bright", "mean luma of the face, if nothing were held at white", (0.7, 0.85, 1.0, 1.25, 1.6), expose),
    Fault("low_contrast", "factor on the distance from middle grey", (0.6, 0.45, 0.32, 0.22, 0.14), flatten),
    Fault("backlight", "factor on the person, and on the distance from white behind", (0.7, 0.55, 0.42, 0.3, 0.2), backlight),
    Fault("glare", "radius of two white spots over the face's width", (0.08, 0.12, 0.16, 0.22, 0.3), glare),
    Fault("strong_compression", "JPEG quality", (30, 20, 12, 8, 5), compress),
    Fault("upscaled", "width to which the face was reduced, pixels", (80, 60, 46, 36, 28), enlarge),
    Fault("pose_roll", "degrees", (15, 25, 35, 50, 65), roll),
    Fault("face_cut_off", "share of the face outside", (0.06, 0.12, 0.18, 0.24, 0.35), cut_off),
)
