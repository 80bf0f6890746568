"""The third stage: the shipped net goes on with the one teacher that sees what it sees.

Of the Silent-Face pair one net looks at 2.7 faces, as ours does, and the other at 4.0: what
lies between is noise to a student of the mean. Alone the first also judges better (on
REPLAY-ATTACK AUC .956 print and .981 screen against .931 and .969 of the pair). Its target
here is the mean logit over the frame and its mirror image.

Starts from the ONNX file itself (batch normalisation is folded there and stays so), so that the
run needs no checkpoint of the stages before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional

from .. import crops
from ..backbone import Average, folded
from ..teachers import SilentFacePair
from .generate import shard_path
from .net import FACTOR, SIZE, LivenessNet, margin
from .scenes import Scene
from .train import to_tensor, type_loss
from .tune import plain_shot
from .views import Shot, Studio, moved, reencoded

Rng = np.random.Generator

SHOTS = 250
"""Frames of a shard, each with CROPS crops."""

CROPS = 4

PLAIN = 0.6
"""Share of the frames that are plain windows in mild light."""

HELD_OUT_SHARDS = 3

BOUND = 5.0
"""Targets are logits within ±BOUND."""


@dataclass(frozen=True)
class SharpenSettings:
    """What the stage depends on, besides the file it starts from and the data."""

    seconds: int = 1800
    """How long it trains; the rate falls with the time spent."""
    batch: int = 48
    rate: float = 8e-4
    weight_decay: float = 0.02
    average: float = 0.998
    type_weight: float = 0.1
    seed: int = 11


def mirrored(frame: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A frame and its box, left and right exchanged."""
    width = frame.shape[1]
    return np.ascontiguousarray(frame[:, ::-1]), np.array([width - box[2], box[1], width - box[0], box[3]])


def target(pair: SilentFacePair, frame: np.ndarray, box: np.ndarray) -> float:
    """The near teacher's logit of P(live), mean over the frame and its mirror image."""
    both = [pair.near_logits(*view) for view in ((frame, box), mirrored(frame, box))]
    return float(np.mean([l[1] - np.logaddexp(l[0], l[2]) for l in both]))


def samples(shot: Shot, pair: SilentFacePair, rng: Rng) -> tuple[list[np.ndarray], list[float]]:
    """CROPS crops of a frame, each with its own target: the box as it is, moved, moved on a
    re-encoded frame, and turned left to right."""
    again, scale = reencoded(shot.frame, rng)
    views = [
        (shot.frame, shot.box),
        (shot.frame, moved(shot.box, rng)),
        (again, moved(shot.box, rng) * scale),
        mirrored(shot.frame, moved(shot.box, rng)),
    ]
    cut = [crops.square_crop(frame, tuple(box), FACTOR, SIZE) for frame, box in views]
    return cut, [target(pair, frame, box) for frame, box in views]


def make_shard(path: Path, studio: Studio, pair: SilentFacePair, seed: tuple[int, ...]) -> None:
    """Writes `crops` (n, SIZE, SIZE, 3), `target` and `attack` (n,)."""
    rng = np.random.default_rng(seed)
    cut, targets, attacks = [], [], []
    for _ in range(SHOTS):
        shot = plain_shot(studio, rng) if rng.random() < PLAIN else studio.shot(rng)
        some, theirs = samples(shot, pair, rng)
        cut += some
        targets += theirs
        attacks += [shot.attack] * CROPS
    scratch = path.with_suffix(".tmp.npz")
    np.savez(scratch, crops=np.stack(cut), target=np.array(targets, np.float32), attack=np.array(attacks, np.int8))
    scratch.replace(path)


