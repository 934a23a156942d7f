"""Tests of nnn: `python3 -m unittest` in this folder."""

import re
import unittest
from pathlib import Path

import nnn
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]


def unit(rows, dim=32, seed=0):
    return nnn.normalize(np.random.default_rng(seed).standard_normal((rows, dim), dtype=np.float32) + np.float32(0.2))


class Header(unittest.TestCase):
    def test_signatures_are_those_of_the_header(self):
        text = (REPOSITORY / "include/nnn.h").read_text()
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("//", "/*", "*", "#")))
        declared = {}
        for result, name, arguments in re.findall(r"([\w ]+[ *]+)(nnn_\w+)\(([^()]*)\);", code):
            arguments = [] if arguments.strip() == "void" else arguments.split(",")
            declared[name] = "".join(map(self.letter, [result, *arguments]))
        self.assertGreater(len(declared), 60)
        for name, signature in nnn._library._SIGNATURES.items():
            self.assertEqual(declared[name], signature, name)

    def test_every_function_is_used_or_left_out_for_a_reason(self):
        left_out = {
            "numpy does it": "dot_f32 dot_i8 dot4_f32 dot4_i8 logsum_ln median_rank",
            "for engines in C": "metric_f32 metric_i8 export_bytes export_limits_i8 export_limits_merge export_queries_i8 export_rows_i8",
            "rerank and rerank_certified, search_gated": "rerank_gated best_ranks",
            "shards of a mean": "columns_merge",
            "`choose` calls it": "bootstrap",
            "the program's `nnn fairness`": "attribute_bias balanced_sample",
        }
        left_out = {"nnn_" + name for names in left_out.values() for name in names.split()}
        exports = set((REPOSITORY / "ffi-tests/exports.txt").read_text().split())
        source = "".join(path.read_text() for path in sorted((REPOSITORY / "examples/python/nnn").glob("*.py")))
        named = set(re.findall(r"nnn_\w+", source.split("_SIGNATURES = {")[0] + source.split("_SIGNATURES = {")[1].split("}\n", 1)[1]))
        for name in nnn._library._SIGNATURES:
            kinds = re.sub("_(f32|i8|certified)$", "_", name)
            self.assertTrue(name in named or kinds in named, f"{name} is declared, not called")
        self.assertEqual(exports - set(nnn._library._SIGNATURES), left_out & exports)
        self.assertEqual(left_out - exports, set())

    @staticmethod
    def letter(declaration):
        if "*" in declaration:
            return "s" if "char" in declaration else "p"
        types = {"size_t": "z", "uint32_t": "u", "nnn_isa": "u", "uint64_t": "U", "float": "f", "double": "d", "nnn_status": "i"}
        return next(letter for word, letter in types.items() if word in declaration.split())


