"""`python -m livecheck_training.recapture`: prints the figures on photographers left out and records them
in `runs/recapture.json`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from .. import degrade
from ..data import ImageSet, add_data_arguments, open_set
from ..runlog import RunLog
from .figures import figures, fuse
from .linear import frozen_features, left_out_linear, probes
from .photos import Photos, assign_folds, patches_of
from .train import Settings, left_out_logits, make_maps
from .views import Rng, patch_looks, patch_view, photo_looks, photo_view

SEEDS = (0, 1, 2)

LINEAR_SEED = 100
"""Of the views that the linear models learn from."""


@dataclass(frozen=True)
class Kind:
    """A kind of picture, and how it's seen: `view` (S, S, 3) in training, `looks` (k, S, S, 3) when judged."""

    photos: Photos
    view: Callable[[np.ndarray, Rng], np.ndarray]
    looks: Callable[[np.ndarray], np.ndarray]

    def training_maps(self, count: int, seed: int) -> np.ndarray:
        """Early maps of `count` training views of each picture."""
        rng = np.random.default_rng(seed)
        return make_maps(self.photos.images, lambda image: np.stack([self.view(image, rng) for _ in range(count)]))

    def look_maps(self) -> list[np.ndarray]:
        """Early maps of the looks, and of the same through random blur, noise and JPEG."""
        rng = np.random.default_rng(0)
        return [
            make_maps(self.photos.images, self.looks),
            make_maps(self.photos.images, lambda image: np.stack([degrade.camera(look, rng) for look in self.looks(image)])),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m livecheck_training.recapture", description=__doc__)
    add_data_arguments(parser)
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many of the three seeds train")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    whole, patch = (open_set(name, arguments.data, arguments.cache) for name in ("recapture_whole", "recapture"))
    settings, seeds = Settings(), SEEDS[: arguments.seeds]
    log = RunLog("recapture", asdict(settings) | {"seeds": list(seeds)}, seeds[0], [whole, patch])
    for name, row in measure(whole, patch, settings, seeds):
        log.state["evaluation"][name] = row
        log.write()
        print(f"{name:70}" + (f"{row['mean AUC']:.3f}  {row['interval']}  {row['folds']}" if "folds" in row else str(row)), flush=True)


def measure(
    whole: ImageSet, patch: ImageSet, settings: Settings, seeds: tuple[int, ...]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the name and the figures of each measurement as soon as there are any."""
    folds = assign_folds(row["source"] for row in whole.rows)
    kinds = {
        "photo": Kind(Photos.read(whole, folds), photo_view, photo_looks),
        "patches": Kind(Photos.read(patch, folds), patch_view, patch_looks),
    }
    photos = kinds["photo"].photos
    patches = patches_of(whole, photos.images, patch, kinds["patches"].photos.images)
    yield "photos", {"photos": len(photos), "with patches": sum(map(bool, patches)), "patches": sum(map(len, patches))}
    for name, kind, images in (("photo", kinds["photo"], whole), ("patches", kinds["patches"], patch)):
        for cue, logits in probes(images, kind.photos).items():
            yield f"shortcut, {name}: {cue}", figures(logits, kind.photos)

    looks = {name: kind.look_maps() for name, kind in kinds.items()}
    linear, disturbed = {}, {}
    for name, kind in kinds.items():
        views = frozen_features(kind.training_maps(settings.epochs, LINEAR_SEED))
        linear[name], disturbed[name] = left_out_linear(kind.photos, views, [frozen_features(maps) for maps in looks[name]])
        yield f"linear: {name} alone", figures(linear[name], kind.photos)
        yield f"linear: {name} alone, disturbed", figures(disturbed[name], kind.photos)
    yield "linear: photo and patches", figures(fuse(linear["photo"], linear["patches"], patches), photos)

    trained = []
    for seed in seeds:
        views = kinds["photo"].training_maps(settings.epochs, seed)
        plain, harmed = left_out_logits(photos, views, looks["photo"], settings, seed)
        trained.append(plain)
        yield f"trained, seed {seed}: photo alone", figures(plain, photos)
        yield f"trained, seed {seed}: photo alone, disturbed", figures(harmed, photos)
        yield f"trained, seed {seed}: photo, and linear on patches", figures(fuse(plain, linear["patches"], patches), photos)
        both = fuse(harmed, disturbed["patches"], patches)
        yield f"trained, seed {seed}: photo, and linear on patches, disturbed", figures(both, photos)
    mean = np.mean(trained, 0)
    yield "trained, mean of the seeds: photo alone", figures(mean, photos)
    yield "trained, mean of the seeds: photo, and linear on patches", figures(fuse(mean, linear["patches"], patches), photos)
    both = fuse((mean + linear["photo"]) / 2, linear["patches"], patches)
    yield "trained, mean of the seeds, and linear: photo, and linear on patches", figures(both, photos)


if __name__ == "__main__":
    main()
