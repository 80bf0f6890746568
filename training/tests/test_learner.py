"""A learner goes on from its checkpoint as if it had never stopped."""

import pytest
import torch
from torch import nn

from livecheck_training.learner import Learner, fallen, share_of_rate


def small() -> Learner:
    torch.manual_seed(0)
    return Learner(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 1)), 0.01, 0.9)


def train(learner: Learner, first: int, last: int) -> None:
    for step in range(first, last):
        torch.manual_seed(step)
        learner.net.train()
        learner.step(learner.net(torch.randn(4, 3, 8, 8)).square().mean(), 1e-2)


def test_a_run_in_two_parts_equals_one_in_one(tmp_path):
    whole, begun, resumed = small(), small(), small()
    train(whole, 0, 6)
    train(begun, 0, 3)
    begun.save(tmp_path / "run.pt", seen=3)
    assert resumed.restore(tmp_path / "run.pt")["seen"] == 3
    train(resumed, 3, 6)
    for ours, theirs in zip(whole.averaged_weights().values(), resumed.averaged_weights().values()):
        assert torch.equal(ours, theirs)
    assert whole.average.updates == resumed.average.updates == 6


def test_without_a_checkpoint_there_is_nothing_to_restore(tmp_path):
    assert small().restore(tmp_path / "none.pt") is None


def test_the_average_follows_slowly():
    learner = small()
    before = learner.averaged_weights()
    train(learner, 0, 20)
    moved = sum((a - b).abs().sum() for a, b in zip(before.values(), learner.average.net.state_dict().values()) if a.is_floating_point())
    last = sum((a - b).abs().sum() for a, b in zip(learner.net.state_dict().values(), learner.average.net.state_dict().values()) if a.is_floating_point())
    assert moved > 0 and last > 0


def test_the_rate_rises_and_falls_by_half_a_cosine():
    rates = [share_of_rate(step, 100, 10, 0.02) for step in range(100)]
    assert rates[0] == pytest.approx(0.1, abs=0.001) and max(rates) == rates[9] > 0.97
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert fallen(0.5, 0.02) == pytest.approx(0.51)
    assert fallen(1.0, 0.02) == fallen(1.5, 0.02) == pytest.approx(0.02)
