"""Whether it helps: ranks, recall, a choice, hubness."""

import ctypes
import math
from ctypes import byref, c_double, c_size_t, c_uint32

import numpy as np

from ._arguments import _address, _integer, _listed, _real, _run, _scratch, _shape, _thread_count, _vector
from ._library import _c, _call, _refuse
from ._rows import _pair
from ._search import Hits


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


def bias_error(exact, bias):
    """How far biases are from the exact ones: (mean, max) of |bias - exact|."""
    _vector("exact", exact, np.float32)
    _vector("bias", bias, np.float32, len(exact))
    error = (c_double * 2)()
    _call("nnn_bias_error", _address(exact), _address(bias), len(exact), error, finite=[("exact", exact), ("bias", bias)])
    return error[0], error[1]


def hits_recall(exact, hits):
    """The share of the exact hits that are among the hits of the same queries, in both as many at most."""
    for name, value in (("exact", exact), ("hits", hits)):
        if not isinstance(value, Hits):
            raise TypeError(f"{name}: Hits are needed, not {type(value).__name__}")
    if exact.array.shape != hits.array.shape:
        _refuse("hits", f"{hits.array.shape}, but exact is {exact.array.shape}: search with the same queries and k")
    share = c_double()
    sides = [np.ascontiguousarray(side) for side in (exact.array, exact.found, hits.array, hits.found)]
    _call("nnn_hits_recall", *map(_address, sides), len(exact), exact.array.shape[1], byref(share))
    return share.value
