"""The net: a window about a proposed face in; score, box and landmarks out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ..backbone import Trunk

MODEL = "face-refiner"

SHIPPED = Path(__file__).resolve().parents[3] / "crates" / "engine" / "models" / f"{MODEL}.onnx"
"""The file that the product embeds."""

SIZE = 80
"""Side of the window, in pixels."""

FACTOR = 1.5
"""Side of the window, in mean sides of the proposed box."""

BLOCKS = 8
"""Blocks of the trunk: up to 80 channels at stride 16."""

CHANNELS = 32
"""Channels of the last map, whose places the last layer tells apart."""

OUTPUTS = 1 + 4 + 10
"""Score's logit, box x0 y0 x1 y1, five landmarks."""


class Refiner(nn.Module):
    """RGB 0..255 of shape (n, 3, 80, 80) to (n, 15): logit, box and landmarks in sides of the
    window from its top left."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk(BLOCKS)
        cells = SIZE // 16
        self.narrow = nn.Sequential(
            nn.Conv2d(self.trunk.channels, CHANNELS, 1, bias=False), nn.BatchNorm2d(CHANNELS), nn.ReLU(inplace=True)
        )
        self.dropout = nn.Dropout(0.1)
        self.score = nn.Linear(self.trunk.channels, 1)
        self.place = nn.Linear(CHANNELS * cells * cells, OUTPUTS - 1)
        nn.init.normal_(self.place.weight, std=0.005)
        with torch.no_grad():
            # A face as the proposal has it.
            low, high = 0.5 - 0.5 / FACTOR, 0.5 + 0.5 / FACTOR
            self.place.bias.copy_(torch.tensor([low, low, high, high, 0.38, 0.44, 0.62, 0.44, 0.5, 0.56, 0.4, 0.68, 0.6, 0.68]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        map_ = self.trunk.blocks(self.trunk.first(x))
        logit = self.score(self.dropout(map_.mean((2, 3))))
        return torch.cat([logit, self.place(self.narrow(map_).flatten(1))], 1)
