"""Checkpoint to ONNX, with the weight and the constant that make its logit one half of the face's score."""

from __future__ import annotations

from pathlib import Path

import torch
from scipy.special import logit
from torch import nn

from ..backbone import export_onnx
from ..data import sha256_of
from ..detector.metrics import THRESHOLD, validate
from ..detector.predict import Finder, OnnxFinder, Refine, RefinedFinder, torch_refine
from ..detector.samples import Sample, read_training_data
from ..runlog import RUNS, write_json
from .net import MODEL, SHIPPED, SIZE, Refiner
from .train import load

WEIGHTS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Weights of the refiner's logit beside the detector's that are tried."""


class Weighted(nn.Module):
    """The shipped form: the logit times `weight` plus `shift`, the rest as it is."""

    def __init__(self, net: Refiner, weight: float, shift: float):
        super().__init__()
        self.net = net
        with torch.no_grad():
            self.net.score.weight *= weight
            self.net.score.bias.mul_(weight).add_(shift)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def weighed(refine: Refine, weight: float) -> Refine:
    """The refiner with its logit multiplied."""

    def run(windows):
        out = refine(windows)
        out[:, 0] *= weight
        return out

    return run


FALSE_SHARE = 0.005
"""Share of the held-out face-free pictures that may show a face at the product's threshold: half of what is
wanted of others, because pictures of other sources show more."""


def choose(finder: Finder, net: Refiner, held_out: list[Sample]) -> tuple[float, float, list[dict]]:
    """Weight and constant of the logit: of `WEIGHTS` the one with which most labelled faces of the held-out
    pictures are found (shares of the large and of the other ones, added) where `FALSE_SHARE` of the face-free
    ones show one; and the constant that puts the product's threshold there."""
    rows = []
    for weight in WEIGHTS:
        figures = validate(RefinedFinder(finder, weighed(torch_refine(net), weight)), held_out, FALSE_SHARE)
        # The level's mean of both logits is to become the threshold's.
        shift = float(2 * (logit(THRESHOLD) - logit(figures["level"])))
        rows.append({"weight": weight, "shift": round(shift, 3)} | {k: round(v, 4) for k, v in figures.items()})
        print(rows[-1], flush=True)
    best = max(rows, key=lambda row: row["recall_at_level"] + row["small_at_level"])
    return best["weight"], best["shift"], rows


def export(data: Path, cache: Path, teachers: Path, detector: Path, checkpoint: Path) -> None:
    """Writes the ONNX file and the run record of the checkpoint."""
    torch.set_num_threads(1)
    net, record = load(checkpoint)
    weight, shift, tried = choose(OnnxFinder(detector), net, read_training_data(data, cache, teachers).held_out)
    worst = export_onnx(Weighted(net, weight, shift), SIZE, "face", SHIPPED)
    record |= {
        "detector_sha256": sha256_of(detector),
        "weight": weight,
        "shift": shift,
        "weights_tried": tried,
        "onnx_sha256": sha256_of(SHIPPED),
    }
    write_json(RUNS / f"{MODEL}.json", record)
    print(f"{SHIPPED.name}: {SHIPPED.stat().st_size} bytes, differs from PyTorch by at most {worst:.1e}")
