"""Debiased search in Milvus: vectors of the inner-product form in an HNSW or IVF index, and reranking by a field that holds the bias.

    pip install numpy pymilvus milvus-lite faiss-cpu      # Milvus Lite: in this process, a folder as the database

A server's address as --uri uses that instead."""

import tempfile

from debias import TOP, Problem, arguments, nnn
from pymilvus import DataType, MilvusClient

parser = arguments(__doc__)
parser.add_argument("--uri", help="of a Milvus server (default: Milvus Lite in a temporary folder)")
parser.add_argument("--token", default="", help="for --uri")
options = parser.parse_args()
problem = Problem(options)
gallery, bias = problem.gallery, problem.bias
folder = tempfile.TemporaryDirectory()
client = MilvusClient(options.uri or f"{folder.name}/milvus.db", token=options.token)

# Those that Milvus Lite 3.2 builds with whatever it is told.
HNSW = "HNSW", {"M": 16, "efConstruction": 200}
IVF = "IVF_FLAT", {"nlist": 128}


def collection(name, vectors, index, parameters):
    """A collection of vectors and biases, indexed by inner product; what its index is."""
    schema = MilvusClient.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=vectors.shape[1])
    schema.add_field("bias", DataType.FLOAT)
    wanted = MilvusClient.prepare_index_params()
    wanted.add_index("embedding", index_type=index, metric_type="IP", params=parameters)
    client.drop_collection(name)
    client.create_collection(name, schema=schema, index_params=wanted)
    for first in range(0, len(vectors), 5000):
        rows = zip(range(first, len(vectors)), vectors[first : first + 5000], bias[first : first + 5000].tolist())
        client.insert(name, [{"id": i, "embedding": vector, "bias": b} for i, vector, b in rows])
    client.flush(name)
    client.load_collection(name)
    state = client.describe_index(name, "embedding")
    if state["pending_index_rows"] or int(state["total_rows"]) != len(vectors):
        raise SystemExit(f"{name}: the index holds {state['indexed_rows']} of {len(vectors)} rows: {state}")
    return f"{state['index_type']}, {state['indexed_rows']} rows indexed"


def search(name, vector, count, **parameters):
    return client.search(name, [vector], anns_field="embedding", limit=count, output_fields=["bias"],
                         search_params={"metric_type": "IP", "params": parameters})[0]  # fmt: skip


# ---- vectors that carry the bias: the inner-product form ---------------------------------------------------------------------------

export = nnn.Export(gallery, bias, "inner product")
vectors = export.rows(gallery, bias)
for (index, parameters), effort in ((HNSW, {"ef": 400}), (IVF, {"nprobe": 96})):
    state = collection(name := f"debiased_{index}", vectors, index, parameters)
    answer = lambda query: [hit["id"] for hit in search(name, export.queries(query[None])[0], TOP, **effort)]  # noqa: B023, E731
    problem.show(f"exported vectors, inner product, {index}", *problem.ask(answer), state)

# ---- the plain vectors with the bias in a field ------------------------------------------------------------------------------------

state = collection("plain", gallery, *HNSW)


def by_field(query, length=1000):
    """Milvus cannot subtract a field from a score, so its client does; the bias comes with the hit."""
    hits = search("plain", query, length, ef=2 * length)
    return [hit["id"] for hit in sorted(hits, key=lambda hit: (hit["entity"]["bias"] - hit["distance"], hit["id"]))[:TOP]]


def candidates(query, count):
    hits = search("plain", query, count, ef=2 * count)
    return [hit["id"] for hit in hits], [hit["distance"] for hit in hits]


problem.show("plain vectors, best 1000 by score - field", *problem.ask(by_field), state)
ids, seconds, unproven = problem.rerank(candidates, most=4000)
problem.show("plain vectors, certified reranking", ids, seconds, f"{unproven} unproven")

# ---- another alpha: one field is written, no vector --------------------------------------------------------------------------------

problem.rebias(0.5)
for first in range(0, len(gallery), 5000):
    part = problem.bias[first : first + 5000].tolist()
    client.upsert("plain", [{"id": first + i, "bias": value} for i, value in enumerate(part)], partial_update=True)
client.flush("plain")
problem.show("the same after an upsert of the biases", *problem.ask(by_field))
client.close()
problem.finish()
