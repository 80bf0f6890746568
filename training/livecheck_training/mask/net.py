"""The net: aligned crop of a face in, P(face mask) out."""

from __future__ import annotations

import torch
from torch import nn

from ..backbone import Trunk

SIZE = 96
"""Side of the aligned crop, in pixels."""

BLOCKS = 8
"""Blocks of the trunk: all of 80 channels at stride 16."""


class MaskNet(nn.Module):
    """RGB 0..255 of shape (n, 3, 96, 96) to a logit of shape (n, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk(BLOCKS)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(self.trunk.channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.dropout(self.trunk(x)))


class MaskProbability(nn.Module):
    """The shipped form: the logit as a probability."""

    def __init__(self, net: MaskNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.net(x))
