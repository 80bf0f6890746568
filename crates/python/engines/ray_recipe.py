"""Judges photos with Ray Data: ``python ray_recipe.py PHOTOS VERDICTS``.

``PHOTOS`` is a folder of Parquet files with the columns ``file`` (unique) and ``photo`` (bytes).
``VERDICTS`` gets Parquet files. A run that was stopped goes on with the photos that have no verdict yet.
"""

import sys
from pathlib import Path

import pyarrow
import pyarrow.compute
import pyarrow.dataset
import ray
from livecheck_engine import Engine


class Judge:
    """One actor per processor: it loads one engine, which takes a second."""

    def __init__(self, done: list[str]) -> None:
        self._engine = Engine()
        self._done = pyarrow.array(done, "string")

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        left = pyarrow.compute.invert(pyarrow.compute.is_in(batch["file"], value_set=self._done))
        batch = batch.filter(left)
        return self._engine.check_many(batch["photo"], names=batch["file"], threads=1)


def main(photos: Path, verdicts: Path) -> None:
    """Runs the job."""
    done: list[str] = []
    if verdicts.exists():
        done = pyarrow.dataset.dataset(verdicts).to_table(["file"])["file"].to_pylist()
    ray.init(include_dashboard=False, log_to_driver=False)
    workers = int(ray.cluster_resources()["CPU"])
    (
        ray.data.read_parquet(str(photos.resolve()))
        .map_batches(
            Judge,
            fn_constructor_args=(done,),
            batch_format="pyarrow",
            batch_size=64,
            concurrency=workers,
        )
        .write_parquet(str(verdicts.resolve()))
    )
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
