"""Corrections that open per query: QBNorm's dynamic inverted softmax, DBNorm's DualIS and DualDIS; dual softmax; Sinkhorn."""

import ctypes
from ctypes import byref, c_float, c_uint32, c_void_p

import numpy as np

from ._arguments import _address, _allow_argument, _Fixed, _integer, _listed, _real, _scratch, _vector
from ._library import _c, _call, _refuse
from ._rows import _pair
from ._search import HIT, Hits, search


class _Gate(ctypes.Structure):
    _fields_ = [("bias", c_void_p), ("active", c_void_p), ("beta", c_float)]


class Gate(_Fixed):
    """A correction for queries whose best plain row is in `active` only. bias: an inverted softmax (`Softmax.bias`); active: uint64 words
    of one bit per gallery row (`activation_set`); beta: that of the bias."""

    def __init__(self, bias, active, beta):
        self.bias, self.active = _vector("bias", bias, np.float32), _vector("active", active, np.uint64)
        if len(active) < -(-len(bias) // 64):
            _refuse("active", f"{len(active)} words of 64 bits for {len(bias)} gallery rows: {-(-len(bias) // 64)} are needed")
        self.beta = _real("beta", beta, positive=True)


def activation_set(hits, rows, n=None):
    """The gallery rows that are among the n best of a bank query, as uint64 words of one bit each: QBNorm's activation set.

    hits: those of a plain `search` with the bank's rows as queries. rows: of the gallery. n: all hits when not passed."""
    if not isinstance(hits, Hits):
        raise TypeError(f"hits: Hits are needed, not {type(hits).__name__}")
    k = hits.array.shape[1]
    rows, n = _integer("rows", rows, 0, 0xFFFFFFFF), k if n is None else _integer("n", n, 1, k, ", as there are no more hits")
    for ids, found in zip(hits.ids, hits.found):
        if found and int(ids[:found].max()) >= rows:
            _refuse("rows", f"{rows}, but a hit is row {int(ids[:found].max())}: pass the gallery's number of rows")
    words = np.zeros(-(-rows // 64), np.uint64)
    array, found = np.ascontiguousarray(hits.array), np.ascontiguousarray(hits.found)
    _call("nnn_activation_set", _address(array), _address(found), len(hits), k, n, rows, _address(words))
    return words


def search_gated(queries, gallery, gates, k=10, allow=None):
    """`search` with one gate (QBNorm: score - bias where it is open, else the plain score) or two (DualDIS: DualIS where both are).

    gates: a list of one or two `Gate`. O(queries * gallery * dim), twice, on one thread: a plain search finds each query's best row first."""
    q, g = _pair("queries", queries, "gallery", gallery)
    if q.kind == "certified":
        raise TypeError("queries: a float32 matrix or Codes are needed, not Encoded: pass the matrix itself")
    k = min(_integer("k", k, 1, 2**32 - 1), max(g.rows, 1))
    structs, words = _gates(gates, g.rows), _allow_argument(allow, g.rows)
    winners = np.ascontiguousarray(search(queries, gallery, k=1, threads=1).ids[:, 0])
    size = _c.nnn_search_scratch(q.rows, k, q.dim)
    scratch, hits = _scratch(size), Hits.empty(q.rows, k)
    _call(f"nnn_search_gated_{q.kind}", q.pointer(), g.pointer(), structs, len(structs), _address(winners),
          None if words is None else _address(words), k, 0, g.rows, _address(scratch), size, _address(hits.array), _address(hits.found),
          finite=[("queries", q), *(("gates", gate.bias) for gate in gates)])  # fmt: skip
    return hits


def _gates(gates, rows):
    gates = _listed("gates", gates)
    for gate in gates:
        if not isinstance(gate, Gate):
            raise TypeError(f"gates: a list of Gate is needed, not of {type(gate).__name__}")
        if len(gate.bias) != rows:
            _refuse("gates", f"one has {len(gate.bias)} biases for {rows} gallery rows: compute it for this gallery")
    if len(gates) not in (1, 2):
        _refuse("gates", f"{len(gates)}: one or two are possible")
    return (_Gate * len(gates))(*(_Gate(_address(gate.bias), _address(gate.active), gate.beta) for gate in gates))


def dual_softmax(hits, bias, beta, queries=None):
    """Dual softmax over a batch of live queries: the plain hits of each reranked by score - bias + ln(score * queries) / beta.

    bias: `Softmax.bias` of every gallery row with the live batch itself as its bank, beta: that of the bias. Transductive: every ranking
    depends on the other queries, so figures do not compare with those of the other methods. queries: as many as hits when not passed."""
    if not isinstance(hits, Hits):
        raise TypeError(f"hits: Hits are needed, not {type(hits).__name__}")
    _vector("bias", bias, np.float32)
    beta, k = _real("beta", beta, positive=True), hits.array.shape[1]
    queries = max(len(hits), 1) if queries is None else _integer("queries", queries, 1, 2**32)
    out, found = Hits.empty(len(hits), k), c_uint32()
    for query, (row, count) in enumerate(zip(hits.array, hits.found)):
        candidates = np.ascontiguousarray(row[:count])
        if count and int(candidates["id"].max()) >= len(bias):
            _refuse("hits", f"row {int(candidates['id'].max())} for query {query}, but bias is for {len(bias)} gallery rows")
        _call("nnn_dual_softmax", _address(candidates), int(count), _address(bias), len(bias), beta, queries, k,
              out.array.ctypes.data + query * k * HIT.itemsize, byref(found), finite=[("bias", bias)])  # fmt: skip
        out.found[query] = found.value
    return out


def sinkhorn_bias(gallery, bank, tau=0.01, iterations=10, gallery_bank=None):
    """Sinkhorn normalisation, one float32 per gallery row: SN, or with further rows like the gallery's as `gallery_bank`, DBSN. One thread.
    O(2 * iterations * (gallery + gallery bank) * bank * dim)."""
    g, b = _pair("gallery", gallery, "bank", bank)
    if g.kind == "certified":
        raise TypeError("gallery: a float32 matrix or Codes are needed, not Encoded: pass the matrix itself")
    more = None if gallery_bank is None else _pair("gallery", gallery, "gallery_bank", gallery_bank)[1]
    for name, view in (("gallery", g), ("bank", b)):
        if view.rows == 0:
            _refuse(name, "it has no rows")
    tau, iterations = _real("tau", tau, positive=True), _integer("iterations", iterations, 1, 2**31 - 1)
    targets = g.rows + (more.rows if more else 0)
    sums, potentials = np.empty((max(targets, b.rows), 5), np.uint64), np.empty(targets + b.rows, np.float32)
    size = _c.nnn_neighbors_scratch(1, g.dim)
    scratch, out = _scratch(size), np.empty(g.rows, np.float32)
    _call(f"nnn_sinkhorn_bias_{g.kind}", g.pointer(), more.pointer() if more else None, b.pointer(), tau, iterations, _address(sums), len(sums),
          _address(potentials), len(potentials), _address(scratch), size, _address(out),
          finite=[("gallery", g), ("bank", b), *([("gallery_bank", more)] if more else [])])  # fmt: skip
    return out
