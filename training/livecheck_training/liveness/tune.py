"""The last stage: fewer inventions, more of what cameras give.

The long run (`train.py`) sees strongly varied views. This one goes on from its average on
plain windows of the pictures, as a webcam would frame the face, with milder light and
camera; a quarter of the views stay as in the long run, and a fifth of the crops come from
its shards. The teachers' target is their mean over the frame and its mirror image.

What ships is the mean of the weights before and after: two points of one path, whose middle
did better than either end (the idea: Wortsman et al. 2022, "Model soups").
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from .. import crops, degrade
from ..learner import Learner, fallen
from ..teachers import SilentFacePair
from .generate import HELD_OUT_SHARDS, VIEWS
from .net import FACTOR, SIZE, LivenessNet
from .scenes import Scene
from .train import live_loss, load, measure, to_tensor, type_loss
from .views import FRAME_CHANCES, FRAMES, SCREEN, UNKNOWN, Shot, Studio

Rng: TypeAlias = np.random.Generator

PLAIN = 0.75
"""Share of the views that are plain windows."""

FACE_SHARE = (0.22, 0.62)
"""Mean face side over the window's height."""


@dataclass(frozen=True)
class TuneSettings:
    """What the stage depends on, besides the checkpoint and the data."""

    samples: int = 20_000
    batch: int = 32
    rate: float = 6e-4
    weight_decay: float = 0.02
    average: float = 0.998
    type_weight: float = 0.15
    shards: int = 40
    """Shards of plain views made for it."""
    pool: int = 4
    """Of these, in a round; one shard of the long run joins them."""
    share: float = 0.5
    """Share of the weights after the stage in those that ship."""
    seed: int = 5


def plain_shot(studio: Studio, rng: Rng, size: tuple[int, int] | None = None) -> Shot:
    """A window of a picture with a webcam's proportions, in mild light; of `size`, or of one of FRAMES."""
    i, j = studio.faces[rng.choice(len(studio.faces), p=studio.chance)]
    scene = studio.scenes[i]
    box = scene.faces[j].astype(float)
    height, width = scene.image.shape[:2]
    size = size or FRAMES[rng.choice(len(FRAMES), p=FRAME_CHANCES)]
    window = (box[2:] - box[:2]).mean() / rng.uniform(*FACE_SHARE) * np.array([size[0] / size[1], 1.0])
    window *= min(1.0, width / window[0], height / window[1])
    share = np.array([rng.uniform(0.35, 0.65), rng.uniform(0.4, 0.65)])
    corner = np.clip((box[:2] + box[2:]) / 2 - window * share, 0, np.maximum((width, height) - window, 0))
    frame = crops.resize(scene.image, (*corner, *(corner + window)), size)
    box = (box - np.tile(corner, 2)) * size[0] / window[0]
    if rng.random() < 0.35:
        frame = degrade.light(frame, rng)
    if rng.random() < 0.25:
        width, height = (max(24, int(v * rng.uniform(0.5, 0.9))) for v in size)
        frame = degrade.rescale(degrade.rescale(frame, (width, height), rng), size, rng)
    if rng.random() < 0.7:
        frame = degrade.camera(frame, rng)
    return Shot(frame, box, SCREEN if scene.kind == "replay" else UNKNOWN)


def make_shard(path: Path, studio: Studio, pair: SilentFacePair, seed: tuple[int, ...]) -> None:
    """Writes a shard of VIEWS views, each as it is and mirrored."""
    rng = np.random.default_rng(seed)
    both = np.empty((VIEWS, 2, SIZE, SIZE, 3), np.uint8)
    live, attack = np.empty(VIEWS, np.float32), np.empty(VIEWS, np.int8)
    for v in range(VIEWS):
        shot = plain_shot(studio, rng) if rng.random() < PLAIN else studio.shot(rng)
        width = shot.frame.shape[1]
        mirrored = np.ascontiguousarray(shot.frame[:, ::-1])
        box = np.array([width - shot.box[2], shot.box[1], width - shot.box[0], shot.box[3]])
        live[v] = (pair.live(shot.frame, shot.box) + pair.live(mirrored, box)) / 2
        both[v, 0] = crops.square_crop(shot.frame, tuple(shot.box), FACTOR, SIZE)
        both[v, 1] = crops.square_crop(mirrored, tuple(box), FACTOR, SIZE)
        attack[v] = shot.attack
    scratch = path.with_suffix(".tmp.npz")
    np.savez(scratch, crops=both, live=live, attack=attack)
    scratch.replace(path)


def tune(scenes: list[Scene], teachers: Path, views: Path, checkpoint: Path, tuned: Path, settings: TuneSettings) -> None:
    """Goes on from `checkpoint` and writes `tuned`; the shards made are kept for a repeat."""
    folder = views / "plain"
    folder.mkdir(parents=True, exist_ok=True)
    studio, pair = Studio([s for s in scenes if not s.held_out]), SilentFacePair(teachers)
    for number in range(settings.shards):
        path = folder / f"{number:05d}.npz"
        if not path.exists():
            make_shard(path, studio, pair, (77, number))
    torch.manual_seed(settings.seed)
    stored = torch.load(checkpoint, weights_only=False)
    log = stored["log"] | {"tuning": {"settings": asdict(settings), "from": stored["seen"], "curve": []}}
    net = LivenessNet()
    before = stored["average"]
    net.load_state_dict(before)
    learner = Learner(net, settings.weight_decay, settings.average)
    held_out = load(views / "held-out", list(range(HELD_OUT_SHARDS)))
    earlier = sorted(int(p.stem) for p in (views / "train").glob("[0-9]*[0-9].npz"))
    rng = np.random.default_rng(settings.seed)
    seen, turn = 0, 0
    while seen < settings.samples:
        numbers = [(turn * settings.pool + k) % settings.shards for k in range(settings.pool)]
        turn += 1
        images, live, attack = load(folder, numbers)
        images = images[np.arange(len(live)), rng.integers(2, size=len(live))]
        old = load(views / "train", [earlier[rng.integers(len(earlier))]])
        images, live, attack = (np.concatenate(p) for p in zip((images, live, attack), (old[0][:, 0], *old[1:])))
        order = rng.permutation(len(live))
        for start in range(0, len(order) - settings.batch + 1, settings.batch):
            index = order[start : start + settings.batch]
            batch = images[index]
            if rng.random() < 0.5:
                batch = np.ascontiguousarray(batch[:, :, ::-1])
            rate = settings.rate * min(1.0, (seen + settings.batch) / 1500) * fallen(seen / settings.samples, 0.02)
            net.train()
            logits = net(to_tensor(batch))
            loss = live_loss(logits, torch.from_numpy(live[index]))
            loss = loss + settings.type_weight * type_loss(logits, torch.from_numpy(attack[index]))
            learner.step(loss, rate)
            seen += len(index)
        log["tuning"]["curve"].append({"seen": seen} | {k: round(v, 5) for k, v in measure(learner.average.net, held_out).items()})
        print(log["tuning"]["curve"][-1], flush=True)
    torch.save({"best_weights": between(before, learner.averaged_weights(), settings.share), "log": log}, tuned)


def between(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """Weights on the line from one net to the other; counters are those of `after`."""
    return {
        name: before[name] * (1 - share) + value * share if value.is_floating_point() else value.clone()
        for name, value in after.items()
    }
