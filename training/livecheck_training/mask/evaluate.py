"""The exported net on test faces, beside AIZOO's detector on the same faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import crops
from ..data import ImageSet, load_rgb
from ..rates import rate
from ..teachers import Aizoo, iou, session
from .augment import OCCLUDERS, occlude
from .net import SIZE
from .samples import Sample

THRESHOLD = 0.5


def probabilities(model: Path, samples: list[Sample]) -> np.ndarray:
    """P(face mask) by the exported model."""
    net = session(model)
    out = []
    for sample in samples:
        crop = crops.aligned_crop(sample.image, sample.landmarks, SIZE)
        blob = np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32)
        out.append(float(net.run(None, {"input": blob})[0][0, 0]))
    return np.array(out)


def evaluate(model: Path, samples: list[Sample], smallest: float = 64.0) -> dict[str, Any]:
    """Hand-labelled test faces of at least `smallest` pixels, by label and source; then what is drawn
    on those bare ones that passed as bare."""
    chosen = [s for s in samples if s.side >= smallest]
    covered = probabilities(model, chosen) >= THRESHOLD
    labels = np.array([s.label for s in chosen])
    sources = np.array([s.source for s in chosen])
    ours = sources == "jolignier"
    report: dict[str, Any] = {"smallest face side": smallest, "threshold": THRESHOLD}
    for label in ("with_mask", "without_mask", "incorrect"):
        here = ours & (labels == label)
        wrong = covered[here] if label == "without_mask" else ~covered[here]
        report[f"jolignier {label}: errors"] = rate(wrong.sum(), here.sum())
    report["jolignier balanced accuracy"] = round(
        1 - (report["jolignier with_mask: errors"]["rate"] + report["jolignier without_mask: errors"]["rate"]) / 2, 4
    )
    for source in sorted(set(sources) - {"jolignier"}):
        here = sources == source
        report[f"{source} bare faces: errors"] = rate(covered[here].sum(), here.sum())
    bare = [s for s, masked in zip(chosen, covered) if not s.covered and not masked]
    for kind in OCCLUDERS:
        drawn = [replace(s, image=occlude(s.image, s.landmarks, np.random.default_rng(i), kind)) for i, s in enumerate(bare)]
        report[f"bare faces with drawn {kind}: said mask"] = rate((probabilities(model, drawn) >= THRESHOLD).sum(), len(drawn))
    return report


def evaluate_aizoo(faces: ImageSet, teachers: Path, smallest: float = 64.0) -> dict[str, Any]:
    """AIZOO on whole jolignier test pictures; faces that it doesn't find are counted apart."""
    net = Aizoo(teachers)
    rows = [r for r in faces.rows if r["split"] == "test" and r["source"] == "jolignier" and r["label"] not in ("none", "unlabelled")]
    tally = {label: [0, 0, 0] for label in ("with_mask", "without_mask", "incorrect")}
    found: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    for row in rows:
        box = np.array([float(row[k]) for k in "xywh"])
        if min(box[2:]) < smallest:
            continue
        box[2:] += box[:2]
        if row["image"] not in found:
            found[row["image"]] = net.detect(load_rgb(faces.path(row["image"])))
        boxes, _, mask = found[row["image"]]
        overlap = iou(box, boxes) if len(boxes) else np.zeros(1)
        if overlap.max() < 0.4:
            tally[row["label"]][2] += 1
            continue
        said_covered = mask[int(overlap.argmax())] >= 0.5
        tally[row["label"]][0] += said_covered != (row["label"] != "without_mask")
        tally[row["label"]][1] += 1
    return {f"{label}: errors": rate(wrong, count) | {"not found": missed} for label, (wrong, count, missed) in tally.items()}
