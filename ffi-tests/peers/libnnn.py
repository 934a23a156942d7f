"""libnnn through its C ABI (include/nnn.h), and the native loops of src/lib.rs."""

import ctypes
import os
import subprocess
from ctypes import POINTER, byref, c_bool, c_char_p, c_double, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
AVX2, GALLERY, QUERY, SEED = 3, 0, 1, 1


class MatF32(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("rows", c_size_t), ("dim", c_size_t), ("stride", c_size_t)]

    def __init__(self, a):
        assert a.dtype == np.float32 and a.flags.c_contiguous
        super().__init__(a.ctypes.data, a.shape[0], a.shape[1], a.shape[1])


class MatI8(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("scale", c_void_p), ("rows", c_size_t), ("dim", c_size_t), ("stride", c_size_t)]

    def __init__(self, codes, scale):
        assert codes.dtype == np.int8 and codes.flags.c_contiguous and scale.dtype == np.float32
        super().__init__(codes.ctypes.data, scale.ctypes.data, codes.shape[0], codes.shape[1], codes.shape[1])


class Encoded(ctypes.Structure):
    _fields_ = [("rows", MatF32), ("codes", MatI8), ("bounds", c_void_p)]


class Certificate(ctypes.Structure):
    _fields_ = [("rescored", c_uint64), ("exhausted", c_uint64)]


def aligned(shape, dtype):
    """An array that begins on a cache line, as an engine allocates its rows; numpy's begin 16 bytes after one."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


class Rows:
    """Rows of floats and their codes. A view object per call costs Python microseconds, so it is made once."""

    def __init__(self, f32):
        self.f32 = aligned(f32.shape, np.float32)
        self.f32[:] = f32
        self.view = MatF32(self.f32)
        self.n, self.dim = self.f32.shape

    def quantize(self, lib):
        """int8 codes, for every contender the same ones; one scale each, all 1, so that sums stay whole numbers."""
        self.i8, scale = aligned(self.f32.shape, np.int8), np.empty(self.n, np.float32)
        lib.call("nnn_quantize_i8", byref(self.view), self.i8, self.dim, scale)
        self.ones = np.ones(self.n, np.float32)
        self.view_i8 = MatI8(self.i8, self.ones)
        return self


def build(package, arguments=(), env=()):
    """Builds a release library with cargo, in the repository's target folder; where it is."""
    target = REPOSITORY / "target"
    subprocess.run(["cargo", "build", "--release", "--quiet", *arguments], cwd=package, check=True, env={**os.environ, **dict(env)})
    return target


def shared(folder, name):
    """The shared library of that name; Windows and macOS spell it differently."""
    for spelling in (f"lib{name}.so", f"lib{name}.dylib", f"{name}.dll"):
        if (folder / spelling).exists():
            return ctypes.CDLL(str(folder / spelling))
    raise FileNotFoundError(f"{folder}: no shared library {name}")


