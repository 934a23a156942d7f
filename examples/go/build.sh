#!/bin/sh
# Makes the Go package complete: libnnn as one object, and its headers, beside the Go files. From then on it needs cgo and a C
# compiler, but no Rust, no installed library and no linker flags, and survives `go mod vendor`.
#
#   build.sh [FOLDER [GOARCH]]        FOLDER gets a copy of the package; without one it is completed where it is. GOARCH is amd64 or
#                                     arm64, this machine's by default
#
# CARGO_TARGET_DIR, CC, LD, OBJCOPY and AR are those of package.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
arch=${2:-$(go env GOARCH)}
case $arch in
    amd64) target=x86_64-unknown-linux-gnu ;;
    arm64) target=aarch64-unknown-linux-gnu ;;
    *) echo "build.sh: $arch: amd64 and arm64 are possible" >&2; exit 2 ;;
esac
folder=${1:-$here}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

package=$("$here/../../ffi-tests/scripts/package.sh" "$work" "$target")
tree=${package%.tar.gz}
"${AR:-ar}" p "$tree/lib/libnnn.a" nnn.o >"$work/object"
mv -f "$work/object" "$folder/nnn_linux_$arch.syso"
cp "$tree/include/nnn.h" "$tree/include/nnn_cpu.h" "$folder"
[ "$folder" = "$here" ] || cp "$here"/*.go "$here/rows.h" "$here/go.mod" "$folder"
