"""Checkpoint to ONNX: batch 1, opset 17, plain operators, checked against PyTorch.

Input ``image`` [1, 3, height, width], RGB 0..255, sides multiples of 32 up to 320.
Outputs, for n cells (2100 of the full square), ``scores`` [1, n] in 0..1, ``boxes``
[1, n, 4] x0 y0 x1 y1 and ``landmarks`` [1, n, 10] x y of left eye, right eye, nose,
left and right mouth corner, all in input pixels.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from ..backbone import folded
from ..data import sha256_of
from ..runlog import RUNS, write_json
from ..teachers import session
from .model import INPUT, Detector, answers, grids
from .restore import folded_from_onnx
from .train import MODEL

#: Largest difference allowed between the two runtimes: scores, and pixels.
TOLERANCE = 1e-4
PIXEL_TOLERANCE = 1e-2
#: The file that the product embeds.
SHIPPED = Path(__file__).resolve().parents[3] / "crates" / "engine" / "models" / f"{MODEL}.onnx"


class Exported(nn.Module):
    """A folded network with its decoding, as the product sees it.

    ``shift`` is added to the score's logit, which moves the operating point
    without changing any ranking.
    """

    def __init__(self, net: Detector, shift: float):
        super().__init__()
        self.net = net
        with torch.no_grad():
            for out in self.net.outs:
                out.bias[0] += shift
        self.grids = nn.ParameterList(nn.Parameter(grid, False) for grid in grids(INPUT))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, boxes, points = answers(self.net.maps(image), list(self.grids))
        return logits.sigmoid(), boxes, points


def export(checkpoint: Path, path: Path, shift: float) -> None:
    """Writes the ONNX file and the run record of the checkpoint."""
    torch.set_num_threads(1)
    state = torch.load(checkpoint, weights_only=False)
    net = Detector()
    net.load_state_dict(state["average"])
    worst = write(Exported(folded(net), shift).eval(), path)
    record = state["log"] | {
        "checkpoint_step": state["step"],
        "score_logit_shift": shift,
        "onnx_sha256": sha256_of(path),
        "onnx_worst_difference": worst,
    }
    earlier = RUNS / f"{MODEL}.json"
    if earlier.exists():
        record["evaluation"] = json.loads(earlier.read_text(encoding="utf-8")).get("evaluation", {})
    write_json(earlier, record)


def rewrite(source: Path, path: Path) -> None:
    """Writes the weights of an exported file anew, as `export` writes them today, and notes
    the new file in the run record."""
    torch.set_num_threads(1)
    worst = write(Exported(folded_from_onnx(source), 0.0).eval(), path)
    earlier = RUNS / f"{MODEL}.json"
    record = json.loads(earlier.read_text(encoding="utf-8"))
    write_json(earlier, record | {"onnx_sha256": sha256_of(path), "onnx_worst_difference": worst})


def write(shipped: Exported, path: Path) -> dict[str, float]:
    """Writes the ONNX file; returns what `compare` found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        shipped,
        (torch.zeros(1, 3, INPUT, INPUT // 2),),
        str(path),
        input_names=["image"],
        output_names=["scores", "boxes", "landmarks"],
        dynamic_axes={"image": {2: "height", 3: "width"}}
        | {name: {1: "cells"} for name in ("scores", "boxes", "landmarks")},
        opset_version=17,
        dynamo=False,
        do_constant_folding=True,
    )
    model = onnx.load(path)
    onnx.checker.check_model(model)
    worst = compare(shipped, path)
    operators = sorted({node.op_type for node in model.graph.node})
    weights = sum(int(np.prod(t.dims)) for t in model.graph.initializer)
    print(f"{path.name}: {path.stat().st_size} bytes, {weights} numbers, {operators}, worst difference {worst}")
    return worst


def compare(shipped: Exported, path: Path) -> dict[str, float]:
    """Largest difference between ONNX Runtime and PyTorch on random inputs, among
    cells that could matter; fails when it is above the tolerance."""
    runtime = session(path)
    random = np.random.default_rng(0)
    worst = {"scores": 0.0, "boxes": 0.0, "landmarks": 0.0}
    for scale, (height, width) in zip((4, 40, 320, 40), ((INPUT, INPUT), (192, INPUT), (INPUT, 256), (32, 64))):
        noise = random.integers(0, 256, (1, 3, scale, scale)).astype(np.float32)
        x = np.ascontiguousarray(noise.repeat(INPUT // scale, 2).repeat(INPUT // scale, 3)[:, :, :height, :width])
        with torch.no_grad():
            expected = shipped(torch.from_numpy(x))
        for name, ours, theirs in zip(worst, expected, runtime.run(list(worst), {"image": x})):
            # Far-off boxes of empty cells are huge; relative beyond 1000 pixels.
            size = np.maximum(np.abs(ours.numpy()) / 1000, 1.0)
            worst[name] = max(worst[name], float((np.abs(ours.numpy() - theirs) / size).max()))
    if worst["scores"] > TOLERANCE or max(worst["boxes"], worst["landmarks"]) > PIXEL_TOLERANCE:
        raise SystemExit(f"the ONNX file differs from PyTorch by {worst}; it must not be shipped")
    return worst
