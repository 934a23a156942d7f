"""What a user would pick instead of libnnn. Each function sets a job up and returns the call that does it once; it imports its
package itself, so a package that is missing is an ImportError, and the contender is skipped by name.

Bias pass: for each gallery row the mean of its k largest similarities with the bank. Search: for each query the k best scores, best
first. "(bias)": debiased, as ours is; "(no bias)": the peer has no such thing and does less. int8 peers get our codes with scale 1, so that results are whole numbers and can be compared.
"""

import contextlib

import numpy as np

# NumKong is asked for its kernels before anything else is imported: with USearch (which makes NumKong's symbols those of the whole
# process) and SimSIMD beside it, it names kernels that are slow, or that the processor lacks.
NUMKONG = {}
with contextlib.suppress(ImportError):
    import numkong

    NUMKONG = {dtype: numkong.pointer_to_dot(dtype) for dtype in ("float32", "int8")}

BLOCK = 512  # rows of a score matrix that numpy, torch and NumKong make at once


def means(scores, k):
    return np.partition(scores, -k, axis=1)[:, -k:].mean(axis=1, dtype=np.float64)


def blocks(n, size=BLOCK):
    return (slice(i, min(i + size, n)) for i in range(0, n, size))


# ---- the bias pass, f32 ----------------------------------------------------------------------------------------------------


def faiss_flat(gallery, bank, k):
    import faiss

    index = faiss.IndexFlatIP(bank.dim)
    index.add(bank.f32)
    return lambda: index.search(gallery.f32, k)[0].mean(axis=1)


def numpy_partition(gallery, bank, k):
    return lambda: np.concatenate([means(gallery.f32[s] @ bank.f32.T, k) for s in blocks(gallery.n)])


def authors(gallery, bank, k):
    import torch
    from nnn import NNNRetriever

    retriever = NNNRetriever(bank.dim)
    g, b = torch.from_numpy(gallery.f32), torch.from_numpy(bank.f32)
    return lambda: retriever.compute_alignment_means(g, b, k, 128)[:, 0]


def torch_topk(gallery, bank, k):
    import torch

    g, b = torch.from_numpy(gallery.f32), torch.from_numpy(bank.f32)
    return lambda: torch.cat([torch.topk(g[s] @ b.T, k, sorted=False).values.mean(1) for s in blocks(gallery.n)]).numpy()


def scann_exact(gallery, bank, k):
    from scann import scann_ops_pybind

    searcher = scann_ops_pybind.builder(bank.f32, k, "dot_product").score_brute_force(False).build()
    return lambda: searcher.search_batched(gallery.f32)[1].mean(axis=1)


def svs_f32(gallery, bank, k):
    import svs

    index = svs.Flat(bank.f32, svs.DistanceType.MIP, num_threads=1)
    return lambda: index.search(gallery.f32, k)[1].mean(axis=1)


def usearch_f32(gallery, bank, k):
    return lambda: usearch_scores(bank.f32, gallery.f32, k).mean(axis=1)


BIAS_F32 = {
    "FAISS IndexFlatIP": faiss_flat,
    "authors' package (torch)": authors,
    "torch matmul + topk": torch_topk,
    "numpy matmul + partition": numpy_partition,
    "ScaNN brute force": scann_exact,
    "SVS Flat": svs_f32,
    "USearch exact": usearch_f32,
}

# ---- the bias pass, int8 ---------------------------------------------------------------------------------------------------


def torch_int8(gallery, bank, k):
    import torch

    g, b = torch.from_numpy(gallery.i8), torch.from_numpy(bank.i8)

    def rows(s):
        return torch.topk(torch._int_mm(g[s], b.T), k, sorted=False).values.to(torch.float32).mean(1)

    return lambda: torch.cat([rows(s) for s in blocks(gallery.n)]).numpy()


def svs_int8(gallery, bank, k):
    import svs

    index = svs.Flat(bank.i8, svs.DistanceType.MIP, num_threads=1)
    return lambda: index.search(gallery.i8, k)[1].mean(axis=1)


def numkong_int8(gallery, bank, k):
    import numkong

    packed = numkong.dots_pack(bank.i8)
    return lambda: np.concatenate([means(np.asarray(numkong.dots_packed(gallery.i8[s], packed)), k) for s in blocks(gallery.n)])


def faiss_signed(gallery, bank, k):
    index, queries = faiss_signed_index(bank), gallery.i8.astype(np.float32)
    return lambda: index.search(queries, k)[0].mean(axis=1)


def faiss_signed_index(rows):
    import faiss

    index = faiss.IndexScalarQuantizer(rows.dim, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT)
    for s in blocks(rows.n, 4096):
        index.add(rows.i8[s].astype(np.float32))
    return index


def usearch_int8(gallery, bank, k):
    return lambda: usearch_scores(bank.i8, gallery.i8, k).mean(axis=1)


BIAS_I8 = {
    "torch int8 matmul + topk": torch_int8,
    "SVS Flat int8": svs_int8,
    "NumKong packed + partition": numkong_int8,
    "FAISS SQ signed": faiss_signed,
    "USearch exact int8": usearch_int8,
}

