"""The views net: a square view of the face in, three logits for each scale out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from ..backbone import Trunk, folded
from ..liveness.grain import GrainNet
from ..liveness.net import BLOCKS

SIZE = 112
"""Side of a view, in pixels."""

FACTORS = (4.0, 2.7, 1.5)
"""Sides of the wide, the middle and the near view in mean sides of the face box."""

VIEWS = ("wide", "middle", "near")

TAUGHT = 0.5
"""Where the grain net lies between the small grain net, from which its training started (0), and what labels
taught (1)."""

CLASSES = ("live", "print", "screen")


class ViewsNet(nn.Module):
    """RGB 0..255 of shape (n, 3, 112, 112) to logits of shape (n, 9): live, print, screen for each of
    VIEWS. One trunk serves all scales; the caller reads the three logits of the scale that it cut."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk(BLOCKS)
        self.head = nn.Linear(self.trunk.channels, len(VIEWS) * len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.trunk(x))


def blend(before: dict[str, torch.Tensor], taught: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """Weights on the line between a net before and after its training (Wortsman et al. 2022, "Robust
    fine-tuning of zero-shot models", https://arxiv.org/abs/2109.01903): what labels taught of some cameras is
    kept for others only together with what was known before."""
    return {
        name: before[name] + share * (weight - before[name]) if weight.is_floating_point() else weight.clone()
        for name, weight in taught.items()
    }


def stored_weights(model: Path) -> dict[str, torch.Tensor]:
    """The weights of an exported net, by name."""
    return {i.name: torch.from_numpy(np.array(numpy_helper.to_array(i))) for i in onnx.load(model).graph.initializer}


def taught_net(context: Path) -> nn.Module:
    """A net whose trunk is that of the exported context net, normalisations folded, and whose head answers
    at each scale what the context net's does."""
    net = folded(ViewsNet())
    stored = stored_weights(context)
    heads = {n: torch.cat([stored[n]] * len(VIEWS)) for n in net.state_dict() if n.startswith("head.")}
    net.load_state_dict({n: heads.get(n, stored[n]) for n in net.state_dict()})
    return net


def taught_grain(checkpoint: Path) -> nn.Module:
    """The grain net with the weights of a checkpoint, normalisations folded."""
    net = GrainNet()
    stored = torch.load(checkpoint, weights_only=True)
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in stored.items()})
    return folded(net)
