#!/usr/bin/env python3
"""libnnn beside what a user would pick, in one process on one core: `peers.py --quick` (two minutes) or `--full`.

Prints tables of times, shares of the machine's own limits and ratios to libnnn; README.md here says how to install the peers and
how to read them. Peers that are not installed are skipped by name. Before anything is timed, its results are compared with ours.
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import threading
import time

# Before numpy: one thread each, and the BLAS kernel that the library picks for this machine by itself.
THREADS = 2 if "--two-threads" in sys.argv else 1
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS"):
    os.environ.pop(name, None)
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(THREADS)
os.environ["TQDM_DISABLE"] = "1"

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
try:
    import numpy as np
except ImportError:
    sys.exit("peers.py needs numpy: pip install numpy threadpoolctl")
import contenders
from libnnn import AVX2, REPOSITORY, Certificate, Library, Native, Rows
from measure import Contender, interleave, memory_of
from report import markdown, svg


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="slices of the problems, under two minutes (the default)")
    size.add_argument("--full", action="store_true", help="the whole problems: 20,000 x 20,000 rows, every dim")
    parser.add_argument("--only", choices=["limits", "bias", "search", "pair", "threads"], nargs="+", help="these tables only")
    parser.add_argument("--dim", type=int, nargs="+", help="dims instead of the usual ones")
    parser.add_argument("--k", type=int, nargs="+", help="k of the bias pass instead of 16 and 256")
    parser.add_argument("--ours", action="store_true", help="libnnn and FAISS only")
    parser.add_argument("--core", type=int, help="the core to stay on (default: the last one allowed)")
    parser.add_argument("--svg", metavar="PATH", help="write the ratios as a bar chart")
    parser.add_argument("--markdown", metavar="PATH", help="write the ratios as one table")
    parser.add_argument("--json", metavar="PATH", help="write every figure")
    parser.add_argument("--two-threads", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


class Run:
    def __init__(self, options):
        self.options, self.full = options, options.full
        self.lib, self.native = Library(), Native()
        self.isa = self.lib.isa()
        self.random = np.random.default_rng(1)
        self.skipped, self.slow, self.groups = {}, set(), []

    # ---- the machine's limits ----

    def peak(self, int8, isa=None):
        """Operations per second in registers, measured now for about 5 ms; 0 where no loop is written."""
        isa = isa or self.isa
        once = self.native.multiply_add(isa, int8)
        if once == 0:
            return 0.0
        start = time.process_time()
        done = self.native.multiply_add(isa, int8, 20)
        return done / (time.process_time() - start)

    def bandwidth(self, array, streams=True):
        start = time.process_time()
        done = self.native.read(array, streams, max(1, int(2e7 / array.nbytes)))
        return done / (time.process_time() - start)

    def roof(self, operations, int8, memory=None, isa=None):
        """The seconds that multiply-adds and reading allow for a job, whichever is more; None where the limit is not known."""
        if not self.peak(int8, isa):
            return None

        def seconds():
            compute = operations / self.peak(int8, isa)
            return max(compute, memory.nbytes / self.bandwidth(memory)) if memory is not None else compute

        return seconds

    def limits(self):
        print("\nLimits of this core (best of 20 turns)")
        best = lambda measure: max(measure() for _ in range(20)) / 1e9
        for isa in {AVX2: 0, self.isa: 0}:
            name = self.lib.isa_name(isa)
            for int8, unit in ((False, "GFLOP/s f32 multiply-add"), (True, "GOP/s int8 multiply-add")):
                rate = best(lambda: self.peak(int8, isa))
                if rate:
                    print(f"  {rate:9.1f} {unit} ({name})")
        for name, size in (("L1, 16 KB", 16 << 10), ("L2, 512 KB", 512 << 10), ("L3, 8 MB", 8 << 20), ("memory, 256 MB", 256 << 20)):
            array = np.ones(size // 4, np.float32)
            one, many = best(lambda: self.bandwidth(array, False)), best(lambda: self.bandwidth(array))
            print(f"  {one:9.1f} GB/s read in one stream, {many:.1f} in eight ({name})")

    # ---- contenders ----

    def unit(self, n, dim):
        rows = self.random.standard_normal((n, dim), dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return Rows(rows).quantize(self.lib)

    def peers(self, table):
        chosen = {n: f for n, f in table.items() if not self.options.ours or n.startswith("FAISS Index")}
        for name, factory in chosen.items():
            if name in self.slow:
                print(f"  left out of the quick run from here on, more than 8 times slower than ours: {name}")
            elif name not in self.skipped:
                yield name, factory

    def skip(self, name, error):
        self.skipped[name] = str(error)
        print(f"  skipped: {name} ({error})")

    def guarded(self, table, small, ours, tolerance):
        """The peers that give our results on a small problem; a peer that gives others stops the program: it would be timed
        doing something else."""
        for name, factory in self.peers(table):
            try:
                theirs = np.asarray(small(name, factory)())
            except ImportError as error:
                self.skip(name, error)
                continue
            off = (np.abs(theirs - ours(name)) / np.maximum(1, np.abs(ours(name)))).max()
            if not off <= tolerance:
                sys.exit(f"{name}: results differ from ours by {off}")
            yield name, factory

    def table(self, title, group, everyone, base, unit, operations=None, bars=True, budget=None, turn=None):
        rounds = 7 if self.full else 5
        interleave(everyone, rounds, turn or 0.02, budget or (60 if self.full else 0.6))
        if not self.full:
            self.slow |= {c.name for c in everyone if c.first and c.ratio(base) > 8}
        scale = {"s": 1, "ms": 1e3, "ns": 1e9}[unit]
        rate = operations is not None
        print(f"\n{title}")
        head = f"  {'':36}{unit:>10}" + (f"{'Gop/s':>9}" if rate else "") + f"{'of limit':>10}{'MiB more':>10}{'time/ours':>11}"
        print(head)
        for c in everyone:
            share = f"{100 * c.roof_share:8.1f} %" if c.roof_share is not None else f"{'-':>10}"
            extra = f"{c.extra:10.1f}" if c.extra is not None else f"{'-':>10}"
            gops = f"{operations / c.seconds / 1e9:9.1f}" if rate else ""
            print(f"  {c.name:36}{c.seconds * scale:10.4g}{gops}{share}{extra}{c.ratio(base):11.2f}", flush=True)
        rows = [{"name": c.name, "seconds": c.seconds, "of_limit": c.roof_share, "extra_mib": c.extra, "ratio": c.ratio(base),
                 "rounds": len(c.times)} for c in everyone]
        self.groups.append({"title": title, "group": group, "base": base.name, "bars": bars, "rows": rows})

    # ---- the tables ----

    def bias(self):
        sizes = (20_000, 20_000) if self.full else (1_024, 20_000)
        for dim in self.options.dim or [512, 128]:
            gallery, bank = self.unit(sizes[0], dim), self.unit(sizes[1], dim)
            small = self.unit(300, dim), self.unit(2_000, dim)
            operations = 2.0 * gallery.n * bank.n * dim
            for k in self.options.k or ([16, 256] if self.full or dim == 512 else [16]):
                self.bias_f32(gallery, bank, small, k, operations)
                self.bias_i8(gallery, bank, small, k, operations)
        if not self.options.dim:
            gallery, bank = self.real("gallery", sizes[0]), self.real("bank", sizes[1])
            small = self.real("gallery", 300), self.real("bank", 2_000)
            self.bias_f32(gallery, bank, small, 16, 2.0 * gallery.n * bank.n * bank.dim, "real embeddings, ")

    def real(self, name, n):
        """Rows of the embeddings that libnnn ships, repeated to the number, each with noise of a quarter of its length."""
        rows = np.load(REPOSITORY / "examples" / "data" / "pydoc-minilm" / f"{name}.npy").astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        rows = np.resize(rows, (n, rows.shape[1]))
        rows += 0.25 / rows.shape[1] ** 0.5 * self.random.standard_normal(rows.shape, dtype=np.float32)
        return Rows(rows / np.linalg.norm(rows, axis=1, keepdims=True)).quantize(self.lib)

    def contender(self, name, setup, roof):
        run, first, extra = memory_of(setup)
        c = Contender(name, run, roof)
        c.first, c.extra = first, extra
        return c

    def bias_f32(self, gallery, bank, small, k, operations, kind=""):
        lib, roof = self.lib, self.roof(operations, False)
        want = lib.bias(*small, k)().copy()
        certificate = Certificate()
        ours = [
            self.contender("libnnn f32", lambda: lib.bias(gallery, bank, k), roof),
            self.contender("libnnn certified", lambda: lib.bias_certified(gallery, bank, k, certificate=certificate), roof),
            self.contender("libnnn certified, encoding too", lambda: lib.bias_certified(gallery, bank, k, True), roof),
        ]
        if lib.select(AVX2) and self.isa != AVX2:
            lib.select(0)
            ours.append(Contender("libnnn f32, AVX2", lib.on(AVX2, lib.bias(gallery, bank, k)), self.roof(operations, False, isa=AVX2)))
        if not all((c.run() == ours[0].run()).all() for c in ours[1:]):
            sys.exit("the certified pass and AVX2 must give the bits of the f32 pass")
        found = self.guarded(contenders.BIAS_F32, lambda _, f: f(*small, k), lambda _: want, 1e-5)
        theirs = [self.contender(name, lambda: factory(gallery, bank, k), roof) for name, factory in found]
        title = f"Bias pass f32: {kind}{gallery.n:,} x {bank.n:,} rows, d = {bank.dim}, k = {k}"
        self.table(title, f"bias pass f32, {kind}d {bank.dim}, k {k}", ours + theirs, ours[0], "s", operations)
        print(f"  (certified: {certificate.rescored / gallery.n:.1f} pairs a row computed in f32, {certificate.exhausted} rows fell back)")

    def bias_i8(self, gallery, bank, small, k, operations):
        lib, roof = self.lib, self.roof(operations, True)
        want = lib.bias(*small, k, int8=True)().copy()
        ours = [self.contender("libnnn int8", lambda: lib.bias(gallery, bank, k, int8=True), roof)]
        if lib.select(AVX2) and self.isa != AVX2:
            lib.select(0)
            run = lib.on(AVX2, lib.bias(gallery, bank, k, int8=True))
            ours.append(Contender("libnnn int8, AVX2", run, self.roof(operations, True, isa=AVX2)))
        found = self.guarded(contenders.BIAS_I8, lambda _, f: f(*small, k), lambda _: want, 1e-6)
        theirs = [self.contender(name, lambda: factory(gallery, bank, k), roof) for name, factory in found]
        title = f"Bias pass int8: {gallery.n:,} x {bank.n:,} rows, d = {bank.dim}, k = {k}"
        self.table(title, f"bias pass int8, d {bank.dim}, k {k}", ours + theirs, ours[0], "s", operations)

    def search(self):
        dim = (self.options.dim or [512])[0]
        gallery, small = self.unit(100_000, dim), self.unit(2_000, dim)
        bias = self.random.random(gallery.n, dtype=np.float32) / 10
        for int8, table in ((False, contenders.SEARCH_F32), (True, contenders.SEARCH_I8)):
            indexes = self.indexes(table, int8, gallery, small, bias)
            for batch in (1, 8, 32, 256):
                self.search_batch(batch, int8, gallery, bias, indexes)
            if not int8:
                self.cliff(gallery, bias, indexes)

    def indexes(self, table, int8, gallery, small, bias):
        """Per peer: the function of the queries and the MiB its index takes; one index for all batch sizes."""
        few, one, zero = self.unit(40, gallery.dim), self.unit(1, gallery.dim), np.zeros(small.n, np.float32)
        biases = lambda name: bias[: small.n].copy() if name in contenders.BIASED else zero
        ours = lambda name: self.lib.search(few, small, biases(name), 10, int8)()
        theirs = lambda name, f: functools.partial(f(small, biases(name), 10), few)
        indexes = {}
        for name, factory in self.guarded(table, theirs, ours, 1e-6 if int8 else 1e-5):
            run, _, extra = memory_of(lambda: functools.partial(factory(gallery, bias, 10), one))
            indexes[name] = run.func, extra
        return indexes

    def search_batch(self, batch, int8, gallery, bias, indexes):
        queries = self.unit(batch, gallery.dim)
        operations = 2.0 * batch * gallery.n * gallery.dim
        kind = "int8" if int8 else "f32"
        roof = self.roof(operations, int8, gallery.i8 if int8 else gallery.f32)
        everyone = [self.contender(f"libnnn {kind} (bias)", lambda: self.lib.search(queries, gallery, bias, 10, int8), roof)]
        if not int8:
            certified = self.contender("libnnn certified (bias)", lambda: self.lib.search_certified(queries, gallery, bias, 10), roof)
            if not (everyone[0].run() == certified.run()).all():
                sys.exit("the certified search must give the bits of the f32 search")
            everyone.append(certified)
        for name, (function, extra) in indexes.items():
            everyone.append(Contender(name, functools.partial(function, queries), roof))
            everyone[-1].extra = extra
        title = f"Search {kind}: {batch} at once over {gallery.n:,} rows, d = {gallery.dim}, k = 10"
        self.table(title, f"search {kind}, {batch} at once", everyone, everyone[0], "ms", operations, budget=20 if self.full else 0.3)

    def cliff(self, gallery, bias, indexes):
        """One query more or less should not change much."""
        everyone, faiss = [], "FAISS IndexFlatIP (no bias)"
        for batch in (249, 250):
            queries = self.unit(batch, gallery.dim)
            roof = self.roof(2.0 * batch * gallery.n * gallery.dim, False, gallery.f32)
            everyone.append(Contender(f"libnnn f32, {batch} queries", self.lib.search(queries, gallery, bias, 10), roof))
            if faiss in indexes:
                run = functools.partial(indexes[faiss][0], queries)
                everyone.append(Contender(f"FAISS IndexFlatIP, {batch} queries", run, roof))
        self.table("Search f32 at FAISS's threshold for matrix multiplication", "cliff", everyone, everyone[0], "ms", bars=False,
                   budget=20 if self.full else 1)

    def pair(self):
        folder = self.native.folder
        for int8 in (False, True):
            for dim in self.options.dim or [128, 512, 1536]:
                rows = self.unit(2, dim)
                a, b = (rows.i8 if int8 else rows.f32)
                self.pair_table(folder, int8, a, b, dim)

    def pair_table(self, folder, int8, a, b, dim):
        name, calls, out = "nnn_dot_i8" if int8 else "nnn_dot_f32", 20_000, np.zeros(1, np.float64)
        roof = self.roof(2.0 * dim, int8)
        dtype = np.int32 if int8 else np.float32
        want = np.zeros(1, dtype)
        self.lib.call(name, a, b, dim, want)

        def make(title, kind, kernel, result, roof=roof):
            run = self.native.pair(kind, kernel, a, b, out, calls)
            run()
            got = float(out.view(result)[0])
            got = 1 - got if kind == 2 else got  # hnswlib's distance
            if not abs(got - float(want[0])) <= 1e-5:
                sys.exit(f"{title}: {got}, not {want[0]}")
            return Contender(title, run, roof, unit_calls=calls)

        kernel = self.native.address(self.lib.c, name)
        everyone = [make("libnnn", 0, kernel, dtype)]
        if self.lib.select(AVX2) and self.isa != AVX2:
            avx2 = make("libnnn, AVX2", 0, kernel, dtype, self.roof(2.0 * dim, int8, isa=AVX2))
            avx2.run = self.lib.on(AVX2, avx2.run)
            everyone.append(avx2)
        self.lib.select(0)
        for title, factory in self.peers(contenders.PAIR_I8 if int8 else contenders.PAIR_F32):
            try:
                kind, address, result = factory(folder)
            except ImportError as error:
                self.skip(title, error)
                continue
            everyone.append(make(title, kind, address(dim) if callable(address) else address, result))
        nothing = Contender("a call that does nothing", self.native.nothing(a, b, out, calls), unit_calls=calls)
        kind = "int8" if int8 else "f32"
        self.table(f"One pair {kind} in the first cache, d = {dim}", f"pair {kind}, d {dim}", [*everyone, nothing], everyone[0], "ns",
                   2.0 * dim, turn=0.004, budget=5)

    def threads(self):
        """Two threads of the caller, in a process of its own that has two cores from its first instruction."""
        if len(self.cores) < 2:
            print("\nTwo threads: skipped, this process may use one core only")
            return
        command = [sys.executable, __file__, "--two-threads", "--full" if self.full else "--quick"]
        child = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: stay_on(self.cores[:2]))
        print(child.stdout, end="")

    def two_threads(self):
        rows = 20_000 if self.full else 2_048
        gallery, bank = self.unit(rows, 512), self.unit(20_000, 512)
        halves = [self.lib.bias(gallery, bank, 16, first=first, count=rows // 2) for first in (0, rows // 2)]

        def both():
            other = threading.Thread(target=halves[1])
            other.start()
            halves[0]()
            other.join()

        everyone = [Contender("libnnn f32, two threads", both), Contender("libnnn f32, one", self.lib.bias(gallery, bank, 16))]
        try:
            import faiss

            def on(threads, run):
                return lambda: (faiss.omp_set_num_threads(threads), run())

            run = contenders.faiss_flat(gallery, bank, 16)
            everyone += [Contender("FAISS IndexFlatIP, two threads", on(2, run)), Contender("FAISS IndexFlatIP, one", on(1, run))]
        except ImportError as error:
            self.skip("FAISS", error)
        processor = {}
        for c in everyone:
            c.run = charged(c.run, processor.setdefault(c.name, []))
        interleave(everyone, 5, 0.02, 60 if self.full else 5, clock=time.perf_counter)
        load = os.getloadavg()[0]
        print(f"\nTwo threads, bias pass f32: {rows:,} x 20,000 rows, d = 512, k = 16; elapsed, load {load:.1f} (2 are ours)")
        print(f"  {'':36}{'s':>10}{'processor s':>13}{'time/ours':>11}")
        for c in everyone:
            used = statistics.median(processor[c.name])
            print(f"  {c.name:36}{c.seconds:10.4g}{used:13.4g}{c.ratio(everyone[0]):11.2f}")


def charged(run, used):
    """`run`, and the processor time of all threads that it took appended to `used`: the half of it is what two idle cores need."""

    def timed():
        start = time.process_time()
        run()
        used.append(time.process_time() - start)

    return timed


def stay_on(cores):
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def describe(run, core):
    name = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?") \
        if os.path.exists("/proc/cpuinfo") else "?"
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg()) if hasattr(os, "getloadavg") else "?"
    print(f"{name}, {os.cpu_count()} cores, on core {core}; load {load}; libnnn on {run.lib.isa_name(run.isa)}")
    versions = []
    from importlib.metadata import PackageNotFoundError, version

    for package in ("numpy", "faiss-cpu", "torch", "nnn-retrieval", "scann", "scalable-vs", "usearch", "numkong", "simsimd"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} not installed")
    print(", ".join(versions))


def describe_blas():
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        print("threadpoolctl is not installed: the BLAS kernels are not known")
        return
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            kernel = pool.get("architecture", "-")
            print(f"  {pool['prefix']} {pool['version']}: kernel {kernel}, {pool['num_threads']} thread")


def main():
    options = arguments()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count()))
    core = options.core if options.core is not None else cores[-1]
    if not options.two_threads:
        stay_on([core])
    run = Run(options)
    run.cores = cores
    if options.two_threads:
        return run.two_threads()
    started = time.time()
    describe(run, core)
    for name in ("limits", "bias", "search", "pair", "threads"):
        if not options.only or name in options.only:
            getattr(run, name)()
    print("\nBLAS libraries that were loaded:")
    describe_blas()
    for name, reason in run.skipped.items():
        print(f"skipped: {name} ({reason})")
    print(f"{time.time() - started:.0f} s in all; \"time/ours\" is the median of the ratios within rounds: above 1 libnnn is faster")
    for path, text in ((options.svg, svg), (options.markdown, markdown), (options.json, functools.partial(json.dumps, indent=1))):
        if path:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text(run.groups))


if __name__ == "__main__":
    main()
