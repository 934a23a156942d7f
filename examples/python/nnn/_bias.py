"""Biases: one number per gallery row."""

import sys

import numpy as np

from ._arguments import _address, _each_range, _Fixed, _integer, _listed, _output, _pass_scratch, _real, _shape, _thread_count
from ._library import _call, _nonfinite, _refuse
from ._rows import _pair, _sides


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


class Neighbors(_Fixed):
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
        if other is self:
            _refuse("other", "it is the table itself")
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


class Softmax(_Fixed):
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
        self.sums[:] = sums
        return self

    def merge(self, other):
        """Adds the sums of the same gallery rows over other bank rows."""
        if not isinstance(other, Softmax):
            raise TypeError(f"other: Softmax is needed, not {type(other).__name__}")
        if (other.rows, other.beta) != (self.rows, self.beta):
            _refuse("other", f"{other.rows} rows and beta {other.beta}, here {self.rows} and {self.beta}: merge sums of the same")
        if other is self:
            _refuse("other", "they are the sums themselves")
        _call("nnn_logsum_merge", _address(self.sums), _address(other.sums), self.rows)
        return self

    def bias(self):
        """ln(sum) / beta per gallery row."""
        out = np.empty(self.rows, np.float32)
        _call("nnn_logsum_bias", _address(self.sums), self.rows, self.beta, _address(out))
        return out

    def dual_bias(self, gallery_bank):
        """DualIS: (ln sum here + ln sum over a gallery bank) / (beta + beta'), with the `Softmax` of the same rows over that bank."""
        if not isinstance(gallery_bank, Softmax):
            raise TypeError(f"gallery_bank: Softmax is needed, not {type(gallery_bank).__name__}")
        if gallery_bank.rows != self.rows:
            _refuse("gallery_bank", f"sums of {gallery_bank.rows} rows, here {self.rows}")
        out = np.empty(self.rows, np.float32)
        _call("nnn_logsum_dual_bias", _address(self.sums), self.beta, _address(gallery_bank.sums), gallery_bank.beta, self.rows, _address(out))
        return out
