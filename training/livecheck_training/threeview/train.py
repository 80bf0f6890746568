"""Fine-tunes the views net on labelled frames, with the teachers' answers held on to all the time.

A batch mixes the kinds of frames (`SHARES`). Webcam frames are drawn by class, then by source, then by
frame, so that no source weighs more than another. Both classes are brought to the same face widths, and in
half of the frames the wide view takes in no more surroundings than a frame of the other class has room
for: a face must not be told live by its size. The labels, and the teachers' answers on the untouched picture, hold
for the disturbed one.
"""

from __future__ import annotations

import copy
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from .. import crops
from ..learner import Learner, share_of_rate
from ..liveness import grain
from .disturb import disturbed, framed, tilted
from .frames import LIVE, PRINT, SCREEN, Frame, held_out
from .net import FACTORS, SIZE, VIEWS

Rng: TypeAlias = np.random.Generator

SHARES = {"webcam": 12, "made": 6, "scene": 4, "patch": 2}
"""Frames of each kind in a batch."""

FACE_WIDTHS = (72.0, 170.0)
"""Widths that faces are brought to before the picture is disturbed, drawn by their logarithm."""

ENLARGED = 1.15
"""Most that a face is enlarged by."""

NATIVE = 0.6
"""Share of the grain net's samples that keep the frame's own pixels."""

GRAIN_SCALES = (0.5, 1.15)
"""Factors that the others are resized by."""

WINDOW = 4.7
"""Face sides about the face that are kept."""

MATCHED = 0.5
"""Share of the webcam frames whose wide view is held to the room that frames of the other class have."""

KEPT = ("made", "scene")
"""Kinds of frames on which a net goes on saying what it said before its training."""

KEPT_UNTOUCHED = 0.5
"""Share of those frames that are not disturbed."""

KEPT_LIMIT = 10.0
"""Logits to keep, less their mean, count up to this."""

MOVED, GROWN = 0.08, 0.12
"""Most that the box moves, in its sides, and that it grows or shrinks."""

TEACHER_CLIP = 4.0
"""Teachers' margins are held within this."""

UNKNOWN_TARGET = -1.0


@dataclass(frozen=True)
class Settings:
    """What a run depends on, besides the data."""

    steps: int = 700
    rate: float = 4e-4
    rise: int = 40
    end: float = 0.03
    weight_decay: float = 0.05
    average: float = 0.99
    frozen: int = 4
    """Blocks that keep their weights, and the stem."""
    label: float = 1.0
    smooth: float = 0.03
    """Labels are this and one less this."""
    distil: float = 0.5
    """Weight of the teachers on labelled frames."""
    kind: float = 0.1
    """Weight of print against screen."""
    keep: float = 0.0
    """Weight of the net's own answers from before its training, on frames of the kinds `KEPT`."""
    seed: int = 1
    net: str = "views"
    """"views", or "grain" for the net of `liveness.grain`, which is taught further in the same way."""


def target_of(frame: Frame) -> float:
    """The teachers' P(live). On a known attack the surest of them counts: an alarm is an alarm."""
    if frame.teachers is None:
        return UNKNOWN_TARGET
    held = np.clip(frame.teachers, -TEACHER_CLIP, TEACHER_CLIP)
    margin = held.min() if frame.attack in (PRINT, SCREEN) else held.mean()
    return float(1 / (1 + math.exp(-margin)))


