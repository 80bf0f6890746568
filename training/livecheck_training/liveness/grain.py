"""The grain net: what it sees, and its layers.

Its view keeps single pixels of the frame instead of averaging them: a fixed grid of samples
over face and surroundings, so that sensor noise, print grain and the raster of a screen
survive, aliased, in 80 pixels. The context net's averaged view has lost them.

It is taught by the first net of the Silent-Face pair on the very same pixels: not only by its
answer but by what it computes on the way (feature distillation, Romero et al. 2015, FitNets:
https://arxiv.org/abs/1412.6550), block by block (Li et al. 2020, DNA:
https://arxiv.org/abs/1911.13053). A verdict is one number a view; the maps are some 300,000.
"""

from __future__ import annotations

import torch
from torch import nn

from ..detector.model import conv

SIZE = 80
"""Side of the view, in pixels."""

FACTOR = 2.7
"""Sides of the view in sides of the face box, where the frame has room."""

BLOCKS = (
    # stride, hidden channels, channels out; stride 1 adds to its input
    (2, 40, 64),
    (1, 24, 64),
    (1, 24, 64),
    (1, 24, 64),
    (1, 24, 64),
    (2, 72, 128),
    (1, 72, 128),
    (1, 56, 128),
    (1, 40, 128),
    (1, 64, 128),
    (1, 40, 128),
    (1, 40, 128),
    (2, 64, 128),
    (1, 48, 128),
    (1, 48, 128),
)
"""The blocks after the stem. Their maps have the shapes of the teacher's maps, one by one, so
that each block can be taught by itself, on the teacher's map before it."""

STEM = 32
EMBEDDING = 128


class Block(nn.Module):
    """Narrow, filter, widen: plain convolutions, as in the detector, since the embedded runtime
    runs those best. No activation after the last: maps are sums."""

    def __init__(self, inside: int, stride: int, hidden: int, outside: int):
        super().__init__()
        self.path = nn.Sequential(
            *(conv(inside, hidden, kernel=1) if stride == 1 else conv(inside, hidden, kernel=3)),
            *conv(hidden, hidden, stride),
            nn.Conv2d(hidden, outside, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.residual = stride == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.path(x) if self.residual else self.path(x)


class GrainNet(nn.Module):
    """RGB 0..255 of shape (n, 3, 80, 80) to logits of shape (n, 3): live, print, screen.

    The last map is weighed place by place, not averaged: a paper's edge means something
    else beside the face than on it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, STEM, 3, 2, 1, bias=False), nn.BatchNorm2d(STEM), nn.PReLU(STEM))
        self.blocks = nn.ModuleList()
        inside = STEM
        for stride, hidden, outside in BLOCKS:
            self.blocks.append(Block(inside, stride, hidden, outside))
            inside = outside
        self.places = nn.Sequential(*conv(inside, 320, kernel=1), nn.Conv2d(320, 320, SIZE // 16, groups=320))
        self.embedding = nn.Linear(320, EMBEDDING)
        self.head = nn.Linear(EMBEDDING, 3)

    def first(self, x: torch.Tensor) -> torch.Tensor:
        """The stem's map."""
        return self.stem((x - 127.5) / 64.0)

    def last(self, x: torch.Tensor) -> torch.Tensor:
        """The last map to the embedding."""
        return self.embedding(torch.flatten(self.places(x), 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.last(x))
