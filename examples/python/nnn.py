"""Hubness-free retrieval (Nearest Neighbor Normalization) over numpy arrays: libnnn through ctypes, nothing to build.

    import nnn

    bias = nnn.bias(gallery, bank, k=16, alpha=0.75)     # once, offline: one float32 per gallery row
    hits = nnn.search(queries, gallery, bias, k=10)      # per batch of queries
    hits.ids, hits.scores                                # queries x 10 each, best first

gallery: what is retrieved. bank: reference queries, never those you measure with. All are float32 matrices, one embedding per row, best
of unit length (`normalize`). `Codes` (int8) and `Encoded` (exact float results at int8 speed) stand wherever a matrix does.

Arrays are read and written where they are: slices of rows and of columns, memory-mapped files and arrays of other libraries are fine,
and what would need a copy is refused. Heavy calls run on all processors (`threads=`), outside of Python's lock; the results are the same
bits for every number of threads. A wrong argument raises `TypeError`, or `nnn.Error` (a `ValueError`), before anything is written; the
message names the argument and what to do.

The library is looked for in $NNN_LIBRARY, beside this file, in the repository's target/release, and where the system looks.
The softmax gates and Sinkhorn biases of nnn.h are not wrapped.
"""

import ctypes
import math
import operator
import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref, c_char_p, c_double, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

import numpy as np

__all__ = [
    "Error", "Codes", "Encoded", "Hits", "Neighbors", "Softmax",
    "Export", "bias", "mean_bias", "search", "merge_hits", "rerank", "scores", "normalize", "quantize", "find_nonfinite",
    "ranks", "recall", "choose", "hubness", "version", "isa", "isas", "select_isa",
]  # fmt: skip

ABI_VERSION = 1
HIT = np.dtype([("score", np.float32), ("id", np.uint32)])
BOUND = np.dtype([(name, np.float32) for name in ("residual", "norm", "length", "offset")])
NOT_RANKED = 0xFFFFFFFF
_MAX_DIM = 131071
_VALUE = -10
_SIDES = {"gallery": 0, "query": 1}
_CODES = {"p": c_void_p, "z": c_size_t, "u": c_uint32, "U": c_uint64, "f": c_float, "d": c_double, "s": c_char_p, "i": c_int32}

# Result and arguments of the functions that are called here, one letter each, as nnn.h declares them: p pointer, z size_t, u uint32_t,
# U uint64_t, i int32_t, f float, d double, s text.
_SIGNATURES = {
    "nnn_version": "u",
    "nnn_abi_version": "u",
    "nnn_status_str": "si",
    "nnn_isa_active": "u",
    "nnn_isa_str": "su",
    "nnn_isa_select": "iu",
    "nnn_isa_available": "ipzp",
    "nnn_cpu_hwcap": "iUU",
    "nnn_find_nonfinite_f32": "ippp",
    "nnn_normalize_f32": "ippz",
    "nnn_quantize_i8": "ippzp",
    "nnn_scores_f32": "ippzzpz",
    "nnn_scores_i8": "ippzzpz",
    "nnn_neighbors_init": "ipzz",
    "nnn_neighbors_scratch": "zzz",
    "nnn_neighbors_update_f32": "ippzzzpzp",
    "nnn_neighbors_update_i8": "ippzzzpzp",
    "nnn_neighbors_update_certified": "ippzzzpzpp",
    "nnn_neighbors_merge": "ippzz",
    "nnn_neighbors_bias": "ipzzzfp",
    "nnn_neighbors_grid": "ipzzpzpzp",
    "nnn_bias_f32": "ippzfzzpzp",
    "nnn_bias_i8": "ippzfzzpzp",
    "nnn_bias_certified": "ippzfzzpzpp",
    "nnn_logsum_init": "ipz",
    "nnn_logsum_update_f32": "ipppfzzpzp",
    "nnn_logsum_update_i8": "ipppfzzpzp",
    "nnn_logsum_merge": "ippz",
    "nnn_logsum_bias": "ipzfp",
    "nnn_columns_init": "ipz",
    "nnn_columns_update_f32": "ipp",
    "nnn_columns_update_i8": "ipp",
    "nnn_columns_mean": "ipzzp",
    "nnn_mean_bias_f32": "ippfzzp",
    "nnn_mean_bias_i8": "ippfzzp",
    "nnn_search_scratch": "zzzz",
    "nnn_search_f32": "ippppzzzpzpp",
    "nnn_search_i8": "ippppzzzpzpp",
    "nnn_search_certified": "ippppzzzpzppp",
    "nnn_hits_merge": "ipppuz",
    "nnn_rerank": "ipzpzzpp",
    "nnn_mean_f32": "ipp",
    "nnn_encode_f32": "ippuUppzpp",
    "nnn_certified_scratch": "zzz",
    "nnn_ranks_scratch": "zz",
    "nnn_ranks_f32": "ipppzppzpzp",
    "nnn_ranks_i8": "ipppzppzpzp",
    "nnn_recall": "ipzzp",
    "nnn_choose": "ipzzzdUpzppp",
    "nnn_count_occurrences": "ippzzzpz",
    "nnn_hubness": "ipzp",
    "nnn_export_dim": "zzuz",
    "nnn_export_limits_f32": "ippzzp",
    "nnn_export_rows_f32": "ipppuzzpz",
    "nnn_export_queries_f32": "ipufpz",
    "nnn_export_scores": "ipupzfpz",
}


