"""The training run: resumable, one core, picks its checkpoint on held-out images."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data import sha256_of
from ..learner import Average, fallen
from ..runlog import RUNS, RunLog
from .loss import assign, losses
from .metrics import validate
from .model import Detector, cells
from .predict import TorchFinder
from .restore import from_onnx
from .samples import TrainingData, read_training_data
from .views import ViewMaker, ViewSettings, settings_record

MODEL = "face-detector"
#: Batches of 16 views that give an exported file its normalisations back.
RESTORE_BATCHES = 25


@dataclass(frozen=True)
class TrainSettings:
    """Settings of a run."""

    steps: int = 12000
    batch: int = 16
    rate: float = 2e-3
    warm_up: int = 300
    weight_decay: float = 0.02
    average: float = 0.998
    box_weight: float = 2.0
    point_weight: float = 24.0
    #: Half the time of float32 on cores with bfloat16 instructions, many times it
    #: on others.
    bfloat16: bool = False
    #: The stem stays as it was: it costs a third of a step, and its edges and colours
    #: are learnt early. Only for runs that start from a trained net.
    freeze_stem: bool = False
    validate_every: int = 750
    save_every: int = 100
    #: Image sides, from each share of the run on; small ones see more images a second.
    sides: tuple[tuple[float, tuple[int, ...]], ...] = (
        (0.0, (256,)),
        (0.5, (256, 320)),
        (0.85, (320,)),
    )

    def rate_at(self, step: int) -> float:
        """Learning rate: linear warm-up, then half a cosine down to 1 %."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        part = (step - self.warm_up) / max(self.steps - self.warm_up, 1)
        return self.rate * fallen(part, 0.01)

    def sides_at(self, step: int) -> tuple[int, ...]:
        """Image sides to draw from at a step."""
        return [sides for start, sides in self.sides if step >= start * self.steps][-1]


def batch_of(views: ViewMaker, count: int, size: int) -> tuple[torch.Tensor, ...]:
    """Images (b, 3, s, s) float 0..255 channels-last, owners (b, cells), and the
    batch's faces: boxes, visibility, landmarks."""
    images, owners, boxes, visible, points = [], [], [], [], []
    first = 0
    for _ in range(count):
        view = views.view(size)
        owner = assign(view.boxes, view.visible, size)
        owners.append(np.where(owner >= 0, owner + first, owner))
        first += len(view.boxes)
        images.append(view.image)
        boxes.append(view.boxes)
        visible.append(view.visible)
        points.append(view.landmarks)
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    return (
        x,
        torch.from_numpy(np.stack(owners)),
        torch.from_numpy(np.concatenate(boxes)),
        torch.from_numpy(np.concatenate(visible)),
        torch.from_numpy(np.concatenate(points)),
    )


def save(path: Path, **state: object) -> None:
    """Writes a checkpoint by renaming."""
    scratch = path.with_suffix(".tmp")
    torch.save(state, scratch)
    os.replace(scratch, path)


