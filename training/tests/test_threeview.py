"""The views net's samples, losses, disturbances and fusion, on drawn pictures."""

import numpy as np
import pytest
import torch

from livecheck_training import golden
from livecheck_training.backbone import folded
from livecheck_training.liveness.views import UNKNOWN
from livecheck_training.threeview import disturb, fuse
from livecheck_training.threeview.frames import LIVE, SCREEN, Frame
from livecheck_training.threeview.net import SIZE, ViewsNet, blend
from livecheck_training.threeview.train import (
    Drawer,
    Settings,
    brought_to,
    judged,
    loss_of,
    target_of,
    view_margins,
    views_of,
)


def drawn(attack, source, kind="webcam", teachers=(1.0, 2.0, 3.0), side=90.0):
    image, box, _ = golden.cartoon(320, 240, (150.0, 120.0), side, 0.0)
    return Frame(image, box, attack, kind, source, f"{source}/{attack}", None if teachers is None else np.array(teachers))


@pytest.fixture
def frames():
    return [drawn(LIVE, "a"), drawn(SCREEN, "a"), drawn(LIVE, "b", side=60.0), drawn(SCREEN, "b", side=60.0)] + [
        drawn(UNKNOWN, "made", "made"),
        drawn(LIVE, "x", "patch", None),
        drawn(SCREEN, "x", "patch", None),
    ]


@pytest.mark.parametrize("net, shape", [("views", (3, SIZE, SIZE, 3)), ("grain", (1, 80, 80, 3))])
def test_samples_repeat_by_seed_and_say_what_is_known(frames, net, shape):
    drawer = Drawer(frames, net, False)
    for kind in ("webcam", "made", "patch"):
        one, two = (drawer.sample(kind, np.random.default_rng(3)) for _ in range(2))
        assert one[0].shape == shape and (one[0] == two[0]).all() and one[1:] == two[1:]
        label, teacher, attack = one[1:]
        assert label == -1 if kind == "made" else label in (0.0, 1.0)
        assert teacher == -1 if kind == "patch" else 0 < teacher < 1
        assert attack in (0, SCREEN)


def test_sources_and_classes_are_drawn_alike(frames):
    drawer, rng = Drawer(frames + [drawn(LIVE, "a")] * 50, "views", False), np.random.default_rng(0)
    drawn_frames = [drawer.frame("webcam", rng) for _ in range(400)]
    for share in (
        np.mean([f.attack == LIVE for f in drawn_frames]),
        np.mean([f.source == "a" for f in drawn_frames]),
    ):
        assert 0.4 < share < 0.6


def test_the_surest_teacher_counts_on_an_attack_and_the_mean_on_a_live_face():
    margins = (-3.0, 1.0, 2.0)
    assert target_of(drawn(SCREEN, "a", teachers=margins)) == pytest.approx(1 / (1 + np.exp(3)))
    assert target_of(drawn(LIVE, "a", teachers=margins)) == pytest.approx(0.5)
    assert target_of(drawn(LIVE, "a", teachers=None)) < 0


def test_a_face_brought_to_a_scale_keeps_its_box():
    frame = drawn(LIVE, "a", side=40.0)
    _, box = brought_to(frame, 0.5)
    width = frame.box[2] - frame.box[0]
    assert box[2] - box[0] == pytest.approx(width / 2, abs=1)
    same, box = brought_to(frame, 1.0)
    x0, y0 = (frame.box - box)[:2].astype(int)
    assert (same == frame.image[y0 : y0 + same.shape[0], x0 : x0 + same.shape[1]]).all()


def test_each_view_is_read_at_its_own_scale():
    net = folded(ViewsNet())
    views = torch.from_numpy(np.stack([views_of(*golden.cartoon(320, 240, (150.0, 120.0), 90.0, 0.0)[:2], "views")]))
    margin, logits = view_margins(net, views)
    assert margin.shape == (1, 3) and logits.shape == (1, 3, 3)
    x = views[0].permute(0, 3, 1, 2).float()
    for number in range(3):
        assert torch.allclose(net(x[number : number + 1])[0, 3 * number : 3 * number + 3], logits[0, number], atol=1e-4)


def test_a_patch_does_not_push_the_wide_view(frames):
    net = folded(ViewsNet())
    net.head.weight.requires_grad_(True)
    views = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, SIZE, SIZE, 3)).astype(np.uint8))
    known = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, -1.0]), torch.tensor([0, 2]), torch.tensor([True, True]), torch.tensor([False, False])
    loss_of(net, (views, *known), Settings(), net).backward()
    pushed = net.head.weight.grad.abs().sum(1)
    assert (pushed[:3] == 0).all() and (pushed[3:] > 0).all()


