"""Teaches the grain net: `python -m livecheck_training.liveness grain`.

First every block learns by itself: the teacher's map before it goes in, the teacher's map
after it is wanted. Then the whole net runs on its own maps and learns maps, embedding and
answer together. Distances are squared and over the variance, so 1 means nothing learnt.
"""

from __future__ import annotations

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
from ..teachers import FeatureTeacher
from .grain import GrainNet
from .grain_views import CROPS, generate, varied
from .scenes import Scene
from .train import to_tensor

HELD_OUT_SHARDS = 1
HELD_OUT_FRAMES = 100


@dataclass(frozen=True)
class GrainSettings:
    """What a run depends on, besides the data."""

    samples: int = 160_000
    """Crops trained on until the end."""
    batch: int = 32
    rate: float = 3e-3
    joined_rate: float = 5e-4
    """Learning rate of the whole net: three times as much undid what the blocks had learnt."""
    apart: float = 0.35
    """Share of the run in which blocks learn by themselves."""
    weight_decay: float = 0.01
    average: float = 0.998
    answer_weight: float = 4.0
    """Weight of the answer beside the mean of the maps."""
    shards: int = 200
    round: int = 4
    """Shards mixed at a time."""
    seed: int = 1


def rate_at(settings: GrainSettings, seen: int) -> float:
    """Learning rate after `seen` crops: until the blocks are joined, and from then on, a warm-up over
    2,000, then a cosine down to a thirtieth."""
    turn = settings.apart * settings.samples
    start, end, rate = (0.0, turn, settings.rate) if seen < turn else (turn, settings.samples, settings.joined_rate)
    warm = min(1.0, (seen - start + settings.batch) / 2000)
    return rate * warm * fallen((seen - start) / (end - start), 0.03)


def distance(ours: torch.Tensor, theirs: torch.Tensor, scale: torch.Tensor | None = None) -> torch.Tensor:
    """Squared distance over the variance of each channel (of `scale`, if given), averaged."""
    scale = theirs if scale is None else scale
    variance = scale.var([d for d in range(theirs.dim()) if d != 1], keepdim=True)
    # A channel that hardly moves in this batch must not rule it.
    return ((ours - theirs) ** 2 / (variance + 0.1 * variance.mean() + 1e-6)).mean()


def of_frame(values: torch.Tensor) -> torch.Tensor:
    """For each of (n * CROPS, k) rows the mean over its frame."""
    return values.unflatten(0, (-1, CROPS)).mean(1).repeat_interleave(CROPS, 0)


def losses(net: GrainNet, teacher: FeatureTeacher, images: np.ndarray, apart: bool) -> dict[str, torch.Tensor]:
    """Mean distance of the maps, distance of the embedding and of the logits, and the divergence
    from the teacher's three probabilities; `apart`: every block works on the teacher's map."""
    maps, embedding, logits = teacher.run(images)
    maps = [torch.from_numpy(m).contiguous(memory_format=torch.channels_last) for m in maps]
    embedding, logits = torch.from_numpy(embedding), torch.from_numpy(logits)
    x = net.first(to_tensor(images))
    distances = [distance(x, maps[0])]
    for block, before, after in zip(net.blocks, maps, maps[1:]):
        before = before if apart else x
        x = block(before)
        # What a block adds, not what it passes on, is what it has to learn.
        distances.append(distance(x, after, (after - before).detach() if apart and block.residual else None))
    ours = net.last(maps[-1] if apart else x)
    answer = net.head(embedding if apart else ours)
    wanted = functional.softmax(logits, 1)
    divergence = functional.kl_div(functional.log_softmax(answer, 1), wanted, reduction="batchmean")
    return {
        "maps": torch.stack(distances).mean(),
        "worst_map": torch.stack(distances).detach().max(),
        "last_map": distances[-1].detach(),
        "embedding": distance(ours, embedding),
        "logits": distance(answer, logits),
        "answer": divergence,
    }


def total(parts: dict[str, torch.Tensor], settings: GrainSettings, apart: bool) -> torch.Tensor:
    """The weighted sum that is minimised."""
    weight = 1.0 if apart else settings.answer_weight
    return len(FeatureTeacher.MAPS) * parts["maps"] + weight * (parts["embedding"] + parts["logits"] + parts["answer"])


