"""Perspective warps of drawn pictures."""

import numpy as np
import pytest

from livecheck_training import warp


def test_a_homography_hits_its_four_points():
    target = np.array([(10.0, 5.0), (90.0, 12.0), (80.0, 70.0), (4.0, 66.0)])
    matrix = warp.homography(warp.corners(64, 48), target)
    assert warp.apply(matrix, warp.corners(64, 48)) == pytest.approx(target)


def test_the_identity_copies():
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    frame, cover = warp.warp(picture, np.eye(3), (60, 40))
    assert (frame == picture).all() and (cover == 1).all()


def test_a_shifted_picture_covers_only_its_part():
    matrix = np.array([[1.0, 0, 10], [0, 1, 5], [0, 0, 1]])
    frame, cover = warp.warp(np.full((20, 30, 3), 99, np.uint8), matrix, (60, 40))
    assert (frame[6:24, 11:39] == 99).all() and (cover[6:24, 11:39] == 1).all()
    assert (cover[:4] == 0).all() and (cover[:, 42:] == 0).all()


def test_a_box_follows_the_map():
    matrix = np.array([[2.0, 0, 10], [0, 2, 5], [0, 0, 1]])
    assert warp.map_box(matrix, np.array([1.0, 2.0, 11.0, 22.0])) == pytest.approx([12, 9, 32, 49])
