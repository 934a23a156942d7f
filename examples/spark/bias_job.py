"""Biases of a gallery on a Spark cluster: gallery and bank are Parquet, both are split, the biases come out as Parquet.

    spark-submit --master ... bias_job.py --gallery gallery.parquet --bank bank.parquet --out biases.parquet

gallery: a unique `id` (whole number or text) and an `embedding` (array of float) per row. bank: `embedding`. out: `id` and `bias`.
Every task takes one shard of the bank and the Arrow batches of one gallery partition, and makes a neighbour table of each batch; the
tables of a batch are merged, exactly, so the biases have the bits of one process whatever the shards, partitions and failures.

Executors need Python with numpy, pandas and pyarrow; the module nnn and libnnn.so are sent to them."""

import argparse
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
from pyspark import SparkFiles, TaskContext
from pyspark.accumulators import AccumulatorParam
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import types as sql

LIBRARY = "libnnn.so"
TABLE_BYTES = 4 << 20  # of a batch' ids and neighbour table at most, which are one row of the shuffle


class BadInput(ValueError):
    """What is wrong with which argument, and what to do. Its text is all that the user is shown."""


def shipped_nnn():
    """The module nnn on an executor, as `ship` sent it there."""
    os.environ["NNN_LIBRARY"] = SparkFiles.get(LIBRARY)
    import nnn

    return nnn


def matrix(name, column, dim, row_name):
    """An Arrow column of lists as a matrix over the same memory. row_name(i): how a message names row i."""
    if isinstance(column.type, pa.FixedSizeListType):
        lengths = np.full(len(column), column.type.list_size)
    else:
        lengths = np.diff(np.frombuffer(column.buffers()[1], np.int64 if pa.types.is_large_list(column.type) else np.int32)
                          [column.offset : column.offset + len(column) + 1])  # fmt: skip
    if column.null_count:
        raise BadInput(f"{name}: {row_name(int(np.argmax(column.is_null())))} has no embedding: remove such rows")
    if (lengths != dim).any():
        row = int(np.argmax(lengths != dim))
        raise BadInput(f"{name}: {row_name(row)} has {lengths[row]} elements, not {dim}: embed gallery and bank with one model")
    values = column.flatten()
    if values.null_count:
        row = int(np.argmax(values.is_null())) // dim
        raise BadInput(f"{name}: {row_name(row)} has an element that is null: remove or repair such rows")
    return values.to_numpy(zero_copy_only=True).reshape(-1, dim)


def check_finite(nnn, name, rows, row_name):
    place = nnn.find_nonfinite(rows)
    if place is not None:
        value = rows[place]
        raise BadInput(f"{name}: {row_name(place[0])}, element {place[1]} is {value}: remove or repair such rows")


# ---- on the executors ---------------------------------------------------------------------------------------------------------------


def update(number, shard, k, certified, threads, finished, memory):
    """For mapInArrow: batches of (id, embedding) to their neighbour tables with one shard of the bank, one row per batch."""

    def run(batches):
        nnn = shipped_nnn()
        bank, rows_done = shard.value, 0
        encoded = nnn.Encoded(bank, "query", nnn.Encoded.mean_of(bank)) if certified else bank
        for batch in batches:
            if batch.num_rows == 0:
                continue
            ids, row_name = batch.column(0), lambda i: f"id {ids[i].as_py()!r}"  # noqa: B023
            rows = matrix("gallery", batch.column(1), bank.shape[1], row_name)
            check_finite(nnn, "gallery", rows, row_name)
            gallery = nnn.Encoded(rows, "gallery", encoded.mean) if certified else rows
            table = nnn.Neighbors(len(rows), k).update(gallery, encoded, threads=threads).table
            yield pa.RecordBatch.from_arrays(
                [ids.slice(0, 1), pa.array([number], pa.int32()), pa.ListArray.from_arrays([0, len(ids)], ids), binary(table)],
                ["first", "shard", "ids", "table"],
            )
            rows_done += len(rows)
        finished.add({(number, TaskContext.get().partitionId(), rows_done)})
        memory.add(peak_memory())

    return run


