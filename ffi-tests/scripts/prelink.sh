#!/bin/sh
# Prelinks the static library: one object in which only the exported functions are global, so that it can be linked beside any
# other library (other Rust libraries of the same compiler included) and is small.
#
#   prelink.sh libnnn.a exports.txt out.a        LD, OBJCOPY and AR choose the tools of a cross compilation
set -eu
if [ $# -ne 3 ]; then
    echo "usage: prelink.sh libnnn.a exports.txt out.a" >&2
    exit 2
fi
archive=$1 exports=$2 out=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The exports are the roots; what they do not reach is dropped.
# shellcheck disable=SC2046 # one argument per name
"${LD:-ld}" -r --gc-sections $(sed 's/^/-u /' "$exports") -o "$work/nnn.o" "$archive"
# Without removing the bitcode sections `ar` of Debian aborts.
"${OBJCOPY:-objcopy}" --remove-section .llvmbc --remove-section .llvmcmd --keep-global-symbols="$exports" --strip-debug "$work/nnn.o"
"${AR:-ar}" rcsD "$work/nnn.a" "$work/nnn.o"
mv -f "$work/nnn.a" "$out"
