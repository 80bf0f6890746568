"""The mask net's views and its export, on drawn faces."""

import numpy as np
import pytest
import torch

from livecheck_training import golden
from livecheck_training.backbone import export_onnx
from livecheck_training.mask.augment import view
from livecheck_training.mask.net import SIZE, MaskNet, MaskProbability
from livecheck_training.mask.samples import Sample, cut
from livecheck_training.mask.train import weights
from livecheck_training.teachers import session


def drawn(label: str = "without_mask", kind: str = "real", side: float = 150.0) -> Sample:
    image, box, landmarks = golden.cartoon(360, 480, (185.0, 230.0), side, 0.1)
    return cut(image, box, landmarks, label, kind, "drawn", f"{label}-{kind}")


def test_a_cut_face_keeps_its_landmarks_on_the_face():
    sample = drawn(side=260.0)
    left_eye = sample.landmarks[0].astype(int)
    assert tuple(sample.image[left_eye[1], left_eye[0]]) == pytest.approx((50, 70, 90), abs=12)  # the iris


@pytest.mark.parametrize("label", ["with_mask", "without_mask", "incorrect"])
def test_views_have_the_nets_size_and_repeat_by_seed(label):
    first, again = (view(drawn(label), np.random.default_rng(4)) for _ in range(2))
    assert first.shape == (SIZE, SIZE, 3) and first.dtype == np.uint8
    assert (first == again).all()


def test_half_of_the_draws_are_covered_and_few_of_those_painted():
    samples = [drawn()] * 30 + [drawn("with_mask")] * 5 + [drawn("incorrect")] * 5 + [drawn("with_mask", "pasted")] * 50
    chance = weights(samples, 0.1)
    assert chance[:30].sum() == pytest.approx(0.5)
    assert chance[40:].sum() == pytest.approx(0.05)


def test_the_export_is_a_probability_named_mask(tmp_path):
    torch.manual_seed(0)
    net = MaskNet().eval()
    assert export_onnx(MaskProbability(net), SIZE, "mask", tmp_path / "m.onnx") < 1e-4
    exported = session(tmp_path / "m.onnx")
    image = np.random.default_rng(1).integers(0, 256, (1, 3, SIZE, SIZE)).astype(np.float32)
    (answer,) = exported.run(["mask"], {"input": image})
    with torch.no_grad():
        assert answer == pytest.approx(torch.sigmoid(net(torch.from_numpy(image))).numpy(), abs=1e-4)
