"""`python -m livecheck_training.peer`: scores of the Silent-Face pair as `livecheck evaluate --scores` reads them.

So that the pair and the product are measured by the same program on the same images:

    python -m livecheck_training.peer --data DATA --teachers TEACHERS --output peer.csv
    livecheck evaluate --scores peer.csv --system "Silent-Face pair"

The score is the mean of the two nets' P(live), the published decision value, on the best face that
YuNet (640) finds at any confidence; an image without any has the error code 051, as in the product.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from .data import ImageSet, add_data_arguments, open_set

COLUMNS = ("image", "label", "type", "source", "subject", "score", "verdict", "error_code")
THRESHOLD = 0.9
"""For the column `verdict` alone; the report applies its own."""


def write(images: ImageSet, scores: Mapping[str, tuple[list[float], float]], to: TextIO) -> None:
    """One line for each image of the set; `scores` maps an image to its face box and P(live)."""
    rows = csv.writer(to, lineterminator="\n")
    rows.writerow(COLUMNS)
    for row in images.rows:
        known = [row["image"], *label(row["class"]), row["source"], row["subject"]]
        if row["image"] in scores:
            score = scores[row["image"]][1]
            rows.writerow([*known, repr(score), "live" if score >= THRESHOLD else "attack", ""])
        else:
            rows.writerow([*known, "", "", "051"])


def label(kind: str) -> tuple[str, str]:
    """Label and kind of attack of a class of the manifest."""
    return {"live": ("live", ""), "print": ("attack", "print"), "replay": ("attack", "screen")}[kind]


def main() -> None:
    # The pair needs ONNX Runtime, which reading and writing does not.
    from .liveness.evaluate import peer_scores

    parser = argparse.ArgumentParser(
        prog="python -m livecheck_training.peer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_arguments(parser)
    parser.add_argument("--teachers", type=Path, required=True, help="folder of the teachers' ONNX files")
    parser.add_argument("--set", default="pad_dev", help="set with the columns image, class, source and subject (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="the CSV file to write")
    arguments = parser.parse_args()
    images = open_set(arguments.set, arguments.data, arguments.cache)
    scores = peer_scores(images, arguments.teachers, arguments.cache)
    with arguments.output.open("w", newline="", encoding="utf-8") as file:
        write(images, scores, file)


if __name__ == "__main__":
    main()
