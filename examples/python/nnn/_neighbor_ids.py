"""The neighbour table with ids: a bank whose rows come and go."""

import sys
from ctypes import byref, c_size_t

import numpy as np

from ._arguments import _address, _allow_argument, _each_range, _Fixed, _integer, _real, _shape, _thread_count
from ._library import _c, _call, _nonfinite, _refuse
from ._rows import _pair
from ._search import HIT


class NeighborIds(_Fixed):
    """`Neighbors` that know which bank rows they hold, so that rows of the bank can expire. Known neighbours are exact at all times.

        table = nnn.NeighborIds(len(gallery), k=24)          # some more than the 16 of the bias, so that few rows run short
        table.update(gallery, bank)                          # ids 0, 1, ...
        for row in table.expire(16, live):                   # live: one boolean per id; rows that know too few now
            table.renew(row, gallery, bank, live)            # bank: all rows, at the place of their ids
        bias = table.bias(16, alpha=0.75)

    `table` holds rows x k nnn_hit: `score`, and as `id` the bank row, 2^32 - 1 where none is known."""

    def __init__(self, rows=None, k=None, table=None):
        if table is not None:
            if rows is not None or k is not None:
                _refuse("table", "it has its own rows and k: pass either it or them")
            _shape("table", table, HIT, 2)
            if not table.flags.c_contiguous or not table.flags.writeable or table.shape[1] == 0:
                _refuse("table", "a writable table of whole rows is needed: numpy.array copies one")
            self.table = table
        else:
            rows, k = _integer("rows", rows, 0, 0xFFFFFFFF), _integer("k", k, 1, 2**31 - 1)
            if rows * k * HIT.itemsize > sys.maxsize:
                _refuse("k", f"{rows} rows of {k} neighbours are more than memory can hold")
            self.table = np.empty((rows, k), HIT)
            _call("nnn_neighbor_ids_init", _address(self.table), rows, k)
        self.rows, self.k = self.table.shape

    def update(self, gallery, bank, first_id=0, live=None, threads=None):
        """Adds rows of the bank, row j with the id first_id + j. live: one boolean per bank row, or uint64 words of its bits: rows without
        it are left out."""
        g, b = self._sides(gallery, bank)
        if g.rows != self.rows:
            _refuse("gallery", f"{g.rows} rows for a table of {self.rows}")
        table = self.table.copy()  # ranges are written one by one, and none of it should be where one of them is refused
        self._update(g, b, first_id, live, 0, table, _thread_count(threads))
        self.table[:] = table
        return self

    def merge(self, other):
        """Adds what a table of the same gallery rows has seen, of other bank rows."""
        if not isinstance(other, NeighborIds):
            raise TypeError(f"other: NeighborIds are needed, not {type(other).__name__}")
        if other.table.shape != self.table.shape:
            _refuse("other", f"its table is {other.table.shape}, this one {self.table.shape}: merge tables of the same rows and k")
        if other is self:
            _refuse("other", "it is the table itself")
        _call("nnn_neighbor_ids_merge", _address(self.table), _address(other.table), self.rows, self.k)
        return self

    def expire(self, k, live):
        """Removes the neighbours that are not live any more. live: one boolean per id. Returns the rows that know fewer than k neighbours
        now although the bank has more: `renew` them before their bias is taken."""
        k = _integer("k", k, 1, self.k, ", as the table holds no more")
        if not isinstance(live, np.ndarray) or live.dtype != np.bool_:
            raise TypeError("live: an array of booleans, one per id, is needed")
        words, rows, count = _allow_argument(live, len(live)), np.empty(max(self.rows, 1), np.uint32), c_size_t()
        known = self.table["id"]
        highest = int(known[known != 0xFFFFFFFF].max(initial=0))
        if highest and highest >= len(live):
            _refuse("live", f"{len(live)} booleans, but the table knows the id {highest}: one for each id is needed")
        _call("nnn_neighbor_ids_expire", _address(self.table), self.rows, self.k, k, _address(words), len(live), _address(rows), byref(count))
        return rows[: count.value].copy()

    def renew(self, row, gallery, bank, live=None):
        """Computes one row anew: gallery and bank in full, the bank's rows at the place of their ids."""
        row = _integer("row", row, 0, self.rows - 1)
        g, b = self._sides(gallery, bank)
        if g.rows != self.rows:
            _refuse("gallery", f"{g.rows} rows for a table of {self.rows}")
        fresh = np.empty((1, self.k), HIT)
        _call("nnn_neighbor_ids_init", _address(fresh), 1, self.k)
        self._update(g, b, 0, live, row, fresh, 1)
        self.table[row] = fresh[0]
        return self

    def bias(self, k=None, alpha=0.75):
        """The biases for a k up to the table's own, in the bits of `Neighbors`."""
        k = self.k if k is None else _integer("k", k, 1, self.k, ", as the table holds no more")
        out = np.empty(self.rows, np.float32)
        _call("nnn_neighbor_ids_bias", _address(self.table), self.rows, self.k, k, _real("alpha", alpha), _address(out))
        return out

    @staticmethod
    def _sides(gallery, bank):
        g, b = _pair("gallery", gallery, "bank", bank)
        if g.kind == "certified":
            raise TypeError("gallery: a float32 matrix or Codes are needed, not Encoded: pass the matrix itself")
        return g, b

    def _update(self, g, b, first_id, live, base, table, threads):
        first_id = _integer("first_id", first_id, 0, max(0xFFFFFFFF - b.rows, 0), f" for {b.rows} bank rows")
        words = _allow_argument(live, b.rows)
        for view in (g, b):
            place = _nonfinite(view)
            if place is not None:
                _refuse(view.name, f"[{place[0]}] is {place[1]}: remove or repair such rows (find_nonfinite shows them)")
        rows = g.pointer(), b.pointer()

        def run(first, count, scratch, size):
            start = table.ctypes.data + HIT.itemsize * self.k * first if count else None
            _call(f"nnn_neighbor_ids_update_{g.kind}", *rows, None if words is None else _address(words), first_id, self.k, base + first, count,
                  scratch, size, start)  # fmt: skip

        _each_range(threads, len(table), run, _c.nnn_neighbors_scratch(self.k, g.dim))
