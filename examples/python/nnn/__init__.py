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

The library is looked for in $NNN_LIBRARY, in this folder, in the repository's target/release, and where the system looks.
Not wrapped: what numpy does as well (single dot products, ln of the softmax sums), what is for engines in C (metric functions, exported
codes), and `nnn_attribute_bias`, `nnn_balanced_sample` (the program's `nnn fairness`).
"""

from ._bias import Neighbors, Softmax, bias, mean_bias
from ._coarse import CoarseIndex
from ._evaluate import bias_error, choose, hits_recall, hubness, ranks, recall
from ._export import Export
from ._gate import Gate, activation_set, dual_softmax, search_gated, sinkhorn_bias
from ._library import ABI_VERSION, Error, NOT_RANKED, isa, isas, select_isa, version
from ._neighbor_ids import NeighborIds
from ._rows import Codes, Encoded, find_nonfinite, normalize, quantize
from ._search import HIT, Hits, merge_hits, rerank, rerank_certified, scores, search

__all__ = [
    "Error", "Codes", "Encoded", "Hits", "Neighbors", "NeighborIds", "Softmax", "CoarseIndex", "Gate",
    "Export", "bias", "mean_bias", "search", "merge_hits", "rerank", "rerank_certified", "scores",
    "normalize", "quantize", "find_nonfinite",
    "activation_set", "search_gated", "dual_softmax", "sinkhorn_bias", "bias_error", "hits_recall",
    "ranks", "recall", "choose", "hubness", "version", "isa", "isas", "select_isa",
]  # fmt: skip