def train(
    data_folder: Path, cache: Path, teachers: Path, work: Path, seed: int, settings: TrainSettings, start: Path | None = None
) -> None:
    """Trains, or goes on from ``work/last.pt``. Leaves ``last.pt``, ``best.pt``
    (averaged weights with the best held-out figure) and the run record."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    data = read_training_data(data_folder, cache, teachers)
    view_settings = ViewSettings()
    net, begun_from = Detector(), None
    if start is not None and start.suffix == ".onnx":
        net, begun_from = _shipped(start, ViewMaker(data, seed, view_settings))
    elif start is not None:
        begun_from = torch.load(start, weights_only=False)
        net.load_state_dict(begun_from["average"])
    net = net.to(memory_format=torch.channels_last)
    average = Average(net, settings.average)
    if settings.freeze_stem:
        net.stem.requires_grad_(False)
    optimizer = torch.optim.AdamW(_groups(net, settings.weight_decay), lr=settings.rate)
    step, best, log_state = 0, -1.0, None
    last = work / "last.pt"
    if last.exists():
        state = torch.load(last, weights_only=False)
        net.load_state_dict(state["net"])
        average.net.load_state_dict(state["average"])
        average.updates = state["step"]
        optimizer.load_state_dict(state["optimizer"])
        step, best, log_state = state["step"], state["best"], state["log"]
    record = asdict(settings) | {"views": settings_record(view_settings), "images": data.counts()}
    log = RunLog(MODEL, record, seed, data.sets, log_state)
    if log_state is None and begun_from is not None:
        # The record of the run that the weights come from belongs to this one.
        log.state["started_from"] = {"step": begun_from["step"], "run": begun_from["log"]}
    if log_state is not None:
        # Settings may have changed in between; the record keeps both.
        log.state.setdefault("resumed", []).append({"step": step, "settings": record})
    print(f"images: {data.counts()}; step {step} of {settings.steps}", flush=True)
    # A resumed run draws other views than the unbroken one would have.
    views = ViewMaker(data, seed + step, view_settings)
    grids: dict[Any, Any] = {}
    sums: dict[str, float] = {}
    seen, begun = 0, time.time()
    while step < settings.steps:
        for group in optimizer.param_groups:
            group["lr"] = settings.rate_at(step)
        size = int(views.random.choice(settings.sides_at(step)))
        grid = grids.setdefault(size, cells(size))
        x, owner, boxes, visible, points = batch_of(views, settings.batch, size)
        net.train()
        net.stem.train(not settings.freeze_stem)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=settings.bfloat16):
            raw = net(x.contiguous(memory_format=torch.channels_last))
        parts = losses(raw.float(), owner, boxes, visible, points, grid)
        total = parts["score"] + settings.box_weight * parts["box"] + settings.point_weight * parts["points"]
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        average.update(net)
        step += 1
        seen += settings.batch
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value.item()
        if step % 100 == 0:
            means = {k: v / 100 for k, v in sums.items()}
            speed = seen / (time.time() - begun)
            print(step, " ".join(f"{k} {v:.4f}" for k, v in means.items()), f"{speed:.1f} images/s", flush=True)
            if step % 500 == 0:
                log.point(step=step, **means)
            sums = {}
        if step % settings.validate_every == 0 or step == settings.steps:
            figure = _check(average.net, data, log, step)
            if figure >= best:
                best = figure
                save(work / "best.pt", average=average.net.state_dict(), step=step, log=log.state, best=best)
        if step % settings.save_every == 0 or step == settings.steps:
            save(
                last, net=net.state_dict(), average=average.net.state_dict(),
                optimizer=optimizer.state_dict(), step=step, best=best, log=log.state,
            )


def _shipped(file: Path, views: ViewMaker) -> tuple[Detector, dict]:
    """The network of the exported file that the run record describes, and the record."""
    record = json.loads((RUNS / f"{MODEL}.json").read_text(encoding="utf-8"))
    if record["onnx_sha256"] != sha256_of(file):
        raise SystemExit(f"{file} is not the file that {RUNS / MODEL}.json describes: its score shift is unknown")
    batches = [batch_of(views, 16, 256)[0] for _ in range(RESTORE_BATCHES)]
    net = from_onnx(file, record["score_logit_shift"], batches)
    record.pop("evaluation", None)
    return net, {"step": record["checkpoint_step"], "log": record}


def _check(net: Detector, data: TrainingData, log: RunLog, step: int) -> float:
    figures = validate(TorchFinder(net), data.held_out)
    print(f"held out at {step}: {figures}", flush=True)
    log.point(step=step, **{f"held_out_{k}": v for k, v in figures.items()})
    return figures["selection"]


def _groups(net: Detector, decay: float) -> list[dict]:
    learnt = [p for p in net.parameters() if p.requires_grad]
    weights = [p for p in learnt if p.dim() > 1]
    rest = [p for p in learnt if p.dim() <= 1]
    return [{"params": weights, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]
