"""Rows: float32 matrices, int8 codes, encoded rows, in the form in which the library takes them."""

import ctypes
from ctypes import byref, c_size_t, c_void_p

import numpy as np

from ._arguments import _address, _Fixed, _integer, _output, _shape, _stride, _vector
from ._library import Error, _VALUE, _c, _call, _refuse

BOUND = np.dtype([(name, np.float32) for name in ("residual", "norm", "length", "offset")])
_SIDES = {"gallery": 0, "query": 1}


class _MatF32(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("rows", c_size_t), ("dim", c_size_t), ("stride", c_size_t)]


class _MatI8(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("scale", c_void_p), ("rows", c_size_t), ("dim", c_size_t), ("stride", c_size_t)]


class _Encoded(ctypes.Structure):
    _fields_ = [("rows", _MatF32), ("codes", _MatI8), ("bounds", c_void_p)]


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


def _sides(view, name, side):
    if view.kind == "certified" and view.source.side != side:
        _refuse(name, f'it was encoded as "{view.source.side}": encode it with side="{side}"')


class Codes(_Fixed):
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


class Encoded(_Fixed):
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
