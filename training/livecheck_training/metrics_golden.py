"""`python -m livecheck_training.metrics_golden` writes the figures that `crates/evaluate` is held to.

Scores of made-up classes, with AUC and ROC by scikit-learn and intervals by SciPy. A test of this
pipeline computes them anew, so that the file cannot go stale; a test of the crate compares with it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score, roc_curve

GOLDEN = Path(__file__).resolve().parents[2] / "crates/evaluate/tests/golden/metrics.json"

FIXED_RATES = (0.01, 0.05, 0.10)

#: Bona fide count, attack count, distance of the classes in deviations, decimals kept (few: ties).
CASES = {
    "well apart": (60, 90, 3.0, 6),
    "overlapping": (50, 70, 1.0, 6),
    "many ties": (80, 40, 1.5, 1),
    "no better than chance": (30, 30, 0.0, 3),
    "one of each": (1, 1, 2.0, 6),
}

#: Errors and trials.
INTERVALS = [(0, 1), (1, 1), (0, 30), (1, 20), (13, 300), (84, 300), (106, 440), (47, 110), (50, 100), (999, 1000), (3, 100000)]


def golden() -> dict[str, Any]:
    """Everything in the file."""
    rng = np.random.default_rng(20240601)
    return {
        "cases": {name: case(rng, *settings) for name, settings in CASES.items()},
        "clopper_pearson": [interval(errors, of) for errors, of in INTERVALS],
    }


def case(rng: np.random.Generator, live: int, attack: int, apart: float, decimals: int) -> dict[str, Any]:
    def scores(count: int, mean: float) -> list[float]:
        return np.round(1 / (1 + np.exp(-rng.normal(mean, 1, count))), decimals).tolist()

    bona_fide, attacks = scores(live, apart / 2), scores(attack, -apart / 2)
    truth = [1] * live + [0] * attack
    # Of a positive (bona fide) class the ROC's false positive rate is the APCER, and 1 - true positive rate the BPCER.
    apcer, accepted, thresholds = roc_curve(truth, bona_fide + attacks, drop_intermediate=False)
    bpcer = 1 - accepted
    return {
        "bona_fide": bona_fide,
        "attacks": attacks,
        "auc": float(roc_auc_score(truth, bona_fide + attacks)),
        "d_eer": crossing(apcer, bpcer),
        "apcer_at_bpcer": [float(apcer[bpcer <= rate + 1e-12].min()) for rate in FIXED_RATES],
        "bpcer_at_apcer": [float(bpcer[apcer <= rate + 1e-12].min()) for rate in FIXED_RATES],
        "roc": [[None if np.isinf(t) else float(t), float(a), float(b)] for t, a, b in zip(thresholds, apcer, bpcer)],
    }


def crossing(apcer: np.ndarray, bpcer: np.ndarray) -> float:
    """Where the straight lines between the points of the ROC have both errors equal."""
    gap = apcer - bpcer
    after = int(np.argmax(gap >= 0))
    if gap[after] == 0:
        return float(apcer[after])
    before = after - 1
    way = -gap[before] / (gap[after] - gap[before])
    return float(apcer[before] + way * (apcer[after] - apcer[before]))


def interval(errors: int, of: int) -> dict[str, Any]:
    found = binomtest(errors, of).proportion_ci(0.95, method="exact")
    return {"errors": errors, "of": of, "lower": float(found.low), "upper": float(found.high)}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")