def brought_to(frame: Frame, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The surroundings of the face at `scale` of their size; picture and box."""
    height, full = frame.image.shape[:2]
    x0, y0, x1, y1 = frame.box
    side = ((x1 - x0) + (y1 - y0)) / 2 * WINDOW / 2
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    left, top = max(0, int(middle[0] - side)), max(0, int(middle[1] - side))
    right, bottom = min(full, math.ceil(middle[0] + side)), min(height, math.ceil(middle[1] + side))
    size = (max(24, round((right - left) * scale)), max(24, round((bottom - top) * scale)))
    image = frame.image[top:bottom, left:right] if scale == 1 else crops.resize(frame.image, (left, top, right, bottom), size)
    ratio = np.array([size[0] / (right - left), size[1] / (bottom - top)] * 2)
    return image, (frame.box - (left, top, left, top)) * ratio


class Drawer:
    """Draws training samples; the generator passed to `sample` decides everything."""

    def __init__(self, frames: list[Frame], net: str, keeps: bool) -> None:
        self.net, self.keeps = net, keeps
        self.kinds: dict[str, dict[bool, dict[str, list[Frame]]]] = {}
        for frame in frames:
            classes = self.kinds.setdefault(frame.kind, {})
            sources = classes.setdefault(frame.attack == LIVE, defaultdict(list))
            sources[frame.source if frame.kind == "webcam" else frame.kind].append(frame)
        webcams = [f for f in frames if f.kind == "webcam"]
        self.rooms = {live: np.array([f.room for f in webcams if (f.attack == LIVE) == live]) for live in (True, False)}

    def frame(self, kind: str, rng: Rng) -> Frame:
        classes = self.kinds[kind]
        sources = classes[bool(rng.random() < 0.5)] if len(classes) == 2 else next(iter(classes.values()))
        names = list(sources)
        frames = sources[names[rng.integers(len(names))]]
        return frames[rng.integers(len(frames))]

    def sample(self, kind: str, rng: Rng) -> tuple[np.ndarray, float, float, int]:
        """Views (n, s, s, 3), label, the teachers' P(live), attack type."""
        frame = self.frame(kind, rng)
        if self.net == "grain":
            low, high = (math.log(s) for s in GRAIN_SCALES)
            scale = 1.0 if rng.random() < NATIVE else math.exp(rng.uniform(low, high))
        else:
            low, high = (math.log(w) for w in FACE_WIDTHS)
            scale = min(math.exp(rng.uniform(low, high)) / (frame.box[2] - frame.box[0]), ENLARGED)
        image, box = brought_to(frame, scale)
        if rng.random() < 0.12:
            image = tilted(image, rng.uniform(-20, 20))
        if not (self.keeps and kind in KEPT and rng.random() < KEPT_UNTOUCHED):
            image = disturbed(image, rng)
        if rng.random() < 0.05:
            left, top, right, bottom = (int(v) for v in rng.integers(0, 40, 4) * (rng.random(4) < 0.6))
            image = framed(image, left, top, right, bottom, int(rng.choice([0, 0, 255, rng.integers(256)])))
            box = box + (left, top, left, top)
        if rng.random() < 0.5:
            width = image.shape[1]
            image, box = image[:, ::-1], np.array([width - box[2], box[1], width - box[0], box[3]])
        image = np.ascontiguousarray(image)
        half, middle = (box[2:] - box[:2]) / 2, (box[:2] + box[2:]) / 2
        middle = middle + rng.uniform(-2 * MOVED, 2 * MOVED, 2) * half
        half = half * math.exp(rng.uniform(-GROWN, GROWN))
        moved = np.concatenate([middle - half, middle + half])
        label = UNKNOWN_TARGET if kind == "made" else float(frame.attack == LIVE)
        known = label, target_of(frame), frame.attack if frame.attack in (PRINT, SCREEN) else 0
        if self.net == "grain":
            share = rng.uniform(0.8, 1.0) if rng.random() < 0.5 else 1.0
            return crops.sampled_crop(image, tuple(moved), grain.FACTOR, grain.SIZE, share)[None], *known
        wide = FACTORS[0]
        if kind == "webcam" and rng.random() < MATCHED:
            # No more surroundings than a frame of the other class has room for.
            others = self.rooms[frame.attack != LIVE]
            wide = min(wide, others[rng.integers(len(others))])
        factors = (max(wide, 2.0), FACTORS[1], FACTORS[2])
        views = np.stack([crops.square_crop(image, tuple(moved), factor, SIZE) for factor in factors])
        return views, *known


class Batches(IterableDataset):
    """Endless batches of `SHARES`."""

    def __init__(self, frames: list[Frame], seed: int, net: str, keeps: bool) -> None:
        self.drawer, self.seed = Drawer(frames, net, keeps), seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        rng = np.random.default_rng((self.seed, 17))
        torch.set_num_threads(1)
        while True:
            kinds = [kind for kind, count in SHARES.items() if kind in self.drawer.kinds for _ in range(count)]
            views, label, teacher, attack = zip(*(self.drawer.sample(kind, rng) for kind in kinds))
            patch, kept = (torch.tensor([kind in some for kind in kinds]) for some in (("patch",), KEPT))
            yield torch.from_numpy(np.stack(views)), torch.tensor(label), torch.tensor(teacher), torch.tensor(attack), patch, kept


def view_margins(net: nn.Module, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Margins (n, v) and logits (n, v, 3) of views (n, v, s, s, 3) uint8, each at its own scale."""
    n, count = views.shape[:2]
    x = views.flatten(0, 1).permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
    logits = net(x).unflatten(1, (count, 3))
    own = logits[torch.arange(n * count), torch.arange(count).repeat(n)].unflatten(0, (n, count))
    return own[..., 0] - torch.logsumexp(own[..., 1:], 2), own


def loss_of(net: nn.Module, batch: tuple[torch.Tensor, ...], settings: Settings, before: nn.Module) -> torch.Tensor:
    """Labels where known, the teachers' answers everywhere, print against screen where known; and what the net
    said `before`, in the middle view or of the grain."""
    views, label, teacher, attack, patch, kept = batch
    margin, logits = view_margins(net, views)
    use = torch.ones_like(margin)
    if margin.shape[1] > 1:
        use[patch, 0] = 0  # no surroundings there
        # Each view by itself, and their mean.
        margin = torch.cat([margin, (margin * use).sum(1, keepdim=True) / use.sum(1, keepdim=True)], 1)
        use = torch.cat([use, use[:, 1:2]], 1)

    def mean(target: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        weight = use * known[:, None]
        cost = functional.binary_cross_entropy_with_logits(margin, target[:, None].expand_as(margin), reduction="none")
        return (cost * weight).sum() / len(target) / margin.shape[1]

    smooth = settings.smooth + (1 - 2 * settings.smooth) * label
    labelled = (label >= 0).float()
    loss = settings.label * mean(smooth, labelled)
    loss = loss + mean(teacher.clamp(0), (teacher >= 0).float() * (1 - labelled * (1 - settings.distil)))
    typed = (attack > 0) & ~patch
    if typed.any():
        said = logits[typed][..., 1:].flatten(0, 1)
        loss = loss + settings.kind * functional.cross_entropy(said, (attack[typed] - 1).repeat_interleave(views.shape[1]))
    if settings.keep:
        view = 1 if views.shape[1] > 1 else 0
        with torch.no_grad():
            wanted = centred(view_margins(before, views[kept])[1][:, view])
        loss = loss + settings.keep * functional.smooth_l1_loss(centred(logits[kept, view]), wanted)
    return loss


def centred(logits: torch.Tensor) -> torch.Tensor:
    """Logits less their mean: what softmax sees of them."""
    return (logits - logits.mean(1, keepdim=True)).clamp(-KEPT_LIMIT, KEPT_LIMIT)


@torch.no_grad()
def judged(net: nn.Module, frames: list[Frame], kind: str = "views", batch: int = 32) -> np.ndarray:
    """Margins (n, 3), or (n, 1) of the grain net, on untouched frames."""
    net.eval()
    out = []
    for start in range(0, len(frames), batch):
        views = [views_of(f.image, f.box, kind) for f in frames[start : start + batch]]
        out.append(view_margins(net, torch.from_numpy(np.stack(views)))[0].numpy())
    return np.concatenate(out) if out else np.zeros((0, len(VIEWS) if kind == "views" else 1), np.float32)


def views_of(image: np.ndarray, box: np.ndarray, kind: str) -> np.ndarray:
    """What a net sees of a face, as in the product: shape (v, s, s, 3)."""
    if kind == "grain":
        return crops.sampled_crop(image, tuple(box), grain.FACTOR, grain.SIZE)[None]
    return np.stack([crops.square_crop(image, tuple(box), factor, SIZE) for factor in FACTORS])


def train(net: nn.Module, frames: list[Frame], settings: Settings, checkpoint: Path, report=None) -> nn.Module:
    """Trains in place on `frames`, resumes from `checkpoint`, returns the averaged net."""
    torch.manual_seed(settings.seed)
    torch.set_num_threads(1)
    net = net.to(memory_format=torch.channels_last)
    if settings.net == "views":
        for part in (net.trunk.stem, *net.trunk.blocks[: settings.frozen]):
            part.requires_grad_(False)
    before = copy.deepcopy(net).eval().requires_grad_(False)
    learner = Learner(net, settings.weight_decay, settings.average)
    stored = learner.restore(checkpoint)
    step = stored["step"] if stored else 0
    curve: list[dict[str, Any]] = stored["curve"] if stored else []
    batches = iter(DataLoader(Batches(frames, settings.seed + 1000 * step, settings.net, settings.keep > 0), batch_size=None, num_workers=1, prefetch_factor=4))
    began, total, count = time.time(), 0.0, 0
    while step < settings.steps:
        loss = loss_of(net, next(batches), settings, before)
        learner.step(loss, settings.rate * share_of_rate(step, settings.steps, settings.rise, settings.end))
        total, count, step = total + loss.item(), count + 1, step + 1
        if step % 50 == 0 or step == settings.steps:
            point = {"step": step, "loss": round(total / count, 4), "seconds": round(time.time() - began)}
            if report and (step % 200 == 0 or step == settings.steps):
                point |= report(learner.average.net)
            curve.append(point)
            print(point, flush=True)
            total, count = 0.0, 0
            learner.save(checkpoint, step=step, curve=curve, settings=asdict(settings))
    return learner.average.net


def trains(frame: Frame, left_out: frozenset[str]) -> bool:
    """Whether a frame may train when these sources are left out."""
    return not held_out(frame) if frame.kind in ("scene", "patch") else frame.source not in left_out
