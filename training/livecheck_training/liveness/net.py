"""The net: square crop of face and surroundings in, three logits out."""

from __future__ import annotations

import torch
from torch import nn

from ..backbone import Trunk

SIZE = 112
"""Side of the crop, in pixels."""

FACTOR = 2.7
"""Side of the crop in mean sides of the face box."""

BLOCKS = 11
"""Blocks of the trunk: all of 112 channels at stride 16."""

CLASSES = ("live", "print", "screen")
"""Order of the logits."""


class LivenessNet(nn.Module):
    """RGB 0..255 of shape (n, 3, 112, 112) to logits of shape (n, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk(BLOCKS)
        self.head = nn.Linear(self.trunk.channels, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.trunk(x))


def margin(logits: torch.Tensor) -> torch.Tensor:
    """Logit of P(live): live against print and screen together, shape (n,)."""
    return logits[:, 0] - torch.logsumexp(logits[:, 1:], 1)
