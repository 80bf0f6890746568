"""The file of the peer's scores is one that `livecheck evaluate --scores` reads."""

import csv
import io
from pathlib import Path

from livecheck_training import peer
from livecheck_training.data import ImageSet


def test_every_image_has_a_line():
    rows = [
        {"image": "a.jpg", "class": "live", "source": "s", "subject": "1"},
        {"image": "b.jpg", "class": "print", "source": "s", "subject": "1"},
        {"image": "c.jpg", "class": "replay", "source": "s", "subject": "2"},
    ]
    images = ImageSet("drawn", rows, Path(), "")
    file = io.StringIO()
    peer.write(images, {"a.jpg": ([0.0, 0.0, 1.0, 1.0], 0.9), "c.jpg": ([0.0, 0.0, 1.0, 1.0], 1e-7)}, file)
    file.seek(0)
    written = list(csv.DictReader(file))
    assert [tuple(row[name] for name in ("label", "type", "score", "verdict", "error_code")) for row in written] == [
        ("live", "", "0.9", "live", ""),
        ("attack", "print", "", "", "051"),
        ("attack", "screen", "1e-07", "attack", ""),
    ]
    assert [row["image"] for row in written] == ["a.jpg", "b.jpg", "c.jpg"]
