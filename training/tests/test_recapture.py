"""Folds, matching, views, weights and figures of the recapture measurement, on drawn pictures."""

import numpy as np
import pytest
import torch

from livecheck_training import golden
from livecheck_training.data import ImageSet
from livecheck_training.recapture import figures, linear, train, views
from livecheck_training.recapture.net import EARLY, Branch, Early
from livecheck_training.recapture.photos import (
    FOLDS,
    PATCH,
    TOGETHER,
    Photos,
    assign_folds,
    patches_of,
)


def photographers() -> Photos:
    """Fifteen photographers of both tiers, with two to forty blank photos of each class."""
    counts = {f"p{i:02}": 2 + 38 * i // 14 for i in range(13)} | dict.fromkeys(sorted(TOGETHER[0]), 20)
    source = np.repeat(list(counts), [2 * c for c in counts.values()])
    replay = np.concatenate([np.arange(2 * c) % 2 == 1 for c in counts.values()])
    folds = assign_folds(source)
    tier = np.array(["A" if s < "p06" else "B" for s in source])
    blank = np.zeros((8, 8, 3), np.uint8)
    return Photos([blank] * len(source), replay, source, tier, np.array([folds[s] for s in source]))


def test_folds_are_alike_in_size_and_photographers_who_share_photos_stay_together():
    photos = photographers()
    sizes = np.bincount(photos.fold, minlength=FOLDS)
    assert len(sizes) == FOLDS and sizes.max() - sizes.min() <= 80
    for source in set(photos.source):
        assert len(set(photos.fold[photos.source == source])) == 1
    for together in TOGETHER:
        assert len({fold for s, fold in zip(photos.source, photos.fold) if s in together}) == 1


def test_folds_do_not_depend_on_the_order_of_the_rows():
    source = photographers().source
    assert assign_folds(source) == assign_folds(source[::-1])


def test_a_patch_finds_the_photo_it_was_cut_from(tmp_path):
    taken = [golden.cartoon(1280, 960, (300.0 + 150 * i, 400.0), 300.0, 10.0 * i)[0] for i in range(3)]
    size = (320, 240)
    photos = [views.Image.fromarray(t).resize(size) for t in taken]
    row = {"source": "a", "class": "real", "source_width": "1280", "source_height": "960", "patch_x": "300", "patch_y": "250"}
    patch = taken[1][250 : 250 + PATCH, 300 : 300 + PATCH]
    other = np.random.default_rng(0).integers(0, 256, patch.shape, np.uint8)
    whole = ImageSet("whole", [{"source": "a", "class": "real"}] * 3, tmp_path, "")
    patches = ImageSet("patch", [row, row, row | {"class": "replay"}], tmp_path, "")
    assert patches_of(whole, [np.asarray(p) for p in photos], patches, [patch, other, patch]) == [[], [0], []]


@pytest.mark.parametrize("size", [(144, 320), (320, 240), (320, 180)])
def test_views_of_photos_and_patches_have_one_size_and_repeat_by_seed(size):
    image, patch = golden.gradient(*size), golden.gradient(PATCH, PATCH)
    for picture, view in ((image, views.photo_view), (patch, views.patch_view)):
        for seed in range(10):
            first, again = (view(picture, np.random.default_rng(seed)) for _ in range(2))
            assert first.shape == (views.SIZE, views.SIZE, 3) and (first == again).all()
    assert views.photo_looks(image).shape[1:] == views.patch_looks(patch).shape[1:] == (views.SIZE, views.SIZE, 3)
    assert (views.patch_looks(patch)[0] == patch[: views.SIZE, : views.SIZE]).all()


def test_both_classes_weigh_the_same_and_left_out_photos_nothing():
    photos = photographers()
    among = photos.fold != 2
    weight = train.weigh(photos, among)
    assert (weight[~among] == 0).all() and weight.sum() == pytest.approx(among.sum())
    assert weight[photos.replay].sum() == pytest.approx(weight[~photos.replay].sum())
    few, many = (weight[photos.source == s].sum() for s in ("p01", "p12") if among[photos.source == s].all())
    assert few < many < 40 * few


def test_a_photo_without_patches_keeps_its_own_logit():
    fused = figures.fuse(np.array([1.0, 2.0]), np.array([3.0, 5.0, 9.0]), [[0, 1], []])
    assert fused.tolist() == [2.5, 2.0]


def test_figures_of_a_perfect_and_of_a_blind_score():
    photos = photographers()
    perfect = figures.figures(photos.replay.astype(float), photos)
    assert perfect["mean AUC"] == 1.0 and perfect["interval"] == [1.0, 1.0]
    assert "p00" not in perfect["photographers"]
    blind = figures.figures(np.zeros(len(photos)), photos)
    assert set(blind["folds"]) == {0.5}


def test_a_linear_model_knows_nothing_of_the_photographers_it_is_judged_by():
    photos = photographers()
    rng = np.random.default_rng(0)
    people = sorted(set(photos.source))
    # One feature a photographer, which tells the class of his photos alone.
    own = np.array([[(s == p) * (1.0 if r else -1.0) for p in people] for s, r in zip(photos.source, photos.replay)])
    logits = linear.left_out_linear(photos, own[:, None], [own[:, None]])[0]
    assert figures.figures(logits, photos)["mean AUC"] == pytest.approx(0.5, abs=0.05)
    told = (photos.replay + rng.normal(0, 0.1, len(photos)))[:, None, None]
    assert figures.figures(linear.left_out_linear(photos, told, [told])[0], photos)["mean AUC"] > 0.99


def test_the_branch_learns_and_leaves_the_average():
    rng = np.random.default_rng(0)
    replay = np.arange(16) % 2 == 1
    views_of = np.stack([np.full((views.SIZE, views.SIZE, 3), 60 + 120 * r, np.uint8) for r in replay])
    views_of = np.clip(views_of + rng.normal(0, 20, views_of.shape), 0, 255).astype(np.uint8)
    maps = Early().maps(views_of)
    assert maps.shape == (16, views.SIZE // 8, views.SIZE // 8, 40) and maps.dtype == np.float16
    settings = train.Settings(epochs=6, batch=8, rise=2)
    net = train.train(np.repeat(maps[:, None], 6, 1), replay, np.ones(16), settings, 0)
    logits = train.judge(net, maps[:, None])
    assert not net.training and logits[replay].mean() > logits[~replay].mean()


def test_the_branch_starts_undecided_where_imagenet_left_it():
    net = Branch()
    assert len(net.blocks) + EARLY == 16
    with torch.inference_mode():
        assert net(torch.rand(2, 40, 18, 18)).tolist() == [0.0, 0.0]
