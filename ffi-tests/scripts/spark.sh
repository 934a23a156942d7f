#!/bin/sh
# The Spark job of examples/spark on clusters of two executor processes on this machine: the commands of README and of
# examples/spark/README.md, word for word, then spark/test_bias_job.py. Needs Java 17 and Python 3.10 or later with venv.
#
#   spark.sh FOLDER       FOLDER: where pyspark is installed the first time (0.5 GB from PyPI; some minutes)
#
# CARGO_TARGET_DIR and NNN_LIBRARY as usual: the library is built unless it is named.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
[ $# -eq 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
java -version >/dev/null 2>&1 || { echo 'spark.sh: java is not installed: Spark 4 needs Java 17 (Debian: openjdk-17-jre-headless)' >&2; exit 1; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
. "$here/readme.sh"

name_library
cd "$folder"
for readme in README.md examples/spark/README.md; do
    rm -rf parquet
    run_block "$repository/$readme" spark-submit 2>log || { cat log; exit 1; }
    [ -e parquet/biases.parquet/_SUCCESS ]
done
PATH=$folder/env/bin:$PATH python "$here/spark/test_bias_job.py"
echo 'spark: all passed'
