"""The data folder: unpacking, manifests, hold-out."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from livecheck_training.data import DataError, load_rgb, open_set, share_of


def write_set(folder, name, value):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), (value, 0, 0)).save(buffer, "PNG")
    with tarfile.open(folder / f"{name}.tar", "w") as tar:
        entry = tarfile.TarInfo("people/one.png")
        entry.size = len(buffer.getvalue())
        tar.addfile(entry, io.BytesIO(buffer.getvalue()))
    (folder / f"{name}.csv").write_text("image,label\npeople/one.png,live\n")


def test_a_set_is_unpacked_and_read(tmp_path):
    write_set(tmp_path, "faces", 7)
    images = open_set("faces", tmp_path, tmp_path / "cache")
    assert images.rows == [{"image": "people/one.png", "label": "live"}]
    assert load_rgb(images.path("people/one.png")).tolist() == np.full((3, 4, 3), [7, 0, 0]).tolist()
    assert open_set("faces", tmp_path, tmp_path / "cache").folder == images.folder


def test_a_changed_archive_is_unpacked_anew(tmp_path):
    write_set(tmp_path, "faces", 7)
    before = open_set("faces", tmp_path, tmp_path / "cache")
    write_set(tmp_path, "faces", 9)
    after = open_set("faces", tmp_path, tmp_path / "cache")
    assert after.folder != before.folder
    assert load_rgb(after.path("people/one.png"))[0, 0, 0] == 9


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match="LIVECHECK_DATA"):
        open_set("faces", None, tmp_path)
    with pytest.raises(DataError, match=r"masks\.csv"):
        open_set("masks", tmp_path, tmp_path)


def test_hold_out_is_stable_and_even():
    shares = [share_of(f"image-{i}", "detector") for i in range(2000)]
    assert shares[0] == share_of("image-0", "detector") != share_of("image-0", "mask")
    assert 0.08 < np.mean(np.array(shares) < 0.1) < 0.12
