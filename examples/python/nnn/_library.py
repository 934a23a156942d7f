"""The C library: loading, calling, what its errors become, and what it says about this machine."""

import ctypes
import os
import platform
import sys
from ctypes import byref, c_char_p, c_double, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

import numpy as np

ABI_VERSION = 1
NOT_RANKED = 0xFFFFFFFF
_MAX_DIM = 131071
_VALUE = -10
_CODES = {"p": c_void_p, "z": c_size_t, "u": c_uint32, "U": c_uint64, "f": c_float, "d": c_double, "s": c_char_p, "i": c_int32}

# Result and arguments of the functions that are called here, one letter each, as nnn.h declares them: p pointer, z size_t, u uint32_t,
# U uint64_t, i int32_t, f float, d double, s text.
_SIGNATURES = {
    "nnn_version": "u",
    "nnn_abi_version": "u",
    "nnn_status_str": "si",
    "nnn_isa_active": "u",
    "nnn_isa_str": "su",
    "nnn_isa_select": "iu",
    "nnn_isa_available": "ipzp",
    "nnn_cpu_hwcap": "iUU",
    "nnn_find_nonfinite_f32": "ippp",
    "nnn_normalize_f32": "ippz",
    "nnn_quantize_i8": "ippzp",
    "nnn_scores_f32": "ippzzpz",
    "nnn_scores_i8": "ippzzpz",
    "nnn_neighbors_init": "ipzz",
    "nnn_neighbors_scratch": "zzz",
    "nnn_neighbors_update_f32": "ippzzzpzp",
    "nnn_neighbors_update_i8": "ippzzzpzp",
    "nnn_neighbors_update_certified": "ippzzzpzpp",
    "nnn_neighbors_merge": "ippzz",
    "nnn_neighbors_bias": "ipzzzfp",
    "nnn_neighbors_grid": "ipzzpzpzp",
    "nnn_bias_f32": "ippzfzzpzp",
    "nnn_bias_i8": "ippzfzzpzp",
    "nnn_bias_certified": "ippzfzzpzpp",
    "nnn_logsum_init": "ipz",
    "nnn_logsum_update_f32": "ipppfzzpzp",
    "nnn_logsum_update_i8": "ipppfzzpzp",
    "nnn_logsum_merge": "ippz",
    "nnn_logsum_bias": "ipzfp",
    "nnn_columns_init": "ipz",
    "nnn_columns_update_f32": "ipp",
    "nnn_columns_update_i8": "ipp",
    "nnn_columns_mean": "ipzzp",
    "nnn_mean_bias_f32": "ippfzzp",
    "nnn_mean_bias_i8": "ippfzzp",
    "nnn_search_scratch": "zzzz",
    "nnn_search_f32": "ippppzzzpzpp",
    "nnn_search_i8": "ippppzzzpzpp",
    "nnn_search_certified": "ippppzzzpzppp",
    "nnn_hits_merge": "ipppuz",
    "nnn_rerank": "ipzpzzpp",
    "nnn_rerank_certified": "ipzpzfzppp",
    "nnn_mean_f32": "ipp",
    "nnn_encode_f32": "ippuUppzpp",
    "nnn_certified_scratch": "zzz",
    "nnn_ranks_scratch": "zz",
    "nnn_ranks_f32": "ipppzppzpzp",
    "nnn_ranks_i8": "ipppzppzpzp",
    "nnn_recall": "ipzzp",
    "nnn_choose": "ipzzzdUpzppp",
    "nnn_count_occurrences": "ippzzzpz",
    "nnn_hubness": "ipzp",
    "nnn_export_dim": "zzuz",
    "nnn_export_limits_f32": "ippzzp",
    "nnn_export_rows_f32": "ipppuzzpz",
    "nnn_export_queries_f32": "ipufpz",
    "nnn_export_scores": "ipupzfpz",
    "nnn_neighbor_ids_init": "ipzz",
    "nnn_neighbor_ids_update_f32": "ipppzzzzpzp",
    "nnn_neighbor_ids_update_i8": "ipppzzzzpzp",
    "nnn_neighbor_ids_merge": "ippzz",
    "nnn_neighbor_ids_expire": "ipzzzpzpp",
    "nnn_neighbor_ids_bias": "ipzzzfp",
    "nnn_coarse_train_scratch": "zzzz",
    "nnn_coarse_scratch": "zzzzz",
    "nnn_coarse_train": "ipzzUpzp",
    "nnn_coarse_assign": "ippzzpzp",
    "nnn_coarse_lists": "ipzzpp",
    "nnn_coarse_check": "izzpppz",
    "nnn_coarse_gather_f32": "ippzpz",
    "nnn_coarse_gather_i8": "ippzpzp",
    "nnn_coarse_neighbors_f32": "ippppzzzzpzpp",
    "nnn_coarse_neighbors_i8": "ippppzzzzpzpp",
    "nnn_coarse_bias": "ipzzzfpp",
    "nnn_coarse_search_f32": "ipppppppzzpzppp",
    "nnn_coarse_search_i8": "ipppppppzzpzppp",
    "nnn_bias_error": "ippzp",
    "nnn_hits_recall": "ippppzzp",
    "nnn_activation_set": "ippzzzzp",
    "nnn_search_gated_f32": "ipppzppzzzpzpp",
    "nnn_search_gated_i8": "ipppzppzzzpzpp",
    "nnn_dual_softmax": "ipzpzfzzpp",
    "nnn_sinkhorn_bias_f32": "ipppfzpzpzpzp",
    "nnn_sinkhorn_bias_i8": "ipppfzpzpzpzp",
    "nnn_logsum_dual_bias": "ipfpfzp",
}


