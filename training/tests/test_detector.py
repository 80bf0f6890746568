"""The detector's geometry, targets, loss, figures and export, on drawn images."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from livecheck_training.detector import loss, metrics, model
from livecheck_training.detector.export import export
from livecheck_training.detector.predict import OnnxFinder, TorchFinder
from livecheck_training.detector.restore import from_onnx
from livecheck_training.detector.samples import Sample, TrainingData, agreed, faces_of
from livecheck_training.detector.views import (
    ViewMaker,
    ViewSettings,
    hidden_share,
    score_when_cut,
    score_when_hidden,
)
from livecheck_training.teachers import Faces

#: Colours that mark the five landmarks of a drawn face.
MARKS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 0), (0, 255, 0))
CAMERA_OFF = {"crop_share": 0, "occlude": 0, "dim": 0, "grey": 0, "blur": 0, "coarse": 0, "noise": 0, "jpeg": 0, "glare": 0}


def drawn_face() -> Sample:
    image = Image.new("RGB", (400, 300), (90, 90, 90))
    pen = ImageDraw.Draw(image)
    box = (140, 60, 260, 220)
    points = np.array([(170, 110), (230, 110), (200, 150), (175, 185), (225, 185)], np.float32)
    for (x, y), colour in zip(points, MARKS):
        pen.ellipse((x - 12, y - 12, x + 12, y + 12), fill=colour)
    return Sample("drawn", "drawn", np.asarray(image), np.array([box], np.float32), points[None], [""])


def drawn_data() -> TrainingData:
    plain = np.full((200, 300, 3), 90, np.uint8)
    empty = Sample("plain", "drawn", plain, np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), [])
    return TrainingData([drawn_face()], [], [empty], [], [])


@pytest.mark.parametrize(
    "kind",
    [
        {"letterbox": 1.0, "mosaic": 0, "negative": 0},
        {"letterbox": 0, "mosaic": 0, "negative": 0, "turn": 0.0},
        {"letterbox": 0, "mosaic": 0, "negative": 0, "turn": 1.0},
        {"letterbox": 0, "mosaic": 1.0, "negative": 0},
        {"letterbox": 0, "mosaic": 0, "negative": 1.0, "paste_in_negative": 1.0},
    ],
)
def test_landmarks_follow_the_picture(kind):
    """In every kind of view the landmarks lie on the marks drawn at them, the left
    eye's mark being red: a flip must swap left and right."""
    views = ViewMaker(drawn_data(), 3, ViewSettings(**CAMERA_OFF, **kind))
    seen = 0
    for _ in range(40):
        view = views.view(320)
        for box, points, visible in zip(view.boxes, view.landmarks.reshape(-1, 5, 2), view.visible):
            if visible < 1 or box[2] - box[0] < 60:
                continue
            assert points[0, 0] != points[1, 0]
            for i, (x, y) in enumerate(points):
                if 3 < x < 317 and 3 < y < 317:
                    pixel = view.image[int(y), int(x)].astype(int)
                    # A mirrored face carries the other eye's colour on its left.
                    wanted = {0: (0, 1), 1: (0, 1), 2: (2,), 3: (0, 1), 4: (0, 1)}[i]
                    assert pixel.max() > 150 and pixel.argmax() in wanted
                    assert box[0] - 1 <= x <= box[2] + 1 or kind.get("turn")
                    seen += 1
            if all(3 < v < 317 for v in points.ravel()) and not kind.get("turn", 0.35):
                assert points[0, 0] < points[1, 0]
    assert seen > 20


def test_left_stays_left_after_a_flip():
    views = ViewMaker(drawn_data(), 5, ViewSettings(**CAMERA_OFF, letterbox=1.0, mosaic=0, negative=0))
    colours = set()
    for _ in range(30):
        view = views.view(320)
        points = view.landmarks.reshape(5, 2)
        assert points[0, 0] < points[1, 0] and points[3, 0] < points[4, 0]
        colours.add(int(view.image[int(points[0, 1]), int(points[0, 0])].argmax()))
    assert colours == {0, 1}


def test_same_seed_same_views():
    first, second = (ViewMaker(drawn_data(), 11).view(192) for _ in range(2))
    assert np.array_equal(first.image, second.image) and np.array_equal(first.boxes, second.boxes)


