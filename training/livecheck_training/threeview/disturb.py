"""What cameras, lamps and clients do to a picture without changing what it shows.

Training draws from `disturb`; the tables of the evaluation use the named functions with fixed strengths.
Pictures are RGB `uint8` arrays of shape (height, width, 3).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageFilter

from .. import degrade

Rng: TypeAlias = np.random.Generator

LUMA = np.array([0.299, 0.587, 0.114], np.float32)

WAVELENGTHS = (610e-9, 545e-9, 460e-9)
"""Where the three channels of a camera are most sensitive, metres."""

SECOND_RADIATION = 0.014388
"""h c / k of Planck's law, metre kelvin."""

DAYLIGHT = 6500.0


def light_gains(kelvin: float) -> np.ndarray:
    """Gains of red, green, blue in linear light when the lamp changes from daylight to a black body of
    this temperature and the camera does not follow; green stays. By Wien's approximation."""
    parts = np.array([SECOND_RADIATION / w for w in WAVELENGTHS])
    gains = np.exp(parts / DAYLIGHT - parts / kelvin)
    return (gains / gains[1]).astype(np.float32)


def tables(image: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Applies a curve (256, 3) of 0..255 to each channel."""
    table = np.clip(curve + 0.5, 0, 255).astype(np.uint8)
    return np.stack([table[image[..., c], c] for c in range(3)], -1)


def ramp() -> np.ndarray:
    """0..1, shape (256, 1)."""
    return (np.arange(256, dtype=np.float32) / 255)[:, None]


def temperature(image: np.ndarray, kelvin: float, tint: float = 0.0) -> np.ndarray:
    """The picture in other light; `tint` shifts green, by shares of it, in linear light."""
    gains = light_gains(kelvin) * np.array([1, 1 + tint, 1], np.float32)
    gains /= gains @ LUMA
    return tables(image, 255 * (ramp() ** 2.2 * gains) ** (1 / 2.2))


def gains(image: np.ndarray, red: float, green: float, blue: float) -> np.ndarray:
    """Factors on the stored values."""
    return tables(image, 255 * ramp() * np.array([red, green, blue], np.float32))


def grey_world(image: np.ndarray) -> np.ndarray:
    """White balance that makes the mean grey."""
    means = image.reshape(-1, 3).mean(0).clip(1)
    return tables(image, 255 * ramp() * (means.mean() / means).astype(np.float32))


def autocontrast(image: np.ndarray, clip: float = 0.5) -> np.ndarray:
    """Each channel stretched from its `clip` to its 100 - `clip` percentile."""
    low, high = np.percentile(image.reshape(-1, 3), (clip, 100 - clip), axis=0)
    return tables(image, 255 * (255 * ramp() - low) / np.maximum(high - low, 1))


def saturation(image: np.ndarray, keep: float) -> np.ndarray:
    """0 is grey, 1 the picture."""
    grey = (image @ LUMA)[..., None]
    return np.clip(grey + (image - grey) * np.float32(keep) + 0.5, 0, 255).astype(np.uint8)


def gamma(image: np.ndarray, power: float) -> np.ndarray:
    """Darker above 1, brighter below."""
    return tables(image, np.repeat(255 * ramp() ** power, 3, 1))


@lru_cache(maxsize=1)
def grains() -> np.ndarray:
    """Gaussian noise to cut pieces from: drawing it anew costs ten times as much."""
    return np.random.default_rng(11).standard_normal(8_000_003, np.float32)


def noise(image: np.ndarray, sigma: float, rng: Rng, soft: bool = False, luma: bool = False) -> np.ndarray:
    """Sensor noise; `soft` as a denoiser leaves it, `luma` the same in all channels."""
    height, width = image.shape[:2]
    count = height * width * (1 if luma else 3)
    start = int(rng.integers(len(grains()) - count))
    field = grains()[start : start + count].reshape(height, width, -1)
    if soft:
        field = (field + np.roll(field, 1, 0) + np.roll(field, 1, 1)) / 1.7
    return np.clip(image + field * np.float32(sigma) + 0.5, 0, 255).astype(np.uint8)


def blur(image: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def resized(image: np.ndarray, factor: float, rng: Rng | None = None) -> np.ndarray:
    """To `factor` of the size, bilinear or with a filter drawn at random."""
    height, width = image.shape[:2]
    size = (max(16, round(width * factor)), max(16, round(height * factor)))
    if rng is None:
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    return degrade.rescale(image, size, rng)


def framed(image: np.ndarray, left: int, top: int, right: int, bottom: int, value: int) -> np.ndarray:
    """Bars of one grey value added at the sides."""
    return np.pad(image, ((top, bottom), (left, right), (0, 0)), constant_values=value)


def tilted(image: np.ndarray, degrees: float) -> np.ndarray:
    """Turned about its middle; the corners repeat the border."""
    height, width = image.shape[:2]
    edge = math.ceil(0.3 * max(height, width))
    padded = Image.fromarray(np.pad(image, ((edge, edge), (edge, edge), (0, 0)), mode="edge"))
    turned = np.asarray(padded.rotate(degrees, Image.Resampling.BILINEAR))
    return turned[edge : edge + height, edge : edge + width]


def relit(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Another lamp, white balance, exposure, contrast or gamma, all in one table a channel."""
    curve = np.repeat(ramp(), 3, 1)
    draw = rng.random()
    if draw < 0.45:
        kelvin = math.exp(rng.uniform(math.log(2500), math.log(10000)))
        gains = light_gains(kelvin) * np.array([1, 1 + rng.normal(0, 0.08), 1], np.float32)
        gains /= gains @ LUMA
        curve = (curve**2.2 * gains) ** np.float32(1 / 2.2)
    elif draw < 0.65:
        warmth, tint = rng.uniform(-0.35, 0.35), rng.normal(0, 0.06)
        curve = curve * np.array([1 + warmth * 0.8, 1 + tint, 1 - warmth], np.float32)
    elif draw < 0.75:
        means = image.reshape(-1, 3).mean(0).clip(1)
        curve = curve * (means.mean() / means).astype(np.float32)
    elif draw < 0.85:
        low, high = np.percentile(image[::4, ::4].reshape(-1, 3), (0.5, 99.5), axis=0)
        if rng.random() < 0.5:
            low, high = np.full(3, low.min()), np.full(3, high.max())
        curve = ((255 * curve - low) / np.maximum(high - low, 8)).astype(np.float32)
    curve = np.clip(curve, 0, None)
    if rng.random() < 0.4:
        curve = curve ** np.float32(math.exp(rng.uniform(-0.55, 0.55)))
    if rng.random() < 0.4:
        curve = curve * np.float32(math.exp(rng.uniform(-0.5, 0.4)))
    if rng.random() < 0.25:
        curve = (curve - 0.5) * np.float32(rng.uniform(0.7, 1.3)) + np.float32(0.5)
    image = tables(image, 255 * curve)
    draw = rng.random()
    if draw < 0.08:
        image = saturation(image, 0.0)
    elif draw < 0.3:
        image = saturation(image, rng.uniform(0.05, 1.5))
    return image


def disturbed(image: np.ndarray, rng: Rng) -> np.ndarray:
    """What a camera and a client may have done: light, focus, noise, sharpening, compression."""
    if rng.random() < 0.75:
        image = relit(image, rng)
    if rng.random() < 0.25:
        image = blur(image, rng.uniform(0.3, 1.8))
    if rng.random() < 0.12:
        image = degrade.sharpen(image, rng)
    if rng.random() < 0.35:
        image = noise(image, math.exp(rng.uniform(0, math.log(13))), rng, rng.random() < 0.4, rng.random() < 0.3)
    if rng.random() < 0.15:
        factor = rng.uniform(0.45, 0.9)
        height, width = image.shape[:2]
        image = degrade.rescale(resized(image, factor, rng), (width, height), rng)
    if rng.random() < 0.5:
        image = degrade.jpeg(image, int(rng.uniform(20, 96)), int(rng.choice([0, 1, 2], p=[0.2, 0.1, 0.7])))
    return image
