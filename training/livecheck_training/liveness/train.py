"""Distillation of the Silent-Face pair into the context net.

P(live) gets the binary KL divergence from the pair's mean P(live), clamped to
`CLAMP`. Print against screen gets cross-entropy between those two logits alone, on
views whose attack type is known: adding the same number to both leaves it unchanged,
so it doesn't push P(live).
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ..data import ImageSet
from ..learner import Learner, fallen
from ..runlog import RunLog
from .generate import HELD_OUT_SHARDS, generate, shard_path
from .net import LivenessNet, margin
from .scenes import Scene
from .views import CROPS, UNKNOWN

CLAMP = (0.02, 0.98)


@dataclass(frozen=True)
class Settings:
    """What a run depends on, besides the data."""

    samples: int = 60_000
    """Crops trained on until the end."""
    batch: int = 32
    rate: float = 1.0e-3
    weight_decay: float = 0.02
    average: float = 0.998
    decay_from: float = 0.35
    """Share of the run after which the rate falls, by a cosine, to a fiftieth."""
    type_weight: float = 0.15
    """Weight of print against screen."""
    shards: int = 74
    """Shards made before views repeat."""
    pool: int = 10
    """Shards that a round of batches mixes."""
    seed: int = 1


def rate_at(settings: Settings, seen: int) -> float:
    """Learning rate after `seen` crops: a short warm-up, constant, then a cosine."""
    progress = seen / settings.samples
    warm = min(1.0, (seen + settings.batch) / 6000)
    rate = settings.rate * warm
    if progress <= settings.decay_from:
        return rate
    return rate * fallen((progress - settings.decay_from) / (1 - settings.decay_from), 0.02)


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """uint8 crops (n, s, s, 3) to the net's input."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)


def live_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Binary KL divergence from the teachers' P(live), less its constant part: cross-entropy."""
    return functional.binary_cross_entropy_with_logits(margin(logits), target)


def type_loss(logits: torch.Tensor, attack: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of print against screen where the type is known."""
    known = attack != UNKNOWN
    if not known.any():
        return logits.sum() * 0
    return functional.cross_entropy(logits[known, 1:], attack[known].long() - 1)


def entropy(target: np.ndarray) -> float:
    """The constant part of the cross-entropy."""
    return float(-(target * np.log(target) + (1 - target) * np.log(1 - target)).mean())


def load(folder: Path, numbers: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shards joined: crops (views, CROPS, s, s, 3), clamped P(live), attack types."""
    parts = [np.load(shard_path(folder, n)) for n in numbers]
    crops, live, attack = (np.concatenate([p[k] for p in parts]) for k in ("crops", "live", "attack"))
    return crops, np.clip(live, *CLAMP).astype(np.float32), attack


def measure(net: torch.nn.Module, held_out: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, float]:
    """Distillation on held-out views, first crop of each."""
    crops, live, attack = held_out
    with torch.no_grad():
        logits = torch.cat([net(to_tensor(crops[i : i + 64, 0])) for i in range(0, len(crops), 64)])
    known = attack != UNKNOWN
    said = logits[:, 1:].argmax(1).numpy() + 1
    ours = margin(logits).numpy()
    theirs = np.log(live / (1 - live))
    return {
        "held_out_kl": live_loss(logits, torch.from_numpy(live)).item() - entropy(live),
        "held_out_correlation": float(np.corrcoef(ours, theirs)[0, 1]),
        "held_out_type_accuracy": float((said == attack)[known].mean()),
    }


def train(
    scenes: list[Scene], teachers: Path, views: Path, checkpoint: Path, settings: Settings, sets: list[ImageSet], makers: int
) -> None:
    """Runs to the end, or on from `checkpoint`; `makers` processes make views meanwhile."""
    context = get_context("fork")
    jobs = [(True, 0, 1, HELD_OUT_SHARDS)] + [(False, k, makers, settings.shards) for k in range(makers)]
    processes = [
        context.Process(target=generate, args=(scenes, teachers, views / ("held-out" if out else "train"), out, k, m, n), daemon=True)
        for out, k, m, n in jobs
    ]
    for process in processes:
        process.start()
    try:
        learn(views, checkpoint, settings, sets)
    finally:
        for process in processes:
            process.terminate()


def learn(views: Path, checkpoint: Path, settings: Settings, sets: list[ImageSet]) -> None:
    """The training loop over whatever shards exist."""
    torch.manual_seed(settings.seed)
    net = LivenessNet()
    net.trunk.load_imagenet()
    learner = Learner(net, settings.weight_decay, settings.average)
    stored = learner.restore(checkpoint) or {}
    seen, visits, best = stored.get("seen", 0), stored.get("visits", {}), stored.get("best", math.inf)
    best_weights, state = stored.get("best_weights"), stored.get("log")
    log = RunLog("liveness-context", asdict(settings), settings.seed, sets, state)
    log.state["settings"] = asdict(settings)
    while seen < settings.samples:
        numbers = choose(views / "train", visits, settings, seen)
        crops, live, attack = load(views / "train", numbers)
        rng = np.random.default_rng((settings.seed, seen))
        order = rng.permutation(len(live))
        started, total, kinds = time.monotonic(), 0.0, 0.0
        batches = len(order) // settings.batch
        for b in range(batches):
            index = order[b * settings.batch : (b + 1) * settings.batch]
            images = crops[index, rng.integers(CROPS, size=len(index))]
            if rng.random() < 0.5:
                images = np.ascontiguousarray(images[:, :, ::-1])
            net.train()
            logits = net(to_tensor(images))
            distilled = live_loss(logits, torch.from_numpy(live[index]))
            kind = type_loss(logits, torch.from_numpy(attack[index]))
            learner.step(distilled + settings.type_weight * kind, rate_at(settings, seen))
            seen += len(index)
            total += distilled.item()
            kinds += kind.item()
        for number in numbers:
            visits[number] = visits.get(number, 0) + 1
        held_out = [n for n in range(HELD_OUT_SHARDS) if shard_path(views / "held-out", n).exists()]
        # Figures on fewer shards than all don't compare, so they choose nothing.
        complete = len(held_out) == HELD_OUT_SHARDS
        figures = measure(learner.average.net, load(views / "held-out", held_out)) if complete else {}
        log.point(seen=seen, kl=total / batches - entropy(live), type_loss=kinds / batches, **figures)
        print(log.state["curve"][-1], f"{batches * settings.batch / (time.monotonic() - started):.0f} crops/s", flush=True)
        if not complete or figures["held_out_kl"] <= best:
            if complete:
                best = figures["held_out_kl"]
            best_weights = learner.averaged_weights()
        learner.save(checkpoint, seen=seen, visits=visits, log=log.state, best=best, best_weights=best_weights)


def choose(folder: Path, visits: dict[int, int], settings: Settings, seen: int) -> list[int]:
    """The least visited shards that exist; waits for as many as a round needs."""
    while True:
        there = [n for n in range(settings.shards) if shard_path(folder, n).exists()]
        if len(there) >= settings.pool:
            rng = np.random.default_rng((settings.seed, seen, 7))
            there.sort(key=lambda n: (visits.get(n, 0), rng.random()))
            return there[: settings.pool]
        time.sleep(2)
