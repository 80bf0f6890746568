"""What the detector takes for a face although it is none, and what no picture of the data shows: hands.

Bare hands, drawn in the skin tones of faces, and faces whose parts are put together in a wrong order:
skin, light and grain of a face without its shape.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from PIL import Image, ImageFilter

Rng: TypeAlias = np.random.Generator

FINGERS = (2, 6)
"""From the first number of fingers to below the second."""


def hand(ground: np.ndarray, tone: np.ndarray, rng: Rng) -> np.ndarray:
    """A fist or a hand, flat fingers side by side, on a square picture; `tone` is the RGB of its skin."""
    side = len(ground)
    count = int(rng.integers(*FINGERS))
    width = rng.uniform(0.13, 0.24)
    length = rng.uniform(0.25, 0.8)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5 - rng.uniform(-0.12, 0.12, (2, 1, 1))
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    across = across + rng.uniform(-0.25, 0.25) * along**2
    place = across / width + count / 2
    finger = np.clip(np.floor(place), 0, count - 1).astype(int)
    middle = 2 * (place - finger) - 1
    ends = length / 2 - rng.uniform(0, 0.12, count)
    beyond = np.maximum(along - ends[finger], 0) / (width / 2)
    round_end = middle**2 + beyond**2
    fingers = (round_end < 1) & (along > -length / 2)
    # The back of the hand, into which the fingers go over.
    low, high = count * width * rng.uniform(0.45, 0.6), rng.uniform(0.25, 0.5)
    back_along, back_across = (along + length / 2) / high, across / low
    back = (back_along**2 + back_across**2 < 1) & ~fingers
    shade = np.where(fingers, np.sqrt(np.clip(1 - 0.75 * round_end, 0.05, 1)), 1 - 0.3 * (back_along**2 + back_across**2))
    knuckles = 1 - rng.uniform(0, 0.25) * np.exp(-(((along - rng.uniform(-0.1, 0.2)) / 0.02) ** 2))
    light = 1 + rng.uniform(-0.4, 0.4) * x + rng.uniform(-0.4, 0.4) * y
    skin = tone * (shade * knuckles * light)[..., None]
    skin *= 1 + (np.array([0.0, -0.06, -0.08]) * rng.uniform(0, 1.5)) * (1 - shade[..., None])
    if rng.random() < 0.4:
        nail = fingers & ((along - ends[finger] + 0.3 * width) ** 2 + (middle * width / 2) ** 2 < (0.3 * width) ** 2)
        skin = np.where(nail[..., None], skin * 1.1 + 12, skin)
    mask = Image.fromarray(((fingers | back) * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(rng.uniform(0.3, 1.2)))
    cover = np.asarray(mask, np.float32)[..., None] / 255
    return np.clip(ground * (1 - cover) + skin * cover, 0, 255).astype(np.uint8)


def scrambled(face: np.ndarray, rng: Rng) -> np.ndarray:
    """The middle of a square picture cut into tiles, which change places and are turned."""
    side = len(face)
    count = int(rng.integers(2, 5))
    tile = int(side * rng.uniform(0.6, 0.95)) // count
    first = rng.integers(0, side - tile * count + 1, 2)
    out = face.copy()
    places = [(i, j) for i in range(count) for j in range(count)]
    for (i, j), number in zip(places, rng.permutation(len(places))):
        k, m = places[number]
        part = face[first[0] + k * tile : first[0] + (k + 1) * tile, first[1] + m * tile : first[1] + (m + 1) * tile]
        out[first[0] + i * tile : first[0] + (i + 1) * tile, first[1] + j * tile : first[1] + (j + 1) * tile] = np.rot90(
            part, int(rng.integers(4))
        )
    soft = np.asarray(Image.fromarray(out).filter(ImageFilter.BoxBlur(rng.uniform(0.3, 1.5))))
    return soft if rng.random() < 0.6 else out