class Golden(unittest.TestCase):
    """The results of the C functions, bit for bit, whatever the threads."""

    def setUp(self):
        if nnn.isa() in ("scalar", "portable"):
            self.skipTest("the bits are those of processors with fused multiply-add")
        self.data, self.at = np.fromfile(REPOSITORY / "ffi-tests/golden/bindings.bin", np.uint8), 0

    def take(self, dtype, *shape):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        part = self.data[self.at : self.at + size]
        self.assertEqual(len(part), size)
        self.at += size
        return np.frombuffer(part.tobytes(), dtype).reshape(shape)

    def same(self, got, dtype, *shape):
        self.assertEqual(np.ascontiguousarray(got).tobytes(), self.take(dtype, *shape).tobytes())

    def same_hits(self, hits, queries, top):
        array, found = self.take(nnn.HIT, queries, top), self.take("<u4", queries)
        np.testing.assert_array_equal(hits.found, found)
        for mine, theirs, count in zip(hits.array, array, found):
            self.assertEqual(mine[:count].tobytes(), theirs[:count].tobytes())
            self.assertTrue((mine["score"][count:] == -np.inf).all() and (mine["id"][count:] == 2**32 - 1).all())

    def test_same_bits(self):
        for threads in (1, 3, 7):
            with self.subTest(threads=threads):
                self.at = 0
                self.check(threads)
                self.assertEqual(self.at, len(self.data))

    def check(self, threads):
        rows, bank_rows, query_rows, dim, k, top = map(int, self.take("<u4", 6))
        alpha, beta = map(float, self.take("<f4", 2))
        gallery, bank, queries = (self.take("<f4", n, dim) for n in (rows, bank_rows, query_rows))
        allow = self.take("<u8", 1)
        table = nnn.Neighbors(rows, k)
        for shard in (bank[30:], bank[:30]):
            table.merge(nnn.Neighbors(rows, k).update(gallery, shard, threads=threads))
        self.same(table.table, "<f4", rows, k)
        bias = nnn.bias(gallery, bank, k, alpha, threads=threads)
        self.same(bias, "<f4", rows)
        self.assertEqual(table.bias(alpha=alpha).tobytes(), bias.tobytes())
        grid = table.grid([1, 3, k], [0.5, alpha])
        self.assertEqual(grid[1, 2].tobytes(), bias.tobytes())
        self.assertEqual(grid[0, 1].tobytes(), table.bias(3, 0.5).tobytes())
        softmax = nnn.Softmax(rows, beta).update(gallery, bank[:9], threads=threads)
        self.same(softmax.merge(nnn.Softmax(rows, beta).update(gallery, bank[9:])).bias(), "<f4", rows)
        self.same(nnn.scores(queries, gallery), "<f4", query_rows, rows)
        self.same_hits(nnn.search(queries, gallery, k=top, threads=threads), query_rows, top)
        hits_at = self.at
        debiased = nnn.search(queries, gallery, bias, top, allow, threads=threads)
        self.same_hits(debiased, query_rows, top)
        bits = np.unpackbits(allow.view(np.uint8), bitorder="little")[:rows].astype(bool)
        mean = nnn.Encoded.mean_of(bank)
        g = nnn.Encoded(gallery, "gallery", mean)
        for hits in (
            nnn.search(queries, gallery, bias, top, bits, threads=threads),
            nnn.search(nnn.Encoded(queries, "query", mean), g, bias, top, bits, threads=threads),
        ):
            self.at = hits_at
            self.same_hits(hits, query_rows, top)
        self.assertEqual(nnn.bias(g, nnn.Encoded(bank, "query", mean), k, alpha, threads=threads).tobytes(), bias.tobytes())
        quantized = [nnn.quantize(matrix) for matrix in (gallery, bank, queries)]
        for codes in quantized:
            self.same(codes.codes, "i1", len(codes), dim)
            self.same(codes.scales, "<f4", len(codes))
        bias = nnn.bias(quantized[0], quantized[1], k, alpha, threads=threads)
        self.same(bias, "<f4", rows)
        self.same_hits(nnn.search(quantized[2], quantized[0], bias, top, threads=threads), query_rows, top)
        exact = table.bias(alpha=alpha)
        plain = nnn.search(queries, gallery, k=top)
        few, lists, probes, rounds, seed = map(int, self.take("<u4", 5))
        hits, more = nnn.rerank_certified(plain.ids, plain.scores, exact, few)
        self.same_hits(hits, query_rows, few)
        self.same(more.astype("<u4"), "<u4", query_rows)
        index = nnn.CoarseIndex(gallery, lists, rounds, seed, threads=threads)
        for array, dtype in ((index.centroids, "<f4"), (index.offsets, "<u4"), (index.ids, "<u4")):
            self.same(array, dtype, *array.shape)
        self.same_hits(index.search(queries, exact, top, probes, allow), query_rows, top)
        self.assertEqual(index.pairs, self.take("<u4", 1)[0])
        index = nnn.CoarseIndex(bank, lists, rounds, seed, threads=threads)
        self.same(index.bias(gallery, k, alpha, probes, threads=threads), "<f4", rows)
        self.assertEqual([index.short_rows, index.pairs], self.take("<u4", 2).tolist())
        live = np.unpackbits(self.take("<u8", 1).view(np.uint8), bitorder="little")[:bank_rows].astype(bool)
        changing = nnn.NeighborIds(rows, k)
        for first, shard in ((30, bank[30:]), (0, bank[:30])):
            changing.merge(nnn.NeighborIds(rows, k).update(gallery, shard, first, threads=threads))
        self.same(changing.table, nnn.HIT, rows, k)
        short = changing.expire(few, live)
        self.same(short, "<u4", self.take("<u4", 1)[0])
        for row in short:
            changing.renew(int(row), gallery, bank, live)
        self.same(changing.table, nnn.HIT, rows, k)
        self.same(changing.bias(few, alpha), "<f4", rows)


