"""Rates and intervals against values worked out by hand or taken from tables."""

import numpy as np
import pytest

from livecheck_training import rates


@pytest.mark.parametrize(
    ("errors", "count", "low", "high"),
    [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (1, 20, 0.0013, 0.2487), (50, 100, 0.3983, 0.6017)],
)
def test_clopper_pearson(errors, count, low, high):
    assert rates.clopper_pearson(errors, count) == pytest.approx((low, high), abs=1e-4)


def test_auc_counts_ties_as_half():
    assert rates.auc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == pytest.approx(3.5 / 4)
    assert rates.auc(np.array([1.0]), np.array([0.0])) == 1.0


def test_apcer_is_read_where_the_bpcer_allows():
    live = np.linspace(0.1, 1.0, 10)
    # One of ten bona fide may be refused: the threshold is the second lowest, 0.2.
    assert rates.apcer_at_bpcer(live, np.array([0.05, 0.15, 0.2, 0.9]), 0.1) == 0.5
    assert rates.apcer_at_bpcer(live, np.array([0.05, 0.15, 0.2, 0.9]), 0.0) == 0.75
