"""Views, their early maps, and the training of one branch for each fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..learner import Average, share_of_rate
from .net import Branch, Early, tensor
from .photos import FOLDS, Photos

LOOKED_AT_ONCE = 24
"""Photos whose looks pass the net together."""


@dataclass(frozen=True)
class Settings:
    """The same for every fold, and none stops early. Three epochs (on two folds) and eight (on all:
    mean AUC .912), with ImageNet's last layer pooled where the net now pools blocks 4 and 15, were
    looked at on these folds before."""

    epochs: int = 5
    batch: int = 32
    rate: float = 3e-4
    """Of the blocks; the head learns at `head_rate`. Both rise for `rise` steps, then fall along a cosine."""
    head_rate: float = 1e-3
    rise: int = 40
    weight_decay: float = 0.05
    average: float = 0.98
    smoothing: float = 0.05
    clip: float = 5.0


def make_maps(images: Iterable[np.ndarray], views: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Early maps (n, k, s, s, c) of the views (k, SIZE, SIZE, 3) of every image."""
    early = Early()
    return np.stack([early.maps(views(image)) for image in images])


def weigh(photos: Photos, among: np.ndarray) -> np.ndarray:
    """Weights (n,), zero outside `among` (n,) bool, there one on average: both classes weigh the
    same, and a photographer weighs in a class as the square root of the photos."""
    out = np.zeros(len(photos))
    for replay in (False, True):
        here = among & (photos.replay == replay)
        for source in set(photos.source[here]):
            own = here & (photos.source == source)
            out[own] = own.sum() ** -0.5
        out[here] *= among.sum() / 2 / out[here].sum()
    return out


def train(views: np.ndarray, replay: np.ndarray, weight: np.ndarray, settings: Settings, seed: int) -> Branch:
    """A branch learnt from the photos of weight above zero; the average of its weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = Branch().to(memory_format=torch.channels_last)
    average = Average(net, settings.average)
    groups = ({"params": net.blocks.parameters()}, {"params": net.head.parameters()})
    optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    used = np.flatnonzero(weight)
    steps = len(used) // settings.batch
    wanted = torch.from_numpy((replay * (1 - 2 * settings.smoothing) + settings.smoothing).astype(np.float32))
    worth = torch.from_numpy(weight.astype(np.float32))
    for step in range(settings.epochs * steps):
        epoch, place = divmod(step, steps)
        if place == 0:
            order = rng.permutation(used)
        index = order[place * settings.batch : (place + 1) * settings.batch]
        logits = net(tensor(views[index, epoch]))
        loss = (nn.functional.binary_cross_entropy_with_logits(logits, wanted[index], reduction="none") * worth[index]).mean()
        share = share_of_rate(step, settings.epochs * steps, settings.rise, 0.02)
        for group, rate in zip(optimiser.param_groups, (settings.rate, settings.head_rate)):
            group["lr"] = rate * share
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), settings.clip)
        optimiser.step()
        average.update(net)
    return average.net


@torch.inference_mode()
def judge(net: Branch, looks: np.ndarray) -> np.ndarray:
    """Mean logit (n,) over the looks (n, looks, s, s, c) of each photo."""
    out = []
    for start in range(0, len(looks), LOOKED_AT_ONCE):
        part = looks[start : start + LOOKED_AT_ONCE]
        out.append(net(tensor(part.reshape(-1, *part.shape[2:]))).numpy().reshape(part.shape[:2]).mean(1))
    return np.concatenate(out)


def left_out_logits(
    photos: Photos, views: np.ndarray, looks: list[np.ndarray], settings: Settings, seed: int
) -> list[np.ndarray]:
    """For each kind of looks (n, looks, s, s, c) every photo's logit (n,), by the net that none of
    its fold's photographers trained; `views` (n, epochs, s, s, c) train."""
    out = [np.zeros(len(photos)) for _ in looks]
    for fold in range(FOLDS):
        here = photos.fold == fold
        net = train(views, photos.replay, weigh(photos, ~here), settings, seed)
        for logits, kind in zip(out, looks):
            logits[here] = judge(net, kind[here])
    return out