def test_what_hides_a_face_lowers_the_score_and_a_mask_does_not():
    box = np.array([100, 100, 200, 220], np.float32)

    def covered(x0, y0, x1, y1):
        mask = Image.new("L", (320, 320))
        ImageDraw.Draw(mask).rectangle((x0, y0, x1, y1), fill=255)
        return score_when_hidden(hidden_share(mask, box))

    assert covered(0, 0, 50, 50) == 1
    assert covered(100, 175, 200, 220) == 1, "what a face mask covers"
    assert covered(100, 100, 150, 220) < 0.5, "half the face"
    assert covered(100, 100, 200, 220) < 0.1
    assert score_when_cut(0.9) == 1 > score_when_cut(0.6) > score_when_cut(0.4) > 0 > score_when_cut(0.2)


def test_each_face_is_answered_for_around_its_centre():
    boxes = np.array([[40, 40, 60, 64], [150, 20, 310, 300]], np.float32)
    owner = loss.assign(boxes, np.array([1.0, 1.0]), 320)
    grid = model.cells(320).numpy()
    for i, box in enumerate(boxes):
        mine = grid[owner == i]
        assert len(mine) >= 4
        assert (np.abs(mine[:, :2] - (box[:2] + box[2:]) / 2).max(1) <= 1.5 * mine[:, 2]).all()
    assert set(grid[owner == 0][:, 2]) == {8.0} and set(grid[owner == 1][:, 2]) == {32.0}
    ignored = loss.assign(boxes[:1], np.array([-1.0]), 320)
    assert (ignored >= 0).sum() == 0 and (ignored == loss.IGNORED).sum() > 0


def test_decoding_a_perfect_answer_costs_nothing():
    grid = model.cells(64)
    box = torch.tensor([[8.0, 12.0, 40.0, 50.0]])
    points = torch.tensor([[12.0, 20, 30, 20, 22, 30, 14, 40, 30, 40]])
    owner = torch.full((1, len(grid)), loss.NEGATIVE)
    owner[0, 5] = 0
    raw = torch.zeros(1, len(grid), model.OUTPUTS)
    raw[..., 0] = -20
    centre, stride = grid[5, :2], grid[5, 2]
    raw[0, 5, 0] = 20
    raw[0, 5, 1:3] = ((box[0, :2] + box[0, 2:]) / 2 - centre) / stride
    raw[0, 5, 3:5] = ((box[0, 2:] - box[0, :2]) / stride).log()
    raw[0, 5, 5:] = ((points.reshape(5, 2) - centre) / stride).ravel()
    parts = loss.losses(raw, owner, box, torch.ones(1), points, grid)
    assert all(v.item() == pytest.approx(0, abs=1e-5) for v in parts.values())
    raw[0, 5, 1] += 3
    worse = loss.losses(raw, owner, box, torch.ones(1), points, grid)
    assert worse["box"].item() > 0.1 and worse["score"].item() > parts["score"].item()


def test_neighbouring_cells_of_large_faces_are_averaged_by_score():
    grid = model.cells(96)
    # Of an input as large, and of a larger one whose upper left part this is.
    for grids in (model.grids(96), model.grids(160)):
        _averaged_by_score(grid, grids)


