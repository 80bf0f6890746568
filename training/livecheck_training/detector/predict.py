"""Runs the detector on whole images, from PyTorch or from the ONNX file, by the
same letterbox and suppression as the product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from scipy.special import expit, logit

from ..crops import letterbox, window_crop, window_to_image
from ..refiner.net import FACTOR, SIZE
from ..refiner.net import SHIPPED as REFINER
from ..teachers import Faces, nms, session
from .model import INPUT, Detector, answers, grids

#: Of two faces that overlap by more than this IoU, the weaker one is dropped.
OVERLAP = 0.4
#: Of two refined faces one of which lies in the other by more, the weaker one is dropped.
NESTED = 0.5
#: Faces of a lower score are dropped before suppression.
LEAST_SCORE = 0.2
#: Faces that the refiner looks at again: those in doubt, from the first score to below the second...
DOUBT = (0.5, 0.93)
#: ... its weight, one half, fades out from here to the ends of `DOUBT`, evenly by the logit...
FULL_WEIGHT = (0.53, 0.91)
#: ... and no more of a picture than this, best first.
MOST_REFINED = 16


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


#: Maps windows (n, 80, 80, 3) to (n, 15): logit, box and landmarks in sides of the window.
Refine = Callable[[np.ndarray], np.ndarray]


class RefinedFinder:
    """A finder whose doubtful faces the refiner looks at again: what the product does."""

    def __init__(self, finder: Finder, refine: Refine):
        self._finder, self._refine = finder, refine

    def detect(self, image: np.ndarray, threshold: float) -> Faces:
        return refined(self._finder.detect(image, LEAST_SCORE), image, self._refine).above(threshold)


def refined(faces: Faces, image: np.ndarray, refine: Refine) -> Faces:
    """The faces, which come best first, those in doubt as detector and refiner see them: logit, box and
    landmarks are the mean of both by `weights`. One face of those that lie in each other."""
    doubtful = np.flatnonzero((faces.scores >= DOUBT[0]) & (faces.scores < DOUBT[1]))[:MOST_REFINED]
    scores, boxes, points = faces.scores.copy(), faces.boxes.copy(), faces.landmarks.copy()
    if len(doubtful):
        windows = [window_crop(image, tuple(faces.boxes[i]), FACTOR, SIZE) for i in doubtful]
        out = refine(np.stack(windows))
        shares = weights(scores[doubtful])
        scores[doubtful] = mixed_scores(scores[doubtful], out[:, 0], shares)
    else:
        out, shares = np.zeros((0, 15)), np.zeros(0)
    for i, row, share in zip(doubtful, out, shares):
        box = faces.boxes[i]
        step, _, left, top = window_to_image(tuple(box), FACTOR, SIZE)
        places = row[1:].reshape(-1, 2) * (step * SIZE) + (left, top)
        boxes[i] += (places[:2].ravel() - box) * share
        points[i] += (places[2:] - points[i]) * share
    kept = nms(boxes, scores, OVERLAP, NESTED)
    return Faces(boxes[kept], scores[kept], points[kept])


def weights(scores: np.ndarray) -> np.ndarray:
    """The refiner's share of faces that the detector gave these scores: half, less near the ends of `DOUBT`."""
    here = logit(scores.astype(np.float64))
    (start, end), (rise, fall) = logit(np.array(DOUBT)), logit(np.array(FULL_WEIGHT))
    return 0.5 * np.clip(np.minimum((here - start) / (rise - start), (end - here) / (end - fall)), 0, 1)


def mixed_scores(scores: np.ndarray, logits: np.ndarray, shares: np.ndarray | float = 0.5) -> np.ndarray:
    """The scores whose logits lie by `shares` between those of the detector's `scores` and the refiner's `logits`."""
    before = logit(scores.astype(np.float64))
    return expit(before + (logits - before) * shares)


def torch_refine(net: torch.nn.Module) -> Refine:
    """The refiner as it is being trained."""
    net = net.eval()

    @torch.no_grad()
    def refine(windows: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(np.ascontiguousarray(windows.transpose(0, 3, 1, 2))).float()
        return net(x).numpy()

    return refine


def onnx_refine(path: Path) -> Refine:
    """The exported refiner, window by window as in the product."""
    runtime = session(path)

    def refine(windows: np.ndarray) -> np.ndarray:
        blobs = np.ascontiguousarray(windows.transpose(0, 3, 1, 2), np.float32)
        return np.concatenate([runtime.run(["face"], {"input": blob[None]})[0] for blob in blobs])

    return refine


def shipped_finder(models: Path) -> RefinedFinder:
    """What the product finds faces with, out of the folder of its models."""
    return RefinedFinder(OnnxFinder(models / "face-detector.onnx"), onnx_refine(models / REFINER.name))
