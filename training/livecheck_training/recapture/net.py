"""EfficientNet-Lite0 in two parts: what stays as ImageNet taught it, and what learns.

Normalisations are folded into the convolutions, so that a batch's make-up decides nothing. The
early part's maps are computed once for each view and serve every fold.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..backbone import BLOCKS, Trunk, folded

EARLY = 5
"""Blocks that stay: up to stride 8."""

POOLED = (EARLY - 1, 7, 10, 14, 15)
"""Blocks whose maps are pooled; the first is the last that stays."""

DROPOUT = 0.3


class Branch(nn.Module):
    """Maps of the early part (n, 40, s, s) to the logit of "photographed screen" (n,): mean and
    standard deviation of these and of four later maps, normalised, to one linear layer that starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = imagenet().blocks[EARLY:]
        channels = 2 * sum(BLOCKS[i][3] for i in POOLED)
        self.normalise = nn.BatchNorm1d(channels, affine=False)
        self.drop = nn.Dropout(DROPOUT)
        self.head = nn.Linear(channels, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """The features (n, channels) that the head weighs."""
        out = [maps.mean((2, 3)), maps.std((2, 3))]
        for index, block in enumerate(self.blocks, EARLY):
            maps = block(maps)
            if index in POOLED:
                out += [maps.mean((2, 3)), maps.std((2, 3))]
        return torch.cat(out, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.normalise(self.pooled(maps))))[:, 0]


def imagenet() -> Trunk:
    """All blocks with ImageNet's weights, normalisations folded in."""
    trunk = Trunk(len(BLOCKS))
    trunk.load_imagenet()
    return folded(trunk)


class Early:
    """The part that stays."""

    def __init__(self) -> None:
        self._trunk = imagenet().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def maps(self, views: np.ndarray) -> np.ndarray:
        """Maps (n, s, s, 40) in 16 bits of RGB views (n, SIZE, SIZE, 3)."""
        return self._trunk.blocks[:EARLY](self._trunk.first(tensor(views))).permute(0, 2, 3, 1).numpy().astype(np.float16)


def tensor(stored: np.ndarray) -> torch.Tensor:
    """Images or maps (n, h, w, c) as the nets take them, (n, c, h, w)."""
    return torch.from_numpy(stored.astype(np.float32)).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
