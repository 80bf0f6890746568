"""Views, losses and calibration of the liveness net, on drawn scenes."""

import numpy as np
import pytest
import torch

from livecheck_training import golden
from livecheck_training.liveness.net import SIZE, LivenessNet, margin
from livecheck_training.liveness.scenes import Scene
from livecheck_training.liveness.train import Settings, live_loss, rate_at, type_loss
from livecheck_training.liveness.tune import between, plain_shot
from livecheck_training.liveness.views import (
    CROPS,
    FRAMES,
    PRINT,
    SCREEN,
    Studio,
    moved,
    reencoded,
)


class Bright:
    """Stands in for the pair: P(live) is the mean grey of the face box."""

    def live(self, frame: np.ndarray, box: np.ndarray) -> float:
        x0, y0, x1, y1 = np.clip(box, 0, 10_000).astype(int)
        return float(frame[y0 : y1 + 1, x0 : x1 + 1].mean() / 255)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    image, box, _ = golden.cartoon(360, 480, (185.0, 230.0), 130.0, 0.0)
    none = np.zeros((0, 4))
    return [
        Scene(image, box[None], "real", "drawn", "a"),
        Scene(image[100:360, 60:300], box[None] - (60, 100, 60, 100), "crop", "drawn", "b"),
        Scene(image, box[None], "replay", "drawn", "c"),
        Scene(golden.gradient(300, 200), none, "real", "drawn", "d"),
    ]


@pytest.mark.parametrize("seed", range(30))
def test_a_view_repeats_by_seed_and_keeps_the_face_in_the_frame(scenes, seed):
    studio = Studio(scenes)
    first, again = (studio.view(Bright(), np.random.default_rng(seed)) for _ in range(2))
    assert first.crops.shape == (CROPS, SIZE, SIZE, 3)
    assert (first.crops == again.crops).all() and first.live == again.live
    shot = studio.shot(np.random.default_rng(seed))
    middle = (shot.box[:2] + shot.box[2:]) / 2
    height, width = shot.frame.shape[:2]
    assert (middle > 0).all() and (middle < (width, height)).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_plain_window_keeps_the_face(scenes, seed):
    shot = plain_shot(Studio(scenes), np.random.default_rng(seed))
    height, width = shot.frame.shape[:2]
    assert (width, height) in FRAMES
    middle = (shot.box[:2] + shot.box[2:]) / 2
    assert (middle > 0).all() and (middle < (width, height)).all()


def test_presentations_are_labelled(scenes):
    studio = Studio([scenes[0]], presented=1.0)
    kinds = {studio.shot(np.random.default_rng(seed)).attack for seed in range(20)}
    assert kinds == {PRINT, SCREEN}


def test_a_moved_box_stays_near():
    box = np.array([100.0, 100.0, 200.0, 240.0])
    for seed in range(50):
        new = moved(box, np.random.default_rng(seed))
        assert np.abs((new[:2] + new[2:]) / 2 - (150, 170)).max() <= 14.0
        assert 0.85 < (new[2] - new[0]) / 100 < 1.17


def test_a_reencoded_frame_says_its_scale():
    frame = golden.gradient(200, 100)
    for seed in range(20):
        again, scale = reencoded(frame, np.random.default_rng(seed))
        assert again.shape[1] == pytest.approx(200 * scale)


def test_the_attack_type_does_not_push_p_live():
    logits = torch.randn(16, 3, requires_grad=True)
    type_loss(logits, torch.randint(1, 3, (16,))).backward()
    assert logits.grad[:, 0].abs().max() == 0
    assert logits.grad[:, 1:].sum(1).abs().max() < 1e-6


def test_the_margin_is_the_logit_of_p_live():
    logits = torch.randn(8, 3)
    assert torch.sigmoid(margin(logits)).numpy() == pytest.approx(torch.softmax(logits, 1)[:, 0].numpy(), abs=1e-6)
    exact = torch.softmax(logits, 1)[:, 0]
    assert live_loss(logits, exact) <= live_loss(logits + torch.tensor([0.3, 0, 0]), exact)


def test_the_rate_warms_up_and_falls():
    settings = Settings(samples=100_000)
    rates = [rate_at(settings, n) for n in (0, 20_000, 40_000, 75_000, 100_000)]
    assert rates[0] < rates[1] > rates[2] > rates[3] > rates[4] > 0


def test_the_trunk_takes_imagenet_weights():
    net = LivenessNet()
    before = net.trunk.blocks[5].project[0].weight.clone()
    net.trunk.load_imagenet()
    assert (net.trunk.blocks[5].project[0].weight != before).any()
    assert net.eval()(torch.zeros(2, 3, SIZE, SIZE)).shape == (2, 3)


def test_shipped_weights_lie_between_the_stages():
    before = {"w": torch.tensor([0.0, 4.0]), "n": torch.tensor(3)}
    after = {"w": torch.tensor([2.0, 0.0]), "n": torch.tensor(5)}
    middle = between(before, after, 0.25)
    assert middle["w"].tolist() == [0.5, 3.0]
    assert middle["n"].item() == 5
