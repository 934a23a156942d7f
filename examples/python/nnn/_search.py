"""Search with a bias."""

import math
import sys
from ctypes import byref, c_size_t, c_uint32

import numpy as np

from ._arguments import (
    _address,
    _allow_argument,
    _bias_argument,
    _Fixed,
    _integer,
    _output,
    _real,
    _run,
    _scratch,
    _shape,
    _stride,
    _thread_count,
    _vector,
)
from ._library import NOT_RANKED, _MAX_DIM, _c, _call, _refuse
from ._rows import _pair, _sides

HIT = np.dtype([("score", np.float32), ("id", np.uint32)])


class Hits(_Fixed):
    """Hits of queries: `scores` and `ids` (gallery rows), queries x k, best first; `found` says how many of each row are hits. Past them
    the score is -inf and the id 2^32 - 1. Both are views of `array`, whose elements are nnn_hit."""

    def __init__(self, array, found):
        _shape("array", array, HIT, 2)
        if not array.flags.c_contiguous or not array.flags.writeable or array.shape[1] == 0:
            _refuse("array", "writable hits of whole rows are needed: numpy.array copies them")
        _vector("found", found, np.uint32, len(array))
        if len(found) and found.max() > array.shape[1]:
            _refuse("found", f"{found.max()} of {array.shape[1]} hits")
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
    if other is into:
        _refuse("other", "it is `into` itself")
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
    k, theirs, function = into.array.shape[1], array.shape[1], "nnn_hits_merge"
    for query in range(len(into)):
        mine, its = into.array.ctypes.data + query * k * 8, array.ctypes.data + query * theirs * 8
        _call(function, mine, into.found.ctypes.data + 4 * query, its, int(other.found[query]), k)
    return into


def rerank(ids, scores, bias, k=10):
    """Debiases what another engine found: the k best of each query's candidates by score - bias[id].

    ids: unsigned or signed whole numbers, queries x candidates, negative where an engine found fewer. scores: raw similarities, float32
    of the same shape (higher is better). O(candidates) per query."""
    return _reranked(ids, scores, bias, k)[0]


def rerank_certified(ids, scores, bias, k=10, bias_min=None):
    """`rerank` of the exact best candidates of an index over all rows, and for each query how many candidates to ask for next, for its hits
    to be those of a search of the whole gallery: 0 where they already are.

    ids: each row once, an index over len(bias) rows. bias_min: at most every bias (their minimum, when it is not passed). Of an approximate
    index the proof covers only rows that score at most as the last candidate. Returns Hits and an array of uint64."""
    _vector("bias", bias, np.float32)
    if bias_min is None:
        bias_min = float(bias.min()) if len(bias) else 0.0
        if not math.isfinite(bias_min):
            _refuse("bias", "it holds NaN or infinity (find_nonfinite shows where): compute it anew")
    return _reranked(ids, scores, bias, k, _real("bias_min", bias_min))


def _reranked(ids, scores, bias, k, bias_min=None):
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
    function, limits, wanted = ("nnn_rerank", [], []) if bias_min is None else ("nnn_rerank_certified", [bias_min], [c_size_t()])
    more = np.zeros(len(ids), np.uint64)
    for query, (row_ids, row_scores) in enumerate(zip(ids, scores)):
        real = row_ids >= 0
        count = int(np.count_nonzero(real))
        row_ids, row_scores = row_ids[real], row_scores[real]
        if count and int(row_ids.max()) >= len(bias):
            _refuse("ids", f"{int(row_ids.max())} in row {query}, but bias is for {len(bias)} gallery rows")
        if wanted and count > len(bias):
            _refuse("ids", f"{count} in row {query}, but bias is for {len(bias)} gallery rows, and each can be there once")
        candidates["id"][:count], candidates["score"][:count] = row_ids, row_scores
        _call(function, _address(candidates), count, _address(bias), len(bias), *limits, k, hits.array.ctypes.data + query * k * 8,
              byref(found), *map(byref, wanted), finite=[("scores", scores), ("bias", bias)])  # fmt: skip
        hits.found[query] = found.value
        if wanted:
            more[query] = wanted[0].value
    return hits, more


def scores(queries, gallery, out=None):
    """All similarities, queries x gallery. On one thread."""
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
