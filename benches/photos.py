"""Makes the photos of real faces that docs/evidence/PERFORMANCE.md was measured on; none of them may be committed.

    python benches/photos.py --data DATA OUT

Into OUT: `portraits-720p` (24) and `portraits-12mp` (6) of the `faces` set, `webcam-720p` (24) and
`webcam-12mp` (6) of live frames of `pad_dev`; enlarged, with grey noise, the same every time. Needs
numpy and Pillow.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))

import numpy as np
from PIL import Image

from livecheck_training.data import add_data_arguments, load_rgb, open_set

WIDE, TALL = (1280, 720), (3000, 4000)
PORTRAITS = ("deepface", "udacity", "karysutariya", "jolignier")


def save(image: Image.Image, path: Path, sigma: float, quality: int, rng: np.random.Generator) -> None:
    """Writes a JPEG with noise of `sigma` grey levels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.asarray(image, np.float32)
    pixels = pixels + rng.normal(0, sigma, pixels.shape[:2])[..., None]
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=quality)


def portraits(faces, out: Path) -> None:
    """Pictures of one uncovered face, their sides or ends continued to the photo's proportions."""
    by_image = defaultdict(list)
    for row in faces.rows:
        by_image[row["image"]].append(row)
    chosen = [
        rows[0] for rows in by_image.values()
        if len(rows) == 1 and rows[0]["w"] and float(rows[0]["w"]) >= 90
        and rows[0]["label"] in ("", "without_mask") and rows[0]["source"] in PORTRAITS
    ]
    rng = np.random.default_rng(7)
    rng.shuffle(chosen)
    pictures = [load_rgb(faces.path(row["image"])) for row in chosen]
    for i, pixels in enumerate([p for p in pictures if p.shape[1] >= p.shape[0]][:24]):
        height, width = pixels.shape[:2]
        need = max(0, height * 16 // 9 - width)
        mode = "symmetric" if need // 2 <= width else "edge"
        pixels = np.pad(pixels, ((0, 0), (need // 2, need - need // 2), (0, 0)), mode=mode)
        save(Image.fromarray(pixels).resize(WIDE, Image.Resampling.BICUBIC), out / f"portraits-720p/{i:02}.jpg", 3, 85, rng)
    for i, pixels in enumerate([p for p in pictures if p.shape[1] <= p.shape[0]][:6]):
        height, width = pixels.shape[:2]
        need = max(0, width * 4 // 3 - height)
        pixels = np.pad(pixels, ((need // 2, need - need // 2), (0, 0), (0, 0)), mode="edge")
        save(Image.fromarray(pixels).resize(TALL, Image.Resampling.BICUBIC), out / f"portraits-12mp/{i:02}.jpg", 2.5, 80, rng)


def webcam(pad, out: Path) -> None:
    """Live frames, cut to the photo's proportions."""
    rows = [row for row in pad.rows if row["class"] == "live"]
    rng = np.random.default_rng(5)
    for i, at in enumerate(np.linspace(0, len(rows) - 1, 24).astype(int)):
        image = Image.fromarray(load_rgb(pad.path(rows[at]["image"])))
        width, height = image.size
        cut = width * 9 / 16
        top = max(0, (height - cut) / 2)
        wide = image.resize(WIDE, Image.Resampling.BICUBIC, box=(0, top, width, top + cut))
        save(wide, out / f"webcam-720p/{i:02}.jpg", 4, 85, rng)
        if i % 4 == 0:
            cut = height * 3 / 4
            left = (width - cut) / 2
            tall = image.resize(TALL, Image.Resampling.BICUBIC, box=(left, 0, left + cut, height))
            save(tall, out / f"webcam-12mp/{i:02}.jpg", 3, 80, rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_arguments(parser)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    portraits(open_set("faces", arguments.data, arguments.cache), arguments.out)
    webcam(open_set("pad_dev", arguments.data, arguments.cache), arguments.out)


if __name__ == "__main__":
    main()
