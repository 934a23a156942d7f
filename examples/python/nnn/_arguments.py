"""Checks of arguments, and the threads that calls run on."""

import math
import operator
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ._library import _MAX_DIM, _c, _refuse


class _Fixed:
    """An object whose attributes stay those it was made with: the library is handed their addresses, and relies on what was checked then.
    (What is in the arrays may change.)"""

    _CHANGES = ()

    def __setattr__(self, name, value):
        if name in self.__dict__ and name not in self._CHANGES:
            raise AttributeError(f"{name}: it cannot be replaced; make a new {type(self).__name__} of it")
        super().__setattr__(name, value)


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


def _listed(name, values):
    try:
        return list(values)
    except TypeError:
        raise TypeError(f"{name}: a list of numbers is needed, not {type(values).__name__}") from None


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
    size = rows if threads == 1 else min(-(-rows // threads), max(1024, -(-rows // (8 * threads))))
    size = max(size, 1)
    return [(first, min(size, rows - first)) for first in range(0, rows, size)] or [(0, 0)]


def _scratch(size):
    return np.empty(size, np.uint8)


def _each_range(threads, rows, run, size):
    """run(first, count, scratch, bytes) over ranges of gallery rows."""

    def job(first, count):
        scratch = _scratch(size)
        run(first, count, scratch.ctypes.data, size)

    _run(threads, [lambda first=first, count=count: job(first, count) for first, count in _ranges(rows, threads)])


def _pass_scratch(kind, k, dim):
    return (_c.nnn_certified_scratch if kind == "certified" else _c.nnn_neighbors_scratch)(k, dim)
