"""What the Rust engine is compared with: `python -m livecheck_training.golden`.

Writes `crates/engine/tests/golden/`: drawn pictures (`<name>.png`), the crops of
each (`<name>.letterbox.png`, `.window.png`, `.square0.png` to `.square2.png`, `.sampled.png`, `.aligned.png`) and `golden.json` with the
face box and landmarks that the crops were cut by and the nets' outputs on them, computed
by ONNX Runtime. Also seals the models (`seal.py`). Run it after every export.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from . import crops
from .detector.predict import onnx_refine, refined
from .liveness.grain import FACTOR as GRAIN_FACTOR
from .liveness.grain import SIZE as GRAIN_SIZE
from .mask.net import SIZE as MASK_SIZE
from .refiner.net import FACTOR as WINDOW_FACTOR
from .refiner.net import SIZE as WINDOW_SIZE
from .seal import seal
from .teachers import Faces, session
from .threeview.net import FACTORS
from .threeview.net import SIZE as VIEWS_SIZE

ENGINE = Path(__file__).resolve().parents[2] / "crates/engine"
MODELS = ("face-detector", "face-refiner", "face-mask", "liveness-views", "liveness-grain", "liveness-small-context", "liveness-small-grain")
BEST_CELLS = 5
"""Cells of the detector's output that are written out, best score first."""

PROPOSED_SCORE = 0.8
"""Score of the box and landmarks of each picture where they stand for a proposal of the detector."""


def drawings() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Name to picture, face box (x0, y0, x1, y1) and landmarks (5, 2)."""
    rng = np.random.default_rng(20)
    noise = rng.integers(0, 256, (29, 43, 3)).astype(np.uint8)
    return {
        "cartoon_face": cartoon(360, 480, (185.0, 230.0), 150.0, 0.0),
        "cartoon_face_tilted_small": cartoon(640, 360, (420.5, 170.25), 58.0, 0.35),
        "cartoon_face_cut_by_the_frame": cartoon(320, 240, (40.0, 215.0), 130.0, -0.2),
        "gradient_wide": placed(gradient(333, 101), (200.3, 10.7, 260.9, 90.2), 0.1),
        "stripes_tall": placed(stripes(75, 301), (11.0, 100.0, 64.0, 171.0), -0.4),
        "noise_odd": placed(noise, (10.0, 6.0, 31.0, 25.5), 3.0),
        "tiny": placed(gradient(9, 7), (2.0, 1.0, 7.0, 6.0), 0.0),
    }


def cartoon(width: int, height: int, centre: tuple[float, float], side: float, angle: float):
    """A face of ellipses on a two-colour ground."""
    image = Image.new("RGB", (width, height), (96, 120, 150))
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, height * 0.7, width, height], (70, 84, 60))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def blob(at: tuple[float, float], radii: tuple[float, float], colour: tuple[int, int, int]) -> None:
        steps = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        outline = np.column_stack([np.cos(steps) * radii[0], np.sin(steps) * radii[1]]) + at
        draw.polygon([tuple(p) for p in (outline - 0.5) * side @ turn.T + centre], colour)

    blob((0.5, 0.45), (0.52, 0.62), (60, 40, 30))
    blob((0.5, 0.52), (0.42, 0.56), (224, 178, 150))
    for x in (0.34, 0.66):
        blob((x, 0.30), (0.10, 0.025), (60, 40, 30))
        blob((x, 0.38), (0.085, 0.045), (250, 250, 250))
        blob((x, 0.38), (0.035, 0.04), (50, 70, 90))
    blob((0.5, 0.54), (0.06, 0.09), (205, 150, 125))
    blob((0.5, 0.72), (0.15, 0.05), (170, 70, 75))
    points = (crops.FACE_TEMPLATE - 0.5) * side @ turn.T + centre
    half = np.array([0.42, 0.56]) * side
    box = np.concatenate([np.array(centre) - half, np.array(centre) + half])
    return np.asarray(image), box, points


def gradient(width: int, height: int) -> np.ndarray:
    """Three ramps in three directions."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, 255 - (x + y) / 2], -1).astype(np.uint8)


def stripes(width: int, height: int) -> np.ndarray:
    """Black and coloured stripes two and five pixels wide."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, ::5] = (255, 40, 90)
    image[::4] = (20, 220, 255)
    image[1::4] = (20, 220, 255)
    return image


def placed(image: np.ndarray, box: tuple[float, float, float, float], angle: float):
    """A picture with landmarks as a face in `box`, turned by `angle`, would have them."""
    x0, y0, x1, y1 = box
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (crops.FACE_TEMPLATE - 0.5) * min(x1 - x0, y1 - y0) @ turn.T + ((x0 + x1) / 2, (y0 + y1) / 2)
    return image, np.array(box), points


def blob(image: np.ndarray) -> np.ndarray:
    """A crop as a net's input."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)


