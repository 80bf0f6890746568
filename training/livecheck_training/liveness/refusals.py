"""`python -m livecheck_training.liveness.refusals`: errors over the threshold on pictures that never trained.

What the engine's preset `convenience` is chosen by, and what `pad_dev` must never be used for.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ..data import add_data_arguments, open_set
from ..rates import rate
from .__main__ import MODEL
from .calibrate import Scorer, usable
from .scenes import gather

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)

ALLOWED = 0.02
"""Most of the held-out bona fide faces that `convenience` refuses."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m livecheck_training.liveness.refusals", description=__doc__)
    add_data_arguments(parser)
    parser.add_argument("--teachers", type=Path, required=True, help="folder of the teachers' ONNX files")
    arguments = parser.parse_args()
    sets = [open_set(name, arguments.data, arguments.cache) for name in ("faces", "masks", "recapture_whole")]
    held_out = [scene for scene in gather(*sets, arguments.teachers, arguments.cache) if scene.held_out]
    calibration = json.loads(MODEL.with_suffix(".json").read_text())
    scorer = Scorer(MODEL)

    def scores(pairs) -> np.ndarray:
        margins = np.array([scorer.margin(scene.image, box) for scene, box in pairs])
        return 1 / (1 + np.exp(-(calibration["a"] * margins + calibration["b"])))

    live = scores((s, box) for s in held_out if s.kind == "real" for box in usable(s))
    screens = scores((s, box) for s in held_out if s.kind == "replay" for box in s.faces)
    for threshold in THRESHOLDS:
        refused, passed = rate((live < threshold).sum(), len(live)), rate((screens >= threshold).sum(), len(screens))
        print(f"{threshold}: bona fide refused {refused}, photographed screens passed {passed}")
    fitting = [t for t in THRESHOLDS if (live < t).mean() <= ALLOWED]
    print(f"highest that refuses at most {ALLOWED:.0%}: {max(fitting, default=None)}")


if __name__ == "__main__":
    main()
