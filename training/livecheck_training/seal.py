"""Seals the models that the engine embeds: `python -m livecheck_training.seal [MODELS_FOLDER]`.

Writes beside them, from what ONNX Runtime answers:

* `SHA256SUMS`: the hash of every model, which the engine verifies when it starts;
* `self-test.json`: mean and maximum of each output of each net on a drawn pattern,
  which the engine's own runtime must reproduce before the service is ready.

To be run after every export.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

from .crops import DETECTOR_SIZE

MODELS = Path(__file__).resolve().parents[2] / "crates" / "engine" / "models"


def pattern(size: int) -> np.ndarray:
    """The drawn input, (1, 3, size, size): (7 x + 13 y + 29 c) mod 256."""
    c, y, x = np.mgrid[0:3, 0:size, 0:size]
    return ((7 * x + 13 * y + 29 * c) % 256).astype(np.float32)[None]


def answers(model: Path) -> list[list[float]]:
    """[mean, maximum] of each output of the model on the pattern."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    # The detector leaves its input's sides open; a name stands in their place.
    side = entry.shape[-1] if isinstance(entry.shape[-1], int) else DETECTOR_SIZE
    outputs = session.run(None, {entry.name: pattern(side)})
    return [[float(output.mean()), float(output.max())] for output in outputs]


def seal(folder: Path = MODELS) -> None:
    """Writes both files for all `*.onnx` of the folder."""
    models = sorted(folder.glob("*.onnx"))
    sums = "".join(f"{hashlib.sha256(m.read_bytes()).hexdigest()}  {m.name}\n" for m in models)
    (folder / "SHA256SUMS").write_text(sums)
    expected = {model.stem: answers(model) for model in models}
    (folder / "self-test.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    seal(Path(sys.argv[1]) if len(sys.argv) > 1 else MODELS)