def detector_answer(outputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """The best cells of the detector's dense output."""
    scores = outputs["scores"].reshape(-1)
    cells = np.argsort(-scores, kind="stable")[:BEST_CELLS]
    return {
        "mean_score": float(scores.mean(dtype=np.float64)),
        "cells": [
            {
                "index": int(cell),
                "score": float(scores[cell]),
                "box": [float(v) for v in outputs["boxes"].reshape(-1, 4)[cell]],
                "landmarks": [float(v) for v in outputs["landmarks"].reshape(-1, 10)[cell]],
            }
            for cell in cells
        ],
    }


def refined_answer(faces: Faces) -> dict[str, Any]:
    """What became of a single proposal."""
    return {
        "score": float(faces.scores[0]),
        "box": [float(v) for v in faces.boxes[0]],
        "landmarks": [[float(x), float(y)] for x, y in faces.landmarks[0]],
    }


def write_golden(folder: Path, models: Path) -> None:
    """Writes pictures, crops and answers, and removes those of earlier drawings."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    nets = {name: session(models / f"{name}.onnx") for name in MODELS}

    def run(name: str, image: np.ndarray) -> dict[str, np.ndarray]:
        net = nets[name]
        return dict(zip([o.name for o in net.get_outputs()], net.run(None, {net.get_inputs()[0].name: blob(image)})))

    refine = onnx_refine(models / "face-refiner.onnx")
    entries = []
    for name, (image, box, landmarks) in drawings().items():
        box, landmarks = np.round(box, 3), np.round(landmarks, 3)
        proposal = Faces(box[None], np.array([PROPOSED_SCORE]), landmarks[None])
        letterbox, scale = crops.letterbox(image)
        window = crops.window_crop(image, tuple(box), WINDOW_FACTOR, WINDOW_SIZE)
        squares = [crops.square_crop(image, tuple(box), factor, VIEWS_SIZE) for factor in FACTORS]
        sampled = crops.sampled_crop(image, tuple(box), GRAIN_FACTOR, GRAIN_SIZE)
        roll = crops.roll(landmarks)
        turned = crops.turned_sampled_crop(image, tuple(box), GRAIN_FACTOR, GRAIN_SIZE, roll)
        aligned = crops.aligned_crop(image, landmarks, MASK_SIZE)
        pictures = {"": image, ".letterbox": letterbox, ".window": window, ".aligned": aligned}
        pictures |= {".sampled": sampled, ".turned": turned}
        pictures |= {f".square{number}": square for number, square in enumerate(squares)}
        for suffix, picture in pictures.items():
            Image.fromarray(picture).save(folder / f"{name}{suffix}.png", optimize=True)
        entries.append(
            {
                "name": name,
                "box": box.tolist(),
                "landmarks": landmarks.tolist(),
                "roll": roll,
                "letterbox_scale": list(scale),
                "detector": detector_answer(run("face-detector", letterbox)),
                "refiner": [float(v) for v in run("face-refiner", window)["face"][0]],
                "refined": refined_answer(refined(proposal, image, refine)),
                "mask": float(run("face-mask", aligned)["mask"][0, 0]),
                "views": [[float(v) for v in run("liveness-views", square)["logits"][0]] for square in squares],
                "grain": [float(v) for v in run("liveness-grain", sampled)["logits"][0]],
                # Its view is the middle one.
                "small_context": [float(v) for v in run("liveness-small-context", squares[1])["logits"][0]],
                "small_grain": [float(v) for v in run("liveness-small-grain", sampled)["logits"][0]],
            }
        )
    golden = {
        "proposed_score": PROPOSED_SCORE,
        "window_factor": WINDOW_FACTOR,
        "window_size": WINDOW_SIZE,
        "square_factors": list(FACTORS),
        "square_size": VIEWS_SIZE,
        "sampled_factor": GRAIN_FACTOR,
        "sampled_size": GRAIN_SIZE,
        "aligned_size": MASK_SIZE,
        "pictures": entries,
    }
    (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    seal(ENGINE / "models")
    write_golden(ENGINE / "tests/golden", ENGINE / "models")


if __name__ == "__main__":
    main()
