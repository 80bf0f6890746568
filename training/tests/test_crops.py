"""Geometry of the crops, checked on drawn frames."""

import numpy as np
import pytest

from livecheck_training import crops


def gradient(width: int, height: int) -> np.ndarray:
    """Red grows with x, green with y, by one level a pixel."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = np.arange(width)[None, :]
    frame[..., 1] = np.arange(height)[:, None]
    return frame


@pytest.mark.parametrize(
    ("width", "height", "expected", "canvas"),
    [
        (640, 480, (320, 240), (320, 256)),
        (480, 640, (240, 320), (256, 320)),
        (1280, 720, (320, 180), (320, 224)),
        (100, 55, (320, 176), (320, 192)),
        (1000, 553, (320, 177), (320, 224)),
        (300, 300, (320, 320), (320, 320)),
        (1000, 751, (320, 240), (320, 256)),
        (320, 241, (320, 241), (320, 320)),
        (5000, 3, (320, 1), (320, 192)),
        (321, 199, (320, 198), (320, 224)),
    ],
)
def test_letterbox_keeps_the_whole_frame_at_the_top_left(width, height, expected, canvas):
    square, (scale_x, scale_y) = crops.letterbox(np.full((height, width, 3), 200, np.uint8))
    assert square.shape == (canvas[1], canvas[0], 3)
    assert (round(width * scale_x), round(height * scale_y)) == expected
    assert (square[: expected[1], : expected[0]] == 200).all()
    assert square[expected[1] :].sum() == 0 and square[:, expected[0] :].sum() == 0


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((90.0, 90.0, 110.0, 110.0), (75.0, 75.0, 125.0, 125.0)),  # inside
        ((0.0, 90.0, 20.0, 110.0), (0.0, 75.0, 50.0, 125.0)),  # shifted in from the left
        ((185.0, 140.0, 205.0, 160.0), (150.0, 110.0, 200.0, 160.0)),  # shifted in from the corner
        ((50.0, 30.0, 150.0, 130.0), (20.0, 0.0, 180.0, 160.0)),  # larger than the frame is high
    ],
)
def test_square_box_is_shifted_inside_and_never_cut(box, expected):
    assert crops.square_box((200, 160), box, 2.5) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
def test_square_crop_accepts_any_box(seed):
    rng = np.random.default_rng(seed)
    width, height = rng.integers(1, 300, 2)
    frame = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    centre, side = rng.uniform(-50, 350, 2), rng.uniform(1, 400, 2)
    box = (*(centre - side / 2), *(centre + side / 2))
    assert crops.square_crop(frame, box, 2.7, 112).shape == (112, 112, 3)


def test_square_crop_of_native_size_copies_the_pixels():
    frame = gradient(200, 160)
    crop = crops.square_crop(frame, (80.0, 60.0, 100.0, 80.0), 2.0, 40)
    assert (crop == frame[50:90, 70:110]).all()


def place(size: float, angle: float, offset: tuple[float, float]) -> np.ndarray:
    """The template's landmarks in a frame: face of `size` pixels, turned by `angle`."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return crops.FACE_TEMPLATE * size @ turn.T + offset


@pytest.mark.parametrize("angle", [0.0, 0.5, -2.0, np.pi])
@pytest.mark.parametrize("size", [24.0, 96.0, 250.0])
def test_alignment_recovers_a_similarity(size, angle):
    a, b, tx, ty = crops.face_to_image(place(size, angle, (31.0, 17.0)), 96)
    assert (a, b) == pytest.approx((size / 96 * np.cos(angle), size / 96 * np.sin(angle)))
    assert (tx, ty) == pytest.approx((31.0, 17.0))


def test_alignment_does_not_mirror():
    mirrored = crops.FACE_TEMPLATE * (-1, 1) + (1, 0)
    a, b, _, _ = crops.face_to_image(mirrored, 1)
    assert a > -1 and np.hypot(a, b) < 0.99  # a worse fit, not a reflection


def test_aligned_crop_of_native_size_copies_the_pixels():
    frame = gradient(200, 160)
    crop = crops.aligned_crop(frame, place(96.0, 0.0, (30.0, 20.0)), 96)
    assert (crop == frame[20:116, 30:126]).all()


def test_aligned_crop_averages_when_it_shrinks():
    frame = np.zeros((200, 200, 3), np.uint8)
    frame[:, ::2] = 255  # stripes one pixel wide turn grey at half size
    crop = crops.aligned_crop(frame, place(128.0, 0.0, (20.0, 20.0)), 64)
    assert set(np.unique(crop)) <= {127, 128}


def test_aligned_crop_repeats_the_border():
    frame = gradient(100, 100)
    crop = crops.aligned_crop(frame, place(96.0, 0.0, (-40.0, -40.0)), 96)
    assert (crop[:40, :40] == frame[0, 0]).all()


def test_aligned_crop_survives_landmarks_in_one_point():
    assert crops.aligned_crop(gradient(50, 50), np.full((5, 2), 25.0), 96).shape == (96, 96, 3)
