"""Runs the detector on whole images, from PyTorch or from the ONNX file, by the
same letterbox and suppression as the product."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ..crops import letterbox
from ..teachers import Faces, nms, session
from .model import INPUT, Detector, answers, grids

#: Of two faces that overlap by more than this IoU, the weaker one is dropped.
OVERLAP = 0.4


class Finder(Protocol):
    """Anything that finds faces in an RGB image."""

    def detect(self, image: np.ndarray, threshold: float) -> Faces: ...


def faces_from(
    scores: np.ndarray, boxes: np.ndarray, points: np.ndarray, scale: tuple[float, float], threshold: float
) -> Faces:
    """Cells to faces: threshold, suppression, back to pixels of the frame."""
    likely = np.flatnonzero(scores >= threshold)
    likely = likely[nms(boxes[likely], scores[likely], OVERLAP)]
    back = np.array(scale, np.float32)
    return Faces(boxes[likely] / np.tile(back, 2), scores[likely], points[likely].reshape(-1, 5, 2) / back)


class TorchFinder:
    """The network as it is being trained."""

    def __init__(self, net: Detector):
        self._net = net.eval()
        self._grids = grids(INPUT)

    @torch.no_grad()
    def detect(self, image: np.ndarray, threshold: float) -> Faces:
        canvas, scale = letterbox(image)
        x = torch.from_numpy(canvas.copy()).permute(2, 0, 1)[None].float()
        logits, boxes, points = answers(self._net.maps(x.contiguous(memory_format=torch.channels_last)), self._grids)
        return faces_from(logits[0].sigmoid().numpy(), boxes[0].numpy(), points[0].numpy(), scale, threshold)


class OnnxFinder:
    """The exported network."""

    def __init__(self, path: Path):
        self._session = session(path)
        self._input = self._session.get_inputs()[0].name

    def detect(self, image: np.ndarray, threshold: float) -> Faces:
        canvas, scale = letterbox(image)
        blob = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32)
        scores, boxes, points = self._session.run(["scores", "boxes", "landmarks"], {self._input: blob})
        return faces_from(scores[0], boxes[0], points[0], scale, threshold)
