"""Judges photos with Ray Data: ``python ray_recipe.py PHOTOS VERDICTS CHECKPOINT``.

``PHOTOS`` is a folder of Parquet files with the columns ``file`` (unique) and ``photo`` (bytes).
``VERDICTS`` gets Parquet files. Ray keeps in ``CHECKPOINT``, which on a cluster every node must see, which
photos are done; a run that was stopped goes on with the others.
"""

import sys
from pathlib import Path

import pyarrow
import ray
from livecheck_engine import Engine
from ray.data.checkpoint import CheckpointConfig


class Judge:
    """One process with one engine."""

    def __init__(self) -> None:
        self.engine = Engine()

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        return self.engine.check_many(batch["photo"], names=batch["file"], threads=1)


def main(photos: Path, verdicts: Path, checkpoint: Path) -> None:
    """Runs the job."""
    ray.data.DataContext.get_current().checkpoint_config = CheckpointConfig(
        "file", str(checkpoint.resolve()), delete_checkpoint_on_success=False
    )
    judges = int(ray.cluster_resources()["CPU"])
    (
        ray.data.read_parquet(str(photos.resolve()), columns=["file", "photo"])
        .map_batches(
            Judge,
            batch_format="pyarrow",
            batch_size=64,
            zero_copy_batch=True,
            # In Ray's books, so that room for reading and writing is left, which need little; on a
            # machine with one processor they would wait for ever with more.
            num_cpus=0.5,
            compute=ray.data.ActorPoolStrategy(size=judges),
        )
        .write_parquet(str(verdicts.resolve()), mode="append")
    )


if __name__ == "__main__":
    ray.init(log_to_driver=False, include_dashboard=False)
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
