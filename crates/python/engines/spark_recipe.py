"""Judges photos with Spark: ``python spark_recipe.py PHOTOS VERDICTS CHECKPOINT``.

``PHOTOS`` is a folder of Parquet files with the columns ``file`` and ``photo`` (bytes). ``VERDICTS`` gets
Parquet files. Spark keeps in ``CHECKPOINT`` which input files are done; a run that was stopped goes on with
the others, and a run after new files came judges these.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow
from pyspark.sql import SparkSession

from livecheck_engine import Engine

COLUMNS = (
    "file string, file_hex string, success boolean, liveness boolean, score float,"
    " error_code string, error_message string, error_detail string"
)


def judge(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """One task: it loads one engine, which takes a second, and uses one processor."""
    engine = Engine()
    for batch in batches:
        table = engine.check_many(batch["photo"], names=batch["file"], threads=1)
        yield from table.to_batches()


def main(photos: Path, verdicts: Path, checkpoint: Path) -> None:
    """Runs the job."""
    # Its workers run the Python that runs this, with the same packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = (
        SparkSession.builder.master("local[*]")
        # A batch is in the memory of a task as a whole.
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", 64)
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    (
        spark.readStream.schema("file string, photo binary")
        # How much is lost when a run is stopped.
        .option("maxFilesPerTrigger", 8)
        .parquet(str(photos.resolve()))
        .mapInArrow(judge, COLUMNS)
        .writeStream.format("parquet")
        .option("checkpointLocation", str(checkpoint.resolve()))
        .trigger(availableNow=True)
        .start(str(verdicts.resolve()))
        .awaitTermination()
    )
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