def merge(shards, k, alpha):
    """For applyInArrow: the tables of one batch with all shards to ids and biases."""

    def run(group):
        nnn = shipped_nnn()
        ids, numbers = group["ids"], group["shard"].to_pylist()
        if sorted(numbers) != list(range(shards)):
            raise BadInput(f"gallery: id {group['first'][0].as_py()!r} is there more than once: make the ids unique")
        total = None
        for number, table in enumerate(group["table"]):
            # Batches are found again by their first id: they must be the same rows with every shard.
            if not ids[number].equals(ids[0]):
                raise BadInput(f"gallery: it was read in another order from id {ids[0][0].as_py()!r} on: do not change it meanwhile")
            part = nnn.Neighbors(table=np.frombuffer(table.as_buffer(), np.float32).reshape(-1, k).copy())
            total = part if total is None else total.merge(part)
        return pa.table([ids[0].values, total.bias(alpha=alpha)], ["id", "bias"])

    return run


def binary(array):
    """One binary value over the memory of an array."""
    return pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(np.array([0, array.nbytes], np.int32)), pa.py_buffer(array)])


def peak_memory():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Union(AccumulatorParam):
    """Sets: what a repeated task adds again changes nothing."""

    def zero(self, value):
        return set()

    def addInPlace(self, one, other):
        one |= other
        return one


class Largest(AccumulatorParam):
    def zero(self, value):
        return 0

    def addInPlace(self, one, other):
        return max(one, other)


# ---- on the driver ------------------------------------------------------------------------------------------------------------------


def bank_shards(nnn, path, column, shard_rows):
    """The rows of the bank as float32 matrices of shard_rows rows; one is in memory at a time."""
    try:
        scanner = pa.dataset.dataset(path, format="parquet").scanner(columns=[column], batch_size=4096)
        check_type("bank", column, scanner.projected_schema.field(column).type)
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        raise BadInput(f"bank: {error}: --bank and --embedding name a Parquet file or folder and its column") from None
    shard, filled, before = None, 0, 0
    for batch in scanner.to_batches():
        taken = 0
        while taken < batch.num_rows:
            part = batch.column(0).slice(taken, shard_rows - filled)
            row_name = lambda i: f"row {before + filled + i}"  # noqa: B023, E731
            if shard is None:
                dim = dim_of(part) if before == 0 else dim
                shard = np.empty((shard_rows, dim), np.float32)
            shard[filled : filled + len(part)] = matrix("bank", part, dim, row_name)
            check_finite(nnn, "bank", shard[filled : filled + len(part)], row_name)
            taken, filled = taken + len(part), filled + len(part)
            if filled == shard_rows:
                yield shard
                shard, filled, before = None, 0, before + filled
    if filled:
        yield shard[:filled].copy()


def dim_of(column):
    first = column[0].as_py()
    if not first:
        raise BadInput("bank: row 0 has no embedding: remove such rows")
    return len(first)


def check_type(name, column, found):
    lists = pa.types.is_list(found) or pa.types.is_large_list(found) or pa.types.is_fixed_size_list(found)
    if not lists or not pa.types.is_float32(found.value_type):
        raise BadInput(f"{name}: {column} is {found}, not an array of float: write it as one (cast(... as array<float>))")


def gallery_of(spark, options):
    try:
        gallery = spark.read.parquet(options.gallery)
        gallery = gallery.select(gallery[options.id], gallery[options.embedding])
    except PySparkException as error:
        raise BadInput(f"gallery: {error.getMessage() or error}: --gallery, --id and --embedding name Parquet and its columns") from None
    embedding = gallery.schema[options.embedding].dataType
    if not isinstance(embedding, sql.ArrayType) or not isinstance(embedding.elementType, sql.FloatType):
        check_type("gallery", options.embedding, pa.string() if not isinstance(embedding, sql.ArrayType) else pa.list_(pa.float64()))
    if not isinstance(gallery.schema[options.id].dataType, (sql.LongType, sql.IntegerType, sql.StringType)):
        raise BadInput(f"gallery: {options.id} is {gallery.schema[options.id].dataType.simpleString()}: whole numbers or text are needed")
    return gallery


