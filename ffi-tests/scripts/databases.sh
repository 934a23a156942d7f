#!/bin/sh
# The programs of examples/databases, with their databases. Needs Python 3.10 to 3.12 with venv (pgserver has no wheels for others).
#
#   databases.sh FOLDER [OPTION...]       the databases are installed into a virtual environment in FOLDER the first time (0.6 GB from
#                                         PyPI; a minute). OPTIONs are handed on: --set FOLDER --queries N
#
# CARGO_TARGET_DIR and NNN_LIBRARY as usual: the library is built unless it is named.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
environment=$1
shift

if [ -z "${NNN_LIBRARY:-}" ]; then
    cargo build --release -p nnn-capi --manifest-path "$repository/Cargo.toml"
    NNN_LIBRARY=${CARGO_TARGET_DIR:-$repository/target}/release/libnnn.so
fi
mkdir -p "$environment"
if [ ! -e "$environment/made" ]; then
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet numpy sqlite-vec pymilvus milvus-lite faiss-cpu pgserver 'psycopg[binary]'
    "$environment/bin/python" -c 'import sqlite3; sqlite3.Connection.enable_load_extension' 2>/dev/null ||
        "$environment/bin/pip" install --quiet pysqlite3-binary
    touch "$environment/made"
fi
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE NNN_LIBRARY
for database in sqlite milvus postgres; do
    "$environment/bin/python" "$repository/examples/databases/on_$database.py" "$@"
done
echo 'databases: all passed'
