"""The network: an anchor-free, single-stage detector with strides 8, 16 and 32.

It is made of plain 3×3 convolutions with ReLU because those run best in the
pure-Rust runtime that the product embeds: a depthwise convolution costs there
about 2.5 times what its arithmetic suggests. Batch normalisation is folded into
the convolutions at export.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
INPUT = 320
#: Channels of a cell's output: score logit, box (dx, dy, log w, log h), 5 points.
OUTPUTS = 1 + 4 + 10


def conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        self.first = conv(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


class Detector(nn.Module):
    """Backbone, top-down feature pyramid, one head a stride.

    Input: RGB, 0..255, NCHW, height and width multiples of 32. Output: (batch,
    cells, 15), cells of stride 8 first, row-major, then 16, then 32.
    """

    def __init__(self, neck: int = 48):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 2), conv(16, 24, 2))
        self.stage8 = nn.Sequential(conv(24, 40, 2), Residual(40))
        self.stage16 = nn.Sequential(conv(40, 80, 2), Residual(80))
        self.stage32 = nn.Sequential(conv(80, 112, 2), Residual(112), conv(112, 112))
        self.lateral = nn.ModuleList(conv(c, neck, kernel=1) for c in (40, 80, 112))
        # One head a stride: shared ones would need their own normalisation anyway,
        # because the strides' features have different statistics.
        self.heads = nn.ModuleList(conv(neck, neck) for _ in STRIDES)
        self.outs = nn.ModuleList(nn.Conv2d(neck, OUTPUTS, 1) for _ in STRIDES)
        for out in self.outs:
            nn.init.normal_(out.weight, std=0.01)
            nn.init.zeros_(out.bias)
            with torch.no_grad():
                # A cell holds a face about once in a hundred at the start.
                out.bias[0] = -4.6
                # Box side in strides; exp(1.3) is about 3.7.
                out.bias[3:5] = 1.3

    def maps(self, x: Tensor) -> list[Tensor]:
        """Output of each stride, (batch, 15, rows, columns)."""
        x = self.stem((x - 127.5) / 64.0)
        c8 = self.stage8(x)
        c16 = self.stage16(c8)
        c32 = self.stage32(c16)
        p32 = self.lateral[2](c32)
        p16 = self.lateral[1](c16) + F.interpolate(p32, scale_factor=2.0, mode="nearest")
        p8 = self.lateral[0](c8) + F.interpolate(p16, scale_factor=2.0, mode="nearest")
        return [
            _precisely(out, head(p))
            for head, out, p in zip(self.heads, self.outs, (p8, p16, p32))
        ]

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([m.flatten(2).transpose(1, 2) for m in self.maps(x)], 1)


def _precisely(out: nn.Conv2d, features: Tensor) -> Tensor:
    """The last layer in float32: coordinates need more than the 8 bits of bfloat16."""
    if features.dtype == torch.float32:
        return out(features)
    with torch.autocast("cpu", enabled=False):
        return out(features.float())


def grids(size: int) -> list[Tensor]:
    """For each stride (rows, columns, 3): centre x, centre y and stride of the cells of a
    square input, in input pixels. A smaller input has the upper left part of them."""
    found = []
    for stride in STRIDES:
        at = (torch.arange(size // stride, dtype=torch.float32) + 0.5) * stride
        y, x = torch.meshgrid(at, at, indexing="ij")
        found.append(torch.stack([x, y, torch.full_like(x, stride)], -1))
    return found


def cells(size: int) -> Tensor:
    """(cells, 3): `grids` of a square input, one row a cell."""
    return torch.cat([grid.reshape(-1, 3) for grid in grids(size)])


def decode(raw: Tensor, grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Raw output to (scores' logits, boxes x0 y0 x1 y1, landmarks x y ×5) in input
    pixels. ``grid`` is ``cells(size)`` or the rows of it that ``raw`` belongs to."""
    centre, stride = grid[..., :2], grid[..., 2:]
    middle = centre + raw[..., 1:3] * stride
    # e^5 strides is beyond any input; the bound keeps early training finite.
    half = torch.exp(raw[..., 3:5].clamp(-6.0, 5.0)) * stride * 0.5
    points = torch.cat([centre] * 5, -1) + raw[..., 5:] * stride
    return raw[..., 0], torch.cat([middle - half, middle + half], -1), points


#: Strides whose answers are averaged over neighbouring cells. Cells of stride 8 answer
#: for faces so small that a neighbour may belong to another one.
AVERAGED = (16, 32)
#: A weight below this counts as this, so that empty regions divide by something.
LEAST_WEIGHT = 1e-6


def answers(maps: list[Tensor], grids: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Maps of one input size to (scores' logits, boxes, landmarks) of all cells, in
    input pixels: what the product sees. ``grids`` are those of an input at least as large.

    Cells around a face's centre answer for the same face, each with its own error;
    their boxes and landmarks are averaged over 3×3 cells, weighted by the squared
    score, which costs next to nothing.
    """
    logits, boxes, points = [], [], []
    for stride, raw, grid in zip(STRIDES, maps, grids):
        batch, _, rows, columns = raw.shape
        logit, box, five = decode(
            raw.flatten(2).transpose(1, 2), grid[:rows, :columns].reshape(-1, 3)
        )
        if stride in AVERAGED:
            weight = logit.sigmoid().reshape(batch, 1, rows, columns).square().clamp(min=LEAST_WEIGHT)
            total = F.avg_pool2d(weight, 3, 1, 1)
            both = torch.cat([box, five], 2).transpose(1, 2).reshape(batch, 14, rows, columns)
            both = (F.avg_pool2d(both * weight, 3, 1, 1) / total).flatten(2).transpose(1, 2)
            box, five = both[..., :4], both[..., 4:]
        logits.append(logit)
        boxes.append(box)
        points.append(five)
    return torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(points, 1)
