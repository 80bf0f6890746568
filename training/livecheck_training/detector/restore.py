"""Goes on from the shipped ONNX file, where no checkpoint is at hand.

The file holds convolutions with the batch normalisations folded in, and score
biases with the export's shift. Training wants normalisations back: each is put
in with the mean and variance that its convolution shows on training views, and
with the scale and offset that undo them, so that the network says at first what
the file says.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from .model import Detector

#: Part of the weights' names in the file that is not in `Detector`.
PREFIX = "net."


def _weights(path: Path) -> dict[str, Tensor]:
    """The named weights of an exported file."""
    return {
        t.name.removeprefix(PREFIX): torch.from_numpy(numpy_helper.to_array(t).copy())
        for t in onnx.load(path).graph.initializer
        if t.name.startswith(PREFIX)
    }


def folded_from_onnx(path: Path) -> Detector:
    """The network of an exported file as it is there: no batch normalisation, the shift of the
    score in its biases. For writing it anew, not for training."""
    weights = _weights(path)
    net = Detector().eval()
    for name, module in list(net.named_modules()):
        if isinstance(module, nn.Sequential) and len(module) >= 2 and isinstance(module[1], nn.BatchNorm2d):
            module[0].bias = nn.Parameter(weights[f"{name}.0.bias"])
            module[1] = nn.Identity()
    with torch.no_grad():
        for name, weight in net.named_parameters():
            weight.copy_(weights[name])
    return net


def from_onnx(path: Path, shift: float, batches: Iterable[Tensor]) -> Detector:
    """The network of an exported file, ready to be trained further.

    ``shift`` is what the export added to the score's logit. ``batches`` are images
    (b, 3, s, s) of 0..255 as in training; some hundred suffice.
    """
    weights = _weights(path)
    net = Detector().eval()
    with torch.no_grad():
        for name, module in net.named_modules():
            if isinstance(module, nn.Sequential) and len(module) >= 2 and isinstance(module[1], nn.BatchNorm2d):
                module[0].weight.copy_(weights[f"{name}.0.weight"])
                _pass_through(module[1], weights[f"{name}.0.bias"])
        for i, out in enumerate(net.outs):
            out.weight.copy_(weights[f"outs.{i}.weight"])
            out.bias.copy_(weights[f"outs.{i}.bias"])
            out.bias[0] -= shift
    _measure(net, batches)
    return net


def _pass_through(norm: nn.BatchNorm2d, offset: Tensor) -> None:
    """Makes a normalisation add an offset and do nothing else."""
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    norm.weight.fill_(1)
    norm.bias.copy_(offset)


@torch.no_grad()
def _measure(net: Detector, batches: Iterable[Tensor]) -> None:
    """Gives every normalisation the statistics of its input without changing what
    the network computes."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    sums: dict[nn.BatchNorm2d, list[Any]] = {n: [0.0, 0.0, 0] for n in norms}

    def collect(norm: nn.BatchNorm2d, inputs: tuple[Tensor], _: Tensor) -> None:
        flat = inputs[0].double().transpose(0, 1).flatten(1)
        entry = sums[norm]
        entry[0], entry[1], entry[2] = entry[0] + flat.sum(1), entry[1] + (flat * flat).sum(1), entry[2] + flat.shape[1]

    hooks = [n.register_forward_hook(collect) for n in norms]
    for batch in batches:
        net(batch)
    for hook in hooks:
        hook.remove()
    for norm, (total, squares, count) in sums.items():
        if not count:
            continue
        mean = total / count
        # A channel that never changes would be scaled to noise.
        variance = (squares / count - mean * mean).clamp(min=1e-4)
        norm.bias.add_(mean.float())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
