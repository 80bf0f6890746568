"""Steadies the first generation's nets: what they say of the untouched picture they learn to say of the disturbed one.

No label takes part, so nothing that the nets know of prints and screens is traded for what webcams show.
Teacher and student see the same crop of the same frame; light, noise, blur and compression differ.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from .. import crops
from ..learner import Learner, share_of_rate
from ..liveness import grain
from ..liveness import net as context
from .disturb import disturbed
from .frames import Frame
from .train import ENLARGED, GRAIN_SCALES, GROWN, MOVED, brought_to

SHARES = {"webcam": 12, "made": 12, "scene": 8}
"""Frames of each kind in a batch."""

UNTOUCHED = 0.2
"""Share of the samples that stay as they are."""

LIMIT = 10.0
"""The teacher's logits, less their mean, count up to this."""


@dataclass(frozen=True)
class Settings:
    """What a run depends on, besides the data."""

    net: str
    steps: int = 600
    rate: float = 3e-4
    rise: int = 40
    end: float = 0.03
    weight_decay: float = 0.02
    average: float = 0.99
    seed: int = 1


def seen(image: np.ndarray, box: np.ndarray, net: str) -> np.ndarray:
    """The view of the context or the grain net."""
    if net == "grain":
        return crops.sampled_crop(image, tuple(box), grain.FACTOR, grain.SIZE)
    return crops.square_crop(image, tuple(box), context.FACTOR, context.SIZE)


class Batches(IterableDataset):
    """Endless batches: views (n, s, s, 3) of untouched pictures, and of the same pictures disturbed."""

    def __init__(self, frames: list[Frame], settings: Settings, start: int) -> None:
        self.net, self.seed = settings.net, (settings.seed, start)
        self.kinds = {kind: [f for f in frames if f.kind == kind] for kind in SHARES}

    def pair(self, frame: Frame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        low, high = (math.log(s) for s in GRAIN_SCALES)
        scale = 1.0 if rng.random() < 0.5 else math.exp(rng.uniform(low, high))
        image, box = brought_to(frame, min(scale, ENLARGED))
        if rng.random() < 0.5:
            width = image.shape[1]
            image, box = image[:, ::-1], np.array([width - box[2], box[1], width - box[0], box[3]])
        image = np.ascontiguousarray(image)
        half, middle = (box[2:] - box[:2]) / 2, (box[:2] + box[2:]) / 2
        middle = middle + rng.uniform(-2 * MOVED, 2 * MOVED, 2) * half
        half = half * math.exp(rng.uniform(-GROWN, GROWN))
        box = np.concatenate([middle - half, middle + half])
        other = image if rng.random() < UNTOUCHED else disturbed(image, rng)
        return seen(image, box, self.net), seen(other, box, self.net)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        rng = np.random.default_rng((*self.seed, 23))
        torch.set_num_threads(1)
        while True:
            drawn = [self.kinds[kind][rng.integers(len(self.kinds[kind]))] for kind, count in SHARES.items() for _ in range(count)]
            clean, other = zip(*(self.pair(frame, rng) for frame in drawn))
            yield torch.from_numpy(np.stack(clean)), torch.from_numpy(np.stack(other))


def as_input(views: torch.Tensor) -> torch.Tensor:
    return views.permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)


def centred(logits: torch.Tensor) -> torch.Tensor:
    """Logits less their mean: what softmax sees of them."""
    return (logits - logits.mean(1, keepdim=True)).clamp(-LIMIT, LIMIT)


def steady(net: nn.Module, frames: list[Frame], settings: Settings, checkpoint: Path) -> nn.Module:
    """Trains `net` in place, resumes from `checkpoint`, returns the averaged net."""
    torch.manual_seed(settings.seed)
    torch.set_num_threads(1)
    teacher = copy.deepcopy(net).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    learner = Learner(net, settings.weight_decay, settings.average)
    stored = learner.restore(checkpoint)
    step = stored["step"] if stored else 0
    curve: list[dict[str, Any]] = stored["curve"] if stored else []
    batches = iter(DataLoader(Batches(frames, settings, step), batch_size=None, num_workers=1, prefetch_factor=4))
    began, total, before, count = time.time(), 0.0, 0.0, 0
    while step < settings.steps:
        clean, other = next(batches)
        with torch.no_grad():
            wanted = centred(teacher(as_input(clean)))
            before += functional.smooth_l1_loss(centred(teacher(as_input(other))), wanted).item() if step % 10 == 0 else 0.0
        loss = functional.smooth_l1_loss(centred(learner.net(as_input(other))), wanted)
        learner.step(loss, settings.rate * share_of_rate(step, settings.steps, settings.rise, settings.end))
        total, count, step = total + loss.item(), count + 1, step + 1
        if step % 50 == 0 or step == settings.steps:
            curve.append({"step": step, "loss": round(total / count, 4), "untrained": round(10 * before / count, 4), "seconds": round(time.time() - began)})
            print(curve[-1], flush=True)
            total, before, count = 0.0, 0.0, 0
            learner.save(checkpoint, step=step, curve=curve, settings=asdict(settings))
    return learner.average.net
