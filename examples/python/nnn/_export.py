"""Debiased search in an engine or a database."""

import ctypes
from ctypes import byref, c_double, c_float

import numpy as np

from ._arguments import _address, _bias_argument, _each_range, _Fixed, _integer, _real, _shape, _thread_count
from ._library import _c, _call, _refuse
from ._rows import _View


class _Limits(ctypes.Structure):
    _fields_ = [("norm2", c_double), ("bias_min", c_float), ("bias_max", c_float)]


class Export(_Fixed):
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
