#!/bin/sh
# Random arguments through each binding that this machine has a language for: an answer or that language's error, never a crash.
#
#   fuzz-bindings.sh [SECONDS]      for each language; 60 when not given
#
# Python needs numpy (PYTHON names the interpreter); Go runs its own fuzzer, and its tests under the race detector; Swift runs by
# `swift.sh --here`, or in the Debian root of `swift.sh ROOT` with NNN_FUZZ_SECONDS. CARGO_TARGET_DIR as for package.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
NNN_FUZZ_SECONDS=${1:-60}
export NNN_FUZZ_SECONDS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
has() { command -v "$1" >/dev/null || { echo "skipped: no $1"; return 1; }; }

package=$("$here/package.sh" "$work")
if has "${PYTHON:=python3}"; then
    (cd "$repository/examples/python" && NNN_LIBRARY=${package%.tar.gz}/lib/libnnn.so.0.1 "$PYTHON" -B -m unittest test_fuzz)
fi
if has go; then
    "$repository/examples/go/build.sh" "$work/go"
    (cd "$work/go" && go vet ./... && go test -race -run 'Goroutines|Parts|Errors' . && go test -run "^$" -fuzz FuzzArguments -fuzztime "${NNN_FUZZ_SECONDS}s" . && go test -run RandomProblems -v .)
fi
if has swift; then "$here/swift.sh" --here; fi
echo 'bindings: no crash'