class Arrays(unittest.TestCase):
    def test_slices_are_read_where_they_are(self):
        wide, bank = unit(300, 40), unit(50, 32, 1)
        for view in (wide[:, 3:35], wide[::3, 3:35], wide[5:6, :32], wide[:0, :32]):
            copy = view.copy()
            self.assertEqual(nnn.bias(view, bank, 4).tobytes(), nnn.bias(copy, bank, 4).tobytes())
            np.testing.assert_array_equal(nnn.search(bank, view, k=3).array, nnn.search(bank, copy, k=3).array)
        codes = nnn.quantize(wide)
        part = nnn.Codes(codes.codes[::2, :32], codes.scales[::2].copy())
        whole = nnn.Codes(codes.codes[::2, :32].copy(), part.scales)
        self.assertEqual(nnn.bias(part, nnn.quantize(bank), 4).tobytes(), nnn.bias(whole, nnn.quantize(bank), 4).tobytes())

    def test_outputs_are_written_where_they_are(self):
        gallery, bank = unit(100), unit(50, seed=1)
        out = np.zeros(102, np.float32)
        returned = nnn.bias(gallery, bank, out=out[1:101])
        self.assertEqual(out[1:101].tobytes(), nnn.bias(gallery, bank).tobytes())
        self.assertTrue(np.shares_memory(returned, out) and out[0] == out[101] == 0)
        copy = gallery * 3
        self.assertIs(nnn.normalize(copy, out=copy), copy)
        np.testing.assert_allclose(copy, gallery, rtol=1e-6)
        table = np.zeros((50, 120), np.float32)
        nnn.scores(bank, gallery, out=table[:, 10:110])
        np.testing.assert_allclose(table[:, 10:110], bank @ gallery.T, atol=1e-6)
        self.assertTrue((table[:, :10] == 0).all() and (table[:, 110:] == 0).all())

    def test_searches_with_threads_over_queries_and_over_rows(self):
        gallery = unit(20000, 16)
        bias = nnn.bias(gallery, unit(64, 16, 1), 4)
        for count in (0, 1, 17, 100):
            queries = unit(count, 16, 2)
            one = nnn.search(queries, gallery, bias, 7, threads=1)
            for threads in (2, 4):
                many = nnn.search(queries, gallery, bias, 7, threads=threads)
                self.assertEqual(many.array.tobytes(), one.array.tobytes())
            parts = nnn.search(queries, gallery[:5000], bias[:5000], 7)
            nnn.merge_hits(parts, nnn.search(queries, gallery[5000:], bias[5000:], 7), offset=5000)
            self.assertEqual(parts.array.tobytes(), one.array.tobytes())

    def test_against_numpy(self):
        gallery, bank, queries = unit(200), unit(80, seed=1), unit(20, seed=2)
        bias = nnn.bias(gallery, bank, 5, 0.75)
        expected = 0.75 * np.sort(gallery.astype(float) @ bank.T.astype(float))[:, -5:].mean(1)
        np.testing.assert_allclose(bias, expected, atol=1e-6)
        np.testing.assert_allclose(nnn.mean_bias(gallery, bank, 0.5), 0.5 * gallery.astype(float) @ bank.mean(0, dtype=float), atol=1e-6)
        debiased = queries.astype(float) @ gallery.T - bias
        hits = nnn.search(queries, gallery, bias, 3)
        np.testing.assert_array_equal(hits.ids, np.argsort(-debiased)[:, :3])
        plain = nnn.search(queries, gallery, k=200)
        again = nnn.rerank(plain.ids.astype(np.int64), plain.scores, bias, 3)
        self.assertEqual(again.array.tobytes(), hits.array.tobytes())
        for short in (20, 60, 200):
            certified, more = nnn.rerank_certified(plain.ids[:, :short], plain.scores[:, :short].copy(), bias, 3)
            np.testing.assert_array_equal(more[more > 0], min(2 * short, 200))
            self.assertEqual(certified.array[more == 0].tobytes(), hits.array[more == 0].tobytes())
            self.assertEqual(certified.array.tobytes(), nnn.rerank(plain.ids[:, :short], plain.scores[:, :short].copy(), bias, 3).array.tobytes())
        self.assertFalse(more.any())
        self.assertTrue(nnn.rerank_certified(plain.ids[:, :20], plain.scores[:, :20].copy(), bias, 3, bias_min=-9)[1].all())
        partial = plain.ids.astype(np.int64)
        partial[:, 2:] = -1
        np.testing.assert_array_equal(nnn.rerank(partial, plain.scores, bias, 3).found, np.full(20, 2))
        answers = list(range(20))
        ranks = nnn.ranks(queries, gallery, answers, np.stack([bias, 2 * bias]))
        order = np.argsort(-debiased)
        np.testing.assert_array_equal(ranks[1], [1 + list(order[q]).index(q) for q in answers])
        self.assertEqual(nnn.recall(ranks[1], 10), np.mean(ranks[1] <= 10))
        best, helps, (gain, low, high) = nnn.choose(ranks, 10)
        self.assertIn(best, (0, 1))
        self.assertTrue(low <= gain <= high and (low > 0 or not helps))
        np.testing.assert_array_equal(nnn.ranks(queries, gallery, [[q, 3] for q in answers]).shape, (1, 20))
        report = nnn.hubness(hits, 200)
        np.testing.assert_array_equal(report["counts"], np.bincount(hits.ids.ravel(), minlength=200))
        self.assertEqual(report["maximum"], report["counts"].max())

    def test_exported_vectors_rank_as_search_does(self):
        gallery, bank, queries = unit(300) * 2, unit(80, seed=1), unit(9, seed=2)
        bias = nnn.bias(gallery, bank, 5)
        hits = nnn.search(queries, gallery, bias, 10)
        for form in nnn.Export.FORMS:
            with self.subTest(form=form):
                export = nnn.Export(gallery, bias, form, multiple=4)
                rows, vectors = export.rows(gallery, bias, threads=3).astype(float), export.queries(queries).astype(float)
                self.assertEqual((rows.shape[1] % 4, vectors.shape[1]), (0, rows.shape[1]))
                if form == "l2":
                    values = ((vectors[:, None] - rows[None]) ** 2).sum(2)
                else:
                    values = vectors @ rows.T
                    if form == "cosine":
                        values /= np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(rows, axis=1)
                order = np.argsort(values if form == "l2" else -values)[:, :10]
                np.testing.assert_array_equal(order, hits.ids)
                found = np.take_along_axis(values, order, 1).astype(np.float32)
                np.testing.assert_allclose(export.scores(queries, found), hits.scores, atol=2e-5)
        wide = nnn.Export(gallery[:9], bias[:9], "l2", norm2=9, bias_min=-1, bias_max=1)
        self.assertEqual((wide.norm2, wide.bias_min, wide.bias_max), (9, -1, 1))
        self.assertEqual(wide.rows(gallery, bias).shape, (300, wide.dim))
        with self.assertRaisesRegex(nnn.Error, "nnn_export_rows"):
            nnn.Export(gallery[:9] / 2, bias[:9], "l2").rows(gallery, bias)

    def test_machine(self):
        self.assertIn(nnn.isa(), nnn.isas())
        self.assertRegex(nnn.version(), r"^\d+\.\d+\.\d+$")
        best, gallery = nnn.isa(), unit(30)
        for name in nnn.isas():
            nnn.select_isa(name)
            self.assertEqual(nnn.isa(), name)
            np.testing.assert_allclose(nnn.scores(gallery, gallery), gallery @ gallery.T, atol=1e-6)
        nnn.select_isa()
        self.assertEqual(nnn.isa(), best)