def make_shards(scenes: list[Scene], teachers: Path, folder: Path, held_out: bool, first: int, step: int) -> None:
    """Makes shards first, first + step, ... until stopped; only HELD_OUT_SHARDS of held-out scenes."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    studio, pair = Studio([s for s in scenes if s.held_out == held_out]), SilentFacePair(teachers)
    number = first
    while not held_out or number < HELD_OUT_SHARDS:
        path = shard_path(folder, number)
        if not path.exists():
            make_shard(path, studio, pair, (301 + held_out, number))
        number += step


@contextmanager
def makers(scenes: list[Scene], teachers: Path, folder: Path, count: int) -> Iterator[None]:
    """`count` processes that make views while the block runs."""
    context = get_context("fork")
    jobs = [(folder / "held-out", True, 0, 1)] + [(folder / "train", False, k, count) for k in range(count)]
    processes = [
        context.Process(target=make_shards, args=(scenes, teachers, *job), daemon=True) for job in jobs
    ]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()


def load_onnx(path: Path) -> LivenessNet:
    """The exported net with its weights; its normalisation is part of its convolutions."""
    net = folded(LivenessNet())
    stored = {i.name: numpy_helper.to_array(i) for i in onnx.load(str(path)).graph.initializer}
    state = net.state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    if {name: value.shape for name, value in stored.items() if name in shapes} != shapes:
        raise ValueError(f"{path} doesn't hold the weights of this net: {sorted(set(shapes) - set(stored))[:3]} are missing")
    net.load_state_dict({name: torch.from_numpy(stored[name].copy()) for name in state})
    return net.requires_grad_(True)


def loss_of(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Cross-entropy with the teacher's P(live), and the distance of the logits."""
    ours = margin(logits)
    wanted = wanted.clamp(-BOUND, BOUND)
    distance = functional.smooth_l1_loss(ours.clamp(-BOUND - 1, BOUND + 1), wanted)
    return functional.binary_cross_entropy_with_logits(ours, torch.sigmoid(wanted)) + 0.15 * distance


def measure(net: torch.nn.Module, images: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Divergence from the teacher and correlation of the logits on held-out frames."""
    wanted = np.clip(wanted, -BOUND, BOUND)
    with torch.no_grad():
        ours = torch.cat([margin(net(to_tensor(images[i : i + 64]))) for i in range(0, len(images), 64)])
    p = torch.sigmoid(torch.from_numpy(wanted))
    entropy = functional.binary_cross_entropy(p, p).item()
    kl = functional.binary_cross_entropy_with_logits(ours, p).item() - entropy
    return {"held_out_kl": kl, "held_out_correlation": float(np.corrcoef(ours.numpy(), wanted)[0, 1])}


def load(folder: Path, numbers: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts = [np.load(shard_path(folder, n)) for n in numbers]
    return tuple(np.concatenate([p[k] for p in parts]) for k in ("crops", "target", "attack"))


def sharpen(views: Path, start: Path, written: Path, settings: SharpenSettings, log: dict) -> None:
    """Trains on whatever shards exist, newest first, and keeps writing `written`."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    net = load_onnx(start).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), settings.rate, weight_decay=settings.weight_decay)
    average = Average(net, settings.average)
    while len(list((views / "held-out").glob("[0-9]*[0-9].npz"))) < HELD_OUT_SHARDS:
        time.sleep(1)
    held_out = load(views / "held-out", list(range(HELD_OUT_SHARDS)))[:2]
    curve = [{"seen": 0} | measure(average.net, *held_out)]
    print(curve[-1], flush=True)
    visits: dict[int, int] = {}
    begun, seen = time.monotonic(), 0
    while time.monotonic() - begun < settings.seconds:
        there = sorted(int(p.stem) for p in (views / "train").glob("[0-9]*[0-9].npz"))
        if len(there) < 4:
            time.sleep(1)
            continue
        there.sort(key=lambda n: (visits.get(n, 0), rng.random()))
        for number in there[:4]:
            visits[number] = visits.get(number, 0) + 1
        images, wanted, attack = load(views / "train", there[:4])
        order = rng.permutation(len(wanted))
        for first in range(0, len(order) - settings.batch + 1, settings.batch):
            index = order[first : first + settings.batch]
            spent = min(1.0, (time.monotonic() - begun) / settings.seconds)
            warm = min(1.0, (seen + settings.batch) / 2000)
            for group in optimiser.param_groups:
                group["lr"] = settings.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * spent)))
            logits = net(to_tensor(images[index]))
            loss = loss_of(logits, torch.from_numpy(wanted[index]))
            loss = loss + settings.type_weight * type_loss(logits, torch.from_numpy(attack[index]))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            average.update(net)
            seen += len(index)
        curve.append({"seen": seen, "shards": len(there)} | {k: round(v, 5) for k, v in measure(average.net, *held_out).items()})
        print(curve[-1], f"{seen / (time.monotonic() - begun):.0f} crops/s", flush=True)
        stage = {"settings": asdict(settings), "curve": curve}
        scratch = written.with_suffix(".tmp")
        torch.save({"weights": average.net.state_dict(), "log": log | {"sharpening": stage}}, scratch)
        scratch.replace(written)
