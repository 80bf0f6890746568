"""The figures that `crates/evaluate` is held to are still those of scikit-learn and SciPy."""

import json

import pytest

from livecheck_training import metrics_golden


def close(found, stored) -> None:
    if isinstance(stored, dict):
        assert found.keys() == stored.keys()
        for name in stored:
            close(found[name], stored[name])
    elif isinstance(stored, list):
        assert len(found) == len(stored)
        for one, other in zip(found, stored):
            close(one, other)
    elif isinstance(stored, float):
        assert found == pytest.approx(stored, abs=1e-9)
    else:
        assert found == stored


def test_the_golden_file_is_up_to_date():
    stored = json.loads(metrics_golden.GOLDEN.read_text(encoding="utf-8"))
    close(json.loads(json.dumps(metrics_golden.golden())), stored)
