#!/usr/bin/env python3
"""Rebuilds the embeddings of this folder from CPython's own source.

    python3.11 rebuild.py --check              compare the texts here with the standard library of this Python (needs nothing else)
    python3.11 rebuild.py --out DIR            embed them again: gallery.npy, bank.npy, queries.npy, queries_val.npy in DIR

The texts come from the standard library of CPython 3.11.7 (another 3.11.x differs in a few docstrings: --check says which).
Embedding needs `pip install numpy sentence-transformers`, and fetches the model all-MiniLM-L6-v2 (90 MB) on first use. The same
weights on another CPU, BLAS or version of the packages give vectors that differ in the last digits; recalls may then move by a
query or two (0.05 points each).
"""

import argparse
import ast
import collections
import pathlib
import re
import sys
import sysconfig

HERE = pathlib.Path(__file__).resolve().parent
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
MAX_TOKENS = 128
SKIPPED = {"site-packages", "test", "tests", "idlelib", "lib2to3"}  # folders whose functions are not in the set


def functions(stdlib):
    """All functions with a docstring as {name with signature: (code without its docstring, first paragraph of the docstring)}.

    A second function of the same name and signature (definitions under `if`) is called `name(signature) #2`.
    """
    found, seen = {}, collections.Counter()
    for path in sorted(stdlib.rglob("*.py")):
        module = path.relative_to(stdlib).with_suffix("")
        if not SKIPPED.isdisjoint(module.parts[:-1]):
            continue
        package = [part for part in module.parts if part != "__init__"]
        for qualified, node in walk(ast.parse(path.read_bytes()), ".".join(package)):
            docstring = ast.get_docstring(node)
            if not docstring:
                continue
            name = f"{qualified}({ast.unparse(node.args)})"
            seen[name] += 1
            if seen[name] > 1:
                name = f"{name} #{seen[name]}"
            node.body = node.body[1:] or [ast.Pass()]
            paragraph = re.split(r"\n\s*\n", docstring.strip())[0]
            found[name] = (ast.unparse(node), " ".join(paragraph.split()))
    return found


def walk(node, prefix):
    """(qualified name, node) of every function below `node`.

    Outer functions come first: the caller cuts off the docstring of the node it is given, those of inner functions are still there.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{prefix}.{child.name}", child
            yield from walk(child, f"{prefix}.{child.name}")
        elif isinstance(child, ast.ClassDef):
            yield from walk(child, f"{prefix}.{child.name}")
        else:
            yield from walk(child, prefix)


def lines(name):
    return (HERE / name).read_text(encoding="utf-8").splitlines()


def answers(name):
    """The gallery row of each query: a one-dimensional little-endian int32 .npy, read without numpy."""
    data = (HERE / name).read_bytes()
    start = 10 + int.from_bytes(data[8:10], "little")
    return [int.from_bytes(data[i : i + 4], "little") for i in range(start, len(data), 4)]


def texts(stdlib):
    """The texts to embed, in the order of the rows."""
    found = functions(stdlib)
    gallery, bank = lines("gallery.txt"), lines("bank.txt")
    missing = [name for name in gallery + bank if name not in found]
    if missing:
        sys.exit(
            f"{len(missing)} functions are not in {stdlib}, the first is {missing[0]}\n"
            "Use the standard library of CPython 3.11.7 (--stdlib names its Lib folder)."
        )
    return {
        "gallery": [found[name][0] for name in gallery],
        "bank": [found[name][1] for name in bank],
        "queries": [found[gallery[row]][1] for row in answers("answers.npy")],
        "queries_val": [found[gallery[row]][1] for row in answers("answers_val.npy")],
    }


def check(built):
    """Compares with the shipped texts, and looks for descriptions that are both a query and in the bank."""
    differ = [(i, a, b) for i, (a, b) in enumerate(zip(lines("queries.txt"), built["queries"], strict=True)) if a != b]
    for i, shipped, source in differ[:5]:
        print(f"query {i}: shipped {shipped!r}, source {source!r}", file=sys.stderr)
    leaked = (set(built["queries"]) | set(built["queries_val"])) & set(built["bank"])
    print("texts: " + ", ".join(f"{name} {len(rows)}" for name, rows in built.items()))
    print(f"{len(differ)} queries differ from queries.txt, {len(leaked)} are also in the bank")
    return not differ and not leaked


def embed(built, out):
    import numpy
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(MODEL)
    model.max_seq_length = MAX_TOKENS
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in built.items():
        vectors = model.encode(rows, batch_size=64, normalize_embeddings=True, show_progress_bar=True)
        vectors = numpy.asarray(vectors, dtype="<f2")
        numpy.save(out / f"{name}.npy", vectors)
        shipped = numpy.load(HERE / f"{name}.npy").astype("f4")
        print(f"{name}.npy: {vectors.shape}, largest difference from the shipped file {abs(vectors - shipped).max():.2e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stdlib", type=pathlib.Path, default=sysconfig.get_paths()["stdlib"], help="folder of the library's .py files")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="compare the texts only")
    what.add_argument("--out", type=pathlib.Path, help="folder for the new .npy files")
    options = parser.parse_args()
    built = texts(pathlib.Path(options.stdlib))
    if options.check:
        sys.exit(0 if check(built) else 1)
    embed(built, options.out)


if __name__ == "__main__":
    main()
