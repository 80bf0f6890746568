"""Judges photos with DuckDB: ``python duckdb_recipe.py PHOTOS VERDICTS``.

``PHOTOS`` is a folder of Parquet files with the columns ``file`` (unique) and ``photo`` (bytes).
``VERDICTS`` gets one Parquet file per batch. A run that was stopped goes on with the photos that have
no verdict yet.
"""

import sys
import uuid
from pathlib import Path

import duckdb
import pyarrow.parquet

from livecheck_engine import Engine

#: A batch is in memory as a whole: with photos of 200 KB these are 400 MB. DuckDB's vectors have 2,048 rows.
PHOTOS_PER_BATCH = 2048


def main(photos: Path, verdicts: Path) -> None:
    """Runs the job."""
    verdicts.mkdir(exist_ok=True)
    query = f"SELECT file, photo FROM '{photos}/*.parquet'"
    if any(verdicts.glob("*.parquet")):
        query += f" ANTI JOIN '{verdicts}/*.parquet' USING (file)"
    engine = Engine()
    for batch in duckdb.sql(query).to_arrow_reader(PHOTOS_PER_BATCH):
        table = engine.check_many(batch["photo"], names=batch["file"])
        # A file is there as a whole or not at all.
        part = verdicts / f"{uuid.uuid4()}.parquet"
        pyarrow.parquet.write_table(table, part.with_suffix(".part"))
        part.with_suffix(".part").rename(part)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
