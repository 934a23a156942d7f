#!/bin/sh
# The programs of examples/databases with their databases, by the commands of README and of examples/databases/README.md, word for word.
# Needs Python 3.10 to 3.12 with venv (pgserver has no wheels for others).
#
#   databases.sh FOLDER [OPTION...]       FOLDER: where the databases are installed the first time (1 GB from PyPI; some minutes).
#                                         OPTIONs (--set FOLDER --queries N): the programs once more, with these
#
# CARGO_TARGET_DIR and NNN_LIBRARY as usual: the library is built unless it is named.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
. "$here/readme.sh"

name_library
cd "$folder"
# A Python without loadable extensions (pyenv's, for one) takes SQLite from PyPI, as the program says.
python3 -m venv env
python3 -c 'import sqlite3; sqlite3.Connection.enable_load_extension' 2>/dev/null || env/bin/pip install --quiet pysqlite3-binary
run_block "$repository/examples/databases/README.md" on_milvus
run_block "$repository/README.md" on_postgres
if [ $# -gt 0 ]; then
    for database in sqlite postgres milvus; do env/bin/python "examples/databases/on_$database.py" "$@"; done
fi
echo 'databases: all passed'
