"""Margins of the small nets, which teach the views net and the grain net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from .. import crops
from ..teachers import session
from . import grain
from .net import FACTOR, SIZE


class Scorer:
    """The small context net and grain net of a folder."""

    def __init__(self, folder: Path) -> None:
        self._context = session(folder / "liveness-small-context.onnx")
        self._grain = session(folder / "liveness-small-grain.onnx")

    def margins(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Margins (2,) of a face box x0, y0, x1, y1: the context net's, the grain net's."""
        averaged = crops.square_crop(frame, tuple(box), FACTOR, SIZE)
        return np.array([margin_of(_run(self._context, averaged)), self.grain_margin(frame, box, 1.0)])

    def looked_again(self, frame: np.ndarray, box: np.ndarray, margins: np.ndarray, closer: float) -> np.ndarray:
        """Margins (2,) of both looks of the grain net, the second at `closer` of its view, from those of the first."""
        return np.array([margins[0], (margins[1] + self.grain_margin(frame, box, closer)) / 2])

    def grain_margin(self, frame: np.ndarray, box: np.ndarray, share: float) -> float:
        """The grain net's margin on `share` of its view."""
        return margin_of(_run(self._grain, crops.sampled_crop(frame, tuple(box), grain.FACTOR, grain.SIZE, share)))


def _run(net: onnxruntime.InferenceSession, view: np.ndarray) -> np.ndarray:
    blob = np.ascontiguousarray(view.transpose(2, 0, 1)[None], np.float32)
    return net.run(None, {"input": blob})[0][0].astype(np.float64)


def margin_of(logits: np.ndarray) -> float:
    """Live against print and screen together, for logits (3,)."""
    return float(logits[0] - np.logaddexp(logits[1], logits[2]))
