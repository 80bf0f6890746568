"""Judges photos with Polars: ``python polars_recipe.py PHOTOS VERDICTS``.

``PHOTOS`` is a folder of Parquet files with the columns ``file`` (unique) and ``photo`` (bytes).
``VERDICTS`` gets one Parquet file per batch. A run that was stopped goes on with the photos that have
no verdict yet.
"""

import sys
import uuid
from pathlib import Path

import polars

from livecheck_engine import Engine

#: A batch is in memory as a whole: with photos of 200 KB these are 50 MB.
PHOTOS_PER_BATCH = 256


def main(photos: Path, verdicts: Path) -> None:
    """Runs the job."""
    verdicts.mkdir(exist_ok=True)
    frame = polars.scan_parquet(photos / "*.parquet").select("file", "photo")
    if any(verdicts.glob("*.parquet")):
        done = polars.scan_parquet(verdicts / "*.parquet").select("file")
        frame = frame.join(done, on="file", how="anti")
    engine = Engine()
    for batch in frame.collect_batches(chunk_size=PHOTOS_PER_BATCH):
        table = engine.check_many(batch["photo"], names=batch["file"])
        # A file is there as a whole or not at all.
        part = verdicts / f"{uuid.uuid4()}.parquet"
        polars.DataFrame(table).write_parquet(part.with_suffix(".part"))
        part.with_suffix(".part").rename(part)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