@torch.no_grad()
def measure(net: GrainNet, teacher: FeatureTeacher, images: np.ndarray) -> dict[str, float]:
    """How well the answers agree on crops (n * CROPS) that never trained, those of a frame together."""
    ours, theirs = [], []
    for i in range(0, len(images), 50):
        ours.append(net(to_tensor(images[i : i + 50])))
        theirs.append(torch.from_numpy(teacher.run(images[i : i + 50])[2]))
    a, b = torch.cat(ours), torch.cat(theirs)
    live, wanted = (functional.softmax(v, 1)[:, 0] for v in (a, b))
    margins = [(v[:, 0] - torch.logsumexp(v[:, 1:], 1)).numpy() for v in (a, b)]
    return {
        "held_out_kl": (functional.kl_div(functional.log_softmax(a, 1), functional.log_softmax(b, 1), reduction="batchmean", log_target=True)).item(),
        "held_out_correlation": float(np.corrcoef(*margins)[0, 1]),
        "held_out_same_side_of_half": float(((live >= 0.5) == (wanted >= 0.5)).float().mean()),
        "held_out_correlation_with_frame": float(np.corrcoef(margins[0], of_frame(torch.from_numpy(margins[1])).numpy())[0, 1]),
        "held_out_spread_in_frame": float(np.std(margins[0] - of_frame(torch.from_numpy(margins[0])).numpy()) / np.std(margins[0])),
    }


def train_grain(
    scenes: list[Scene], teachers: Path, views: Path, checkpoint: Path, settings: GrainSettings, sets: list[ImageSet],
    makers: int, start: Path | None = None,
) -> None:
    """Runs to the end, or on from `checkpoint`; `makers` processes make views meanwhile. A new run
    begins with the weights of `start`, if given."""
    context = get_context("fork")
    jobs = [(True, 0, 1, HELD_OUT_SHARDS)] + [(False, k, makers, settings.shards) for k in range(makers)]
    makers_at_work = [
        context.Process(target=generate, args=(scenes, views / ("held-out" if out else "train"), out, k, m, n), daemon=True)
        for out, k, m, n in jobs
    ]
    for process in makers_at_work:
        process.start()
    try:
        learn(teachers, views, checkpoint, settings, sets, start)
    finally:
        for process in makers_at_work:
            process.terminate()


def learn(
    teachers: Path, views: Path, checkpoint: Path, settings: GrainSettings, sets: list[ImageSet], start: Path | None
) -> None:
    """The training loop over whatever shards exist."""
    torch.manual_seed(settings.seed)
    teacher = FeatureTeacher(teachers)
    net = GrainNet()
    if start is not None:
        net.load_state_dict(torch.load(start, weights_only=True))
    learner = Learner(net, settings.weight_decay, settings.average)
    stored = learner.restore(checkpoint) or {}
    seen, turn, state = stored.get("seen", 0), stored.get("turn", 0), stored.get("log")
    log = RunLog("liveness-grain", asdict(settings), settings.seed, sets, state)
    log.state["settings"] = asdict(settings)
    while seen < settings.samples:
        images = wait_for(views / "train", settings, turn)
        rng = np.random.default_rng((settings.seed, turn))
        order = rng.permutation(len(images))[: settings.round * 1000]
        started, batches = time.monotonic(), len(order) // settings.batch
        sums: dict[str, float] = {}
        for b in range(batches):
            batch = varied(images[order[b * settings.batch : (b + 1) * settings.batch]], rng)
            net.train()
            apart = seen < settings.apart * settings.samples
            parts = losses(net, teacher, batch, apart)
            learner.step(total(parts, settings, apart), rate_at(settings, seen))
            seen += len(batch)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value.item()
        turn += 1
        speed = batches * settings.batch / (time.monotonic() - started)
        held_out = views / "held-out" / "00000.npy"
        figures = measure(learner.average.net, teacher, np.load(held_out)[: HELD_OUT_FRAMES * CROPS]) if held_out.exists() else {}
        log.point(seen=seen, **{k: v / batches for k, v in sums.items()}, **figures)
        print(log.state["curve"][-1], f"{speed:.0f} crops/s", flush=True)
        learner.save(checkpoint, seen=seen, turn=turn, log=log.state)


def wait_for(folder: Path, settings: GrainSettings, turn: int) -> np.ndarray:
    """Crops of a round's shards: the newest one and others drawn among those made."""
    while True:
        there = sorted(folder.glob("[0-9][0-9][0-9][0-9][0-9].npy"))
        if there:
            rng = np.random.default_rng((settings.seed, turn, 7))
            others = rng.permutation(there[:-1])[: settings.round - 1]
            return np.concatenate([np.load(path) for path in (there[-1], *others)])
        time.sleep(2)
