"""Error rates of presentation attack detection, with intervals.

APCER (attacks accepted) and BPCER (bona fide refused) as in ISO/IEC 30107-3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import beta, rankdata


def clopper_pearson(errors: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a rate."""
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, errors, count - errors + 1)) if errors else 0.0
    high = float(beta.ppf(1 - tail, errors + 1, count - errors)) if errors < count else 1.0
    return low, high


def rate(errors: int, count: int) -> dict[str, Any]:
    """A rate with its counts and 95 % interval, ready for a record."""
    low, high = clopper_pearson(int(errors), int(count))
    return {"errors": int(errors), "of": int(count), "rate": round(errors / count, 4), "interval": [round(low, 4), round(high, 4)]}


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Probability that a positive scores above a negative; ties count half."""
    ranks = rankdata(np.concatenate([positive, negative]))
    n, m = len(positive), len(negative)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def apcer_at_bpcer(live: np.ndarray, attack: np.ndarray, bpcer: float) -> float:
    """Share of attacks accepted at the lowest threshold that refuses at most `bpcer` of the bona fide."""
    threshold = np.sort(live)[int(np.floor(bpcer * len(live)))]
    return float((attack >= threshold).mean())
