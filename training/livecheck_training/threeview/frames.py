"""Labelled frames with the product's face box and the teachers' answers on the untouched picture.

Four kinds: `webcam` (live people and screens before one camera, from the train sources that
`webcams.py` gathers), `scene` (bona fide pictures and photographed screens with a face), `made`
(simulated presentations and other views of the scenes, which have the teachers' answer only) and
`patch` (photos of real scenes and of screens, without a face, at a made-up box).
"""

from __future__ import annotations

import csv
import pickle
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from .. import degrade
from ..data import ImageSet, load_rgb
from ..detector.predict import shipped_finder
from ..liveness.scenes import Scene, is_held_out
from ..liveness.scorer import Scorer
from ..liveness.views import FRAME_CHANCES, FRAMES, PRINT, SCREEN, Studio
from ..teachers import MiniFasNetSE, SilentFacePair

LIVE = 3
"""Attack type of a frame known to show a live person; the others are those of `liveness.views`."""

SURE = 0.5
"""Least score of the detector for a webcam face."""

SECOND = 0.6
"""An attack frame with a second face of this score may show the holder of the screen: left out."""

LONGEST = 800
"""Longer side that frames are kept at, in pixels."""


@dataclass(frozen=True)
class Frame:
    """`image` (h, w, 3) RGB, `box` x0, y0, x1, y1 in its pixels, what it is known to show (`attack`:
    LIVE, PRINT, SCREEN or UNKNOWN), its kind and source, and the teachers' margins (3,): the pair's
    P(live) as a logit, MiniFASNetV2-SE's, the mean of the first generation's two nets'."""

    image: np.ndarray
    box: np.ndarray
    attack: int
    kind: str
    source: str
    key: str
    teachers: np.ndarray | None

    @property
    def room(self) -> float:
        """Face sides that the frame's shorter side has room for."""
        return float(min(self.image.shape[:2]) / ((self.box[2] - self.box[0] + self.box[3] - self.box[1]) / 2))


class Teachers:
    """The answers of the three teachers on one face."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.pair, self.near, self.small = SilentFacePair(folder), MiniFasNetSE(folder), Scorer(models)

    def margins(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Logits of P(live), shape (3,)."""
        live = np.clip(self.pair.live(image, box), 1e-4, 1 - 1e-4)
        return np.array([np.log(live / (1 - live)), self.near.margin(image, box), self.small.margins(image, box).mean()])


def shrunk(image: np.ndarray) -> np.ndarray:
    """Within `LONGEST`."""
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST / max(width, height))
    if scale == 1.0:
        return image
    return np.asarray(Image.fromarray(image).resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR))


def webcam_frames(folder: Path, models: Path, teachers: Path, split: str) -> list[Frame]:
    """Frames of one split of the gathered sources, a face by the product's detector in each."""
    with open(folder / "webcams.csv", newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["split"] == split]
    finder, teach, out = shipped_finder(models), Teachers(teachers, models), []
    for row in rows:
        image = shrunk(load_rgb(folder / row["image"]))
        faces = finder.detect(image, SURE)
        if not len(faces) or (row["class"] == "replay" and len(faces) > 1 and np.sort(faces.scores)[-2] >= SECOND):
            continue
        box = faces.boxes[int(np.argmax(faces.scores))].astype(float)
        if box[2] - box[0] < 40:
            continue
        attack = LIVE if row["class"] == "live" else SCREEN
        out.append(Frame(image, box, attack, "webcam", row["source"], row["image"], teach.margins(image, box)))
    return out


def scene_frames(scenes: list[Scene], models: Path, teachers: Path) -> list[Frame]:
    """Faces of bona fide pictures and of photographed screens, held-out ones among them."""
    finder, teach, out = shipped_finder(models), Teachers(teachers, models), []
    for scene in scenes:
        if scene.kind == "crop" or not len(scene.faces):
            continue
        faces = finder.detect(scene.image, SURE)
        for number, found in enumerate(scene.faces[:4]):
            at = faces.closest(found)
            if at is None or min(faces.boxes[at][2:] - faces.boxes[at][:2]) < 40:
                continue
            box = faces.boxes[at].astype(float)
            attack = LIVE if scene.kind == "real" else SCREEN
            key = f"{scene.key}#{number}"
            out.append(Frame(scene.image, box, attack, "scene", scene.source, key, teach.margins(scene.image, box)))
    return out


def patch_frames(recapture: ImageSet) -> list[Frame]:
    """Photos of things and of screens: a made-up box whose near view is most of the photo."""
    rng, out = np.random.default_rng(5), []
    for row in recapture.rows:
        image = load_rgb(recapture.path(row["image"]))
        height, width = image.shape[:2]
        side = min(width, height) / 2.0
        middle = rng.uniform((side * 0.8, side * 0.8), (width - side * 0.8, height - side * 0.8))
        box = np.concatenate([middle - side / 2, middle + side / 2])
        attack = LIVE if row["class"] == "real" else SCREEN
        out.append(Frame(image, box, attack, "patch", row["source"], row["image"], None))
    return out


def made_frames(scenes: list[Scene], models: Path, teachers: Path, count: int, seed: int, attacks_only: bool = False) -> list[Frame]:
    """Views of the scenes as `liveness.views` makes them, prints and screens among them."""
    studio, rng, teach = Studio(scenes, presented=0.6), np.random.default_rng(seed), Teachers(teachers, models)
    out: list[Frame] = []
    real = [(s, b) for s in scenes if s.kind == "real" for b in s.faces if min(b[2] - b[0], b[3] - b[1]) >= 48]
    while len(out) < count:
        if attacks_only:
            scene, box = real[rng.integers(len(real))]
            kind = "print" if len(out) % 2 else "screen"
            size = FRAMES[rng.choice(len(FRAMES), p=FRAME_CHANCES)]
            image, box = studio.compose(scene, box, size, kind, rng)
            image, attack = degrade.camera(image, rng), PRINT if kind == "print" else SCREEN
        else:
            shot = studio.shot(rng)
            image, box, attack = shot.frame, shot.box, shot.attack
        if min(box[2:] - box[:2]) < 34 or (box[:2] < -20).any():
            continue
        out.append(Frame(image, np.asarray(box, float), attack, "made", "made", f"{seed}/{len(out)}", teach.margins(image, box)))
    return out


def _made(task: tuple) -> list[Frame]:
    return made_frames(*task)


def parallel_made(
    scenes: list[Scene], models: Path, teachers: Path, count: int, seed: int, processes: int, attacks_only: bool = False
) -> list[Frame]:
    """`made_frames` in several processes; the same frames whatever their number."""
    parts = 8
    tasks = [(scenes, models, teachers, count // parts, seed * 100 + part, attacks_only) for part in range(parts)]
    with get_context("fork").Pool(processes) as pool:
        return [frame for part in pool.map(_made, tasks, chunksize=1) for frame in part]


def cached(path: Path, make) -> list[Frame]:
    """The list in the file, or the one that `make` returns, stored there."""
    if not path.exists():
        frames = make()
        scratch = path.with_suffix(".tmp")
        scratch.write_bytes(pickle.dumps(frames, protocol=5))
        scratch.replace(path)
        return frames
    return pickle.loads(path.read_bytes())


def held_out(frame: Frame) -> bool:
    """Whether a frame of a scene calibrates and never trains."""
    return is_held_out(frame.source, frame.key.split("#")[0])

