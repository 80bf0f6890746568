"""The simulator on drawn pictures."""

import numpy as np
import pytest

from livecheck_training import golden, warp
from livecheck_training.presentation import present

SIZE = (320, 240)


def shown(kind: str, seed: int, scale: float = 0.5):
    picture = golden.gradient(240, 200)
    matrix = np.array([[scale, 0, 90.0], [0, scale, 60.0], [0, 0, 1]])
    background = np.full((SIZE[1], SIZE[0], 3), (0, 255, 0), np.uint8)
    return present(picture, kind, matrix, SIZE, background, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", ["print", "screen"])
def test_a_seed_repeats_a_presentation(kind):
    assert (shown(kind, 5).frame == shown(kind, 5).frame).all()
    assert (shown(kind, 5).frame != shown(kind, 6).frame).any()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["print", "screen"])
def test_the_picture_lies_where_the_returned_map_says(kind, seed):
    result = shown(kind, seed)
    assert result.frame.shape == (SIZE[1], SIZE[0], 3) and result.frame.dtype == np.uint8
    wanted = warp.corners(240, 200) * 0.5 + (90, 60)
    moved = np.linalg.norm(warp.apply(result.matrix, warp.corners(240, 200)) - wanted, axis=1)
    assert moved.max() < 0.2 * 200 * 0.5  # perspective moves a corner, but no further


@pytest.mark.parametrize("kind", ["print", "screen"])
def test_the_background_stays_visible_around_the_medium(kind):
    frame = shown(kind, 1, scale=0.3).frame.astype(int)
    corner = frame[-10:, -10:].reshape(-1, 3)
    assert (corner[:, 1] > corner[:, 0] + 40).all()