def _load():
    names = {"darwin": ["libnnn.dylib"], "win32": ["nnn.dll"]}.get(sys.platform, ["libnnn.so.0.1", "libnnn.so"])
    here = Path(__file__).resolve().parent
    if named := os.environ.get("NNN_LIBRARY"):
        places = [named]
    else:
        folders = [here, *(parent / "target/release" for parent in here.parents if (parent / "include/nnn.h").is_file())]
        places = [str(folder / name) for folder in folders for name in names if (folder / name).is_file()] + names
    errors = []
    for place in places:
        try:
            library = ctypes.CDLL(place)
            found = library.nnn_abi_version()
        except (OSError, AttributeError) as error:
            errors.append(str(error))
            continue
        if found != ABI_VERSION:
            errors.append(f"{place} has the binary interface {found}, this module needs {ABI_VERSION}: take both from one release")
            continue
        for name, (result, *arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = _CODES[result], [_CODES[code] for code in arguments]
        return library
    raise ImportError(
        "libnnn is not found: run `cargo build --release -p nnn-capi` in its repository, put the library beside nnn.py, or name it "
        "in NNN_LIBRARY. " + "; ".join(errors)
    )


_c = _load()
if sys.platform == "linux" and platform.machine() == "aarch64":
    _auxiliary = ctypes.CDLL(None).getauxval
    _auxiliary.restype, _auxiliary.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    _c.nnn_cpu_hwcap(_auxiliary(16), _auxiliary(26))


# ---- errors ----------------------------------------------------------------------------------------------------------------------


class Error(ValueError):
    """An argument that cannot be used. `argument` names it, `status` is the code of nnn.h or None where Python saw it first."""

    def __init__(self, message, argument=None, status=None):
        super().__init__(message)
        self.argument, self.status = argument, status


def _refuse(argument, message):
    raise Error(f"{argument}: {message}", argument)


def _call(name, *arguments, finite=()):
    """Calls the library. finite: (name, matrix or array) of what must hold no NaN, to say where it does."""
    status = getattr(_c, name)(*arguments)
    if status == 0:
        return
    text = f"{_c.nnn_status_str(status).decode()} ({name})"
    if status == _VALUE:
        for argument, values in finite:
            place = _nonfinite(values)
            if place is not None:
                where, value = place
                raise Error(f"{argument}[{where}] is {value}: remove or repair such rows (find_nonfinite shows them)", argument, status)
    raise Error(text, None, status)


def _nonfinite(values):
    """Where the first value that is NaN or infinite is, and the value."""
    if isinstance(values, _View):
        values = values.checked
    if values is None or values.ndim == 0 or values.size == 0:
        return None
    for start in range(0, len(values), 4096):
        places = np.argwhere(~np.isfinite(values[start : start + 4096]))
        if len(places):
            place = places[0]
            place[0] += start
            return ", ".join(map(str, place)), values[tuple(place)]
    return None


# ---- arguments -------------------------------------------------------------------------------------------------------------------


class _MatF32(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("rows", c_size_t), ("dim", c_size_t), ("stride", c_size_t)]


class _MatI8(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("scale", c_void_p), ("rows", c_size_t), ("dim", c_size_t), ("stride", c_size_t)]


class _Encoded(ctypes.Structure):
    _fields_ = [("rows", _MatF32), ("codes", _MatI8), ("bounds", c_void_p)]


def _address(array):
    return array.ctypes.data if array.size else None


def _shape(name, array, dtype, ndim):
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: a numpy array of {np.dtype(dtype)} is needed, not {type(array).__name__}: numpy.asarray makes one")
    if array.dtype != dtype:
        raise TypeError(f"{name}: the elements are {array.dtype}, not {np.dtype(dtype)}: {name}.astype(numpy.{np.dtype(dtype)}) copies them")
    if array.ndim != ndim:
        remedy = f": {name}[None, :] is a matrix of one row" if (array.ndim, ndim) == (1, 2) else ""
        _refuse(name, f"{array.ndim} dimensions, not {ndim}{remedy}")
    if not array.flags.aligned:
        _refuse(name, "the elements are not aligned: numpy.ascontiguousarray copies them")


def _stride(name, array):
    """Elements from row to row."""
    rows, dim = array.shape
    if not 1 <= dim <= _MAX_DIM:
        _refuse(name, f"rows of {dim} elements: 1 to {_MAX_DIM} are possible")
    if rows == 0:
        return dim
    row, element = array.strides
    size = array.itemsize
    if dim > 1 and element != size or rows > 1 and (row < dim * size or row % size):
        _refuse(name, "the elements of a row must lie side by side and the rows apart: numpy.ascontiguousarray copies them so")
    return row // size if rows > 1 else dim


def _vector(name, array, dtype, length=None):
    _shape(name, array, dtype, 1)
    if len(array) > 1 and array.strides[0] != array.itemsize:
        _refuse(name, "the elements must lie side by side: numpy.ascontiguousarray copies them so")
    if length is not None and len(array) != length:
        _refuse(name, f"{len(array)} elements, not {length}")
    return array


def _output(name, array, dtype, shape):
    """`array` to write to, or a new one."""
    if array is None:
        return np.empty(shape, dtype)
    _shape(name, array, dtype, len(shape))
    if array.shape != shape:
        _refuse(name, f"its shape is {array.shape}, not {shape}")
    if not array.flags.writeable:
        _refuse(name, "it cannot be written to")
    if len(shape) == 1:
        _vector(name, array, dtype)
    return array


def _integer(name, value, least, most, what=""):
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: a whole number is needed, not {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: a whole number is needed, not {type(value).__name__}") from None
    if not least <= number <= most:
        _refuse(name, f"{number}: {least} to {most} are possible{what}")
    return number


def _real(name, value, positive=False):
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise TypeError(f"{name}: a number is needed, not {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name}: a number is needed, not {type(value).__name__}") from None
    with np.errstate(over="ignore"):
        single = float(np.float32(number))
    if not math.isfinite(single) or positive and single <= 0:
        _refuse(name, f"{number}: a finite number{' above 0' if positive else ''} within the range of float32 is needed")
    return number


class _View:
    """A matrix, codes or encoded rows as the library takes them."""

    def __init__(self, name, source):
        self.name, self.source = name, source
        if isinstance(source, Encoded):
            self.kind, array = "certified", source.rows
            self.row_bytes = source.stride * 4
            self.codes, self.scales = source.codes.codes, source.codes.scales
            self.checked, self.stride = array, source.stride
        elif isinstance(source, Codes):
            self.kind, array = "i8", source.codes
            self.codes, self.scales, self.checked = array, source.scales, source.scales
            self.stride = source.stride
        else:
            self.kind, array = "f32", source
            _shape(name, array, np.float32, 2)
            self.stride, self.checked = _stride(name, array), array
        if len(array) > 0xFFFFFFFF:
            _refuse(name, f"{len(array)} rows: 2^32 - 1 at most; search shards of it and merge the hits")
        self.array, (self.rows, self.dim) = array, array.shape

    def pointer(self, first=0, count=None):
        """The struct of nnn.h, of the rows from `first` on."""
        rows = self.rows - first if count is None else count
        start = (self.array.ctypes.data + first * self.stride * self.array.itemsize) if rows else None
        if self.kind == "f32":
            return byref(_MatF32(start, rows, self.dim, self.stride))
        if self.kind == "i8":
            return byref(self._codes(first, rows, self.stride))
        bounds = self.source.bounds.ctypes.data + first * BOUND.itemsize if rows else None
        return byref(_Encoded(_MatF32(start, rows, self.dim, self.stride), self._codes(first, rows, self.dim), bounds))

    def _codes(self, first, rows, stride):
        start = self.codes.ctypes.data + first * stride if rows else None
        scale = self.scales.ctypes.data + first * 4 if rows and self.scales is not None else None
        return _MatI8(start, scale, rows, self.dim, stride)


def _pair(first_name, first, second_name, second):
    """Two views of one kind and one dim."""
    a, b = _View(first_name, first), _View(second_name, second)
    if a.kind != b.kind:
        names = {"f32": "float32", "i8": "Codes", "certified": "Encoded"}
        raise TypeError(f"{second_name}: {names[b.kind]} does not go with {first_name}, which is {names[a.kind]}: bring both into one form")
    if a.dim != b.dim:
        _refuse(second_name, f"rows of {b.dim} elements, but {first_name} has rows of {a.dim}: embed both with one model")
    if a.kind == "certified" and not a.source.fits(b.source):
        _refuse(second_name, f"it was encoded with another mean or seed than {first_name}: encode both with the same")
    return a, b


def _bias_argument(bias, rows):
    if bias is None:
        return None, None
    _vector("bias", bias, np.float32)
    if len(bias) != rows:
        _refuse("bias", f"{len(bias)} numbers for {rows} gallery rows: compute it for this gallery")
    return bias, bias.ctypes.data


def _allow_argument(allow, rows):
    """Booleans, or words of 64 bits, as the words that the library reads."""
    if allow is None:
        return None
    if isinstance(allow, np.ndarray) and allow.dtype == np.uint64:
        words = _vector("allow", allow, np.uint64)
        if len(words) < -(-rows // 64):
            _refuse("allow", f"{len(words)} words of 64 bits for {rows} gallery rows: {-(-rows // 64)} are needed")
        return words
    _vector("allow", allow, np.bool_, rows)
    packed = np.zeros(-(-rows // 64) * 8, np.uint8)
    packed[: -(-rows // 8)] = np.packbits(allow, bitorder="little")
    return packed.view("<u8").astype(np.uint64)


# ---- threads ---------------------------------------------------------------------------------------------------------------------


def _thread_count(threads):
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _integer("threads", threads, 1, 4096)


def _run(threads, jobs):
    """Runs the functions, as many at a time; the first one's error in their order is raised."""
    if threads == 1 or len(jobs) <= 1:
        return [job() for job in jobs]
    with ThreadPoolExecutor(min(threads, len(jobs))) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def _ranges(rows, threads):
    """(first, count) of ranges that keep the threads busy, and are long enough for the check of the bank not to count."""
    size = max(min(-(-rows // threads), max(1024, -(-rows // (8 * threads)))), 1)
    return [(first, min(size, rows - first)) for first in range(0, rows, size)] or [(0, 0)]


def _scratch(size):
    return np.empty(size, np.uint8)


def _each_range(threads, rows, run, size):
    """run(first, count, scratch, bytes) over ranges of gallery rows."""

    def job(first, count):
        scratch = _scratch(size)
        run(first, count, scratch.ctypes.data, size)

    _run(threads, [lambda first=first, count=count: job(first, count) for first, count in _ranges(rows, threads)])


# ---- rows ------------------------------------------------------------------------------------------------------------------------


class Codes:
    """int8 rows with one scale each (None: all 1): element (i, j) is codes[i, j] * scales[i]. `quantize` makes them."""

    def __init__(self, codes, scales=None):
        _shape("codes", codes, np.int8, 2)
        self.stride = _stride("codes", codes)
        self.codes, self.scales = codes, None if scales is None else _vector("scales", scales, np.float32, len(codes))

    def __len__(self):
        return len(self.codes)


def quantize(rows):
    """Symmetric int8 codes of a float32 matrix: scale = max|x| / 127 per row, rounded to nearest, ties to even."""
    view = _View("rows", rows)
    if view.kind != "f32":
        raise TypeError(f"rows: a float32 matrix is needed, not {type(rows).__name__}")
    codes, scales = np.empty((view.rows, view.dim), np.int8), np.empty(view.rows, np.float32)
    _call("nnn_quantize_i8", view.pointer(), _address(codes), view.dim, _address(scales), finite=[("rows", view)])
    return Codes(codes, scales)


def normalize(rows, out=None):
    """Rows of unit length; rows of zeros stay zero. out may be `rows` itself."""
    view = _View("rows", rows)
    if view.kind != "f32":
        raise TypeError(f"rows: a float32 matrix is needed, not {type(rows).__name__}")
    out = _output("out", out, np.float32, rows.shape)
    _call("nnn_normalize_f32", view.pointer(), _address(out), _stride("out", out), finite=[("rows", view)])
    return out


def find_nonfinite(rows):
    """(row, column) of the first NaN or infinity, or None."""
    view = _View("rows", rows)
    if view.kind != "f32":
        raise TypeError(f"rows: a float32 matrix is needed, not {type(rows).__name__}")
    row, column = c_size_t(), c_size_t()
    status = _c.nnn_find_nonfinite_f32(view.pointer(), byref(row), byref(column))
    if status == _VALUE:
        return row.value, column.value
    if status != 0:
        raise Error(_c.nnn_status_str(status).decode(), "rows", status)
    return None


class Encoded:
    """A float32 matrix with int8 codes and error bounds: `bias`, `search` and `Neighbors` of two of them give the bits of the matrices
    themselves, several times as fast. side: "gallery", or "query" for queries and banks. Both sides need the same mean (best the
    bank's, `Encoded.mean_of(bank)`) and seed (0: no rotation). The matrix is referred to, not copied: do not change it afterwards."""

    def __init__(self, rows, side="gallery", mean=None, seed=1):
        view = _View("rows", rows)
        if view.kind != "f32":
            raise TypeError(f"rows: a float32 matrix is needed, not {type(rows).__name__}")
        if side not in _SIDES if isinstance(side, str) else True:
            _refuse("side", f'{side!r}: "gallery" or "query" is needed')
        self.seed = _integer("seed", seed, 0, 2**64 - 1)
        self.mean = None if mean is None else _vector("mean", mean, np.float32, view.dim).copy()
        self.rows, self.stride, self.side = rows, view.stride, side
        codes, scales = np.empty((view.rows, view.dim), np.int8), np.empty(view.rows, np.float32)
        self.bounds, work = np.empty(view.rows, BOUND), np.empty(view.dim, np.float32)
        _call("nnn_encode_f32", view.pointer(), None if mean is None else self.mean.ctypes.data, _SIDES[side], self.seed, work.ctypes.data,
              _address(codes), view.dim, _address(scales), _address(self.bounds), finite=[("rows", view), ("mean", self.mean)])  # fmt: skip
        self.codes = Codes(codes, scales)

    def __len__(self):
        return len(self.rows)

    @staticmethod
    def mean_of(bank):
        """The mean of the rows of a float32 matrix."""
        view = _View("bank", bank)
        if view.kind != "f32":
            raise TypeError(f"bank: a float32 matrix is needed, not {type(bank).__name__}")
        mean = np.empty(view.dim, np.float32)
        _call("nnn_mean_f32", view.pointer(), mean.ctypes.data, finite=[("bank", view)])
        return mean

    def fits(self, other):
        """Whether both were encoded alike."""
        means = self.mean is None, other.mean is None
        return self.seed == other.seed and means[0] == means[1] and (means[0] or np.array_equal(self.mean, other.mean))


def _sides(view, name, side):
    if view.kind == "certified" and view.source.side != side:
        _refuse(name, f'it was encoded as "{view.source.side}": encode it with side="{side}"')


# ---- bias ------------------------------------------------------------------------------------------------------------------------


def bias(gallery, bank, k=16, alpha=0.75, out=None, threads=None):
    """One float32 per gallery row: alpha times the mean of its k largest similarities with the bank. O(gallery * bank * dim)."""
    g, b = _pair("gallery", gallery, "bank", bank)
    _sides(g, "gallery", "gallery")
    _sides(b, "bank", "query")
    if b.rows == 0:
        _refuse("bank", "it has no rows")
    k = _integer("k", k, 1, b.rows, f", as the bank has {b.rows} rows")
    alpha, threads = _real("alpha", alpha), _thread_count(threads)
    wanted = out if out is None else _output("out", out, np.float32, (g.rows,))
    # Ranges are written one by one, and none of it should be where one of them is refused.
    out = np.empty(g.rows, np.float32)
    rows, certificate = (g.pointer(), b.pointer()), [None] if g.kind == "certified" else []

    def run(first, count, scratch, size):
        start = out.ctypes.data + 4 * first if count else None
        _call(f"nnn_bias_{g.kind}", *rows, k, alpha, first, count, scratch, size, start, *certificate,
              finite=[("gallery", g), ("bank", b)])  # fmt: skip

    _each_range(threads, g.rows, run, _pass_scratch(g.kind, k, g.dim))
    if wanted is None:
        return out
    wanted[:] = out
    return wanted


def _pass_scratch(kind, k, dim):
    return (_c.nnn_certified_scratch if kind == "certified" else _c.nnn_neighbors_scratch)(k, dim)


def mean_bias(gallery, bank, strength=0.5, threads=None):
    """Distribution normalisation: strength times the similarity with the mean of the bank. O((gallery + bank) * dim)."""
    g, b = _pair("gallery", gallery, "bank", bank)
    if g.kind == "certified":
        raise TypeError("gallery: a float32 matrix or Codes are needed, not Encoded: pass the matrix itself")
    strength, threads = _real("strength", strength), _thread_count(threads)
    if b.rows == 0:
        _refuse("bank", "it has no rows")
    sums, mean, out = np.empty(g.dim * 5, np.uint64), np.empty(g.dim, np.float32), np.empty(g.rows, np.float32)
    _call("nnn_columns_init", sums.ctypes.data, g.dim)
    _call(f"nnn_columns_update_{b.kind}", b.pointer(), sums.ctypes.data, finite=[("bank", b)])
    _call("nnn_columns_mean", sums.ctypes.data, g.dim, b.rows, mean.ctypes.data)
    rows = g.pointer()

    def run(first, count, *_):
        start = out.ctypes.data + 4 * first if count else None
        _call(f"nnn_mean_bias_{g.kind}", rows, mean.ctypes.data, strength, first, count, start, finite=[("gallery", g)])

    _each_range(threads, g.rows, run, 0)
    return out


class Neighbors:
    """The k largest similarities of each gallery row with the bank: the state behind the biases of every smaller k and every alpha.

    `update` adds bank rows, `merge` a table of other bank rows, both exactly: shards of a bank in any order give the same bits. `table`
    is the float32 array, rows x k, best first, -inf where fewer were seen; save it with numpy.save, load it with Neighbors(table=...)."""

    def __init__(self, rows=None, k=None, table=None):
        if table is not None:
            if rows is not None or k is not None:
                _refuse("table", "it has its own rows and k: pass either it or them")
            _shape("table", table, np.float32, 2)
            if not table.flags.c_contiguous or not table.flags.writeable or table.shape[1] == 0:
                _refuse("table", "a writable table of whole rows is needed: numpy.array copies one")
            self.table = table
        else:
            rows = _integer("rows", rows, 0, 0xFFFFFFFF)
            k = _integer("k", k, 1, 2**31 - 1)
            if rows * k * 4 > sys.maxsize:
                _refuse("k", f"{rows} rows of {k} floats are more than memory can hold")
            self.table = np.empty((rows, k), np.float32)
            _call("nnn_neighbors_init", _address(self.table), rows, k)
        self.rows, self.k = self.table.shape

    def update(self, gallery, bank, threads=None):
        """Adds all rows of the bank. O(gallery * bank * dim)."""
        g, b = _pair("gallery", gallery, "bank", bank)
        _sides(g, "gallery", "gallery")
        _sides(b, "bank", "query")
        if g.rows != self.rows:
            _refuse("gallery", f"{g.rows} rows for a table of {self.rows}")
        rows, certificate = (g.pointer(), b.pointer()), [None] if g.kind == "certified" else []

        def run(first, count, scratch, size):
            start = self.table.ctypes.data + 4 * self.k * first if count else None
            _call(f"nnn_neighbors_update_{g.kind}", *rows, self.k, first, count, scratch, size, start, *certificate,
                  finite=[("gallery", g), ("bank", b)])  # fmt: skip

        # Ranges are written one by one: what may be refused for its content is looked at before any of them.
        for view in (g, b):
            place = _nonfinite(view)
            if place is not None:
                _refuse(view.name, f"[{place[0]}] is {place[1]}: remove or repair such rows (find_nonfinite shows them)")
        for start in range(0, self.rows, 4096):
            part = self.table[start : start + 4096]
            if not ((part[:, :-1] >= part[:, 1:]).all() and (part < np.inf).all()):
                _refuse("table", f"a row from {start} on is not in order, best first: it was changed since it was made")
        _each_range(_thread_count(threads), g.rows, run, _pass_scratch(g.kind, self.k, g.dim))
        return self

    def merge(self, other):
        """Adds what another table of the same gallery rows has seen, of other bank rows."""
        if not isinstance(other, Neighbors):
            raise TypeError(f"other: Neighbors are needed, not {type(other).__name__}")
        if other.table.shape != self.table.shape:
            _refuse("other", f"its table is {other.table.shape}, this one {self.table.shape}: merge tables of the same rows and k")
        _call("nnn_neighbors_merge", _address(self.table), _address(other.table), self.rows, self.k)
        return self

    def bias(self, k=None, alpha=0.75):
        """The biases for a k up to the table's own."""
        k = self.k if k is None else _integer("k", k, 1, self.k, ", as the table holds no more")
        out = np.empty(self.rows, np.float32)
        _call("nnn_neighbors_bias", _address(self.table), self.rows, self.k, k, _real("alpha", alpha), _address(out))
        return out

    def grid(self, ks, alphas):
        """The biases of every pair, alphas x ks x rows: what `ranks` compares. ks ascend."""
        ks = np.array([_integer("ks", k, 1, self.k, ", as the table holds no more") for k in _listed("ks", ks)], np.uintp)
        alphas = np.array([_real("alphas", alpha) for alpha in _listed("alphas", alphas)], np.float32)
        if np.any(ks[1:] <= ks[:-1]):
            _refuse("ks", "they must ascend")
        out = np.empty((len(alphas), len(ks), self.rows), np.float32)
        _call("nnn_neighbors_grid", _address(self.table), self.rows, self.k, _address(ks), len(ks), _address(alphas), len(alphas),
              _address(out))  # fmt: skip
        return out


def _listed(name, values):
    try:
        return list(values)
    except TypeError:
        raise TypeError(f"{name}: a list of numbers is needed, not {type(values).__name__}") from None


class Softmax:
    """The inverted softmax: per gallery row the sum of e^(beta * similarity) over the bank, in 40 bytes. Shards as with `Neighbors`."""

    def __init__(self, rows, beta):
        self.rows, self.beta = _integer("rows", rows, 0, 0xFFFFFFFF), _real("beta", beta, positive=True)
        self.sums = np.empty((self.rows, 5), np.uint64)
        _call("nnn_logsum_init", _address(self.sums), self.rows)

    def update(self, gallery, bank, threads=None):
        """Adds all rows of the bank. O(gallery * bank * dim)."""
        g, b = _pair("gallery", gallery, "bank", bank)
        if g.kind == "certified":
            raise TypeError("gallery: a float32 matrix or Codes are needed, not Encoded: pass the matrix itself")
        if g.rows != self.rows:
            _refuse("gallery", f"{g.rows} rows for sums of {self.rows}")
        rows, sums = (g.pointer(), b.pointer()), self.sums.copy()

        def run(first, count, scratch, size):
            start = sums.ctypes.data + 40 * first if count else None
            _call(f"nnn_logsum_update_{g.kind}", *rows, None, self.beta, first, count, scratch, size, start,
                  finite=[("gallery", g), ("bank", b)])  # fmt: skip

        _each_range(_thread_count(threads), g.rows, run, _pass_scratch(g.kind, 1, g.dim))
        self.sums = sums
        return self

    def merge(self, other):
        """Adds the sums of the same gallery rows over other bank rows."""
        if not isinstance(other, Softmax):
            raise TypeError(f"other: Softmax is needed, not {type(other).__name__}")
        if (other.rows, other.beta) != (self.rows, self.beta):
            _refuse("other", f"{other.rows} rows and beta {other.beta}, here {self.rows} and {self.beta}: merge sums of the same")
        _call("nnn_logsum_merge", _address(self.sums), _address(other.sums if other is not self else self.sums.copy()), self.rows)
        return self

    def bias(self):
        """ln(sum) / beta per gallery row."""
        out = np.empty(self.rows, np.float32)
        _call("nnn_logsum_bias", _address(self.sums), self.rows, self.beta, _address(out))
        return out


# ---- search ----------------------------------------------------------------------------------------------------------------------


class Hits:
    """Hits of queries: `scores` and `ids` (gallery rows), queries x k, best first; `found` says how many of each row are hits. Past them
    the score is -inf and the id 2^32 - 1. Both are views of `array`, whose elements are nnn_hit."""

    def __init__(self, array, found):
        self.array, self.found = array, found

    @property
    def scores(self):
        return self.array["score"]

    @property
    def ids(self):
        return self.array["id"]

    def __len__(self):
        return len(self.array)

    @classmethod
    def empty(cls, queries, k):
        if queries * k * HIT.itemsize > sys.maxsize:
            _refuse("k", f"{queries} lists of {k} hits are more than memory can hold")
        array = np.empty((queries, k), HIT)
        array["score"], array["id"] = -np.inf, NOT_RANKED
        return cls(array, np.zeros(queries, np.uint32))


def search(queries, gallery, bias=None, k=10, allow=None, threads=None):
    """For each query the k gallery rows with the largest <query, row> - bias[row]. allow: one boolean per gallery row, or uint64 words
    of its bits: which rows may be hits. Ties go to the lower row. A k above the gallery's rows is their number.
    O(queries * gallery * dim)."""
    q, g = _pair("queries", queries, "gallery", gallery)
    _sides(q, "queries", "query")
    _sides(g, "gallery", "gallery")
    k = min(_integer("k", k, 1, 2**32 - 1), max(g.rows, 1))
    threads = _thread_count(threads)
    biases, bias_start = _bias_argument(bias, g.rows)
    words = _allow_argument(allow, g.rows)
    allowed = None if words is None else _address(words)
    size = _c.nnn_certified_scratch(k, q.dim) if q.kind == "certified" else _c.nnn_search_scratch(q.rows, k, q.dim)
    certificate = [None] if q.kind == "certified" else []
    rows = g.pointer()

    def part(hits, query, queries_count, first, count):
        scratch = _scratch(size)
        array, found = hits.array[query : query + queries_count], hits.found[query : query + queries_count]
        _call(f"nnn_search_{q.kind}", q.pointer(query, queries_count), rows, bias_start, allowed, k, first, count, _address(scratch), size,
              _address(array), _address(found), *certificate, finite=[("queries", q), ("bias", biases)])  # fmt: skip
        return hits

    if q.rows >= 16 * threads or g.rows < 4096 * threads:
        # Each thread has queries of its own: batches of 16 make full use of a gallery row.
        hits, step = Hits.empty(q.rows, k), max(-(-q.rows // threads), 16)
        starts = range(0, max(q.rows, 1), step)
        _run(threads, [lambda s=s: part(hits, s, min(step, q.rows - s), 0, g.rows) for s in starts])
        return hits
    step = -(-g.rows // threads)
    shards = [(first, min(step, g.rows - first)) for first in range(0, g.rows, step)]
    parts = _run(threads, [lambda f=f, c=c: part(Hits.empty(q.rows, k), 0, q.rows, f, c) for f, c in shards])
    hits = parts[0]
    for other in parts[1:]:
        merge_hits(hits, other)
    return hits


def merge_hits(into, other, offset=0):
    """Adds the hits of another part of the gallery to `into`, for the same queries: the k best of both. offset: the number of the other
    part's first gallery row, added to its ids."""
    for name, hits in (("into", into), ("other", other)):
        if not isinstance(hits, Hits):
            raise TypeError(f"{name}: Hits are needed, not {type(hits).__name__}")
    if len(into) != len(other):
        _refuse("other", f"hits of {len(other)} queries, {len(into)} are needed")
    offset = _integer("offset", offset, 0, 0xFFFFFFFE)
    array = other.array
    if offset:
        array = array.copy()
        for row, count in zip(array, other.found):
            if count and int(row["id"][:count].max()) + offset > 0xFFFFFFFE:
                _refuse("offset", "ids beyond 2^32 - 2 would arise")
            row["id"][:count] += np.uint32(offset)
    elif other is into:
        _refuse("other", "it is `into` itself")
    k, theirs, function = into.array.shape[1], array.shape[1], "nnn_hits_merge"
    for query in range(len(into)):
        mine, its = into.array.ctypes.data + query * k * 8, array.ctypes.data + query * theirs * 8
        _call(function, mine, into.found.ctypes.data + 4 * query, its, int(other.found[query]), k)
    return into


def rerank(ids, scores, bias, k=10):
    """Debiases what another engine found: the k best of each query's candidates by score - bias[id].

    ids: unsigned or signed whole numbers, queries x candidates, negative where an engine found fewer. scores: raw similarities, float32
    of the same shape (higher is better). O(candidates) per query."""
    for name, array in (("ids", ids), ("scores", scores)):
        if not isinstance(array, np.ndarray) or array.ndim != 2:
            raise TypeError(f"{name}: a matrix, queries x candidates, is needed")
    if ids.dtype.kind not in "iu":
        raise TypeError(f"ids: whole numbers are needed, not {ids.dtype}")
    _shape("scores", scores, np.float32, 2)
    if ids.shape != scores.shape:
        _refuse("scores", f"its shape is {scores.shape}, that of ids {ids.shape}")
    _vector("bias", bias, np.float32)
    k = min(_integer("k", k, 1, 2**32 - 1), max(ids.shape[1], 1))
    hits, candidates, found = Hits.empty(len(ids), k), np.empty(ids.shape[1], HIT), c_uint32()
    for query, (row_ids, row_scores) in enumerate(zip(ids, scores)):
        real = row_ids >= 0
        count = int(np.count_nonzero(real))
        row_ids, row_scores = row_ids[real], row_scores[real]
        if count and int(row_ids.max()) >= len(bias):
            _refuse("ids", f"{int(row_ids.max())} in row {query}, but bias is for {len(bias)} gallery rows")
        candidates["id"][:count], candidates["score"][:count] = row_ids, row_scores
        _call("nnn_rerank", _address(candidates), count, _address(bias), len(bias), k, hits.array.ctypes.data + query * k * 8, byref(found),
              finite=[("scores", scores), ("bias", bias)])  # fmt: skip
        hits.found[query] = found.value
    return hits


def scores(queries, gallery, out=None):
    """All similarities, queries x gallery."""
    q, g = _pair("queries", queries, "gallery", gallery)
    if q.kind == "certified":
        raise TypeError("queries: a float32 matrix or Codes are needed, not Encoded: pass the matrix itself")
    out = _output("out", out, np.float32, (q.rows, g.rows))
    if g.rows == 0:
        return out
    _call(f"nnn_scores_{q.kind}", q.pointer(), g.pointer(), 0, g.rows, _address(out), _stride("out", out) if g.rows <= _MAX_DIM else
          _contiguous("out", out), finite=[("queries", q)])  # fmt: skip
    return out


def _contiguous(name, array):
    if not array.flags.c_contiguous:
        _refuse(name, "it must be contiguous: numpy.ascontiguousarray copies it so")
    return array.shape[1]


# ---- in an engine or a database ---------------------------------------------------------------------------------------------------


class _Limits(ctypes.Structure):
    _fields_ = [("norm2", c_double), ("bias_min", c_float), ("bias_max", c_float)]


class Export:
    """Vectors that carry the bias, so that an index which knows nothing of it searches debiased: a faiss, hnswlib or usearch index, a
    column of pgvector, sqlite-vec, Milvus, Qdrant.

        export = nnn.Export(gallery, bias, "l2")
        index.add(export.rows(gallery, bias))
        found = index.search(export.queries(queries))

    form: "inner product", "l2" or "cosine": what the index compares by. `norm2`, `bias_min`, `bias_max` are the limits that all rows of an
    index share; pass wider ones for rows to come, or those of an index that exists."""

    FORMS = {"inner product": 0, "l2": 1, "cosine": 2}

    def __init__(self, gallery, bias, form, multiple=1, norm2=None, bias_min=None, bias_max=None):
        if form not in self.FORMS if isinstance(form, str) else True:
            _refuse("form", f"{form!r}: one of {', '.join(self.FORMS)} is needed")
        view, biases = self._rows(gallery, bias)
        self.form, self._code, self.columns = form, self.FORMS[form], view.dim
        self.dim = _c.nnn_export_dim(view.dim, self._code, _integer("multiple", multiple, 1, 65536))
        limits = _Limits()
        _call("nnn_export_limits_f32", view.pointer(), _address(biases), 0, view.rows, byref(limits),
              finite=[("gallery", view), ("bias", biases)])  # fmt: skip
        for name, wider, pick in (("norm2", norm2, max), ("bias_min", bias_min, min), ("bias_max", bias_max, max)):
            if wider is not None:
                setattr(limits, name, pick(_real(name, wider), getattr(limits, name)))
        if limits.bias_min > limits.bias_max:
            _refuse("gallery", "it has no rows: pass norm2, bias_min and bias_max")
        self._limits = limits

    norm2 = property(lambda self: self._limits.norm2)
    bias_min = property(lambda self: self._limits.bias_min)
    bias_max = property(lambda self: self._limits.bias_max)

    @staticmethod
    def _rows(gallery, bias):
        view = _View("gallery", gallery)
        if view.kind != "f32":
            raise TypeError(f"gallery: a float32 matrix is needed, not {type(gallery).__name__}")
        if bias is None:
            raise TypeError("bias: a numpy array of float32 is needed, not None: nnn.bias makes one")
        return view, _bias_argument(bias, view.rows)[0]

    def _fits(self, name, view):
        if view.dim != self.columns:
            _refuse(name, f"rows of {view.dim} elements, but the export is for {self.columns}")

    def rows(self, gallery, bias, threads=None):
        """The vectors of gallery rows with their biases: rows x dim."""
        view, biases = self._rows(gallery, bias)
        self._fits("gallery", view)
        out, rows = np.empty((view.rows, self.dim), np.float32), view.pointer()

        def run(first, count, *_):
            start = out.ctypes.data + 4 * self.dim * first if count else None
            _call("nnn_export_rows_f32", rows, _address(biases), byref(self._limits), self._code, first, count, start, self.dim,
                  finite=[("gallery", view), ("bias", biases)])  # fmt: skip

        _each_range(_thread_count(threads), view.rows, run, 0)
        return out

    def queries(self, queries, alpha=1.0):
        """The vectors of queries: queries x dim. alpha: other than 1 only where rows carry means, biases of alpha = 1 (not for l2)."""
        view = _View("queries", queries)
        if view.kind != "f32":
            raise TypeError(f"queries: a float32 matrix is needed, not {type(queries).__name__}")
        self._fits("queries", view)
        out = np.empty((view.rows, self.dim), np.float32)
        _call("nnn_export_queries_f32", view.pointer(), self._code, self._alpha(alpha), _address(out), self.dim,
              finite=[("queries", view)])  # fmt: skip
        return out

    def _alpha(self, alpha):
        alpha = _real("alpha", alpha)
        if self.form == "l2" and alpha != 1:
            _refuse("alpha", f"{alpha}: the l2 form knows 1 only")
        return alpha

    def scores(self, queries, values, alpha=1.0):
        """Debiased scores of what the index answered, queries x k: inner products, squared distances or cosines. (1 - x: subtract from 1
        first. A distance that is a root: square it.)"""
        view = _View("queries", queries)
        if view.kind != "f32":
            raise TypeError(f"queries: a float32 matrix is needed, not {type(queries).__name__}")
        self._fits("queries", view)
        _shape("values", values, np.float32, 2)
        if len(values) != view.rows:
            _refuse("values", f"{len(values)} rows for {view.rows} queries")
        out, alpha = np.array(values, order="C"), self._alpha(alpha)
        for i in range(view.rows):
            query = view.array.ctypes.data + 4 * i * view.stride
            row = out.ctypes.data + 4 * i * out.shape[1] if out.size else None
            _call("nnn_export_scores", byref(self._limits), self._code, query, view.dim, alpha, row, out.shape[1],
                  finite=[("queries", view), ("values", out)])  # fmt: skip
        return out


# ---- does it help ----------------------------------------------------------------------------------------------------------------


class _Interval(ctypes.Structure):
    _fields_ = [("gain", c_double), ("low", c_double), ("high", c_double)]


class _Hubness(ctypes.Structure):
    _fields_ = [(name, c_double) for name in ("skewness", "kurtosis", "robin_hood", "never")] + [("maximum", c_uint32), ("row", c_uint32)]


def _answers(answers, queries):
    """One gallery row per query, or a list of them per query, as offsets and ids."""
    lists = [np.atleast_1d(np.asarray(a)) for a in _listed("answers", answers)]
    if len(lists) != queries:
        _refuse("answers", f"{len(lists)} for {queries} queries: one gallery row, or a list of them, per query")
    for query, rows in enumerate(lists):
        if rows.ndim != 1 or rows.size == 0 or rows.dtype.kind not in "iu":
            _refuse("answers", f"those of query {query} are not one or more whole numbers")
        if int(rows.min()) < 0 or int(rows.max()) > 0xFFFFFFFF:
            _refuse("answers", f"those of query {query} are no gallery rows")
    offsets = np.zeros(queries + 1, np.uintp)
    offsets[1:] = np.cumsum([len(rows) for rows in lists])
    return offsets, np.concatenate([np.empty(0, np.int64), *lists]).astype(np.uint32)


def ranks(queries, gallery, answers, biases=None, threads=None):
    """The rank, from 1, of each query's best right answer in the whole gallery: row 0 by plain scores, then one row per bias.

    biases: ... x gallery (of `Neighbors.grid`, or several methods' stacked), or None. 2^32 - 1 where an answer's score is not finite."""
    q, g = _pair("queries", queries, "gallery", gallery)
    if q.kind == "certified":
        raise TypeError("queries: a float32 matrix or Codes are needed, not Encoded: pass the matrix itself")
    offsets, ids = _answers(answers, q.rows)
    if len(ids) and int(ids.max()) >= g.rows:
        _refuse("answers", f"row {int(ids.max())}, but the gallery has {g.rows}")
    if biases is None:
        biases = np.empty((0, g.rows), np.float32)
    if not isinstance(biases, np.ndarray) or biases.dtype != np.float32:
        raise TypeError("biases: a float32 array, ... x gallery rows, is needed")
    if biases.ndim == 0 or biases.shape[-1] != g.rows or not biases.flags.c_contiguous or not biases.flags.aligned:
        _refuse("biases", f"a contiguous array, ... x {g.rows}, is needed")
    count = math.prod(biases.shape[:-1])
    threads, size = _thread_count(threads), _c.nnn_ranks_scratch(count)
    rows, step = g.pointer(), max(-(-q.rows // threads), 1)

    def part(start):
        queries_count, scratch = min(step, q.rows - start), _scratch(size)
        out = np.empty((1 + count, queries_count), np.uint32)
        part_offsets = offsets[start : start + queries_count + 1] - offsets[start]
        part_ids = ids[offsets[start] : offsets[start + queries_count]]
        _call(f"nnn_ranks_{q.kind}", q.pointer(start, queries_count), rows, _address(biases), count, part_offsets.ctypes.data,
              _address(part_ids), len(part_ids), scratch.ctypes.data, size, _address(out),
              finite=[("queries", q), ("biases", biases)])  # fmt: skip
        return out

    starts = range(0, q.rows, step)
    return np.hstack([np.empty((1 + count, 0), np.uint32), *_run(threads, [lambda s=s: part(s) for s in starts])])


def recall(ranks, k=1):
    """The share of the ranks that are k or better."""
    _vector("ranks", ranks, np.uint32)
    if len(ranks) == 0:
        _refuse("ranks", "there are none")
    share = c_double()
    _call("nnn_recall", ranks.ctypes.data, len(ranks), _integer("k", k, 1, 2**32 - 1), byref(share))
    return share.value


def choose(ranks, k=1, confidence=0.95, seed=0, resamples=1000):
    """Of `ranks` (plain first) the bias with the best recall at k: (bias, helps, (gain, low, high)). helps is True only if the bootstrap
    interval of the gain lies above 0 and luck among so many biases is no likely cause: else serve without a correction. Judge the choice on queries that took no part in it."""
    _shape("ranks", ranks, np.uint32, 2)
    if not ranks.flags.c_contiguous or ranks.shape[0] < 2 or ranks.shape[1] == 0:
        _refuse("ranks", "those of plain search and of one bias at least, of one query at least, are needed, contiguous")
    confidence = _real("confidence", confidence)
    if not 0 < confidence < 1:
        _refuse("confidence", f"{confidence}: it lies between 0 and 1")
    work = np.empty(_integer("resamples", resamples, 1, 10**7), np.uint32)
    best, helps, gain = c_size_t(), c_uint32(), _Interval()
    _call("nnn_choose", ranks.ctypes.data, ranks.shape[0] - 1, ranks.shape[1], _integer("k", k, 1, 2**32 - 1), confidence,
          _integer("seed", seed, 0, 2**64 - 1), work.ctypes.data, len(work), byref(best), byref(helps), byref(gain))  # fmt: skip
    return best.value, bool(helps.value), (gain.gain, gain.low, gain.high)


def hubness(hits, rows, n=None):
    """How unevenly queries reach the gallery: a dict of the distribution's skewness, kurtosis, Robin Hood index, the share of rows that
    no query retrieves, and the greatest count and its row; and `counts`, in how many queries' first n hits each gallery row is."""
    if not isinstance(hits, Hits):
        raise TypeError(f"hits: Hits are needed, not {type(hits).__name__}")
    k = hits.array.shape[1]
    n = k if n is None else _integer("n", n, 1, k, ", as there are no more hits")
    counts, result = np.zeros(_integer("rows", rows, 1, 2**32 - 1), np.uint32), _Hubness()
    _call("nnn_count_occurrences", _address(hits.array), _address(hits.found), len(hits), k, n, counts.ctypes.data, len(counts))
    _call("nnn_hubness", counts.ctypes.data, len(counts), byref(result))
    return {**{name: getattr(result, name) for name, _ in _Hubness._fields_}, "counts": counts}


# ---- this machine ----------------------------------------------------------------------------------------------------------------


def version():
    """The version of the library, such as "0.1.0"."""
    number = _c.nnn_version()
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"


def isa():
    """The instruction set that calls use, such as "avx512vnni"."""
    return _c.nnn_isa_str(_c.nnn_isa_active()).decode()


def isas():
    """Those of this build on this machine, slowest first."""
    codes, count = (c_uint32 * 16)(), c_size_t()
    _call("nnn_isa_available", codes, 16, byref(count))
    return [_c.nnn_isa_str(code).decode() for code in codes[: count.value]]


def select_isa(name="auto"):
    """Makes later calls of the process use an instruction set of `isas`, or the best one again."""
    codes, count = (c_uint32 * 16)(), c_size_t()
    _call("nnn_isa_available", codes, 16, byref(count))
    known = {"auto": 0, **{_c.nnn_isa_str(code).decode(): code for code in codes[: count.value]}}
    if name not in known if isinstance(name, str) else True:
        _refuse("name", f"{name!r}: one of {', '.join(known)} is possible")
    _call("nnn_isa_select", known[name])
