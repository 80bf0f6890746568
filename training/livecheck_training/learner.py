"""A net while it learns: its optimiser, the average of its weights, and the checkpoint of all three."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn


class Average:
    """Exponential moving average of a net's weights; `net` is the averaged copy."""

    def __init__(self, net: nn.Module, decay: float):
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay, self.updates = decay, 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        self.updates += 1
        keep = min(self.decay, self.updates / (self.updates + 10))
        for ours, theirs in zip(self.net.state_dict().values(), net.state_dict().values()):
            if ours.is_floating_point():
                ours.lerp_(theirs, 1 - keep)
            else:
                ours.copy_(theirs)


def fallen(progress: float, end: float) -> float:
    """Share of the full learning rate: half a cosine over `progress` 0 to 1, from 1 down to `end`."""
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def share_of_rate(step: int, steps: int, rise: int, end: float) -> float:
    """Share of the full learning rate: a rise over the first `rise` steps, times `fallen`."""
    return min(1.0, (step + 1) / rise) * fallen(step / steps, end)


class Learner:
    """One net, trained by AdamW; `average` is what gets measured and shipped.

    `decay` is AdamW's weight decay, `memory` the average's, `clip` the largest norm of a
    gradient that is taken as it is.
    """

    def __init__(self, net: nn.Module, decay: float, memory: float, clip: float = 5.0):
        self.net = net.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), weight_decay=decay)
        self.average = Average(self.net, memory)
        self.clip = clip

    def step(self, loss: torch.Tensor, rate: float) -> None:
        """One step down the loss at this learning rate."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.optimiser.step()
        self.average.update(self.net)

    def averaged_weights(self) -> dict[str, torch.Tensor]:
        """A copy that further steps leave alone."""
        return {k: v.clone() for k, v in self.average.net.state_dict().items()}

    def save(self, path: Path, **more: Any) -> None:
        """Replaces the checkpoint as a whole; `more` comes back from `restore`."""
        scratch = path.with_suffix(".tmp")
        state = {
            "net": self.net.state_dict(),
            "average": self.average.net.state_dict(),
            "updates": self.average.updates,
            "optimiser": self.optimiser.state_dict(),
        }
        torch.save(state | more, scratch)
        scratch.replace(path)

    def restore(self, path: Path) -> dict[str, Any] | None:
        """Goes on from a checkpoint, if there is one, and returns what it holds."""
        if not path.exists():
            return None
        stored = torch.load(path, weights_only=False)
        self.net.load_state_dict(stored["net"])
        self.average.net.load_state_dict(stored["average"])
        self.average.updates = stored["updates"]
        self.optimiser.load_state_dict(stored["optimiser"])
        return stored
