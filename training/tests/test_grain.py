"""The grain net: its view, its layers and how it is taught, on drawn crops."""

import numpy as np
import pytest
import torch

from livecheck_training import crops, golden
from livecheck_training.liveness import grain_train
from livecheck_training.liveness.grain import BLOCKS, EMBEDDING, SIZE, STEM, GrainNet
from livecheck_training.liveness.grain_views import CROPS, crops_of, varied


class Copied:
    """Stands in for the teacher: a grain net's own maps, embedding and logits."""

    MAPS = ("stem", *(f"block{i}" for i in range(len(BLOCKS))))

    def __init__(self, net: GrainNet) -> None:
        self.net = net.eval()

    @torch.no_grad()
    def run(self, images: np.ndarray):
        maps = [self.net.first(torch.from_numpy(images).permute(0, 3, 1, 2).float())]
        for block in self.net.blocks:
            maps.append(block(maps[-1]))
        embedding = self.net.last(maps[-1])
        return [m.numpy() for m in maps], embedding.numpy(), self.net.head(embedding).numpy()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    frame, box, _ = golden.cartoon(360, 480, (185.0, 230.0), 130.0, 0.0)
    return crops_of(frame, box, np.random.default_rng(0))


def test_sampled_pixels_are_pixels_of_the_frame():
    frame = np.random.default_rng(0).integers(0, 256, (401, 401, 3)).astype(np.uint8)
    # 240 by 240 pixels at a third: the middle of every three.
    box = (170.05, 170.05, 249.95, 249.95)
    x0, y0, x1, y1 = crops.sampled_box((401, 401), box, 3.0)
    assert (x0, y0, x1 - x0, y1 - y0) == (90, 90, 240, 240)
    assert (crops.sampled_crop(frame, box, 3.0, 80) == frame[91:331:3, 91:331:3]).all()


@pytest.mark.parametrize("side", [80.0, 390.0])
def test_a_closer_view_is_its_share_of_what_fits(side):
    middle = 200.0
    box = (middle - side / 2, middle - side / 2, middle + side / 2, middle + side / 2)
    x0, y0, x1, y1 = crops.sampled_box((401, 401), box, 2.5, 0.8)
    wanted = 0.8 * min(2.5 * side, 400)
    assert abs(x1 - x0 - wanted) <= 1 and abs(y1 - y0 - wanted) <= 1
    assert abs((x0 + x1) / 2 - middle) <= 1 and abs((y0 + y1) / 2 - middle) <= 1


def test_samples_far_apart_are_averaged():
    # A frame at four times the size gives nearly the view of the frame itself.
    frame = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3)).astype(np.uint8)
    box = np.array((300.0, 300.0, 660.0, 660.0))
    one = crops.sampled_crop(frame, tuple(box), 2.7, 80)
    two = crops.sampled_crop(frame.repeat(4, 0).repeat(4, 1), tuple(box * 4), 2.7, 80)
    assert np.abs(one.astype(int) - two).mean() < 25  # single pixels differ by some 50


@pytest.mark.parametrize("seed", range(30))
def test_sampled_box_lies_inside_any_frame(seed):
    rng = np.random.default_rng(seed)
    width, height = (int(v) for v in rng.integers(1, 300, 2))
    centre, side = rng.uniform(-50, 350, 2), rng.uniform(1, 400, 2)
    box = (*(centre - side / 2), *(centre + side / 2))
    x0, y0, x1, y1 = crops.sampled_box((width, height), box, 2.7)
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
    frame = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    for share in (1.0, 0.8):
        assert crops.sampled_crop(frame, box, 2.7, SIZE, share).shape == (SIZE, SIZE, 3)


def test_the_net_has_the_shapes_it_is_taught_by(images):
    net = GrainNet().eval()
    maps, embedding, logits = Copied(net).run(images)
    assert maps[0].shape == (CROPS, STEM, 40, 40)
    assert [m.shape[2] for m in maps[1:]] == [20] * 5 + [10] * 7 + [5] * 3
    assert embedding.shape == (CROPS, EMBEDDING) and logits.shape == (CROPS, 3)
    assert torch.allclose(net(torch.from_numpy(images).permute(0, 3, 1, 2).float()), torch.from_numpy(logits), atol=1e-4)


@pytest.mark.parametrize("apart", [True, False])
def test_a_net_that_equals_its_teacher_has_nothing_to_learn(images, apart):
    net = GrainNet().eval()
    parts = grain_train.losses(net, Copied(net), images, apart)
    assert max(v.item() for v in parts.values()) < 1e-5


def test_another_net_has(images):
    torch.manual_seed(0)
    parts = grain_train.losses(GrainNet().train(), Copied(GrainNet()), images, True)
    assert parts["maps"].item() > 0.1 and parts["embedding"].item() > 0.1


def test_varied_crops_repeat_by_seed_and_differ_from_each_other(images):
    first, again, other = (varied(images, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    assert first.dtype == np.uint8 and first.shape == images.shape


def test_both_parts_of_the_run_warm_up_and_fall():
    settings = grain_train.GrainSettings(samples=100_000)
    turn = int(settings.apart * settings.samples)
    rates = [grain_train.rate_at(settings, n) for n in (0, 5_000, turn - 1, turn, turn + 5_000, 99_999)]
    assert rates[0] < rates[1] > rates[2] and rates[3] < rates[4] > rates[5] > 0
    assert rates[4] < rates[1]
