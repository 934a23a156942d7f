#!/bin/sh
# Completes the Go package: puts libnnn as one object, and its headers, beside the Go files. With them the folder can be copied
# anywhere, and vendored; it needs cgo and a C compiler, no Rust, no installed library and no linker flags.
#
#   build.sh [GOARCH...]        amd64, arm64; this machine's by default. CARGO_TARGET_DIR, LD, OBJCOPY, AR as for package.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
[ $# -gt 0 ] || set -- "$(go env GOARCH)"
for arch in "$@"; do
    case $arch in
        amd64) target=x86_64-unknown-linux-gnu ;;
        arm64) target=aarch64-unknown-linux-gnu ;;
        *) echo "build.sh: $arch: amd64 and arm64 are possible" >&2; exit 2 ;;
    esac
    # The object has no name of the operating system in it but ELF: the same one serves every Linux.
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    package=$(ffi-tests/scripts/package.sh "$target" "$work")
    "${AR:-ar}" p "${package%.tar.gz}/lib/libnnn.a" nnn.o >"$work/object"
    mv -f "$work/object" "$here/nnn_linux_$arch.syso"
    cp include/nnn.h include/nnn_cpu.h "$here"
    rm -rf "$work"
done
