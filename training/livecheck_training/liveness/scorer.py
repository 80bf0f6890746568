"""Margins of the first generation of liveness nets, which teach the views net and the second grain net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from .. import crops
from ..teachers import session
from . import grain
from .net import FACTOR, SIZE


class Scorer:
    """The exported context net and grain net of a folder."""

    def __init__(self, folder: Path) -> None:
        self._context = session(folder / "liveness-context.onnx")
        self._grain = session(folder / "liveness-grain.onnx")

    def margins(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Margins (2,) of a face box x0, y0, x1, y1: the context net's, the grain net's."""
        averaged = crops.square_crop(frame, tuple(box), FACTOR, SIZE)
        sampled = crops.sampled_crop(frame, tuple(box), grain.FACTOR, grain.SIZE)
        return margins_of(np.stack([_run(self._context, averaged), _run(self._grain, sampled)]))


def _run(net: onnxruntime.InferenceSession, view: np.ndarray) -> np.ndarray:
    blob = np.ascontiguousarray(view.transpose(2, 0, 1)[None], np.float32)
    return net.run(None, {"input": blob})[0][0].astype(np.float64)


def margins_of(logits: np.ndarray) -> np.ndarray:
    """Live against print and screen together, for logits (..., 3)."""
    return logits[..., 0] - np.logaddexp(logits[..., 1], logits[..., 2])