# ---- search: an index once, then a function of the queries -------------------------------------------------------------------


def search_faiss(gallery, bias, k):
    import faiss

    index = faiss.IndexFlatIP(gallery.dim)
    index.add(gallery.f32)
    return lambda queries: index.search(queries.f32, k)[0]


def search_faiss_blas(gallery, bias, k):
    """FAISS told to multiply matrices whatever the number of queries; by itself it does so from 250 on."""
    import faiss

    search, usual = search_faiss(gallery, bias, k), faiss.cvar.distance_compute_blas_threshold

    def run(queries):
        faiss.cvar.distance_compute_blas_threshold = 1
        try:
            return search(queries)
        finally:
            faiss.cvar.distance_compute_blas_threshold = usual

    return run


def search_svs(gallery, bias, k):
    import svs

    index = svs.Flat(gallery.f32, svs.DistanceType.MIP, num_threads=1)
    return lambda queries: index.search(queries.f32, k)[1]


def search_authors(gallery, bias, k):
    import torch
    from nnn import NNNRetriever

    retriever = NNNRetriever(gallery.dim)
    g, means = torch.from_numpy(gallery.f32), torch.from_numpy(bias[:, None])
    return lambda queries: retriever.retrieve(g, torch.from_numpy(queries.f32), k, 1.0, means, 128)[0]


def search_usearch(gallery, bias, k):
    return lambda queries: usearch_scores(gallery.f32, queries.f32, k)


def usearch_scores(gallery, queries, k):
    """The scores of an exact search; USearch gives 1 - score, and one row for one query."""
    from usearch.index import MetricKind, search

    return 1 - search(gallery, queries, k, MetricKind.IP, exact=True, threads=1).distances.reshape(len(queries), k)


SEARCH_F32 = {
    "FAISS IndexFlatIP (no bias)": search_faiss,
    "FAISS, BLAS at any size (no bias)": search_faiss_blas,
    "SVS Flat (no bias)": search_svs,
    "authors' package (bias)": search_authors,
    "USearch exact (no bias)": search_usearch,
}


def search_svs_int8(gallery, bias, k):
    import svs

    index = svs.Flat(gallery.i8, svs.DistanceType.MIP, num_threads=1)
    return lambda queries: index.search(queries.i8, k)[1]


def search_faiss_signed(gallery, bias, k):
    index = faiss_signed_index(gallery)
    return lambda queries: index.search(queries.i8.astype(np.float32), k)[0]


def search_usearch_int8(gallery, bias, k):
    return lambda queries: usearch_scores(gallery.i8, queries.i8, k)


SEARCH_I8 = {
    "FAISS SQ signed (no bias)": search_faiss_signed,
    "SVS Flat int8 (no bias)": search_svs_int8,
    "USearch exact int8 (no bias)": search_usearch_int8,
}
BIASED = {"authors' package (bias)"}

# ---- one pair --------------------------------------------------------------------------------------------------------------
# (shape of the function as src/lib.rs numbers them, its address, type of the result)


def pair_faiss(folder):
    import ctypes
    from pathlib import Path

    import faiss

    library = ctypes.CDLL(str(Path(faiss.__file__).parent / "libfaiss.so"))
    return 1, ctypes.cast(library._ZN5faiss18fvec_inner_productEPKfS1_m, ctypes.c_void_p).value, np.float32


def pair_hnswlib(folder):
    """hnswlib is a header; its inner product is compiled for this machine, as its own setup.py does."""
    import ctypes
    import subprocess

    source, library = folder / "hnswlib.cpp", folder / "libpeers_hnswlib.so"
    source.write_text(
        "#include <hnswlib/hnswlib.h>\n"
        'extern "C" void *peers_hnswlib(size_t dim) { return (void *)hnswlib::InnerProductSpace(dim).get_dist_func(); }\n'
    )
    command = ["c++", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", "-o", str(library), str(source)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ImportError("no C++ compiler or no hnswlib/hnswlib.h") from error
    choose = ctypes.CDLL(str(library)).peers_hnswlib
    choose.restype, choose.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    return 2, choose, np.float32


def pair_simsimd(dtype):
    def kernel(folder):
        import simsimd

        return 0, simsimd.pointer_to_dot(dtype), np.float64

    return kernel


def pair_numkong(dtype):
    def kernel(folder):
        if dtype not in NUMKONG:
            raise ImportError("No module named 'numkong'")
        return 0, NUMKONG[dtype], np.float64 if dtype == "float32" else np.int32

    return kernel


PAIR_F32 = {
    "FAISS fvec_inner_product": pair_faiss,
    "hnswlib InnerProduct": pair_hnswlib,
    "SimSIMD": pair_simsimd("float32"),
    "NumKong (f64 sums)": pair_numkong("float32"),
}
PAIR_I8 = {"SimSIMD": pair_simsimd("int8"), "NumKong": pair_numkong("int8")}
