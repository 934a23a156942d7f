#!/bin/sh
# The Spark job of examples/spark on a cluster of two executor processes on this machine. Needs Java 17 and Python 3.10 or later with venv.
#
#   spark.sh FOLDER       pyspark is installed into a virtual environment in FOLDER the first time (0.5 GB from PyPI; some minutes)
#
# CARGO_TARGET_DIR and NNN_LIBRARY as usual: the library is built unless it is named.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
[ $# -eq 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
java -version >/dev/null 2>&1 || { echo 'spark.sh: java is not installed: Spark 4 needs Java 17 (Debian: openjdk-17-jre-headless)' >&2; exit 1; }

if [ -z "${NNN_LIBRARY:-}" ]; then
    cargo build --release -p nnn-capi --manifest-path "$repository/Cargo.toml"
    NNN_LIBRARY=${CARGO_TARGET_DIR:-$repository/target}/release/libnnn.so
fi
mkdir -p "$1"
if [ ! -e "$1/made" ]; then
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet 'pyspark>=4.0' pyarrow numpy
    touch "$1/made"
fi
PATH=$(cd "$1" && pwd)/bin:$PATH PYTHONDONTWRITEBYTECODE=1
export PATH PYTHONDONTWRITEBYTECODE NNN_LIBRARY
python "$here/spark/test_bias_job.py"
echo 'spark: all passed'
