"""The refiner's windows, and what its answers become, on drawn images."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_detector import CAMERA_OFF, drawn_data

from livecheck_training.crops import window_crop
from livecheck_training.detector.predict import (
    DOUBT,
    FULL_WEIGHT,
    MOST_REFINED,
    RefinedFinder,
    weights,
)
from livecheck_training.refiner.export import Weighted, weighed
from livecheck_training.refiner.lookalikes import hand, scrambled
from livecheck_training.refiner.net import FACTOR, OUTPUTS, SIZE, Refiner
from livecheck_training.refiner.train import losses, stacked
from livecheck_training.refiner.windows import Proposal, WindowMaker, WindowSettings
from livecheck_training.teachers import Faces

#: Only faces, as the camera saw them.
PLAIN = WindowSettings(other=0, large=0, any_face=1, crop=0, end=0, occlude=0)


def maker(settings: WindowSettings, seed: int = 3) -> WindowMaker:
    data = drawn_data()
    none = Proposal(data.negatives[0], np.array([20, 20, 90, 90], np.float32), 0.3)
    made = WindowMaker(data, [none], seed, settings)
    made.views.settings = replace(made.views.settings, **(CAMERA_OFF | {"cast": 0}))
    return made


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_box_and_landmarks_follow_the_picture(turn):
    """The marks drawn at the landmarks lie where the window says; the left is the left."""
    windows, seen = maker(replace(PLAIN, turn=turn)), 0
    for _ in range(60):
        window = windows.window()
        points = window.points.reshape(5, 2)
        assert points[0, 0] < points[1, 0] and points[3, 0] < points[4, 0]
        for i, (x, y) in enumerate(points):
            if 0.05 < x < 0.95 and 0.05 < y < 0.95:
                pixel = window.image[int(y * SIZE), int(x * SIZE)].astype(int)
                # A mirrored face carries the other side's colour on its left.
                assert pixel.max() > 150 and pixel.argmax() in ((2,) if i == 2 else (0, 1))
                seen += 1
        x0, y0, x1, y1 = window.box
        assert x0 < points[2, 0] < x1 and y0 < points[2, 1] < y1
    assert seen > 150


def test_same_seed_same_windows():
    first, second = (maker(replace(WindowSettings(), large=0, any_face=1, crop=0), 11) for _ in range(2))
    for _ in range(20):
        one, two = first.window(), second.window()
        assert np.array_equal(one.image, two.image) and one.score == two.score


def test_a_face_cut_by_the_frame_asks_for_less():
    cut = maker(replace(PLAIN, end=1))
    scores = [cut.window().score for _ in range(100)]
    assert min(s for s in scores if s >= 0) < 0.5 and max(scores) == 1.0


def test_a_covered_face_asks_for_less():
    covered = maker(replace(PLAIN, occlude=1))
    scores = [covered.window().score for _ in range(100)]
    assert min(s for s in scores if s >= 0) < 0.5 and max(scores) == 1.0


def test_what_is_no_face_asks_for_none():
    for kind in ({"proposed_other": 1.0}, {"proposed_other": 0.0, "part": 0.0}):
        windows = maker(replace(PLAIN, other=1, **kind))
        for _ in range(20):
            window = windows.window()
            assert window.score == 0 and np.isnan(window.box).all() and np.isnan(window.points).all()


def test_what_is_unknown_is_not_learnt_from():
    windows = [maker(PLAIN).window() for _ in range(3)]
    windows[0].points[:] = np.nan
    windows[1].score = -1.0
    _, score, box, points = stacked(windows)
    out = torch.zeros(3, OUTPUTS, requires_grad=True)
    sum(losses(out, score, box, points).values()).backward()
    assert (out.grad[0, 5:] == 0).all() and (out.grad[2, 5:] != 0).any()
    assert out.grad[1, 0] == 0 and out.grad[0, 0] != 0


class _Fixed:
    """Finds the same faces in every image."""

    def __init__(self, faces: Faces):
        self.faces = faces

    def detect(self, image: np.ndarray, threshold: float) -> Faces:
        return self.faces.above(threshold)


def test_answers_are_put_back_into_the_picture():
    """Half way between the proposal and what the refiner sees, which here is the middle of its window."""
    faces = Faces(np.array([[100, 100, 140, 160]], np.float32), np.array([0.8], np.float32), np.full((1, 5, 2), 110, np.float32))
    row = np.array([0.0, 0.25, 0.25, 0.75, 0.75, *[0.5, 0.25] * 5])
    found = RefinedFinder(_Fixed(faces), lambda windows: row[None]).detect(np.zeros((300, 300, 3), np.uint8), 0.2)
    half = FACTOR * 50 / 4
    seen = np.array([120 - half, 130 - half, 120 + half, 130 + half])
    assert found.boxes[0] == pytest.approx((seen + (100, 100, 140, 160)) / 2)
    assert found.landmarks[0, 4] == pytest.approx([(120 + 110) / 2, (130 - half + 110) / 2])
    assert found.scores[0] == pytest.approx(2 / 3), "the logits' mean: odds of 4 and of 1 make odds of 2"


def test_proposals_that_become_one_face_are_one():
    boxes = np.array([[100, 100, 140, 140], [112, 112, 152, 152]], np.float32)
    faces = Faces(boxes, np.array([0.8, 0.7], np.float32), np.zeros((2, 5, 2), np.float32))

    def same(windows):
        side = FACTOR * 40
        rows = []
        for x0 in (100, 112):
            left = x0 + 20 - side / 2
            rows.append([0.0, *[(at - left) / side for at in (106, 106, 146, 146)], *[0.5] * 10])
        return np.array(rows)

    found = RefinedFinder(_Fixed(faces), same).detect(np.zeros((300, 300, 3), np.uint8), 0.2)
    assert len(found) == 1 and found.scores[0] == pytest.approx(2 / 3)


def test_a_box_in_a_better_one_is_the_same_face():
    boxes = np.array([[100, 100, 180, 200], [115, 150, 165, 198], [170, 100, 250, 200]], np.float32)
    faces = Faces(boxes, np.array([0.98, 0.96, 0.95], np.float32), np.zeros((3, 5, 2), np.float32))
    found = RefinedFinder(_Fixed(faces), None).detect(np.zeros((300, 300, 3), np.uint8), 0.2)
    assert found.boxes.tolist() == boxes[[0, 2]].tolist(), "the neighbour is another face"


def test_the_second_look_counts_less_towards_the_ends_of_doubt():
    (start, end), (rise, fall) = DOUBT, FULL_WEIGHT
    shares = weights(np.array([0.2, start, (start + rise) / 2, rise, 0.75, fall, (fall + end) / 2, end, 0.99]))
    assert shares[[0, 1, 3, 4, 5, 7, 8]] == pytest.approx([0, 0, 0.5, 0.5, 0.5, 0, 0])
    assert 0.2 < shares[2] < 0.3 and 0.2 < shares[6] < 0.3


def test_only_doubtful_faces_and_not_all_of_a_crowd_are_looked_at_again():
    count = MOST_REFINED + 2
    boxes = np.array([[30 * i, 0, 30 * i + 20, 20] for i in range(count)], np.float32)
    row = np.array([-9.0, *[0.2, 0.2, 0.8, 0.8], *[0.5] * 10])
    weak, sure = DOUBT[0] - 0.01, DOUBT[1]
    for scores, looked_at in (([0.8] * count, MOST_REFINED), ([sure, FULL_WEIGHT[0]] + [weak] * (count - 2), 1)):
        faces = Faces(boxes, np.array(scores, np.float32), np.zeros((count, 5, 2), np.float32))
        found = RefinedFinder(_Fixed(faces), lambda windows: np.tile(row, (len(windows), 1)))
        scores = found.detect(np.zeros((20, 600, 3), np.uint8), 0.0).scores
        assert (scores < 0.1).sum() == looked_at and len(scores) == count


def test_the_exported_logit_is_weighed():
    torch.manual_seed(0)
    net = Refiner().eval()
    window = torch.rand(1, 3, SIZE, SIZE) * 255
    with torch.no_grad():
        plain = net(window)
        shipped = Weighted(net, 0.5, 0.25)(window)
    assert shipped[0, 0] == pytest.approx(0.5 * plain[0, 0].item() + 0.25, abs=1e-5)
    assert torch.equal(shipped[:, 1:], plain[:, 1:])
    assert weighed(lambda _: plain.numpy().copy(), 0.5)(None)[0, 0] == pytest.approx(0.5 * plain[0, 0].item())


def test_a_window_about_a_box_of_its_size_copies_the_pixels():
    frame = np.random.default_rng(1).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    side = SIZE / FACTOR
    box = (100 - side / 2, 90 - side / 2, 100 + side / 2, 90 + side / 2)
    assert np.array_equal(window_crop(frame, box, FACTOR, SIZE), frame[50:130, 60:140])


def test_lookalikes_change_the_picture_and_are_no_face():
    rng = np.random.default_rng(4)
    ground = np.full((SIZE, SIZE, 3), 90, np.uint8)
    for _ in range(20):
        drawn = hand(ground, np.array([200.0, 150.0, 120.0]), rng)
        skin = (drawn[..., 0] > drawn[..., 2].astype(int) + 15).mean()
        assert drawn.shape == ground.shape and 0.02 < skin < 0.95
    picture = rng.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    assert not np.array_equal(scrambled(picture, rng), picture)
    windows = maker(replace(PLAIN, other=1, proposed_other=0, part=0, hand=0.5, scrambled=0.5))
    for _ in range(20):
        window = windows.window()
        assert window.score == 0 and np.isnan(window.points).all()
