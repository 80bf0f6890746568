"""Finds the data folder, unpacks its image archives once, and reads its manifests.

A data folder holds, for every set, ``<set>.tar`` (the images) and ``<set>.csv``
(what they show). Nothing is ever written into it: images are unpacked to a
cache folder outside the repository.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

DATA_VARIABLE = "LIVECHECK_DATA"

#: Sets that may be measured on but never trained, fitted or selected on.
EVALUATION_ONLY = frozenset({"pad_dev"})


class DataError(Exception):
    """The data folder lacks something; the text says what and what to do."""


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``--data`` and ``--cache``, the same for every command."""
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get(DATA_VARIABLE),
        help=f"folder with the <set>.tar and <set>.csv files (default: ${DATA_VARIABLE})",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache(),
        help="folder for unpacked images, outside the repository (default: %(default)s)",
    )


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/livecheck``, or ``~/.cache/livecheck``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "livecheck"


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class ImageSet:
    """One set: its rows, where its images lie, and what identifies its contents."""

    name: str
    rows: list[dict[str, str]]
    folder: Path
    manifest_sha256: str

    def path(self, image: str) -> Path:
        """Path of the image that a row's ``image`` column names."""
        return self.folder / image


def open_set(name: str, data: Path | None, cache: Path | None = None) -> ImageSet:
    """Reads ``<name>.csv`` and unpacks ``<name>.tar`` unless that was done before.

    The folder in the cache carries the archive's hash, so a changed archive is
    never mistaken for the old one, and it appears by renaming, so a half-done
    one is never used.
    """
    if data is None:
        raise DataError(f"no data folder: pass --data or set ${DATA_VARIABLE}")
    data = Path(data)
    manifest, archive = data / f"{name}.csv", data / f"{name}.tar"
    for needed in (manifest, archive):
        if not needed.is_file():
            raise DataError(f"{needed} is missing: the data folder must hold {name}.csv and {name}.tar")
    cache = Path(cache) if cache else default_cache()
    folder = cache / f"{name}-{sha256_of(archive)[:12]}"
    if not folder.is_dir():
        _unpack(archive, folder)
    with open(manifest, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return ImageSet(name, rows, folder, sha256_of(manifest))


def _unpack(archive: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    try:
        # Not `extractall(filter=…)`: Python has it from 3.11.4 on.
        subprocess.run(["tar", "--extract", "--no-same-owner", "--file", archive, "--directory", scratch], check=True)
        try:
            scratch.rename(folder)
        except OSError:
            # Another process was faster; its copy is as good as ours.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def load_rgb(path: Path) -> np.ndarray:
    """Decodes an image to upright RGB, ``uint8`` of shape (height, width, 3)."""
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def share_of(key: str, salt: str = "") -> float:
    """A number in [0, 1) that depends on the text alone.

    ``share_of(image) < 0.1`` holds out a tenth of the images, the same tenth in
    every run and whatever the order of the manifest.
    """
    digest = hashlib.sha256(f"{salt}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