class RealEmbeddings(unittest.TestCase):
    """The shipped embeddings, as a notebook would use them: the figures of README."""

    def test_figures(self):
        folder = REPOSITORY / "examples/data/pydoc-minilm"
        gallery, bank, queries = (nnn.normalize(np.load(folder / f"{name}.npy").astype(np.float32)) for name in ("gallery", "bank", "queries"))
        bias = nnn.bias(gallery, bank, k=16, alpha=0.75)
        ranks = nnn.ranks(queries, gallery, np.load(folder / "answers.npy"), bias)
        recalls = [[round(100 * nnn.recall(row, k), 1) for k in (1, 5, 10)] for row in ranks]
        self.assertEqual(recalls, [[43.3, 70.4, 77.7], [46.3, 73.3, 79.9]])
        for biases, skewness, maximum in ((None, 1.74, 51), (bias, 0.97, 30)):
            report = nnn.hubness(nnn.search(queries, gallery, biases, 10), len(gallery))
            self.assertEqual((round(report["skewness"], 2), report["maximum"]), (skewness, maximum))


class Errors(unittest.TestCase):
    """Each names the argument and what to do; nothing is written."""

    def refused(self, kind, argument, remedy, function, *arguments, **options):
        with self.assertRaises(kind) as caught:
            function(*arguments, **options)
        self.assertRegex(str(caught.exception), rf"^{argument}(:| ).*{remedy}")

    def test_arguments(self):
        gallery, bank, queries = unit(100), unit(50, seed=1), unit(3, seed=2)
        bias, hits = nnn.bias(gallery, bank), nnn.search(queries, gallery)
        mean = nnn.Encoded.mean_of(bank)
        frozen = np.zeros(100, np.float32)
        frozen.flags.writeable = False
        for case in (
            (TypeError, "gallery", "asarray", nnn.bias, [[1.0]], bank),
            (TypeError, "gallery", "astype", nnn.bias, gallery.astype(float), bank),
            (nnn.Error, "gallery", "dimensions", nnn.bias, gallery[None], bank),
            (nnn.Error, "queries", "None, :", nnn.search, queries[0], gallery),
            (nnn.Error, "gallery", "ascontiguousarray", nnn.bias, gallery[:, ::2], bank),
            (nnn.Error, "gallery", "ascontiguousarray", nnn.bias, gallery[::-1], bank),
            (nnn.Error, "gallery", "ascontiguousarray", nnn.bias, gallery.T, bank),
            (nnn.Error, "bank", "one model", nnn.bias, gallery, bank[:, :8].copy()),
            (nnn.Error, "gallery", "1 to", nnn.bias, np.empty((3, 0), np.float32), bank),
            (nnn.Error, "bank", "no rows", nnn.bias, gallery, bank[:0]),
            (nnn.Error, "k", "50 rows", nnn.bias, gallery, bank, 51),
            (nnn.Error, "k", "1 to", nnn.bias, gallery, bank, 0),
            (TypeError, "k", "whole number", nnn.bias, gallery, bank, 1.5),
            (TypeError, "k", "whole number", nnn.search, queries, gallery, None, True),
            (nnn.Error, "alpha", "finite", nnn.bias, gallery, bank, 5, float("nan")),
            (nnn.Error, "alpha", "finite", nnn.bias, gallery, bank, 5, 1e39),
            (TypeError, "alpha", "number", nnn.bias, gallery, bank, 5, "a"),
            (nnn.Error, "out", "shape", lambda: nnn.bias(gallery, bank, out=np.empty(99, np.float32))),
            (nnn.Error, "out", "written", lambda: nnn.bias(gallery, bank, out=frozen)),
            (TypeError, "bank", "one form", nnn.bias, gallery, nnn.quantize(bank)),
            (nnn.Error, "bank", "same", nnn.bias, nnn.Encoded(gallery), nnn.Encoded(bank, "query", mean)),
            (nnn.Error, "gallery", "side", nnn.bias, nnn.Encoded(bank, "query"), nnn.Encoded(bank, "query")),
            (nnn.Error, "side", "gallery", nnn.Encoded, gallery, "bank"),
            (nnn.Error, "bias", "this gallery", nnn.search, queries, gallery, bias[:99]),
            (nnn.Error, "allow", "100", nnn.search, queries, gallery, bias, 5, np.ones(99, bool)),
            (nnn.Error, "allow", "needed", nnn.search, queries, gallery, bias, 5, np.ones(1, np.uint64)),
            (nnn.Error, "threads", "1 to", lambda: nnn.search(queries, gallery, threads=0)),
            (nnn.Error, "scales", "100", nnn.Codes, gallery.astype(np.int8), np.ones(3, np.float32)),
            (nnn.Error, "ids", "100 gallery rows", nnn.rerank, np.full((1, 2), 100), np.ones((1, 2), np.float32), bias),
            (nnn.Error, "ids", "once", nnn.rerank_certified, np.zeros((1, 101), int), np.ones((1, 101), np.float32), bias),
            (nnn.Error, "bias_min", "finite", nnn.rerank_certified, np.zeros((1, 1), int), np.ones((1, 1), np.float32), bias, 1, np.nan),
            (nnn.Error, "bias", "anew", nnn.rerank_certified, np.zeros((1, 1), int), np.ones((1, 1), np.float32), bias * np.float32(np.nan)),
            (TypeError, "ids", "whole", nnn.rerank, np.ones((1, 2)), np.ones((1, 2), np.float32), bias),
            (nnn.Error, "gallery", "table of 9", nnn.Neighbors(9, 2).update, gallery, bank),
            (nnn.Error, "ks", "ascend", nnn.Neighbors(9, 2).update(gallery[:9], bank).grid, [2, 1], [0.5]),
            (nnn.Error, "other", "same rows", nnn.Neighbors(9, 2).merge, nnn.Neighbors(8, 2)),
            (nnn.Error, "other", "queries", nnn.merge_hits, hits, nnn.search(queries[:2], gallery)),
            (nnn.Error, "answers", "per query", nnn.ranks, queries, gallery, [1]),
            (nnn.Error, "answers", "has 100", nnn.ranks, queries, gallery, [1, 2, 100]),
            (nnn.Error, "form", "cosine", nnn.Export, gallery, bias, "ip"),
            (TypeError, "bias", "makes one", nnn.Export, gallery, None, "l2"),
            (nnn.Error, "alpha", "l2", nnn.Export(gallery, bias, "l2").queries, queries, 0.5),
            (nnn.Error, "queries", "32", nnn.Export(gallery, bias, "l2").queries, queries[:, :5].copy()),
            (nnn.Error, "name", "auto", nnn.select_isa, "sse9"),
        ):
            with self.subTest(case=case[:3]):
                self.refused(*case)

    def test_what_an_object_was_made_of_stays(self):
        gallery = unit(40)
        hits, table, index = nnn.search(gallery, gallery, k=4), nnn.Neighbors(40, 3), nnn.CoarseIndex(gallery, lists=4)
        for thing, names in (
            (hits, ["array", "found"]),
            (table, ["table", "rows", "k"]),
            (nnn.NeighborIds(40, 3), ["table", "rows", "k"]),
            (index, ["centroids", "offsets", "ids", "listed"]),
            (nnn.Softmax(40, 20.0), ["sums", "rows", "beta"]),
            (nnn.quantize(gallery), ["codes", "scales", "stride"]),
        ):
            for name in names:
                with self.assertRaisesRegex(AttributeError, f"{name}: .* make a new {type(thing).__name__}"):
                    setattr(thing, name, getattr(thing, name))
        index.search(gallery, k=2)
        self.assertGreater(index.pairs, 0)
        with self.assertRaisesRegex(nnn.Error, "array: .*numpy.array copies"):
            nnn.Hits(hits.array[:, :2], hits.found)
        with self.assertRaisesRegex(nnn.Error, "found: 4 of 2 hits"):
            nnn.Hits(hits.array[:, :2].copy(), hits.found)
        self.assertEqual(len(nnn.Hits(hits.array[:, :2].copy(), np.minimum(hits.found, 2).astype(np.uint32))), 40)
        for thing in (hits, table, nnn.NeighborIds(40, 3), nnn.Softmax(40, 20.0)):
            with self.assertRaisesRegex(nnn.Error, "other: .*sel(f|ves)"):
                nnn.merge_hits(thing, thing) if thing is hits else thing.merge(thing)

    def test_a_coarse_search_has_the_same_bits_on_any_threads(self):
        gallery, queries = unit(500), unit(70, seed=1)
        index = nnn.CoarseIndex(gallery)
        one = index.search(queries, k=5, probes=6, threads=1)
        pairs = index.pairs
        many = index.search(queries, k=5, probes=6, threads=3)
        self.assertEqual((one.array.tobytes(), pairs), (many.array.tobytes(), index.pairs))
        self.assertEqual(nnn.CoarseIndex(gallery[:1]).lists, 1)

    def test_bad_values_are_found_and_nothing_is_written(self):
        gallery, bank, queries = unit(3000), unit(50, seed=1), unit(3, seed=2)
        bias = nnn.bias(gallery, bank)
        bad = gallery.copy()
        bad[2500, 7] = np.nan
        out = np.full(3000, 9, np.float32)
        self.refused(nnn.Error, r"gallery\[2500, 7\]", "repair", lambda: nnn.bias(bad, bank, out=out))
        self.assertTrue((out == 9).all())
        table = nnn.Neighbors(3000, 4).update(gallery, bank[:9])
        before = table.table.tobytes()
        self.refused(nnn.Error, "gallery", "repair", table.update, bad, bank)
        self.assertEqual(table.table.tobytes(), before)
        self.assertEqual(nnn.find_nonfinite(bad), (2500, 7))
        self.assertIsNone(nnn.find_nonfinite(gallery))
        queries[2, 1] = np.inf
        self.refused(nnn.Error, r"queries\[2, 1\]", "repair", nnn.search, queries, gallery, bias)
        bias[17] = np.nan
        self.refused(nnn.Error, r"bias\[17\]", "repair", nnn.search, gallery[:3], gallery, bias)
        # A row that is no number is simply no hit.
        self.assertNotIn(2500, nnn.search(gallery[:3], bad, k=3000).ids)


