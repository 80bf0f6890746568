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

SIZE = 80
"""Side of the view, in pixels."""

FACTOR = 2.7
"""Sides of the view in sides of the face box, where the frame has room."""

CLOSER = 0.8
"""Share of the view that the second crop of a doubtful face takes, as `closer` of `liveness.json` has it."""

BLOCKS = (
    # stride, hidden channels, channels out; stride 1 adds to its input
    (2, 112, 64),
    (1, 16, 64),
    (1, 16, 64),
    (1, 16, 64),
    (1, 16, 64),
    (2, 240, 128),
    (1, 240, 128),
    (1, 56, 128),
    (1, 32, 128),
    (1, 80, 128),
    (1, 32, 128),
    (1, 32, 128),
    (2, 320, 128),
    (1, 32, 128),
    (1, 32, 128),
)
"""The blocks after the stem. Their maps have the shapes of the teacher's maps, one by one, so
that each block can be taught by itself, on the teacher's map before it; each is wide enough
to say what the teacher's block says."""

DENSE = 56
"""Up to this many hidden channels a block filters all of them together, above, one by one."""

STEM = 32
PLACES = 512
EMBEDDING = 128


def layer(inside: int, outside: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution, normalisation, and a slope of its own for what is negative."""
    return [
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside),
        nn.PReLU(outside),
    ]


class Block(nn.Module):
    """Spread over hidden channels, filter 3x3, gather: an inverted residual (Sandler et al. 2018,
    https://arxiv.org/abs/1801.04381). No activation after the last: maps are sums."""

    def __init__(self, inside: int, stride: int, hidden: int, outside: int, lead: bool = False):
        super().__init__()
        self.path = nn.Sequential(
            *(layer(inside, inside, 3, groups=inside) if lead else ()),
            *layer(inside, hidden),
            *layer(hidden, hidden, 3, stride, 1 if hidden <= DENSE else hidden),
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
        self.stem = nn.Sequential(*layer(3, STEM, 3, 2))
        self.blocks = nn.ModuleList()
        inside = STEM
        for stride, hidden, outside in BLOCKS:
            self.blocks.append(Block(inside, stride, hidden, outside, lead=not self.blocks))
            inside = outside
        self.places = nn.Sequential(*layer(inside, PLACES), nn.Conv2d(PLACES, PLACES, SIZE // 16, groups=PLACES))
        self.embedding = nn.Linear(PLACES, EMBEDDING)
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
