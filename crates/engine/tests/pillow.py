"""Writes PNGs and WebPs of many kinds into a folder, and what Pillow reads of every one there.

Called by ``differential.rs``: ``pillow.py FOLDER``. A file ``KIND~NAME.webp`` gets a ``KIND~NAME.ppm``
with its pixels over white.
"""

import itertools
import sys
from pathlib import Path

from PIL import Image

SIZES = [(1, 1), (3, 2), (16, 16), (17, 33), (45, 19), (101, 67), (320, 241)]


def picture(width: int, height: int) -> Image.Image:
    """Gradients with grain and a varying alpha."""
    state = width * 31 + height
    data = bytearray()
    for y, x in itertools.product(range(height), range(width)):
        state = (state * 1664525 + 1013904223) % 2**32
        grain = state >> 27
        data += bytes(
            (
                (x * 200 // width + grain) % 256,
                (y * 200 // height + grain * 2) % 256,
                ((x + y) * 3 + grain) % 256,
                255 - (x * y * 7 + grain) % 256,
            )
        )
    return Image.frombytes("RGBA", (width, height), bytes(data))


def write(folder: Path) -> None:
    """The files."""
    for number, size in enumerate(SIZES):
        rgba = picture(*size)
        rgb = rgba.convert("RGB")
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
            rgba.convert(mode).save(folder / f"PNG of Pillow~{mode}-{number}.png")
        rgba.quantize(7).save(folder / f"PNG of Pillow~P7-{number}.png", optimize=True)
        for quality, method in itertools.product((0, 10, 40, 75, 90, 100), (0, 4, 6)):
            name = f"{quality}-{method}-{number}.webp"
            options = {"quality": quality, "method": method}
            rgb.save(folder / f"WebP, lossy~{name}", **options)
            rgba.save(folder / f"WebP, lossy with alpha~{name}", **options)
            alpha = {"alpha_quality": quality, "exact": True}
            rgba.save(folder / f"WebP, lossy with lossy alpha~{name}", **options, **alpha)
            if method == 4:
                rgb.save(folder / f"WebP, lossless~{name}", lossless=True, **options)
                rgba.save(folder / f"WebP, lossless with alpha~{name}", lossless=True, **options)
        few = rgb.quantize(5).convert("RGB")
        few.save(folder / f"WebP, lossless of few colours~{number}.webp", lossless=True)


def over_white(image: Image.Image) -> Image.Image:
    """What a person sees on a white page."""
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, rgba).convert("RGB")


def read(folder: Path) -> None:
    """The pixels of every file."""
    for path in sorted(folder.glob("*~*.*")):
        with Image.open(path) as image:
            if image.mode.startswith("I"):
                # 16 bits of grey, which Pillow would cut off at 255.
                samples = memoryview(image.convert("I").tobytes()).cast("i")
                levels = bytes(round(level / 257) for level in samples)
                image = Image.frombytes("L", image.size, levels)
            over_white(image).save(path.with_suffix(".ppm"))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    read(Path(sys.argv[1]))
