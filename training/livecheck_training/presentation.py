"""A simulator of presentation attacks at the scale of the context net.

A picture is shown on a screen or printed on paper, held before a background, and
photographed. Only what a 112-pixel view of face and surroundings can hold is
modelled: tone and gamut of the medium, its edge, glare, reflections, shading, hands.
Ranges are stated where they are drawn. Everything depends on the generator passed in,
so a seed repeats a picture. `python -m livecheck_training.liveness sheet` writes a
contact sheet of training views, presentations among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from . import warp
from .degrade import soften

Rng: TypeAlias = np.random.Generator


@dataclass(frozen=True)
class Shown:
    """What the camera sees: the frame, and the map from the picture's pixels to it."""

    frame: np.ndarray
    matrix: np.ndarray


def smooth_field(size: tuple[int, int], cells: int, rng: Rng) -> np.ndarray:
    """A smooth random field of shape (height, width, 1) in -1..1, `cells` bumps a side."""
    coarse = (rng.random((cells + 2, cells + 2)) * 255).astype(np.uint8)
    field = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), np.float32)
    return field[..., None] / 127.5 - 1


def screen_tone(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """A display: gamma 0.75..1.35, white point 4000..11000 K (as gains), black level 0..0.10,
    peak 0.7..1.25, saturation 0.8..1.35."""
    x = (picture.astype(np.float32) / 255) ** np.float32(rng.uniform(0.75, 1.35))
    grey = x.mean(-1, keepdims=True)
    x = grey + (x - grey) * np.float32(rng.uniform(0.8, 1.35))
    warmth = rng.normal(-0.05, 0.08)
    gains = np.array([1 + warmth, 1 + rng.normal(0, 0.03), 1 - warmth], np.float32)
    black = np.float32(rng.uniform(0, 0.10))
    return black + x * (np.float32(rng.uniform(0.7, 1.25)) - black) * gains


def print_tone(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """Ink on paper: saturation 0 (one in ten) or 0.45..1, gamma 0.75..1.4, ink black 0.03..0.22,
    paper white 0.65..1 with a tint of +-6 %, and grain."""
    x = (picture.astype(np.float32) / 255) ** np.float32(rng.uniform(0.75, 1.4))
    grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
    keep = np.float32(0 if rng.random() < 0.1 else rng.uniform(0.45, 1.0))
    x = grey[..., None] + (x - grey[..., None]) * keep
    black, white = np.float32(rng.uniform(0.03, 0.22)), np.float32(rng.uniform(0.65, 1.0))
    x = (black + x * (white - black)) * rng.uniform(0.94, 1.06, 3).astype(np.float32)
    grain = rng.standard_normal(x.shape[:2], np.float32)[..., None]
    return x * (1 + grain * np.float32(rng.uniform(0, 0.05)))


def margins(kind: str, rng: Rng) -> np.ndarray:
    """Border of the medium at left, top, right, bottom as shares of the picture's longer side:
    paper 0..0.12, bezels 0.01..0.12 with thicker ends in half of the cases."""
    if kind == "print":
        return np.full(4, 0.0 if rng.random() < 0.3 else rng.uniform(0, 0.12)) * rng.uniform(0.6, 1.4, 4)
    border = np.full(4, rng.uniform(0.01, 0.05))
    if rng.random() < 0.5:
        ends = [0, 2] if rng.random() < 0.5 else [1, 3]
        border[ends] = rng.uniform(0.05, 0.12)
    return border


def present(
    picture: np.ndarray,
    kind: str,
    matrix: np.ndarray,
    size: tuple[int, int],
    background: np.ndarray,
    rng: Rng,
) -> Shown:
    """Shows `picture` as `kind` ("print" or "screen").

    `matrix` maps the picture into a frame of `size` = (width, height); the medium's
    corners then move by up to 7 % of its sides (perspective). `background` is a
    frame of that size.
    """
    height, width = picture.shape[:2]
    x = screen_tone(picture, rng) if kind == "screen" else print_tone(picture, rng)
    left, top, right, bottom = np.round(margins(kind, rng) * max(width, height)).astype(int)
    if kind == "screen":
        edge = rng.uniform(0.0, 0.15) if rng.random() < 0.8 else rng.uniform(0.6, 0.95)
    else:
        edge = rng.uniform(0.75, 1.0)
    medium = np.full((height + top + bottom, width + left + right, 3), edge, np.float32)
    medium[top : top + height, left : left + width] = x
    medium = shade(medium, kind, rng)
    if kind == "screen":
        medium = emit(medium, background, rng)
    medium8 = (np.clip(medium, 0, 1) * 255 + 0.5).astype(np.uint8)

    outline = warp.corners(medium.shape[1], medium.shape[0]) - (left, top)
    placed = warp.apply(matrix, outline)
    sides = np.array([np.linalg.norm(placed[1] - placed[0]), np.linalg.norm(placed[3] - placed[0])])
    placed = placed + rng.normal(0, rng.uniform(0, 0.035), (4, 2)) * sides
    to_frame = warp.homography(outline + (left, top), placed)
    shown, cover = warp.warp(medium8, to_frame, size)
    scene = background.astype(np.float32)
    if rng.random() < 0.6:
        radius = rng.uniform(2, 14) * min(size) / 240
        dark = soften(Image.fromarray((cover[..., 0] * 255).astype(np.uint8)), radius)
        shift = rng.integers(-8, 9, 2)
        dark = np.roll(np.asarray(dark, np.float32), tuple(shift), (0, 1))[..., None] / 255
        scene = scene * (1 - dark * np.float32(rng.uniform(0.2, 0.7)))
    frame = scene + (shown - scene) * cover
    if rng.random() < 0.5:
        frame = hands(frame, placed, rng)
    shift = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], np.float64)
    return Shown(np.clip(frame + 0.5, 0, 255).astype(np.uint8), to_frame @ shift)


