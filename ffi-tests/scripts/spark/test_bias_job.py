"""The Spark job of examples/spark on a cluster of two executor processes: its bits beside those of one process, an executor killed in the
middle, bad input. `spark.sh` runs it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "examples/python"))
import nnn  # noqa: E402

JOB = REPOSITORY / "examples/spark/bias_job.py"
LIBRARY = nnn._library._c._name


def unit(rows, dim, seed):
    return nnn.normalize(np.random.default_rng(seed).standard_normal((rows, dim), dtype=np.float32) + np.float32(0.2))


def lists(rows):
    """A matrix, or rows of different lengths, as an Arrow column."""
    if isinstance(rows, list):
        return pa.array(rows, pa.list_(pa.float32()))
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


def descendants(process):
    """(id, command) of the processes that a process started, and theirs."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append((int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()))
            except (OSError, ValueError):
                pass  # it ended meanwhile
    found, waiting = [], [process]
    while waiting:
        found += (new := children.get(waiting.pop(), []))
        waiting += [number for number, _ in new]
    return found


class Job(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.home = Path(cls.folder.name)
        # As it is copied to a cluster's machine: what executors use can only have been sent to them.
        for part in ("examples/spark", "examples/python/nnn"):
            subprocess.run(["mkdir", "-p", cls.home / part], check=True)
            subprocess.run(["cp", "-r", f"{REPOSITORY / part}/.", cls.home / part], check=True)

    def write(self, name, rows, ids=None, files=3):
        """Parquet of several files, and where it is."""
        folder = self.home / f"{self.id()}-{name}"
        folder.mkdir()
        cut = np.linspace(0, len(rows), files + 1).astype(int)
        for number, (first, last) in enumerate(zip(cut, cut[1:])):
            columns = {"embedding": lists(rows[first:last])}
            if ids is not None:
                columns = {"id": pa.array(ids[first:last]), **columns}
            pq.write_table(pa.table(columns), folder / f"part-{number}.parquet", row_group_size=997)
        return folder

    def start(self, gallery, bank, *options, partitions=None):
        out = self.home / f"{self.id()}-out-{len(list(self.home.iterdir()))}"
        command = [Path(sys.executable).parent / "spark-submit", "--master", "local-cluster[2,1,1024]", "--conf", "spark.ui.enabled=false"]
        if partitions is not None:
            command += ["--conf", f"spark.sql.files.maxPartitionBytes={partitions}"]
        command += [self.home / "examples/spark/bias_job.py", "--gallery", gallery, "--bank", bank, "--out", out, *options]
        # The folder of the executors is not the driver's, so neither a path nor a variable leads them to the library.
        self.log = open(self.home / f"{out.name}.log", "w+")
        return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=self.log, text=True,
                                env={**os.environ, "NNN_LIBRARY": LIBRARY, "PYSPARK_PYTHON": sys.executable}), out  # fmt: skip

    def printed(self):
        self.log.seek(0)
        text = self.log.read()
        self.log.close()
        return text

    def finish(self, process):
        text, _ = process.communicate(timeout=900)
        log = self.printed()
        self.assertEqual(process.returncode, 0, text + log[-8000:])
        print(text.strip())
        return text, log

    def biases(self, out, ids):
        table = pq.read_table(out)
        self.assertEqual(table.column_names, ["id", "bias"])
        self.assertEqual(len(table), len(ids))
        found = dict(zip(table["id"].to_pylist(), table["bias"].to_numpy()))
        return np.array([found[id] for id in ids], np.float32)

    def refused(self, text, gallery, bank, *options):
        process, out = self.start(gallery, bank, *options)
        printed, _ = process.communicate(timeout=600)
        log = self.printed()
        self.assertNotEqual(process.returncode, 0, printed)
        # spark-submit joins the driver's two streams.
        lines = [line for line in printed.splitlines() if line.startswith("bias_job: ")]
        self.assertEqual(len(lines), 1, printed[-4000:] + log[-8000:])
        self.assertRegex(lines[0], text)
        print(lines[0])
        self.assertFalse((out / "_SUCCESS").exists())

    def test_bits_of_one_process(self):
        gallery, bank = unit(5003, 96, 1), unit(2111, 96, 2)
        ids = np.random.default_rng(3).permutation(10**12 + np.arange(5003))
        process, out = self.start(self.write("g", gallery, ids), self.write("b", bank), "--shard-rows", "500", "--batch-rows", "601",
                                  "-k", "33", "--alpha", "0.6", partitions=300_000)  # fmt: skip
        text, _ = self.finish(process)
        self.assertEqual(self.biases(out, ids).tobytes(), nnn.bias(gallery, bank, 33, 0.6).tobytes())
        self.assertRegex(text, r"5003 x 96 in \d+ partitions, bank 2111 in 5 shards")
        for shard in range(1, 6):
            self.assertIn(f"shard {shard} of 5 of the bank: done with 5003 gallery rows", text)

    def test_text_ids_one_shard_and_the_f32_pass(self):
        gallery, bank = unit(300, 17, 4), unit(40, 17, 5)
        ids = [f"item {i}" for i in range(300)]
        process, out = self.start(self.write("g", gallery, ids), self.write("b", bank, files=1), "--scoring", "f32", "-k", "40")
        self.finish(process)
        self.assertEqual(self.biases(out, ids).tobytes(), nnn.bias(gallery, bank, 40, 0.75).tobytes())

    def test_a_killed_executor_changes_nothing(self):
        gallery, bank = unit(40_000, 384, 6), unit(40_000, 384, 7)
        ids = np.arange(40_000)
        process, out = self.start(self.write("g", gallery, ids), self.write("b", bank), "--shard-rows", "4000", "--batch-rows", "1000",
                                  "--scoring", "f32", partitions=8_000_000)  # fmt: skip
        seen, killed = "", None
        for line in process.stdout:
            seen += line
            if killed is None and line.startswith("shard "):
                executors = [number for number, command in descendants(process.pid) if "CoarseGrainedExecutorBackend" in command]
                self.assertEqual(len(executors), 2)
                killed = executors[0]
                os.kill(killed, signal.SIGKILL)
        process.stdout.close()
        process.wait(timeout=900)
        log = self.printed()
        self.assertEqual(process.returncode, 0, seen + log[-8000:])
        print(seen.strip())
        done = [line for line in seen.splitlines() if line.startswith("shard ")]
        self.assertEqual(len(done), 10)
        self.assertIsNotNone(killed)
        self.assertRegex(log, r"Lost executor \d+|Executor.*[Ll]ost|worker lost")
        print(f"executor process {killed} killed after: {done[0]}")
        # A worker's memory is that of Python, of a shard and of a batch; the gallery alone is 61 MB.
        self.assertLess(int(re.search(r"largest Python worker had (\d+) MB", seen)[1]), 200)
        self.assertEqual(self.biases(out, ids).tobytes(), nnn.bias(gallery, bank).tobytes())

    def test_bad_input(self):
        good, bank = unit(50, 8, 8), unit(30, 8, 9)
        ids = np.arange(100, 150)
        bank_folder, good_folder = self.write("b", bank), self.write("g", good, ids)
        broken = good.copy()
        broken[33, 5] = np.nan
        self.refused(r"gallery: id 133, element 5 is nan: remove or repair", self.write("nan", broken, ids), bank_folder)
        uneven = good.tolist()
        uneven[7] = uneven[7][:5]
        text = r"gallery: id 107 has 5 elements, not 8: embed gallery and bank with one model"
        self.refused(text, self.write("dim", uneven, ids), bank_folder)
        broken = bank.copy()
        broken[21, 2] = np.inf
        self.refused(r"bank: row 21, element 2 is inf: remove or repair", good_folder, self.write("inf", broken))
        self.refused(r"k: 31, but the bank has 30 rows", good_folder, bank_folder, "-k", "31")
        twice = ids.copy()
        twice[10] = twice[0]
        self.refused(r"id 100 is there more than once", self.write("twice", good, twice), bank_folder, "--batch-rows", "10")
        self.refused(r"gallery: .*--gallery, --id", self.home / "nowhere", bank_folder)
        self.refused(r"bank: .*--bank and --embedding", good_folder, self.home / "nowhere")


if __name__ == "__main__":
    unittest.main(verbosity=2)
