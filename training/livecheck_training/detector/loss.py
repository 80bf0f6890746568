"""Which cell answers for which face, and the loss.

A face belongs to the strides whose cells suit its size, there to the cells
around its centre. The score learns visibility × the quality of the predicted box by the
quality focal loss (Li et al. 2020, Generalized Focal Loss), so that it falls both
when the face is hidden or cut off and when the box is uncertain.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .model import STRIDES, decode

#: Face sides √(w·h) in input pixels that each stride answers for; they overlap.
SIDES = {8: (0.0, 52.0), 16: (36.0, 200.0), 32: (96.0, 1e9)}
#: Cells of a stride stay neutral for faces this factor outside its range.
NEUTRAL = 1.4
#: A box with this IoU earns the full score. It counts as found with that, and labels
#: of one masked face by different people hardly agree better: asking for more would
#: teach the score where labellers differ, not whether there is a face.
GOOD_OVERLAP = 0.5
#: Faces smaller than this many input pixels are neither asked for nor punished.
SMALLEST = 11.0
#: Landmarks of faces below this side in input pixels count less, down to a quarter:
#: the teacher's points are guesses there.
SHARP_SIDE = 96.0

NEGATIVE, IGNORED = -1, -2


def assign(boxes: np.ndarray, visible: np.ndarray, size: int) -> np.ndarray:
    """Index of the face each cell answers for, or NEGATIVE or IGNORED.

    ``boxes`` (n, 4) in input pixels; ``visible`` (n,) target of the score, below
    0 for faces to be ignored.
    """
    out = []
    sides = np.sqrt(np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0))
    # Small faces last: where faces overlap, the smaller one keeps the cell.
    order = np.argsort(-sides)
    for stride in STRIDES:
        n = size // stride
        owner = np.full((n, n), NEGATIVE, np.int64)
        low, high = SIDES[stride]
        for i in order:
            x0, y0, x1, y1 = boxes[i] / stride - 0.5
            cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
            if visible[i] < 0 or sides[i] < SMALLEST:
                # Everything on the face, at every stride.
                _fill(owner, x0, y0, x1, y1, IGNORED)
                continue
            if low <= sides[i] < high:
                radius = 1.0 if sides[i] < 3 * stride else 1.5
                _fill(owner, cx - radius - 0.7, cy - radius - 0.7, cx + radius + 0.7, cy + radius + 0.7, IGNORED, only=NEGATIVE)
                _fill(owner, cx - radius, cy - radius, cx + radius, cy + radius, i)
            elif low / NEUTRAL <= sides[i] < high * NEUTRAL:
                _fill(owner, cx - 1.5, cy - 1.5, cx + 1.5, cy + 1.5, IGNORED, only=NEGATIVE)
        out.append(owner.ravel())
    return np.concatenate(out)


def _fill(owner: np.ndarray, x0: float, y0: float, x1: float, y1: float, value: int, only: int | None = None) -> None:
    rows = slice(max(int(np.ceil(y0)), 0), max(int(np.floor(y1)) + 1, 0))
    cols = slice(max(int(np.ceil(x0)), 0), max(int(np.floor(x1)) + 1, 0))
    part = owner[rows, cols]
    if only is None:
        part[...] = value
    else:
        part[part == only] = value


def giou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU of paired boxes (n, 4)."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inter = (high - low).clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter
    overlap = inter / union.clamp(min=1e-6)
    low, high = torch.minimum(a[:, :2], b[:, :2]), torch.maximum(a[:, 2:], b[:, 2:])
    hull = (high - low).prod(1).clamp(min=1e-6)
    return overlap, overlap - (hull - union) / hull


def losses(
    raw: Tensor, owner: Tensor, boxes: Tensor, visible: Tensor, landmarks: Tensor, grid: Tensor
) -> dict[str, Tensor]:
    """Mean losses of a batch.

    ``raw`` (b, cells, 15); ``owner`` (b, cells) indexes the batch's faces:
    ``boxes`` (n, 4), ``visible`` (n,), ``landmarks`` (n, 10) with NaN where unknown.
    """
    image, cell = torch.nonzero(owner >= 0, as_tuple=True)
    face = owner[image, cell]
    logits = raw[..., 0]
    target = torch.zeros_like(logits)
    zero = raw.sum() * 0.0
    box_loss = point_loss = zero
    if len(face):
        _, predicted, points = decode(raw[image, cell], grid[cell])
        overlap, general = giou(predicted, boxes[face])
        weight = visible[face].clamp(min=0.2)
        target[image, cell] = visible[face] * (overlap.detach() / GOOD_OVERLAP).clamp(0, 1).sqrt()
        box_loss = ((1 - general) * weight).sum() / weight.sum()
        side = (boxes[face, 2:] - boxes[face, :2]).prod(1).clamp(min=1).sqrt()
        error = (points - landmarks[face]) / side[:, None]
        known = ~torch.isnan(landmarks[face])
        error = torch.where(known, error, torch.zeros_like(error))
        each = F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none")
        sharp = weight * (side / SHARP_SIDE).clamp(0.25, 1.0)
        point_loss = (each * sharp[:, None]).sum() / (sharp[:, None] * known).sum().clamp(min=1)
    counted = owner != IGNORED
    focus = (target - logits.sigmoid()).abs().detach().pow(2)
    score = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * focus
    score_loss = (score * counted).sum() / target.sum().clamp(min=8.0)
    return {"score": score_loss, "box": box_loss, "points": point_loss}