class Coarse(unittest.TestCase):
    def test_all_lists_give_the_bits_of_the_exact_pass(self):
        gallery, bank, queries = unit(700), unit(900, seed=1), unit(20, seed=2)
        bias, allow = nnn.bias(gallery, bank, 5), np.arange(700) % 3 != 0
        for codes in (False, True):
            g, b, q = (nnn.quantize(m) if codes else m for m in (gallery, bank, queries))
            for threads in (1, 3):
                lists = nnn.CoarseIndex(b, lists=23, threads=threads)
                self.assertEqual(lists.bias(g, 5, probes=23, threads=threads).tobytes(), nnn.bias(g, b, 5).tobytes())
                self.assertEqual((lists.pairs, lists.short_rows), (700 * 900, 0))
                rows = nnn.CoarseIndex(g, lists=17, seed=threads)
                hits, exact = rows.search(q, bias, 9, 17, allow), nnn.search(q, g, bias, 9, allow)
                np.testing.assert_array_equal(hits.array, exact.array)
                some = rows.search(q, bias, 9, 4, allow)
                self.assertLess(rows.pairs, 20 * 700)
                self.assertEqual(nnn.hits_recall(exact, exact), 1)
                self.assertGreater(nnn.hits_recall(exact, some), 0.2)
        mean, greatest = nnn.bias_error(bias, nnn.CoarseIndex(bank, lists=23).bias(gallery, 5, probes=4))
        self.assertTrue(0 < mean < greatest < 0.2)

    def test_an_index_is_saved_as_arrays(self):
        rows = unit(300)
        index = nnn.CoarseIndex(rows)
        again = nnn.CoarseIndex.load(index.centroids, index.offsets, index.ids, index.listed)
        self.assertEqual(again.bias(rows, 3).tobytes(), index.bias(rows, 3).tobytes())
        for change in (lambda ids: ids[::-1].copy(), lambda ids: np.zeros_like(ids)):
            with self.assertRaisesRegex(nnn.Error, "offsets: .* no index"):
                nnn.CoarseIndex.load(index.centroids, index.offsets, change(index.ids), index.listed)


