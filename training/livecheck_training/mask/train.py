"""Training of the mask net: a few minutes on one core, resumed from its checkpoint."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from .. import crops
from ..data import ImageSet
from ..learner import Learner, share_of_rate
from ..rates import auc
from ..runlog import RunLog
from .augment import view
from .net import SIZE, MaskNet
from .samples import Sample


@dataclass(frozen=True)
class Settings:
    """What a run depends on, besides the data."""

    steps: int = 1000
    batch: int = 48
    rate: float = 1e-3
    weight_decay: float = 0.02
    average: float = 0.995
    smoothing: float = 0.03
    """Targets are 0.03 and 0.97 rather than 0 and 1."""
    pasted: float = 0.1
    """Share of painted-on masks among the covered faces."""
    seed: int = 1


def tensor(images: list[np.ndarray]) -> torch.Tensor:
    """uint8 crops to the net's input."""
    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).astype(np.float32))


def weights(samples: list[Sample], pasted: float) -> np.ndarray:
    """Chance of each sample: half covered, half bare; painted masks limited."""
    chance = np.zeros(len(samples))
    groups = [
        (0.5, lambda s: not s.covered),
        (0.5 * pasted, lambda s: s.covered and s.kind == "pasted"),
        (0.5 * (1 - pasted), lambda s: s.covered and s.kind != "pasted"),
    ]
    for share, belongs in groups:
        members = [i for i, sample in enumerate(samples) if belongs(sample)]
        chance[members] = share / len(members)
    return chance / chance.sum()


def predict(net: torch.nn.Module, samples: list[Sample]) -> np.ndarray:
    """P(face mask) of each sample's plain crop."""
    images = [crops.aligned_crop(s.image, s.landmarks, SIZE) for s in samples]
    with torch.no_grad():
        parts = [torch.sigmoid(net(tensor(images[i : i + 64])))[:, 0] for i in range(0, len(images), 64)]
    return torch.cat(parts).numpy()


def train(samples: list[Sample], settings: Settings, checkpoint: Path, sets: list[ImageSet]) -> None:
    """Runs to the end, or on from `checkpoint`; the best average on held-out faces is kept in it."""
    torch.manual_seed(settings.seed)
    learning = [s for s in samples if not s.held_out]
    held_out = [s for s in samples if s.held_out]
    print(f"{len(learning)} faces to learn from, {len(held_out)} held out", flush=True)
    chance = weights(learning, settings.pasted)
    net = MaskNet()
    net.trunk.load_imagenet()
    learner = Learner(net, settings.weight_decay, settings.average, clip=math.inf)
    stored = learner.restore(checkpoint) or {}
    start, best = stored.get("step", 0), stored.get("best", math.inf)
    best_weights, state = stored.get("best_weights"), stored.get("log")
    log = RunLog("face-mask", asdict(settings), settings.seed, sets, state)
    log.state["settings"] = asdict(settings)
    truth = np.array([s.covered for s in held_out])
    running = 0.0
    for step in range(start, settings.steps):
        rate = settings.rate * share_of_rate(step, settings.steps, 60, 0.02)
        rng = np.random.default_rng((settings.seed, step))
        chosen = [learning[i] for i in rng.choice(len(learning), settings.batch, p=chance)]
        images = tensor([view(s, rng) for s in chosen]).to(memory_format=torch.channels_last)
        target = torch.tensor([[float(s.covered)] for s in chosen])
        target = target * (1 - 2 * settings.smoothing) + settings.smoothing
        net.train()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(images), target)
        learner.step(loss, rate)
        running += loss.item()
        if (step + 1) % 100 == 0 or step + 1 == settings.steps:
            p = predict(learner.average.net, held_out)
            clipped = np.clip(np.where(truth, p, 1 - p), 1e-4, 1)
            held_loss = float(-np.log(clipped)[truth].mean() - np.log(clipped)[~truth].mean()) / 2
            balanced = float(((p >= 0.5)[truth].mean() + (p < 0.5)[~truth].mean()) / 2)
            log.point(step=step + 1, loss=running / 100, held_out_loss=held_loss, held_out_balanced=balanced, held_out_auc=auc(p[truth], p[~truth]))
            print(log.state["curve"][-1], flush=True)
            running = 0.0
            if held_loss <= best:
                best, best_weights = held_loss, learner.averaged_weights()
            learner.save(checkpoint, step=step + 1, best=best, best_weights=best_weights, log=log.state)