def test_both_nets_judge_untouched_frames(frames):
    assert judged(folded(ViewsNet()), frames[:3]).shape == (3, 3)
    assert judged(folded(ViewsNet()), []).shape == (0, 3)


def test_light_keeps_white_at_daylight_and_warms_below():
    grey = np.full((4, 4, 3), 128, np.uint8)
    assert np.abs(disturb.temperature(grey, 6500).astype(int) - 128).max() <= 1
    red, green, blue = disturb.temperature(grey, 3000)[0, 0]
    assert red > green > blue
    red, green, blue = disturb.temperature(grey, 9000)[0, 0]
    assert red < green < blue


def test_disturbances_repeat_by_seed_and_keep_the_size(frames):
    one, two = (disturb.disturbed(frames[0].image, np.random.default_rng(5)) for _ in range(2))
    assert one.shape == frames[0].image.shape and one.dtype == np.uint8 and (one == two).all()
    grey = disturb.saturation(frames[0].image, 0.0)
    assert (grey[..., 0] == grey[..., 1]).all()
    balanced = disturb.grey_world(frames[0].image).reshape(-1, 3).mean(0)
    assert np.ptp(balanced) < 8


def sample(margins, live, source="a", kind="webcam"):
    return fuse.Sample(np.array(margins, float), live, kind, source, False)


def test_the_shares_stay_as_they_are_and_one_alarm_stands():
    rng = np.random.default_rng(0)
    samples = [sample(rng.normal(3, 1, 4), True) for _ in range(200)]
    for number in range(200):
        margins = rng.normal(3, 1, 4)
        margins[number % 4] = -5
        samples.append(sample(margins, False))
    fusion = fuse.fit(samples)
    assert (fusion[:5] / fusion[4]).tolist() == pytest.approx((fuse.SHARES / fuse.SHARES[4]).tolist()) and fusion[4] > 0
    z = fuse.logits(samples, fusion)
    assert np.mean(z[200:] < np.log(9)) > 0.9


def test_both_classes_and_all_sources_of_a_class_weigh_the_same():
    samples = [sample([0] * 4, True, "a")] * 3 + [sample([0] * 4, True, "b")] + [sample([0] * 4, False, "a")] * 2
    weight = fuse.weights_of(samples)
    assert weight[:4].sum() == pytest.approx(0.5) and weight[4:].sum() == pytest.approx(0.5)
    assert weight[:3].sum() == pytest.approx(weight[3])


def test_equal_margins_are_their_own_soft_minimum():
    assert fuse.soft_minimum(np.full((2, 4), 1.5)) == pytest.approx(1.5)


def test_ninety_refuses_one_live_face_in_ten_of_the_mean_source():
    rng = np.random.default_rng(1)
    samples = [sample(rng.normal(2, 1.5, 4), True, source) for source, count in (("a", 400), ("b", 80)) for _ in range(count)]
    samples += [sample(rng.normal(-2, 1.5, 4), False, source) for source in "ab" for _ in range(200)]
    z = fuse.logits(samples, fuse.fit(samples))
    refused = [np.mean([value < np.log(9) for value, s in zip(z, samples) if s.live and s.source == source]) for source in "ab"]
    assert np.mean(refused) == pytest.approx(fuse.REFUSED, abs=0.01)


def test_a_blend_lies_between_both_nets():
    one, two = {"w": torch.tensor([0.0, 4.0])}, {"w": torch.tensor([2.0, 0.0])}
    assert blend(one, two, 0.25)["w"].tolist() == [0.5, 3.0]


def test_what_the_net_said_before_is_kept_in_the_middle_view_of_frames_without_a_webcam_label():
    before = folded(ViewsNet())
    net = folded(ViewsNet())
    net.load_state_dict(before.state_dict())
    views = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, SIZE, SIZE, 3)).astype(np.uint8))
    known = torch.tensor([-1.0, -1.0]), torch.tensor([-1.0, -1.0]), torch.tensor([0, 0]), torch.tensor([False, False])

    def loss(kept):
        return loss_of(net, (views, *known, torch.tensor(kept)), Settings(keep=1.0), before).item()

    assert loss([True, True]) == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        net.head.bias[0] += 1.0  # live, in the wide view
    assert loss([True, True]) == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        net.head.bias[3] += 1.0  # live, in the middle view
    assert loss([True, False]) > 0.05


def test_frames_to_be_kept_are_often_left_as_they_are(frames):
    def touched(keeps):
        drawer = Drawer(frames, "grain", keeps)
        return [drawer.sample("made", np.random.default_rng(seed))[0] for seed in range(8)]

    assert not all((a == b).all() for a, b in zip(touched(True), touched(False)))
