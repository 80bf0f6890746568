"""Training views: a frame as a camera might give it, its face box, and what the pair says.

A view starts from a scene's face, is set into a frame (as it stands, or on another
background), in part shown on a screen or in print, passes light and camera, and is
judged by the teachers on that very frame. The student gets several crops of it, with
other boxes and re-encoded, all with the same target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image

from .. import crops, degrade, warp
from ..presentation import present
from ..teachers import SilentFacePair
from .net import FACTOR, SIZE
from .scenes import Scene

Rng: TypeAlias = np.random.Generator

CROPS = 3
"""Crops of each view: as it is, moved box, moved box on a re-encoded or smaller frame."""

UNKNOWN, PRINT, SCREEN = 0, 1, 2
"""Attack type of a view; 0 where there is none or none is known."""

FRAMES = ((320, 240), (240, 320), (320, 320), (400, 300), (300, 400), (480, 360))
"""Sizes of frames, (width, height): webcams', and others with the sharpness of a shrunk photo."""
FRAME_CHANCES = (0.36, 0.24, 0.1, 0.12, 0.12, 0.06)

PRESENTED = 0.4
"""Share of the views shown on a screen or in print."""

MIXED = 0.04
"""Share of views that blend two frames."""

FACELESS = 0.04
"""Share of views with a made-up box on a picture without a face."""


CALM = 0.6
"""Share of the views that keep their light and size: what most cameras give."""


@dataclass(frozen=True)
class View:
    """CROPS crops (SIZE, SIZE, 3), the pair's mean P(live), the attack type."""

    crops: np.ndarray
    live: float
    attack: int


@dataclass(frozen=True)
class Shot:
    """A frame, the face box in it, and the attack type."""

    frame: np.ndarray
    box: np.ndarray
    attack: int


class Studio:
    """Draws views from scenes. The generator passed to each call decides everything."""

    def __init__(self, scenes: list[Scene], presented: float = PRESENTED) -> None:
        self.presented = presented
        self.scenes = scenes
        self.faces = [(i, j) for i, scene in enumerate(scenes) for j in range(len(scene.faces))]
        chance = np.array([weight(scenes[i], scenes[i].faces[j]) for i, j in self.faces])
        self.chance = chance / chance.sum()
        self.faceless = [i for i, scene in enumerate(scenes) if not len(scene.faces)]
        self.backgrounds = [i for i, scene in enumerate(scenes) if scene.kind != "crop"]

    def view(self, pair: SilentFacePair, rng: Rng) -> View:
        """One view with the teachers' verdict, on the frame or its mirror image."""
        shot = self.shot(rng)
        if rng.random() < MIXED:
            other = self.shot(rng, (shot.frame.shape[1], shot.frame.shape[0]))
            share = rng.uniform(0.5, 1)
            blend = shot.frame * share + other.frame * (1 - share)
            shot = Shot((blend + 0.5).astype(np.uint8), shot.box, UNKNOWN)
        frame, box = shot.frame, shot.box
        width = frame.shape[1]
        if rng.random() < 0.5:
            live = pair.live(np.ascontiguousarray(frame[:, ::-1]), np.array([width - box[2], box[1], width - box[0], box[3]]))
        else:
            live = pair.live(frame, box)
        views = [crops.square_crop(frame, box, FACTOR, SIZE), crops.square_crop(frame, moved(box, rng), FACTOR, SIZE)]
        again, scale = reencoded(frame, rng)
        views.append(crops.square_crop(again, moved(box, rng) * scale, FACTOR, SIZE))
        return View(np.stack(views), live, shot.attack)

    def shot(self, rng: Rng, size: tuple[int, int] | None = None) -> Shot:
        """A frame of `size`, or of a size drawn from FRAMES."""
        size = size or FRAMES[rng.choice(len(FRAMES), p=FRAME_CHANCES)]
        if self.faceless and rng.random() < FACELESS:
            scene = self.scenes[self.faceless[rng.integers(len(self.faceless))]]
            height, width = scene.image.shape[:2]
            side, half = min(width, height) * rng.uniform(0.12, 0.6), np.array([0.42, 0.5])
            centre = rng.uniform(side / 2, (width - side / 2, height - side / 2))
            box = np.concatenate([centre - side * half, centre + side * half])
        else:
            i, j = self.faces[rng.choice(len(self.faces), p=self.chance)]
            scene = self.scenes[i]
            box = scene.faces[j]
        kind = None
        if rng.random() < self.presented:
            kind = "print" if rng.random() < 0.5 else "screen"
        frame, box = self.compose(scene, box, size, kind, rng)
        attack = {"print": PRINT, "screen": SCREEN}.get(kind or "", SCREEN if scene.kind == "replay" else UNKNOWN)
        if kind and scene.kind == "replay":
            attack = UNKNOWN  # a screen within a screen or print
        calm = rng.random() < CALM
        if not calm:
            frame = degrade.light(frame, rng)
        if not calm and rng.random() < 0.3:
            width, height = (max(24, int(v * rng.uniform(0.35, 0.9))) for v in size)
            frame = degrade.rescale(degrade.rescale(frame, (width, height), rng), size, rng)
        return Shot(degrade.camera(frame, rng), box, attack)

    def compose(
        self, scene: Scene, box: np.ndarray, size: tuple[int, int], kind: str | None, rng: Rng
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sets a scene's face into a frame, shown by `kind` of medium if any; frame and box."""
        picture = scene.image
        if rng.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            box = np.array([picture.shape[1] - box[2], box[1], picture.shape[1] - box[0], box[3]])
        width, height = size
        shortest = min(size)
        if kind:
            picture, box = cut_out(picture, box, rng)
        face = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
        low = max(34.0, 0.13 * shortest)
        wanted = np.exp(rng.uniform(np.log(low), np.log(0.72 * shortest)))
        scale = min(wanted / face, 3.5)
        if not kind and rng.random() < 0.6 and scene.kind != "crop":
            # Large enough for the picture to fill the frame, where the face allows it.
            fill = max(width / picture.shape[1], height / picture.shape[0])
            if fill * face <= 0.85 * shortest:
                scale = max(scale, fill)
        angle = np.deg2rad(rng.normal(0, 7)) if rng.random() < 0.35 else 0.0
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = (box[:2] + box[2:]) / 2
        room = np.clip((np.array(size) - 1.2 * face * scale) / 2, 0, None)
        target = np.array(size) / 2 + np.clip(rng.normal(0, 0.45, 2), -1, 1) * room
        offset = target - turn @ middle
        if angle == 0.0 and not kind:
            # Shift the picture so that it covers the frame where it's large enough.
            extent = np.array([picture.shape[1], picture.shape[0]]) * scale
            fits = extent >= size
            offset = np.where(fits, np.clip(offset, np.array(size) - extent, 0), offset)
        matrix = np.eye(3)
        matrix[:2, :2], matrix[:2, 2] = turn, offset
        if kind:
            shown = present(picture, kind, matrix, size, self.background(size, rng), rng)
            return shown.frame, warp.map_box(shown.matrix, box)
        frame, cover = warp.warp(picture, matrix, size)
        if cover.min() < 1:
            around = self.surroundings(picture, size, rng)
            frame = (around + (frame - around.astype(np.float32)) * cover + 0.5).astype(np.uint8)
        return frame, warp.map_box(matrix, box)

    def background(self, size: tuple[int, int], rng: Rng) -> np.ndarray:
        """Part of another picture, in half of the cases out of focus."""
        picture = self.scenes[self.backgrounds[rng.integers(len(self.backgrounds))]].image
        height, width = picture.shape[:2]
        share = rng.uniform(0.4, 1.0)
        w, h = width * share, height * share
        x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
        image = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, box=(x, y, x + w, y + h))
        if rng.random() < 0.5:
            image = degrade.soften(image, rng.uniform(1, 12))
        return degrade.light(np.asarray(image), rng)

    def surroundings(self, picture: np.ndarray, size: tuple[int, int], rng: Rng) -> np.ndarray:
        """What goes around a picture that doesn't fill its frame: another picture, the same one
        enlarged and blurred, or a plain colour."""
        draw = rng.random()
        if draw < 0.4:
            return self.background(size, rng)
        if draw < 0.8:
            image = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
            return np.asarray(degrade.soften(image, rng.uniform(4, 25)))
        plain = np.full((size[1], size[0], 3), rng.uniform(0, 255), np.float32) + rng.normal(0, 8, 3).astype(np.float32)
        return np.clip(plain, 0, 255).astype(np.uint8)