class Changing(unittest.TestCase):
    def test_a_bank_that_changes_has_the_bits_of_one_that_did_not(self):
        gallery, bank = unit(150), unit(400, seed=1)
        table = nnn.NeighborIds(150, 8).update(gallery, bank[:250]).merge(nnn.NeighborIds(150, 8).update(gallery, bank[250:], 250))
        self.assertEqual(table.bias(5).tobytes(), nnn.bias(gallery, bank, 5).tobytes())
        live = np.random.default_rng(3).random(400) < 0.5
        for row in table.expire(5, live):
            table.renew(int(row), gallery, bank, live)
        self.assertEqual(table.bias(5).tobytes(), nnn.bias(gallery, np.ascontiguousarray(bank[live]), 5).tobytes())
        again = nnn.NeighborIds(table=table.table.copy())
        self.assertEqual(again.bias(5, 2.0).tobytes(), table.bias(5, 2.0).tobytes())


class Gates(unittest.TestCase):
    def setUp(self):
        self.gallery, self.bank, self.queries = unit(130), unit(90, seed=1), unit(30, seed=2)
        self.beta = 20.0
        self.bias = nnn.Softmax(130, self.beta).update(self.gallery, self.bank).bias()

    def test_a_gate_opens_for_queries_whose_best_row_is_active(self):
        active = nnn.activation_set(nnn.search(self.bank, self.gallery, k=1), 130)
        bits = np.unpackbits(active.view(np.uint8), bitorder="little")[:130].astype(bool)
        np.testing.assert_array_equal(np.flatnonzero(bits), np.unique(nnn.search(self.bank, self.gallery, k=1).ids))
        hits = nnn.search_gated(self.queries, self.gallery, [nnn.Gate(self.bias, active, self.beta)], 7)
        plain, corrected = nnn.search(self.queries, self.gallery, k=7), nnn.search(self.queries, self.gallery, self.bias, 7)
        open_for = bits[plain.ids[:, 0]]
        self.assertTrue(0 < open_for.sum() < 30)
        np.testing.assert_array_equal(hits.ids, np.where(open_for[:, None], corrected.ids, plain.ids))

    def test_two_open_gates_are_dual_is(self):
        other = nnn.Softmax(130, 10.0).update(self.gallery, self.gallery)
        both = nnn.Softmax(130, self.beta).update(self.gallery, self.bank).dual_bias(other)
        everything = np.full(3, 2**64 - 1, np.uint64)
        gates = [nnn.Gate(self.bias, everything, self.beta), nnn.Gate(other.bias(), everything, 10.0)]
        hits = nnn.search_gated(self.queries, self.gallery, gates, 5)
        np.testing.assert_allclose(hits.scores, nnn.search(self.queries, self.gallery, both, 5).scores, atol=1e-5)

    def test_dual_softmax_is_its_formula(self):
        bias = nnn.Softmax(130, self.beta).update(self.gallery, self.queries).bias()
        plain = nnn.search(self.queries, self.gallery, k=130)
        got = nnn.dual_softmax(plain, bias, self.beta)
        scores = self.queries.astype(float) @ self.gallery.T.astype(float)
        value = scores - bias + np.log(np.maximum(scores, 2.0**-126) * 30) / self.beta
        np.testing.assert_allclose(got.scores, -np.sort(-value, axis=1), atol=1e-5)

    def test_sinkhorn_is_its_iteration(self):
        targets = np.concatenate([self.gallery, self.queries]).astype(float)
        kernel = np.exp((targets @ self.bank.T - 1) / 0.05)
        u = np.full(160, 1 / 160)
        for _ in range(4):
            v = 1 / 90 / (kernel.T @ u)
            u = 1 / 160 / (kernel @ v)
        got = nnn.sinkhorn_bias(self.gallery, self.bank, 0.05, 4, self.queries)
        np.testing.assert_allclose(got, -0.05 * np.log(u[:130]), atol=1e-5)


if __name__ == "__main__":
    unittest.main()
