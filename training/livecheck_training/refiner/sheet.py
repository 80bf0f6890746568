"""Training windows on one picture, for the eye."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..detector.samples import read_training_data
from .net import SIZE
from .points import averaged
from .train import load, seen_by
from .windows import Window

COLUMNS, ROWS, ENLARGED = 12, 8, 2


def sheet(
    data_folder: Path, cache: Path, teachers: Path, detector: Path, seed: int, start: Path | None, out: Path
) -> None:
    """Draws windows with the box and points asked for, and the score beneath."""
    data = read_training_data(data_folder, cache, teachers)
    data = replace(data, faces=averaged(data.faces, teachers, cache))
    maker = seen_by(data, detector, cache, seed, load(start)[0] if start else None)(seed)
    rows = [np.concatenate([tile(maker.window()) for _ in range(COLUMNS)], 1) for _ in range(ROWS)]
    Image.fromarray(np.concatenate(rows)).save(out)


def tile(window: Window) -> np.ndarray:
    """One window, drawn upon."""
    side = SIZE * ENLARGED
    image = Image.fromarray(window.image).resize((side, side))
    pen = ImageDraw.Draw(image)
    if not np.isnan(window.box).any():
        pen.rectangle(tuple(window.box * side), outline=(0, 255, 0))
    if not np.isnan(window.points).any():
        for x, y in window.points.reshape(5, 2) * side:
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), outline=(255, 0, 0))
    pen.text((2, 2), f"{window.score:.2f}", fill=(255, 255, 0))
    return np.asarray(image)
