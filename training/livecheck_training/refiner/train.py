"""The training run: resumable, one core; the checkpoint is picked on held-out pictures."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from ..detector.metrics import validate
from ..detector.predict import OnnxFinder, RefinedFinder, torch_refine
from ..detector.samples import TrainingData, read_training_data
from ..learner import Learner, share_of_rate
from ..runlog import RunLog
from .net import MODEL, Refiner
from .points import averaged
from .windows import SECOND, Window, WindowMaker, proposals, rated, strongest


@dataclass(frozen=True)
class TrainSettings:
    """Settings of a run."""

    steps: int = 6000
    batch: int = 64
    rate: float = 1.5e-3
    warm_up: int = 200
    weight_decay: float = 0.05
    average: float = 0.998
    box_weight: float = 4.0
    point_weight: float = 12.0
    validate_every: int = 500

    def rate_at(self, step: int) -> float:
        """Learning rate: linear warm-up, then half a cosine down to 1 %."""
        return self.rate * share_of_rate(step, self.steps, self.warm_up, 0.01)


def load(checkpoint: Path) -> tuple[Refiner, dict]:
    """The averaged net of a `best.pt`, and the record of its run."""
    stored = torch.load(checkpoint, weights_only=False)
    net = Refiner()
    net.load_state_dict(stored["average"])
    return net.eval(), stored["log"] | {"checkpoint_step": stored["step"]}


def stacked(windows: list[Window]) -> tuple[torch.Tensor, ...]:
    """Images (n, 3, 80, 80), scores (n,), boxes (n, 4), points (n, 10)."""
    images = np.stack([w.image for w in windows]).transpose(0, 3, 1, 2)
    return (
        torch.from_numpy(np.ascontiguousarray(images)),
        torch.tensor([w.score for w in windows], dtype=torch.float32),
        torch.from_numpy(np.stack([w.box for w in windows]).astype(np.float32)),
        torch.from_numpy(np.stack([w.points for w in windows]).astype(np.float32)),
    )


def losses(out: torch.Tensor, score: torch.Tensor, box: torch.Tensor, points: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mean losses of score, box and landmarks over what is known of a batch."""
    counts = score >= 0
    placed = ~torch.isnan(box).any(1)
    pointed = ~torch.isnan(points).any(1)
    return {
        "score": F.binary_cross_entropy_with_logits(out[counts, 0], score[counts]),
        "box": F.smooth_l1_loss(out[placed, 1:5], box[placed], beta=0.02),
        "points": F.smooth_l1_loss(out[pointed, 5:], points[pointed], beta=0.02),
    }


def seen_by(
    data: TrainingData, model: Path, cache: Path, seed: int, start: Refiner | None = None
) -> Callable[[int], WindowMaker]:
    """What makes windows of the data, for a seed of its own; `start` is the trained net from which a second
    run goes on."""
    proposed = proposals(OnnxFinder(model), model, [*data.faces, *data.negatives], seed, cache)
    if start is None:
        return lambda own: WindowMaker(data, proposed, own)
    refine = torch_refine(start)
    on_none = strongest([p for p in proposed if not len(p.sample.boxes)])
    on_none = rated(on_none, refine)
    rest = [p for p in proposed if len(p.sample.boxes)]
    return lambda own: WindowMaker(data, [*rest, *on_none], own, SECOND)


def train(
    data_folder: Path,
    cache: Path,
    teachers: Path,
    detector: Path,
    work: Path,
    seed: int,
    settings: TrainSettings,
    start: Path | None = None,
) -> None:
    """Trains, or goes on from `work/last.pt`; a new run begins with the weights of the checkpoint `start`, if
    one is given. Leaves `last.pt` and `best.pt`."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    data = read_training_data(data_folder, cache, teachers)
    data = replace(data, faces=averaged(data.faces, teachers, cache))
    net, before = load(start) if start else (Refiner(), None)
    if not start:
        net.trunk.load_imagenet()
    maker = seen_by(data, detector, cache, seed, net if start else None)
    learner = Learner(net, settings.weight_decay, settings.average)
    stored = learner.restore(work / "last.pt") or {}
    first, best = stored.get("step", 0), stored.get("best", -math.inf)
    windows = maker(seed)
    log = RunLog(MODEL, asdict(settings) | {"windows": asdict(windows.settings)}, seed, data.sets, stored.get("log"))
    log.state["data"] = data.counts() | windows.counts()
    if before:
        log.state["started_from"] = before
    finder = OnnxFinder(detector)
    sums: dict[str, float] = {}
    begun = time.time()
    batches = drawn(maker, settings.batch, (seed, first))
    for step in range(first, settings.steps):
        images, score, box, points = next(batches)
        net.train()
        out = net(images.float().contiguous(memory_format=torch.channels_last))
        parts = losses(out, score, box, points)
        learner.step(parts["score"] + settings.box_weight * parts["box"] + settings.point_weight * parts["points"], settings.rate_at(step))
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value.item()
        done = step + 1
        if done % 100 == 0:
            speed = settings.batch * (done - first) / (time.time() - begun)
            means = {k: v / 100 for k, v in sums.items()}
            print(done, " ".join(f"{k} {v:.4f}" for k, v in means.items()), f"{speed:.0f} windows/s", flush=True)
            sums = {}
            if done % settings.validate_every == 0 or done == settings.steps:
                figures = validate(RefinedFinder(finder, torch_refine(learner.average.net)), data.held_out)
                log.point(step=done, **means, **{f"held_out_{k}": v for k, v in figures.items()})
                print(f"held out at {done}: {figures}", flush=True)
                found = figures["recall_at_level"] + figures["small_at_level"] - figures["landmarks"]
                if found >= best:
                    best = found
                    torch.save({"average": learner.averaged_weights(), "step": done, "log": log.state}, work / "best.pt")
            learner.save(work / "last.pt", step=done, best=best, log=log.state)


def drawn(maker: Callable[[int], WindowMaker], batch: int, seed: tuple[int, int]) -> Iterator[tuple[torch.Tensor, ...]]:
    """Batches without end, drawn by a process of its own while the net learns."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue(8)
    own = int(np.random.SeedSequence(seed).generate_state(1)[0])
    process = context.Process(target=_fill, args=(maker, own, batch, queue), daemon=True)
    process.start()
    while True:
        images, *rest = queue.get()
        yield torch.from_numpy(images), *(torch.from_numpy(v) for v in rest)


def _fill(maker: Callable[[int], WindowMaker], seed: int, batch: int, queue: multiprocessing.Queue) -> None:
    windows = maker(seed)
    while True:
        queue.put(tuple(t.numpy() for t in stacked([windows.window() for _ in range(batch)])))