def ship(spark, folder):
    """Sends the module and the library to the executors; the module."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
    import nnn

    package = Path(nnn.__file__).parent
    library = Path(nnn._library._c._name)
    if not library.is_file():
        raise BadInput(f"NNN_LIBRARY: {library} is loaded by name only: set NNN_LIBRARY to its path")
    shutil.copy(library, folder / LIBRARY)
    spark.sparkContext.addFile(str(folder / LIBRARY))
    spark.sparkContext.addPyFile(shutil.make_archive(str(folder / "nnn"), "zip", package.parent, package.name))
    return nnn


def report(finished, shards, rows, stop):
    """A line for every shard that all gallery rows were scored with."""
    start, told = time.monotonic(), set()
    while True:
        last = stop.wait(0.5)
        counts = dict.fromkeys(range(shards), 0)
        for number, _, count in set(finished.value):
            counts[number] += count
        for number, count in counts.items():
            if count == rows and number not in told:
                told.add(number)
                spent = time.monotonic() - start
                print(f"shard {number + 1} of {shards} of the bank: done with {rows} gallery rows after {spent:.0f} s", flush=True)
        if last:
            return


def run(spark, options, folder):
    context = spark.sparkContext
    nnn = ship(spark, folder)
    batch = max(1, min(options.batch_rows, TABLE_BYTES // (4 * options.k + 8)))
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(batch))
    gallery = gallery_of(spark, options)
    finished, memory = context.accumulator(set(), Union()), context.accumulator(0, Largest())
    threads, rows, bank_rows, parts = int(spark.conf.get("spark.task.cpus", "1")), gallery.count(), 0, []
    key = gallery.schema[options.id].dataType
    schema = sql.StructType([sql.StructField("first", key), sql.StructField("shard", sql.IntegerType()),
                             sql.StructField("ids", sql.ArrayType(key)), sql.StructField("table", sql.BinaryType())])  # fmt: skip
    for number, shard in enumerate(bank_shards(nnn, options.bank, options.embedding, options.shard_rows)):
        bank_rows, dim = bank_rows + len(shard), shard.shape[1]
        task = update(number, context.broadcast(shard), options.k, options.scoring == "certified", threads, finished, memory)
        parts.append(gallery.mapInArrow(task, schema))
    if bank_rows < options.k:
        raise BadInput(f"k: {options.k}, but the bank has {bank_rows} rows: take a larger bank or a smaller k")
    print(f"gallery {rows} x {dim} in {gallery.rdd.getNumPartitions()} partitions, bank {bank_rows} in {len(parts)} shards, "
          f"{context.defaultParallelism} cores", flush=True)  # fmt: skip
    tables = parts[0]
    for part in parts[1:]:
        tables = tables.union(part)
    out = sql.StructType([sql.StructField("id", key), sql.StructField("bias", sql.FloatType())])
    biases = tables.groupBy("first").applyInArrow(merge(len(parts), options.k, options.alpha), out)
    stop = threading.Event()
    reporter = threading.Thread(target=report, args=(finished, len(parts), rows, stop))
    reporter.start()
    try:
        biases.write.parquet(options.out)
    finally:
        stop.set()
        reporter.join()
    print(f"{options.out}: {rows} biases; the largest Python worker had {memory.value / 1e6:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gallery", required=True)
    parser.add_argument("--bank", required=True)
    parser.add_argument("--out", required=True, help="must not exist")
    parser.add_argument("-k", type=int, default=16)
    parser.add_argument("--alpha", type=float, default=0.75)
    parser.add_argument("--id", default="id", help="column of the gallery (default: id)")
    parser.add_argument("--embedding", default="embedding", help="column of both (default: embedding)")
    parser.add_argument("--shard-rows", type=int, default=250_000, help="bank rows per shard (default: 250000)")
    parser.add_argument("--batch-rows", type=int, default=10_000, help="gallery rows per Arrow batch, at most (default: 10000)")
    parser.add_argument("--scoring", choices=["certified", "f32"], default="certified",
                        help="the same bits; certified (the default) is faster to a k of about 256")  # fmt: skip
    options = parser.parse_args()
    for name in ("k", "shard_rows", "batch_rows"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: {getattr(options, name)}: at least 1 is needed")
    spark = SparkSession.builder.appName("nnn biases").config("spark.ui.showConsoleProgress", "true").getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(spark, options, Path(folder))
        except BadInput as error:
            sys.exit(f"bias_job: {error}")
        except PySparkException as error:
            # The error of an executor arrives as the text of its traceback.
            found = re.search(r"^.*BadInput: (.*)$", str(error), re.MULTILINE)
            if found is None:
                raise
            sys.exit(f"bias_job: {found[1]}")
        finally:
            spark.stop()


if __name__ == "__main__":
    main()
