"""The coarse index: biases and search that look at a part of the bank or the gallery only."""

from ctypes import byref, c_size_t, c_uint64

import numpy as np

from ._arguments import _address, _allow_argument, _bias_argument, _each_range, _Fixed, _integer, _real, _run, _scratch, _thread_count, _vector
from ._library import _c, _call, _refuse
from ._rows import Codes, _pair, _View
from ._search import Hits


class CoarseIndex(_Fixed):
    """Inverted lists over centroids of a bank or a gallery (float32 or `Codes`); passes and searches score the lists of the best `probes`
    centroids only, those exactly: with all lists probed they give the bits of `bias` and `search`.

        lists = nnn.CoarseIndex(bank)
        bias = lists.bias(gallery, k=16, alpha=0.75, probes=8)
        rows = nnn.CoarseIndex(gallery)
        hits = rows.search(queries, bias, k=10, probes=4)

    lists: how many, when not passed twice the square root of the rows. The centroids come from a sample of 64 rows a list, by `rounds` of
    k-means that `seed` begins. `centroids`, `offsets`, `ids` and `listed` (the rows in list order) are arrays; numpy.save keeps them, and
    CoarseIndex.load takes them back. `pairs`: how many pairs of rows the last call scored."""

    _CHANGES = ("pairs", "short_rows")

    def __init__(self, rows, lists=None, rounds=10, seed=0, threads=None):
        view = self._view("rows", rows)
        if view.rows == 0:
            _refuse("rows", "there are none to index")
        lists = min(max(int(2 * view.rows**0.5), 1), view.rows) if lists is None else _integer("lists", lists, 1, 0xFFFFFFFD)
        rounds, seed, threads = _integer("rounds", rounds, 0, 10000), _integer("seed", seed, 0, 2**64 - 1), _thread_count(threads)
        step = max(view.rows // (64 * lists), 1)
        sample = _View("rows", np.ascontiguousarray(self._floats(rows, slice(None, None, step))))
        if lists > sample.rows:
            _refuse("lists", f"{lists} for {view.rows} rows: as many as rows at most")
        size = _c.nnn_coarse_train_scratch(sample.rows, lists, view.dim)
        scratch = _scratch(size)
        self.centroids = np.empty((lists, view.dim), np.float32)
        _call("nnn_coarse_train", sample.pointer(), lists, rounds, seed, _address(scratch), size, _address(self.centroids),
              finite=[("rows", sample)])  # fmt: skip
        assigned = np.empty(view.rows, np.uint32)
        if view.kind == "f32":
            self._assign(view, threads, assigned)
        else:
            # Lists are those of the floats that the codes stand for, some rows at a time.
            for first in range(0, view.rows, 65536):
                part = _View("rows", self._floats(rows, slice(first, first + 65536)))
                self._assign(part, threads, assigned[first : first + part.rows])
        self.offsets, self.ids = np.empty(lists + 1, np.uint32), np.empty(view.rows, np.uint32)
        _call("nnn_coarse_lists", _address(assigned), view.rows, lists, _address(self.offsets), _address(self.ids))
        self.listed, self.pairs = self._gather(view), 0

    @classmethod
    def load(cls, centroids, offsets, ids, listed):
        """An index of these arrays, as an index had them; checked, not copied."""
        index = cls.__new__(cls)
        view, lists = cls._view("listed", listed), _View("centroids", centroids)
        if lists.kind != "f32" or lists.dim != view.dim or lists.rows == 0 or lists.stride != lists.dim:
            _refuse("centroids", f"a contiguous float32 matrix of rows of {view.dim} elements is needed")
        _vector("offsets", offsets, np.uint32, lists.rows + 1)
        _vector("ids", ids, np.uint32, view.rows)
        size = -(-view.rows // 8)
        scratch = _scratch(max(size, 1))
        if _c.nnn_coarse_check(view.rows, lists.rows, _address(offsets), _address(ids), _address(scratch), size) != 0:
            _refuse("offsets", "they and ids are no index of these rows: save and load all arrays of one index")
        index.centroids, index.offsets, index.ids, index.listed, index.pairs = centroids, offsets, ids, listed, 0
        return index

    @property
    def lists(self):
        return len(self.centroids)

    def bias(self, gallery, k=16, alpha=0.75, probes=8, threads=None):
        """One float32 per gallery row, as `nnn.bias` with the indexed rows as the bank, from the lists that each row probes. A row that
        found fewer than k has the mean of what it found; `short_rows` says how many did: many mean that more probes are needed."""
        g, b = _pair("gallery", gallery, "bank", self.listed)
        k = _integer("k", k, 1, b.rows, f", as the bank has {b.rows} rows")
        probes, alpha, threads = _integer("probes", probes, 1, 2**31 - 1), _real("alpha", alpha), _thread_count(threads)
        table, out, pairs, short = np.empty((g.rows, k), np.float32), np.empty(g.rows, np.float32), [], c_size_t()
        _call("nnn_neighbors_init", _address(table), g.rows, k)
        centroids = _View("centroids", self.centroids)

        def run(first, count, scratch, size):
            scored, start = c_uint64(), table.ctypes.data + 4 * k * first if count else None
            _call(f"nnn_coarse_neighbors_{g.kind}", g.pointer(), b.pointer(), centroids.pointer(), _address(self.offsets), probes, k, first,
                  count, scratch, size, start, byref(scored), finite=[("gallery", g), ("centroids", centroids)])  # fmt: skip
            pairs.append(scored.value)

        _each_range(threads, g.rows, run, self._scratch_size(g, probes))
        _call("nnn_coarse_bias", _address(table), g.rows, k, k, alpha, _address(out), byref(short))
        self.pairs, self.short_rows = sum(pairs), short.value
        return out

    def search(self, queries, bias=None, k=10, probes=8, allow=None, threads=None):
        """`nnn.search` over the indexed rows, of the lists that each query probes. Ids, bias and allow are those of the rows as they were
        indexed."""
        q, g = _pair("queries", queries, "gallery", self.listed)
        k = min(_integer("k", k, 1, 2**32 - 1), max(g.rows, 1))
        probes, threads = _integer("probes", probes, 1, 2**31 - 1), _thread_count(threads)
        biases, bias_start = _bias_argument(bias, g.rows)
        words = _allow_argument(allow, g.rows)
        size, hits, centroids, pairs = self._scratch_size(q, probes), Hits.empty(q.rows, k), _View("centroids", self.centroids), []

        def run(first, count):
            scratch, scored, part = _scratch(size), c_uint64(), slice(first, first + count)
            _call(f"nnn_coarse_search_{q.kind}", q.pointer(first, count), g.pointer(), centroids.pointer(), _address(self.offsets),
                  _address(self.ids), bias_start, None if words is None else _address(words), probes, k, _address(scratch), size,
                  _address(hits.array[part]), _address(hits.found[part]), byref(scored),
                  finite=[("queries", q), ("bias", biases), ("centroids", centroids)])  # fmt: skip
            pairs.append(scored.value)

        step = max(-(-q.rows // threads), 16)
        _run(threads, [lambda first=first: run(first, min(step, q.rows - first)) for first in range(0, max(q.rows, 1), step)])
        self.pairs = sum(pairs)
        return hits

    def _scratch_size(self, view, probes):
        """What the library recommends, but not for so many rows at once that their probes take more than 64 MiB."""
        probes = min(probes, self.lists)
        return _c.nnn_coarse_scratch(min(view.rows, 1 + 2**23 // probes), self.lists, probes, view.dim)

    @staticmethod
    def _view(name, rows):
        view = _View(name, rows)
        if view.kind == "certified":
            raise TypeError(f"{name}: a float32 matrix or Codes are needed, not Encoded: pass the matrix itself")
        return view

    @staticmethod
    def _floats(rows, part):
        if not isinstance(rows, Codes):
            return rows[part]
        codes = rows.codes[part].astype(np.float32)
        return codes if rows.scales is None else codes * rows.scales[part, None]

    def _assign(self, view, threads, assigned):
        centroids = _View("centroids", self.centroids)

        def run(first, count, scratch, size):
            start = assigned.ctypes.data + 4 * first if count else None
            _call("nnn_coarse_assign", view.pointer(), centroids.pointer(), first, count, scratch, size, start, finite=[("rows", view)])

        _each_range(threads, view.rows, run, _c.nnn_neighbors_scratch(1, view.dim))

    def _gather(self, view):
        ids, rows = _address(self.ids), view.rows
        if view.kind == "f32":
            listed = np.empty((rows, view.dim), np.float32)
            _call("nnn_coarse_gather_f32", view.pointer(), ids, rows, _address(listed), view.dim)
            return listed
        codes, scales = np.empty((rows, view.dim), np.int8), np.empty(rows, np.float32)
        _call("nnn_coarse_gather_i8", view.pointer(), ids, rows, _address(codes), view.dim, _address(scales))
        return Codes(codes, scales)