def shade(medium: np.ndarray, kind: str, rng: Rng) -> np.ndarray:
    """Uneven light: a ramp of up to 35 % (paper; 12 % on screens), curl of paper as bands of
    up to 15 %, smooth blotches of up to 8 %."""
    height, width = medium.shape[:2]
    ys, xs = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None], np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    angle = rng.uniform(0, 2 * np.pi)
    along = np.float32(np.cos(angle)) * xs + np.float32(np.sin(angle)) * ys
    factor = 1 + along * np.float32(rng.uniform(0, 0.35 if kind == "print" else 0.12) / 1.4)
    if kind == "print" and rng.random() < 0.5:
        factor = factor + np.float32(rng.uniform(0.02, 0.15)) * np.sin(along * np.float32(rng.uniform(1.5, 5)) + np.float32(rng.uniform(0, 6)))
    if rng.random() < 0.5:
        factor = factor + smooth_field((width, height), int(rng.integers(1, 5)), rng) * np.float32(rng.uniform(0, 0.08))
    return medium * factor


def emit(medium: np.ndarray, room: np.ndarray, rng: Rng) -> np.ndarray:
    """What only a screen does: moire of up to 6 % (3 to 60 periods), bands of up to 12 %,
    the room mirrored at up to 22 %, a lamp's glare."""
    height, width = medium.shape[:2]
    ys, xs = np.linspace(0, 1, height, dtype=np.float32)[:, None], np.linspace(0, 1, width, dtype=np.float32)[None, :]
    if rng.random() < 0.5:
        fx, fy = rng.uniform(-60, 60, 2) if rng.random() < 0.7 else rng.uniform(-8, 8, 2)
        bend = smooth_field((width, height), 2, rng)[..., 0] * np.float32(rng.uniform(0, 3))
        phase = 2 * np.pi * (fx * xs + fy * ys).astype(np.float32) + bend
        wave = np.stack([np.sin(phase + np.float32(p)) for p in rng.uniform(0, 2.5, 3)], -1)
        medium = medium * (1 + wave * np.float32(rng.uniform(0.005, 0.06)))
    if rng.random() < 0.25:
        band = np.sin(2 * np.pi * (rng.uniform(1, 8) * ys + rng.random()))
        medium = medium * (1 + band[..., None].astype(np.float32) * np.float32(rng.uniform(0.02, 0.12)))
    if rng.random() < 0.35:
        mirrored = soften(Image.fromarray(room[:, ::-1]).resize((width, height), Image.Resampling.BILINEAR), 3.0)
        medium = medium + np.asarray(mirrored, np.float32) / 255 * np.float32(rng.uniform(0.03, 0.22))
    if rng.random() < 0.3:
        cx, cy, radius = rng.random(), rng.random(), rng.uniform(0.05, 0.3)
        spot = np.exp(-(((xs - np.float32(cx)) ** 2 + (ys - np.float32(cy)) ** 2) / np.float32(radius**2)))
        medium = medium + spot[..., None] * np.float32(rng.uniform(0.1, 0.8))
    return medium


def hands(frame: np.ndarray, placed: np.ndarray, rng: Rng) -> np.ndarray:
    """Fingers and the ball of a hand over an edge of the medium, in a skin tone."""
    height, width = frame.shape[:2]
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    unit = float(np.linalg.norm(placed[2] - placed[0]) * rng.uniform(0.035, 0.06))
    for _ in range(int(rng.integers(1, 3))):
        side = int(rng.integers(4))
        begin, end = placed[side], placed[(side + 1) % 4]
        at = begin + (end - begin) * rng.uniform(0.15, 0.85)
        inward = placed.mean(0) - at
        inward = inward / (np.linalg.norm(inward) + 1e-6)
        across = np.array([-inward[1], inward[0]])
        for finger in range(int(rng.integers(1, 5))):
            tip = at + inward * unit * rng.uniform(0.5, 2.5) + across * finger * unit * 1.1
            root = tip - inward * unit * rng.uniform(3, 9)
            draw.line([tuple(root), tuple(tip)], 255, max(1, int(unit)))
            draw.ellipse([*(tip - unit / 2), *(tip + unit / 2)], 255)
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(max(0.5, unit * 0.12))), np.float32)[..., None] / 255
    skin = np.array([1.0, rng.uniform(0.68, 0.8), rng.uniform(0.5, 0.68)], np.float32) * np.float32(rng.uniform(60, 235))
    lit = skin * (1 + 0.25 * smooth_field((width, height), 6, rng))
    return frame + (lit - frame) * soft