class Error(ValueError):
    """An argument that cannot be used. `argument` names it, `status` is the code of nnn.h or None where Python saw it first."""

    def __init__(self, message, argument=None, status=None):
        super().__init__(message)
        self.argument, self.status = argument, status


def _refuse(argument, message):
    raise Error(f"{argument}: {message}", argument)


def _load():
    names = {"darwin": ["libnnn.dylib"], "win32": ["nnn.dll"]}.get(sys.platform, ["libnnn.so.0.1", "libnnn.so"])
    here = Path(__file__).resolve().parent
    if named := os.environ.get("NNN_LIBRARY"):
        places = [named]
    else:
        folders = [here, *(parent / "target/release" for parent in here.parents if (parent / "include/nnn.h").is_file())]
        places = [str(folder / name) for folder in folders for name in names if (folder / name).is_file()] + names
    errors = []
    for place in places:
        try:
            library = ctypes.CDLL(place)
            found = library.nnn_abi_version()
            for name, (result, *arguments) in _SIGNATURES.items():
                function = getattr(library, name)
                function.restype, function.argtypes = _CODES[result], [_CODES[code] for code in arguments]
        except (OSError, AttributeError) as error:
            errors.append(f"{error} (a library older than this module lacks functions)" if isinstance(error, AttributeError) else str(error))
            continue
        if found != ABI_VERSION:
            errors.append(f"{place} has the binary interface {found}, this module needs {ABI_VERSION}: take both from one release")
            continue
        return library
    raise ImportError(
        "libnnn is not found: run `cargo build --release -p nnn-capi` in its repository, put the library into the folder of nnn, or name it "
        "in NNN_LIBRARY. " + "; ".join(errors)
    )


_c = _load()
if sys.platform == "linux" and platform.machine() == "aarch64":
    _auxiliary = ctypes.CDLL(None).getauxval
    _auxiliary.restype, _auxiliary.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    _c.nnn_cpu_hwcap(_auxiliary(16), _auxiliary(26))


def _call(name, *arguments, finite=()):
    """Calls the library. finite: (name, matrix or array) of what must hold no NaN, to say where it does."""
    status = getattr(_c, name)(*arguments)
    if status == 0:
        return
    text = f"{_c.nnn_status_str(status).decode()} ({name})"
    if status == _VALUE:
        for argument, values in finite:
            place = _nonfinite(values)
            if place is not None:
                where, value = place
                raise Error(f"{argument}[{where}] is {value}: remove or repair such rows (find_nonfinite shows them)", argument, status)
    raise Error(text, None, status)


def _nonfinite(values):
    """Where the first value that is NaN or infinite is, and the value."""
    values = getattr(values, "checked", values)
    if values is None or values.ndim == 0 or values.size == 0:
        return None
    for start in range(0, len(values), 4096):
        places = np.argwhere(~np.isfinite(values[start : start + 4096]))
        if len(places):
            place = places[0]
            place[0] += start
            return ", ".join(map(str, place)), values[tuple(place)]
    return None


def version():
    """The version of the library, such as "0.1.0"."""
    number = _c.nnn_version()
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"


def isa():
    """The instruction set that calls use, such as "avx512vnni"."""
    return _c.nnn_isa_str(_c.nnn_isa_active()).decode()


def isas():
    """Those of this build on this machine, slowest first."""
    codes, count = (c_uint32 * 16)(), c_size_t()
    _call("nnn_isa_available", codes, 16, byref(count))
    return [_c.nnn_isa_str(code).decode() for code in codes[: count.value]]


def select_isa(name="auto"):
    """Makes later calls of the process use an instruction set of `isas`, or the best one again."""
    codes, count = (c_uint32 * 16)(), c_size_t()
    _call("nnn_isa_available", codes, 16, byref(count))
    known = {"auto": 0, **{_c.nnn_isa_str(code).decode(): code for code in codes[: count.value]}}
    if name not in known if isinstance(name, str) else True:
        _refuse("name", f"{name!r}: one of {', '.join(known)} is possible")
    _call("nnn_isa_select", known[name])
