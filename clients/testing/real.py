"""A photo of a live face out of the folder that LIVECHECK_DATA names; never kept."""

import csv
import os
import tarfile
from pathlib import Path


def live_face() -> bytes | None:
    """A webcam picture, 320 by 240 pixels; `None` without the folder."""
    folder = os.environ.get("LIVECHECK_DATA")
    if not folder:
        return None
    with open(Path(folder) / "pad_dev.csv", newline="", encoding="utf-8") as table:
        row = next(
            row
            for row in csv.DictReader(table)
            if row["source"] == "replay-attack" and row["class"] == "live"
        )
    with tarfile.open(Path(folder) / "pad_dev.tar") as archive:
        for name in (row["image"], "./" + row["image"]):
            try:
                file = archive.extractfile(name)
            except KeyError:
                continue
            if file:
                return file.read()
    raise LookupError(f"pad_dev.tar lacks {row['image']}")
