"""What the programs beside this file share: real embeddings with biases, the exact debiased answers, and how near a database comes."""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(EXAMPLES / "python"))
import nnn  # noqa: E402

TOP = 10
NEEDED = 0.99


def arguments(text):
    """The parser of a program's options, with those that all of them have."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", metavar="FOLDER", default=EXAMPLES / "data/pydoc-minilm", type=Path,
                        help="gallery.npy, bank.npy and queries.npy: one embedding per row (default: those shipped here)")  # fmt: skip
    parser.add_argument("--queries", metavar="N", default=1000, type=int, help="at most so many of them, evenly spaced (default: 1000)")
    return parser


class Problem:
    """Gallery, queries and biases of a set, all rows of unit length; `exact` are the debiased top 10 of every query."""

    def __init__(self, options):
        if options.queries < 1:
            raise SystemExit(f"--queries {options.queries}: at least 1 is needed")
        self.gallery, self.bank, queries = (self._unit_rows(options.set / f"{name}.npy") for name in ("gallery", "bank", "queries"))
        self.queries = queries[np.linspace(0, len(queries) - 1, min(options.queries, len(queries))).astype(int)]
        self.failed = []
        self.rebias(0.75)
        print(f"{options.set.name}: {len(self.gallery)} rows of {self.gallery.shape[1]}, {len(self.queries)} queries")
        print(f"{'':44}{'recall@10':>10}{'ms/query':>10}")
        self.show("exact search without the correction", nnn.search(self.queries, self.gallery, k=TOP).ids, None, needed=0)

    @staticmethod
    def _unit_rows(path):
        try:
            rows = np.load(path).astype(np.float32)
        except (OSError, ValueError) as error:
            raise SystemExit(f"{path}: {error}: --set needs a folder with gallery.npy, bank.npy and queries.npy") from None
        return nnn.normalize(rows, out=rows)

    def rebias(self, alpha):
        """Biases of another alpha, and what a search is expected to find then."""
        self.bias = nnn.bias(self.gallery, self.bank, k=16, alpha=alpha)
        self.exact = nnn.search(self.queries, self.gallery, self.bias, k=TOP)

    def ask(self, one):
        """one(query) -> ids, for every query: ids and seconds."""
        ids = np.full((len(self.queries), TOP), -1, np.int64)
        start = time.perf_counter()
        for row, query in zip(ids, self.queries):
            answer = one(query)
            row[: len(answer)] = answer
        return ids, time.perf_counter() - start

    def rerank(self, candidates, first=100, most=1000):
        """candidates(query, count) -> ids and plain scores of the index' best `count` rows. Debiases them here, and asks for more where
        nnn_rerank_certified says that more could change the answer. Ids, seconds, and how many queries were left unproven."""
        ids, unproven, low = np.empty((len(self.queries), TOP), np.int64), 0, float(self.bias.min())
        start = time.perf_counter()
        for row, query in zip(ids, self.queries):
            count = min(first, len(self.bias))
            while True:
                found, scores = candidates(query, count)
                hits, more = nnn.rerank_certified(np.array([found], np.int64), np.array([scores], np.float32), self.bias, TOP, low)
                if more[0] == 0 or count in (most, len(self.bias)) or len(found) < count:
                    break
                count = min(2 * count, most, len(self.bias))
            unproven += int(more[0] != 0)
            row[:] = hits.ids[0]
        return ids, time.perf_counter() - start, unproven

    def show(self, name, ids, seconds, note="", needed=NEEDED):
        """A line of the table: the share of the exact debiased top 10 that was found."""
        recall = np.mean([len(np.intersect1d(mine, best)) for mine, best in zip(ids, self.exact.ids)]) / min(TOP, len(self.gallery))
        spent = "" if seconds is None else f"{1000 * seconds / len(ids):.2f}"
        print(f"{name:44}{recall:10.4f}{spent:>10}  {note}".rstrip(), flush=True)
        if recall < needed:
            self.failed.append(f"{name}: recall@10 {recall:.4f} is below {needed}")

    def finish(self):
        """Ends the program; its status says whether every line that promised it has its recall."""
        for line in self.failed:
            print(f"FAILED {line}", file=sys.stderr)
        sys.exit(1 if self.failed else 0)
