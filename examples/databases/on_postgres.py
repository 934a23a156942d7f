"""Debiased search in PostgreSQL with pgvector, through its HNSW and IVFFlat indexes: vectors of all three forms, reranking by SQL,
reranking with a certificate.

    pip install numpy "psycopg[binary]" pgserver          # pgserver: PostgreSQL 16 with pgvector in a temporary folder

A connection string as --url uses that server instead (pgvector 0.5 or later; a schema nnn_example is made and dropped)."""

import tempfile

import numpy as np
import psycopg
from debias import TOP, Problem, arguments, nnn

parser = arguments(__doc__)
parser.add_argument("--url", help="of a PostgreSQL server with pgvector (default: one of its own, by pgserver)")
options = parser.parse_args()
problem = Problem(options)
gallery, bias = problem.gallery, problem.bias
if options.url is None:
    import pgserver

    folder = tempfile.TemporaryDirectory()
    server = pgserver.get_server(folder.name)
    options.url = server.get_uri()

database = psycopg.connect(options.url, autocommit=True)
database.execute("CREATE EXTENSION IF NOT EXISTS vector")
database.execute("DROP SCHEMA IF EXISTS nnn_example CASCADE; CREATE SCHEMA nnn_example; SET search_path = nnn_example, public")
database.execute("SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 1")
database.execute("SET enable_seqscan = off")  # of a table as small as the shipped one PostgreSQL would rather compare every row
version = "SELECT current_setting('server_version'), extversion FROM pg_extension WHERE extname = 'vector'"
print("PostgreSQL {}, pgvector {}".format(*database.execute(version).fetchone()))
lists = max(1, int(len(gallery) ** 0.5))


def table(name, vectors, index):
    """A table of vectors with an index, filled by COPY in its binary form, which is made of the arrays as they are."""
    dim = vectors.shape[1]
    database.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY, embedding vector({dim}) NOT NULL)")
    fields = [("count", ">i2"), ("id_size", ">i4"), ("id", ">i4"), ("size", ">i4"), ("dim", ">i2"), ("unused", ">i2"),
              ("embedding", ">f4", (dim,))]  # fmt: skip
    with database.cursor().copy(f"COPY {name} FROM STDIN (FORMAT binary)") as copy:
        copy.write(b"PGCOPY\n\377\r\n\0" + bytes(8))
        for first in range(0, len(vectors), 10000):
            part = vectors[first : first + 10000]
            rows = np.empty(len(part), fields)
            rows["count"], rows["id_size"], rows["size"], rows["dim"], rows["unused"] = 2, 4, 4 + 4 * dim, dim, 0
            rows["id"], rows["embedding"] = range(first, first + len(part)), part
            copy.write(rows.tobytes())
        copy.write(b"\377\377")
    database.execute(f"CREATE INDEX {name}_index ON {name} USING {index}; ANALYZE {name}")


def text(vector):
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def uses_index(name, sql, values):
    """What EXPLAIN says; refuses a plan that passes the index by."""
    plan = "\n".join(line[:100] for (line,) in database.execute("EXPLAIN " + sql, values))
    if f"Index Scan using {name}_index" not in plan:
        raise SystemExit(f"{name}: the index is not used:\n{plan}")
    return f"EXPLAIN: Index Scan using {name}_index"


def ids_of(sql, values):
    return [row[0] for row in database.execute(sql, values, prepare=False)]


# ---- vectors that carry the bias: each form with its operator ----------------------------------------------------------------------

for name, form, operator, index in (
    ("debiased_ip", "inner product", "<#>", "hnsw (embedding vector_ip_ops) WITH (m = 16, ef_construction = 128)"),
    ("debiased_l2", "l2", "<->", "hnsw (embedding vector_l2_ops) WITH (m = 16, ef_construction = 128)"),
    ("debiased_cosine", "cosine", "<=>", f"ivfflat (embedding vector_cosine_ops) WITH (lists = {lists})"),
):
    export = nnn.Export(gallery, bias, form)
    table(name, export.rows(gallery, bias), index)
    database.execute(f"SET hnsw.ef_search = 400; SET ivfflat.probes = {-(-3 * lists // 4)}")
    sql = f"SELECT id FROM {name} ORDER BY embedding {operator} %s::vector LIMIT {TOP}"
    answer = lambda query: ids_of(sql, [text(export.queries(query[None])[0])])  # noqa: B023, E731
    used = uses_index(name, sql, [text(export.queries(problem.queries[:1])[0])])
    problem.show(f"exported vectors, {form}, {index.split()[0]}", *problem.ask(answer), used)

# ---- the plain vectors, and the biases in a table of their own ---------------------------------------------------------------------

table("plain", gallery, "hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 128)")
# Not a column of `plain`: an UPDATE there would write the row anew, and with it an entry of its HNSW index.
database.execute("CREATE TABLE biases (id integer PRIMARY KEY, bias real NOT NULL)")
with database.cursor().copy("COPY biases FROM STDIN") as copy:
    for row in enumerate(bias.tolist()):
        copy.write_row(row)
database.execute("ANALYZE biases")

SHORTLIST = "SELECT id, 1 - (embedding <=> %s::vector) AS score FROM plain ORDER BY embedding <=> %s::vector LIMIT %s"
RERANK = f"""
    WITH shortlist AS MATERIALIZED ({SHORTLIST})
    SELECT id, score - bias AS score FROM shortlist JOIN biases USING (id) ORDER BY score DESC, id LIMIT {TOP}"""


def by_sql(query, length=1000):
    vector = text(query)
    return ids_of(RERANK, [vector, vector, length])


def candidates(query, count):
    """The index gives hnsw.ef_search rows at most, and that is 1000 at most: above it every row is compared."""
    vector = text(query)
    with database.transaction():
        database.execute("SET LOCAL enable_indexscan = off" if count > 1000 else f"SET LOCAL hnsw.ef_search = {min(2 * count, 1000)}")
        rows = database.execute(SHORTLIST, [vector, vector, count], prepare=False).fetchall()
    return [row[0] for row in rows], [row[1] for row in rows]


database.execute("SET hnsw.ef_search = 1000")
sample = text(problem.queries[0])
used = uses_index("plain", RERANK, [sample, sample, 1000])
problem.show("plain vectors, best 1000 reranked by SQL", *problem.ask(by_sql), used)
ids, seconds, unproven = problem.rerank(candidates, first=250, most=4000)
problem.show("plain vectors, certified reranking", ids, seconds, f"{unproven} unproven")

# ---- another alpha: one column of numbers is written, no vector ------------------------------------------------------------------

problem.rebias(0.5)
database.execute("CREATE TEMPORARY TABLE fresh (id integer PRIMARY KEY, bias real NOT NULL)")
with database.cursor().copy("COPY fresh FROM STDIN") as copy:
    for row in enumerate(problem.bias.tolist()):
        copy.write_row(row)
database.execute("UPDATE biases SET bias = fresh.bias FROM fresh WHERE fresh.id = biases.id; ANALYZE biases")
problem.show("the same SQL after UPDATE of the biases", *problem.ask(by_sql))
database.execute("DROP SCHEMA nnn_example CASCADE")
database.close()
problem.finish()
