"""Judges photos with Ray Data: ``python ray_recipe.py PHOTOS VERDICTS CHECKPOINT``.

``PHOTOS`` is a folder of Parquet files with the columns ``file`` (unique) and ``photo`` (bytes). ``VERDICTS``
gets Parquet files. Ray keeps in ``CHECKPOINT`` which photos are done; a run that was stopped goes on with the
others, and a run after new files came judges these. On a cluster the three are folders that all nodes see.
"""

import os
import sys
from pathlib import Path

import pyarrow
import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.data.checkpoint import CheckpointConfig

from livecheck_engine import Engine

#: A batch is in memory as a whole: with photos of 200 KB these are 13 MB.
PHOTOS_PER_BATCH = 64


#: Processors, as Ray counts them, for the tasks that hardly use one.
FOR_OTHERS = 2


class Judge:
    """One actor: it loads one engine, which takes a second, and uses one processor."""

    def __init__(self) -> None:
        self.engine = Engine()

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        return self.engine.check_many(batch["photo"], names=batch["file"], threads=1)


def main(photos: Path, verdicts: Path, checkpoint: Path) -> None:
    """Runs the job."""
    # An actor has its processor as long as the job lasts. Listing, reading and writing, and the actor that
    # leaves out what is done, wait for ever where the judging actors have all of them.
    processors = os.cpu_count() or 1
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=processors + FOR_OTHERS, include_dashboard=False)
    done = CheckpointConfig(
        id_column="file", checkpoint_path=str(checkpoint.resolve()), delete_checkpoint_on_success=False
    )
    done.checkpoint_actor_pool_max_size = 1
    DataContext.get_current().checkpoint_config = done
    (
        ray.data.read_parquet(str(photos.resolve()))
        .select_columns(["file", "photo"])
        .map_batches(
            Judge,
            batch_format="pyarrow",
            batch_size=PHOTOS_PER_BATCH,
            compute=ActorPoolStrategy(size=processors),
            num_cpus=1,
        )
        .write_parquet(str(verdicts.resolve()))
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