class Library:
    """libnnn as a user gets it, from `cargo build --release -p nnn-capi`."""

    def __init__(self):
        self.c = shared(build(REPOSITORY, ["-p", "nnn-capi"]) / "release", "nnn")
        for name in ("nnn_neighbors_scratch", "nnn_search_scratch", "nnn_certified_scratch"):
            getattr(self.c, name).restype = c_size_t
        self.c.nnn_status_str.restype = self.c.nnn_isa_str.restype = c_char_p

    def call(self, name, *arguments):
        """Arrays become pointers, integers size_t, floats float; a status that is not NNN_OK is an exception."""
        self.bind(name, *arguments)()

    def bind(self, name, *arguments):
        """The call, ready to be made many times."""
        function = getattr(self.c, name)

        def convert(a):
            if isinstance(a, np.ndarray):
                return c_void_p(a.ctypes.data)
            if isinstance(a, int):
                return c_size_t(a)
            return c_float(a) if isinstance(a, float) else a

        converted = [convert(a) for a in arguments]

        def run(keep=arguments):
            status = function(*converted)
            if status != 0:
                raise ValueError(f"{name}: {self.c.nnn_status_str(status).decode()}")

        return run

    def isa(self):
        return self.c.nnn_isa_active()

    def isa_name(self, isa):
        return self.c.nnn_isa_str(c_uint32(isa)).decode()

    def select(self, isa):
        return self.c.nnn_isa_select(c_uint32(isa)) == 0

    def on(self, isa, run):
        """`run` on another instruction set."""

        def switched():
            self.select(isa)
            try:
                return run()
            finally:
                self.select(0)

        return switched

    def bias(self, gallery, bank, k, int8=False, first=0, count=None):
        count = gallery.n if count is None else count
        size = self.c.nnn_neighbors_scratch(c_size_t(k), c_size_t(gallery.dim))
        scratch, out = np.zeros(size, np.uint8), np.zeros(count, np.float32)
        views = (gallery.view_i8, bank.view_i8) if int8 else (gallery.view, bank.view)
        name = "nnn_bias_i8" if int8 else "nnn_bias_f32"
        call = self.bind(name, byref(views[0]), byref(views[1]), k, 1.0, first, count, scratch, size, out)
        return lambda: (call(), out)[1]

    def search(self, queries, gallery, bias, k, int8=False):
        size = self.c.nnn_search_scratch(c_size_t(queries.n), c_size_t(k), c_size_t(queries.dim))
        scratch, hits, found = np.zeros(max(size, 1), np.uint8), _hits(queries.n, k), np.zeros(queries.n, np.uint32)
        views = (queries.view_i8, gallery.view_i8) if int8 else (queries.view, gallery.view)
        name = "nnn_search_i8" if int8 else "nnn_search_f32"
        call = self.bind(name, byref(views[0]), byref(views[1]), bias, None, k, 0, gallery.n, scratch, size, hits, found)
        return lambda: (call(), hits)[1]["score"]

    def mean(self, rows):
        out = np.empty(rows.dim, np.float32)
        self.call("nnn_mean_f32", byref(rows.view), out)
        return out

    def encode(self, rows, mean, side):
        """Codes and bounds for the certified calls. The arrays live as long as the result."""
        work, codes = np.empty(rows.dim, np.float32), aligned(rows.f32.shape, np.int8)
        scale, bounds = np.empty(rows.n, np.float32), np.empty(4 * rows.n, np.float32)
        self.call("nnn_encode_f32", byref(rows.view), mean, c_uint32(side), c_uint64(SEED), work, codes, rows.dim, scale, bounds)
        encoded = Encoded(rows.view, MatI8(codes, scale), bounds.ctypes.data)
        encoded.keep = (rows, codes, scale, bounds)
        return encoded

    def bias_certified(self, gallery, bank, k, encode_too=False, certificate=None):
        """The certified pass; `encode_too` makes the codes of both sides a part of each run."""
        size = self.c.nnn_certified_scratch(c_size_t(k), c_size_t(gallery.dim))
        scratch, out = np.zeros(size, np.uint8), np.zeros(gallery.n, np.float32)
        done = Certificate() if certificate is None else certificate

        def sides():
            mean = self.mean(bank)
            return self.encode(gallery, mean, GALLERY), self.encode(bank, mean, QUERY)

        def call(g, b):
            self.call("nnn_bias_certified", byref(g), byref(b), k, 1.0, 0, gallery.n, scratch, size, out, byref(done))
            return out

        if encode_too:
            return lambda: call(*sides())
        encoded = sides()
        return lambda: call(*encoded)

    def search_certified(self, queries, gallery, bias, k):
        """The certified search; the codes of the queries are a part of each run, as they are when one serves. Those of the gallery
        are made here."""
        mean = self.mean(gallery)
        g = self.encode(gallery, mean, GALLERY)
        size = self.c.nnn_certified_scratch(c_size_t(k), c_size_t(queries.dim))
        scratch, hits, found = np.zeros(size, np.uint8), _hits(queries.n, k), np.zeros(queries.n, np.uint32)
        done = Certificate()

        def run():
            q = self.encode(queries, mean, QUERY)
            self.call("nnn_search_certified", byref(q), byref(g), bias, None, k, 0, gallery.n, scratch, size, hits, found, byref(done))
            return hits["score"]

        return run


def _hits(n, k):
    return np.zeros((n, k), np.dtype([("score", np.float32), ("id", np.uint32)]))


class Native:
    """The loops of src/lib.rs, built for this machine: the limits are to be the machine's, not those of a baseline."""

    def __init__(self):
        flags = {"RUSTFLAGS": "-C target-cpu=native"}
        self.folder = build(HERE, ["--target-dir", str(REPOSITORY / "target" / "peers")], flags) / "peers" / "release"
        self.c = shared(self.folder, "peers")
        self.c.peers_multiply_add.argtypes = [c_uint32, c_bool, c_uint32]
        self.c.peers_read.argtypes = [c_void_p, c_size_t, c_bool, c_uint32]
        self.c.peers_multiply_add.restype = self.c.peers_read.restype = c_double
        self.c.peers_pair.argtypes = [c_uint32, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_uint32]
        self.c.peers_pair.restype = None

    def multiply_add(self, isa, int8, calls=1):
        return self.c.peers_multiply_add(isa, int8, calls)

    def read(self, array, streams, calls=1):
        return self.c.peers_read(array.ctypes.data, array.nbytes // 4, streams, calls)

    def pair(self, kind, kernel, a, b, out, calls):
        return lambda: self.c.peers_pair(kind, kernel, a.ctypes.data, b.ctypes.data, a.shape[0], out.ctypes.data, calls)

    def nothing(self, a, b, out, calls):
        return self.pair(0, self.address(self.c, "peers_nothing"), a, b, out, calls)

    def address(self, library, symbol):
        return ctypes.cast(getattr(library, symbol), c_void_p).value
