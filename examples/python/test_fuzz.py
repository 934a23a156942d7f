"""Random calls: NNN_FUZZ_SECONDS=60 gives each test a minute instead of a second, NNN_FUZZ_SEED repeats a run."""

import os
import random
import time
import unittest

import nnn
import numpy as np
from test_nnn import unit


def limits():
    return float(os.environ.get("NNN_FUZZ_SECONDS", "1")), int(os.environ.get("NNN_FUZZ_SEED", time.time_ns() % 10**9))


class Problems(unittest.TestCase):
    """Small problems against their definition, bit for bit: elements are multiples of 1/8, so that similarities are exact in any order
    of addition."""

    def test_problems(self):
        seconds, seed = limits()
        end, count = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            try:
                self.check(np.random.default_rng(seed + count))
            except Exception as error:
                raise AssertionError(f"NNN_FUZZ_SEED={seed + count} repeats it") from error
            count += 1
        print(f"fuzz: {count} problems, seed {seed}")

    @staticmethod
    def rows(generator, dim, least):
        """A matrix in one of numpy's layouts, the codes it is made of, and a plain copy."""
        codes = generator.integers(-8, 9, (generator.integers(least, 41), dim)).astype(np.int8)
        plain = codes.astype(np.float32) / np.float32(8)
        wide = np.full((2 * len(codes), dim + 3), np.nan, np.float32)
        view = [plain, wide[::2, 1 : dim + 1], wide[: len(codes), 3:], wide[len(codes) :, :dim]][generator.integers(4)]
        view[...] = plain
        return view, nnn.Codes(codes, np.full(len(codes), 0.125, np.float32)), plain.astype(np.float64)

    @staticmethod
    def bias(similarities, k, alpha):
        best = -np.sort(-similarities, axis=1)[:, :k]
        return (np.float64(alpha) * (best.sum(1) / k)).astype(np.float32) + np.float32(0)

    @staticmethod
    def order(scores, allow, top):
        """Ids and scores of each query, by score, then id; -1 where there are fewer."""
        scores = np.where(allow, scores + np.float32(0), -np.inf).astype(np.float32)
        ids = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        return ids, np.take_along_axis(scores, ids, 1), min(top, int(allow.sum()))

    def same_hits(self, hits, expected):
        ids, scores, found = expected
        np.testing.assert_array_equal(hits.found, np.full(len(ids), found))
        np.testing.assert_array_equal(hits.ids[:, :found], ids[:, :found])
        self.assertEqual(hits.scores[:, :found].tobytes(), scores[:, :found].tobytes())

    def check(self, generator):
        dim, threads = int(generator.integers(1, 70)), int(generator.integers(1, 4))
        (gallery, gallery_codes, g), (bank, bank_codes, b), (queries, query_codes, q) = (self.rows(generator, dim, n) for n in (0, 1, 0))
        rows, k, top, alpha = len(g), int(generator.integers(1, len(b) + 1)), int(generator.integers(1, 50)), generator.integers(-2, 7) / 4
        similarities = g @ b.T
        expected = self.bias(similarities, k, alpha)
        same = lambda got, wanted=expected: self.assertEqual(got.tobytes(), wanted.tobytes())  # noqa: E731
        encoded = nnn.Encoded(gallery, "gallery", seed=1), nnn.Encoded(bank, "query", seed=1), nnn.Encoded(queries, "query", seed=1)
        same(nnn.bias(gallery, bank, k, alpha, threads=threads))
        same(nnn.bias(gallery_codes, bank_codes, k, alpha, threads=threads))
        same(nnn.bias(*encoded[:2], k, alpha, threads=threads))
        cut = int(generator.integers(0, len(b) + 1))
        table, ids = nnn.Neighbors(rows, k), nnn.NeighborIds(rows, k)
        for first, shard in ((cut, bank[cut:]), (0, bank[:cut])):
            table.merge(nnn.Neighbors(rows, k).update(gallery, shard))
            ids.merge(nnn.NeighborIds(rows, k).update(gallery, shard, first))
        same(table.bias(alpha=alpha))
        same(table.grid([k], [alpha])[0, 0])
        same(ids.bias(alpha=alpha))
        live = generator.random(len(b)) < 0.5
        live[generator.integers(len(b))] = True
        few = min(k, int(live.sum()))
        for row in ids.expire(few, live):
            ids.renew(int(row), gallery, bank, live)
        same(ids.bias(few, alpha), self.bias(similarities[:, live], few, alpha))
        lists = nnn.CoarseIndex(bank, lists=min(len(b), 5), seed=cut)
        same(lists.bias(gallery, k, alpha, probes=lists.lists, threads=threads))
        self.assertEqual(lists.pairs, similarities.size)
        raw = (q @ g.T).astype(np.float32)
        same(nnn.scores(queries, gallery), raw)
        same(nnn.scores(query_codes, gallery_codes), raw)
        allow = generator.random(rows) < generator.choice([0.3, 1])
        for bias in (None, expected):
            scores = raw if bias is None else raw - bias
            hits = self.order(scores, allow, top)
            self.same_hits(nnn.search(queries, gallery, bias, top, allow, threads=threads), hits)
            self.same_hits(nnn.search(query_codes, gallery_codes, bias, top, allow, threads=threads), hits)
            self.same_hits(nnn.search(encoded[2], encoded[0], bias, top, allow, threads=threads), hits)
            if rows:
                index = nnn.CoarseIndex(gallery, lists=min(rows, 4))
                self.same_hits(index.search(queries, bias, top, index.lists, allow), hits)
                index = nnn.CoarseIndex(gallery_codes, lists=1)
                self.same_hits(index.search(query_codes, bias, top, 1, allow), hits)
        half = rows // 2
        parts = [nnn.search(queries, gallery[part], expected[part], top) for part in (slice(half), slice(half, None))]
        everything = np.ones(rows, bool)
        debiased = self.order(raw - expected, everything, top)
        if half >= top:
            self.same_hits(nnn.merge_hits(*parts, offset=half), debiased)
        if rows:
            order = np.argsort(-raw, axis=1, kind="stable")
            plain = np.take_along_axis(raw, order, 1)
            self.same_hits(nnn.rerank(order, plain, expected, top), debiased)
            short = max(rows // 2, 1)
            proved, more = nnn.rerank_certified(order[:, :short], np.ascontiguousarray(plain[:, :short]), expected, top)
            for row in np.flatnonzero(more == 0):
                count = int(proved.found[row])
                self.assertEqual(count, debiased[2])
                np.testing.assert_array_equal(proved.ids[row, :count], debiased[0][row, :count])
            answers = generator.integers(0, rows, len(q))
            ranks = nnn.ranks(queries, gallery, answers, expected)[1]
            scores = (raw - expected).astype(np.float32)
            own = scores[np.arange(len(q)), answers]
            better = (scores > own[:, None]) | ((scores == own[:, None]) & (np.arange(rows) < answers[:, None]))
            np.testing.assert_array_equal(ranks, 1 + better.sum(1))
            self.check_export(gallery, queries, expected, raw - expected)

    def check_export(self, gallery, queries, bias, expected):
        for form in nnn.Export.FORMS:
            export = nnn.Export(gallery, bias, form, multiple=4)
            rows, vectors = export.rows(gallery, bias).astype(float), export.queries(queries).astype(float)
            values = vectors @ rows.T
            lengths = (vectors**2).sum(1)[:, None], (rows**2).sum(1)
            if form == "l2":
                values = lengths[0] + lengths[1] - 2 * values
            elif form == "cosine":
                values /= np.maximum(np.sqrt(lengths[0] * lengths[1]), 1e-30)
            np.testing.assert_allclose(export.scores(queries, values.astype(np.float32)), expected, atol=1e-3)


class Fuzz(unittest.TestCase):
    """Random calls with arguments of every kind: an answer, or an exception that names an argument; never a crash."""

    def test_random_arguments(self):
        seconds, seed = limits()
        pick = random.Random(seed)
        functions = [nnn.bias, nnn.search, nnn.scores, nnn.normalize, nnn.quantize, nnn.find_nonfinite, nnn.rerank, nnn.rerank_certified, nnn.mean_bias,
                     nnn.ranks, nnn.recall, nnn.choose, nnn.hubness, nnn.merge_hits, nnn.Codes, nnn.Encoded, nnn.Encoded.mean_of,
                     nnn.CoarseIndex, nnn.bias_error, nnn.hits_recall, nnn.Gate, nnn.activation_set, nnn.dual_softmax, nnn.sinkhorn_bias,
                     self.neighbors, self.softmax, self.export, self.coarse, self.ids, self.gated]  # fmt: skip
        end, answered, refused = time.monotonic() + seconds, 0, 0
        while time.monotonic() < end:
            function = pick.choice(functions)
            arguments = [self.value(pick) for _ in range(pick.randrange(1, 7))]
            # Most calls begin well, so that what comes after it is looked at.
            good = unit(40, 8, pick.randrange(9)), unit(30, 8, pick.randrange(9)), pick.choice([1, 5, None]), 0.75
            kept = pick.choice([0, 1, 2, 2, 2, 3, 4])
            arguments[:kept] = good[:kept]
            try:
                function(*arguments)
                answered += 1
            except (nnn.Error, TypeError) as error:
                self.assertGreater(len(str(error)), 10)
                refused += 1
            except MemoryError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"seed {seed}: {function.__qualname__}{tuple(arguments)!r}") from error
        print(f"fuzz: {answered} calls answered, {refused} refused, seed {seed}")
        self.assertGreater(min(answered, refused), 20)

    @staticmethod
    def neighbors(gallery, bank, k=3, *more):
        table = nnn.Neighbors(len(gallery), k)
        table.update(gallery, bank)
        table.merge(table.__class__(table=table.table.copy()))
        return table.bias(*more), table.grid(*more[:2])

    @staticmethod
    def softmax(gallery, bank, beta=20.0, *more):
        return nnn.Softmax(len(gallery), beta).update(gallery, bank, *more).bias()

    @staticmethod
    def coarse(gallery, bank, lists=3, *more):
        index = nnn.CoarseIndex(bank, lists)
        nnn.CoarseIndex.load(index.centroids, index.offsets, index.ids, index.listed)
        return index.bias(gallery, *more), index.search(gallery, None, *more)

    @staticmethod
    def ids(gallery, bank, k=3, *more):
        table = nnn.NeighborIds(len(gallery), k).update(gallery, bank, *more[:2])
        for row in table.expire(1, np.arange(len(bank)) % 2 == 0):
            table.renew(int(row), gallery, bank, *more[:1])
        return table.merge(table).bias(1, *more[:1])

    @staticmethod
    def gated(queries, gallery, beta=20.0, *more):
        active = nnn.activation_set(nnn.search(queries, gallery, k=2), len(gallery))
        return nnn.search_gated(queries, gallery, [nnn.Gate(np.zeros(len(gallery), np.float32), active, beta)], *more)

    @staticmethod
    def export(gallery, queries, form="l2", *more):
        export = nnn.Export(gallery, nnn.bias(gallery, queries, 1), form if isinstance(form, str) else "cosine", *more)
        values = (export.queries(queries) @ export.rows(gallery, nnn.bias(gallery, queries, 1)).T).astype(np.float32)
        return export.scores(queries, values, *more)

    @staticmethod
    def value(pick):
        generator = np.random.default_rng(pick.randrange(2**32))
        dim = pick.choice([8, 8, 8, 8, 1, 0, 9, 33])
        matrix = generator.standard_normal((pick.choice([0, 1, 5, 40, 40, 300]), dim), dtype=np.float32)
        match pick.randrange(16):
            case 0 | 1 | 2 | 3:
                return matrix
            case 4:
                if matrix.size:
                    matrix.flat[pick.randrange(matrix.size)] = pick.choice([np.nan, np.inf, -np.inf, 3e38, 1e-45])
                return matrix
            case 5:
                return pick.choice([matrix[::2], matrix[:, ::2], matrix[::-1], matrix.T, matrix[:, 1:], matrix[None], matrix.ravel()])
            case 6:
                return matrix.astype(pick.choice([np.float64, np.int8, np.float16, np.int64, np.uint32, ">f4", bool, object]))
            case 7:
                return nnn.quantize(matrix) if dim else None
            case 8:
                return nnn.Encoded(matrix, pick.choice(["gallery", "query"])) if dim else None
            case 9:
                return nnn.search(matrix, matrix, k=pick.choice([1, 5])) if dim else None
            case 10:
                return np.frombuffer(matrix.tobytes() + b"abcd", np.uint8)[1 : 1 + matrix.nbytes].view(np.float32).reshape(matrix.shape)
            case 11:
                return pick.choice([0, 1, 2, 5, 16, -1, 2**31, 2**32, 2**64, -(2**70), True])
            case 12:
                return pick.choice([0.0, 0.75, -1.5, 20.0, 1e30, 1e39, float("nan"), float("inf"), np.float32(0.5), 1 + 2j])
            case 13:
                return np.broadcast_to(np.float32(0.5), (5, 8)) if pick.random() < 0.5 else np.ones(40, bool)
            case 14:
                return generator.integers(0, 60, pick.choice([40, (5, 8), (40,)])).astype(pick.choice([np.uint32, np.int64, np.uint64]))
            case _:
                return pick.choice([None, "query", "gallery", b"x", [], [1, 2], [[1], [2, 3]], {}, object(), nnn])


if __name__ == "__main__":
    unittest.main()