def _averaged_by_score(grid, grids):
    maps = [torch.zeros(1, model.OUTPUTS, 96 // s, 96 // s) for s in model.STRIDES]
    for raw in maps:
        raw[:, 0] = -200.0
    # Two cells beside each other answer; each alone would be off by its own error.
    for raw, row, column in ((maps[0], 5, 5), (maps[1], 2, 2)):
        raw[0, 0, row, column], raw[0, 0, row, column + 1] = 0.0, 0.0
        raw[0, 5, row, column], raw[0, 5, row, column + 1] = 1.5, 0.7
    logits, boxes, points = model.answers(maps, grids)
    plain = model.decode(torch.cat([m.flatten(2).transpose(1, 2) for m in maps], 1), grid)
    assert torch.isfinite(boxes).all() and torch.isfinite(points).all()
    torch.testing.assert_close(logits, plain[0])
    small, large = 5 * 12 + 5, 144 + 2 * 6 + 2
    assert points[0, small, 0] == plain[2][0, small, 0], "stride 8 is left alone"
    assert points[0, large, 0].item() == pytest.approx(plain[2][0, large : large + 2, 0].mean().item(), abs=1e-3)
    assert plain[2][0, large, 0] != plain[2][0, large + 1, 0]


def test_unknown_landmarks_are_not_learnt_from():
    grid = model.cells(64)
    owner = torch.full((1, len(grid)), loss.NEGATIVE)
    owner[0, 5] = 0
    raw = torch.zeros(1, len(grid), model.OUTPUTS, requires_grad=True)
    unknown = torch.full((1, 10), float("nan"))
    parts = loss.losses(raw, owner, torch.tensor([[8.0, 12, 40, 50]]), torch.ones(1), unknown, grid)
    sum(parts.values()).backward()
    assert torch.isfinite(raw.grad).all() and raw.grad[..., 5:].abs().max() == 0


def test_matching_counts_each_labelled_face_once():
    sample = drawn_face()
    box, points = sample.boxes[0], sample.landmarks[0]
    found = Faces(np.stack([box, box + 4, box + 300]), np.array([0.9, 0.8, 0.7]), np.stack([points, points, points]))
    m = metrics.match(sample, found)
    assert m.scores.tolist() == [0.9] and m.extra.tolist() == [0.8, 0.7]
    assert m.errors[0] == pytest.approx(0)


def test_clopper_pearson_agrees_with_published_values():
    # Exact 95 % interval of 8 of 10 and the rule of three for 0 of 160.
    assert metrics.clopper_pearson(8, 10) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    assert metrics.clopper_pearson(0, 160) == pytest.approx((0, 0.0228), abs=1e-4)


def test_rows_without_points_become_unknown():
    row = {"label": "with_mask", "x": "1", "y": "2", "w": "3", "h": "4", "left_eye_x": ""}
    boxes, landmarks, labels = faces_of([row, {"label": "none"}])
    assert boxes.tolist() == [[1, 2, 4, 6]] and np.isnan(landmarks).all() and labels == ["with_mask"]


def noisy_net() -> model.Detector:
    """A net whose normalisations do something."""
    torch.manual_seed(0)
    net = model.Detector()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.bias.data.normal_(0, 0.1)
    for out in net.outs:
        # All different: equal ones would share one name in the file.
        out.bias.data.uniform_(-0.5, -0.4)
    return net


def test_an_exported_file_trains_on_as_the_net_it_came_from(tmp_path, monkeypatch):
    monkeypatch.setattr("livecheck_training.detector.export.RUNS", tmp_path)
    net = noisy_net()
    torch.save({"average": net.state_dict(), "step": 1, "log": {}}, tmp_path / "best.pt")
    export(tmp_path / "best.pt", tmp_path / "net.onnx", shift=0.25)
    images = torch.rand(4, 3, 96, 96) * 255
    again = from_onnx(tmp_path / "net.onnx", 0.25, [images])
    with torch.no_grad():
        torch.testing.assert_close(again(images), net.eval()(images), atol=1e-3, rtol=1e-3)
        # The statistics were measured on these images, so they are the batch's own.
        torch.testing.assert_close(again.train()(images), net.eval()(images), atol=1e-2, rtol=1e-2)


def test_a_human_box_stays_and_landmarks_are_averaged():
    sample = drawn_face()
    box, points = sample.boxes[0], sample.landmarks[0]
    seen = {"score": 0.9, "box": (box + 8).tolist(), "landmarks": (points + 6).tolist()}
    unsure = seen | {"score": 0.4}
    elsewhere = seen | {"box": (box + 300).tolist()}
    humans = agreed(sample, [seen, unsure, elsewhere], [True])
    teachers = agreed(sample, [seen, unsure, elsewhere], [False])
    np.testing.assert_allclose(humans.boxes[0], box)
    np.testing.assert_allclose(teachers.boxes[0], box + 4)
    for one in (humans, teachers):
        np.testing.assert_allclose(one.landmarks[0], points + 3)
    np.testing.assert_allclose(sample.boxes[0], box, err_msg="the sample itself was changed")


def test_export_says_what_the_network_says(tmp_path, monkeypatch):
    monkeypatch.setattr("livecheck_training.detector.export.RUNS", tmp_path)
    net = noisy_net()
    torch.save({"average": net.state_dict(), "step": 1, "log": {}}, tmp_path / "best.pt")
    export(tmp_path / "best.pt", tmp_path / "net.onnx", shift=0.25)
    with torch.no_grad():
        for out in net.outs:
            out.bias[0] += 0.25
    # Noise, because equal scores of a plain picture could come in either order.
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    ours = TorchFinder(net).detect(noise, 0.3)
    theirs = OnnxFinder(tmp_path / "net.onnx").detect(noise, 0.3)
    # Only the best: further down, boxes at the limit of suppression may differ.
    assert len(ours) > 0 and len(theirs) > 0
    np.testing.assert_allclose(ours.boxes[0], theirs.boxes[0], atol=1e-2)
    np.testing.assert_allclose(ours.scores[0], theirs.scores[0], atol=1e-4)