def weight(scene: Scene, box: np.ndarray) -> float:
    """How often a face is drawn: more with context, size, and a real camera's recapture."""
    side = min(box[2] - box[0], box[3] - box[1])
    factor = min(scene.image.shape[:2]) / ((box[2] - box[0] + box[3] - box[1]) / 2)
    chance = 1.0 if side >= 48 else 0.4
    chance *= 1.0 if factor >= 1.5 else 0.4
    if scene.kind == "crop":
        chance *= 0.4
    if scene.source not in ("jolignier", "ethanmai", "udacity", "prajnasb", "karysutariya") and scene.kind != "crop":
        chance *= 3.0
    # A crowd's faces share one picture.
    return chance / np.sqrt(len(scene.faces))


def cut_out(picture: np.ndarray, box: np.ndarray, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture that an attacker would show: 1.1 to 4.5 faces about the face."""
    height, width = picture.shape[:2]
    side = max(box[2] - box[0], box[3] - box[1])
    reach = side * np.exp(rng.uniform(np.log(0.55), np.log(2.2), 4))
    middle = (box[:2] + box[2:]) / 2
    low = np.maximum(np.floor(middle - reach[:2]), 0).astype(int)
    high = np.minimum(np.ceil(middle + reach[2:]), (width, height)).astype(int)
    return np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]]), box - np.tile(low, 2)


def moved(box: np.ndarray, rng: Rng) -> np.ndarray:
    """The box shifted by up to 10 % and scaled by up to 15 %."""
    half = (box[2:] - box[:2]) / 2
    middle = (box[:2] + box[2:]) / 2 + rng.uniform(-0.2, 0.2, 2) * half
    half = half * np.exp(rng.uniform(-0.15, 0.15))
    return np.concatenate([middle - half, middle + half])


def reencoded(frame: np.ndarray, rng: Rng) -> tuple[np.ndarray, float]:
    """The frame through JPEG 60..95 or at 60..130 % of its size, or both; and its scale."""
    scale = 1.0
    draw = rng.random()
    if draw < 0.65:
        height, width = frame.shape[:2]
        new_width = round(width * rng.uniform(0.6, 1.3))
        scale = new_width / width
        frame = degrade.rescale(frame, (new_width, round(height * scale)), rng)
    if draw > 0.35:
        frame = degrade.jpeg(frame, int(rng.uniform(60, 95)))
    return frame, scale
