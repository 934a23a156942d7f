"""Debiased search in SQLite with sqlite-vec, which compares every row (there is no index): vectors of the L2 form, reranking by SQL,
reranking with a certificate.

    pip install numpy sqlite-vec"""

try:
    import pysqlite3 as sqlite3  # where Python's own was built without extensions
except ImportError:
    import sqlite3

import sqlite_vec
from debias import TOP, Problem, arguments, nnn

problem = Problem(arguments(__doc__).parse_args())
gallery, bias = problem.gallery, problem.bias

database = sqlite3.connect(":memory:")
if not hasattr(database, "enable_load_extension"):
    raise SystemExit("sqlite3: this Python's SQLite loads no extensions: pip install pysqlite3-binary, or take your system's python3")
database.enable_load_extension(True)
sqlite_vec.load(database)
print("sqlite-vec {}, SQLite {}: every row is compared".format(*database.execute("SELECT vec_version(), sqlite_version()").fetchone()))

# ---- vectors that carry the bias: the L2 form, as vec0 knows distances only --------------------------------------------------------

export = nnn.Export(gallery, bias, "l2")
database.execute(f"CREATE VIRTUAL TABLE debiased USING vec0(id INTEGER PRIMARY KEY, embedding float[{export.dim}] distance_metric=l2)")
database.executemany("INSERT INTO debiased VALUES (?, ?)", ((i, row.tobytes()) for i, row in enumerate(export.rows(gallery, bias))))


def from_vectors(query):
    vector = export.queries(query[None]).tobytes()
    rows = database.execute("SELECT id, distance FROM debiased WHERE embedding MATCH ? AND k = ? ORDER BY distance", (vector, TOP))
    return [id for id, _ in rows]


problem.show("exported vectors, L2", *problem.ask(from_vectors))

# ---- the plain vectors with the bias in a column -----------------------------------------------------------------------------------

dim = gallery.shape[1]
database.execute(f"CREATE VIRTUAL TABLE plain USING vec0(id INTEGER PRIMARY KEY, embedding float[{dim}] distance_metric=cosine)")
database.execute("CREATE TABLE biases (id INTEGER PRIMARY KEY, bias REAL NOT NULL)")
database.executemany("INSERT INTO plain VALUES (?, ?)", ((i, row.tobytes()) for i, row in enumerate(gallery)))
database.executemany("INSERT INTO biases VALUES (?, ?)", enumerate(bias.tolist()))

RERANK = """
    WITH shortlist AS (SELECT id, 1 - distance AS score FROM plain WHERE embedding MATCH ? AND k = ?)
    SELECT id, score - bias AS score FROM shortlist JOIN biases USING (id) ORDER BY score DESC, id LIMIT ?"""


def by_sql(query, length=1000):
    return [id for id, _ in database.execute(RERANK, (query.tobytes(), length, TOP))]


def candidates(query, count):
    return zip(*database.execute("SELECT id, 1 - distance FROM plain WHERE embedding MATCH ? AND k = ?", (query.tobytes(), count)))


problem.show("plain vectors, best 1000 reranked by SQL", *problem.ask(by_sql))
ids, seconds, unproven = problem.rerank(candidates, most=4096)  # vec0's largest k
problem.show("plain vectors, certified reranking", ids, seconds, f"{unproven} unproven")

# ---- another alpha: one column is written, no vector ---------------------------------------------------------------------------

problem.rebias(0.5)
with database:
    database.executemany("UPDATE biases SET bias = ? WHERE id = ?", zip(problem.bias.tolist(), range(len(gallery))))
problem.show("the same SQL after UPDATE of the biases", *problem.ask(by_sql))
problem.finish()
