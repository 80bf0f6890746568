"""What a camera and a file do to a picture: light, colour, blur, noise, scale, JPEG.

Each step draws its own strength from the ranges given here and is applied to every
class at the same rate, so that no class can be told by it.
"""

from __future__ import annotations

import io
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageFilter

Rng: TypeAlias = np.random.Generator


def light(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Gamma 0.6..1.6, exposure 0.55..1.5, contrast 0.7..1.3, white point +-18 % a channel,
    saturation 0.4..1.4; each with its own chance. One lookup table a channel."""
    ramp = np.arange(256, dtype=np.float32) / 255
    tables = np.repeat(ramp[None], 3, 0)
    if rng.random() < 0.5:
        tables = tables ** np.exp(rng.uniform(np.log(0.6), np.log(1.6)))
    if rng.random() < 0.5:
        tables = tables * np.exp(rng.uniform(np.log(0.55), np.log(1.5)))
    if rng.random() < 0.4:
        tables = (tables - 0.5) * rng.uniform(0.7, 1.3) + rng.uniform(0.42, 0.58)
    if rng.random() < 0.5:
        tables = tables * rng.uniform(0.82, 1.18, (3, 1)).astype(np.float32)
    tables = (np.clip(tables, 0, 1) * 255 + 0.5).astype(np.uint8)
    image = np.stack([tables[c][image[..., c]] for c in range(3)], -1)
    if rng.random() < 0.3:
        keep = np.float32(rng.uniform(0.4, 1.4)) if rng.random() < 0.85 else np.float32(0)
        grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
        image = np.clip(grey[..., None] + (image - grey[..., None]) * keep + 0.5, 0, 255).astype(np.uint8)
    return image


def blur(image: np.ndarray, rng: Rng, most: float = 1.6) -> np.ndarray:
    """Gaussian or box blur, radius 0.3..`most` pixels."""
    radius = rng.uniform(0.3, most)
    kind = ImageFilter.GaussianBlur if rng.random() < 0.7 else ImageFilter.BoxBlur
    return np.asarray(Image.fromarray(image).filter(kind(radius)))


def soften(image: Image.Image, radius: float) -> Image.Image:
    """A wide Gaussian blur, done at a quarter of the size where that's enough."""
    if radius < 3:
        return image.filter(ImageFilter.GaussianBlur(radius))
    small = image.resize((max(1, image.width // 4), max(1, image.height // 4)), Image.Resampling.BOX)
    return small.filter(ImageFilter.GaussianBlur(radius / 4)).resize(image.size, Image.Resampling.BICUBIC)


def sharpen(image: np.ndarray, rng: Rng) -> np.ndarray:
    """A webcam's or phone's edge enhancement."""
    mask = ImageFilter.UnsharpMask(rng.uniform(0.6, 2.0), int(rng.uniform(40, 200)), 0)
    return np.asarray(Image.fromarray(image).filter(mask))


def noise(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Sensor noise of sigma 1..10 levels, in half of the cases blurred as by a
    denoiser, partly shared by the channels."""
    height, width = image.shape[:2]
    sigma = rng.uniform(1, 10)
    field = rng.standard_normal((height, width, 3), np.float32)
    if rng.random() < 0.5:
        field = np.repeat(field[..., :1], 3, -1) * 0.8 + field * 0.5
    if rng.random() < 0.5:
        field = (field + np.roll(field, 1, 0) + np.roll(field, 1, 1)) / 1.7
    return np.clip(image + field * sigma + 0.5, 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int, subsampling: int = 2) -> np.ndarray:
    """There and back through JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file).convert("RGB"))


FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX, Image.Resampling.LANCZOS)


def rescale(image: np.ndarray, size: tuple[int, int], rng: Rng) -> np.ndarray:
    """To `size` = (width, height) with a filter drawn at random."""
    return np.asarray(Image.fromarray(image).resize(size, FILTERS[rng.integers(len(FILTERS))]))


def camera(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Blur, sharpening, noise, and JPEG of quality 40..98, each with its own chance."""
    if rng.random() < 0.35:
        image = blur(image, rng)
    if rng.random() < 0.2:
        image = sharpen(image, rng)
    if rng.random() < 0.4:
        image = noise(image, rng)
    if rng.random() < 0.7:
        image = jpeg(image, int(rng.uniform(40, 98)), int(rng.choice([0, 1, 2], p=[0.2, 0.1, 0.7])))
    return image
