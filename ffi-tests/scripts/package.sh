#!/bin/sh
# The C library as a tarball for one target, the same bytes whenever and wherever it is made with the same tools:
#
#   package.sh [FOLDER [TARGET]]        makes FOLDER/libnnn-VERSION-TARGET.tar.gz and, beside it, the tree that it holds
#
# FOLDER is target/package by default; TARGET is a target of rustc with ELF objects, this machine's by default. Install by
#
#   tar -xzf libnnn-VERSION-TARGET.tar.gz -C /usr/local --strip-components=1
#
# CC, LD, OBJCOPY and AR name the tools; without them those of Debian's cross compilers are taken (aarch64-linux-gnu-gcc and so on).
# SOURCE_DATE_EPOCH is the time of all files in it.
set -eu
export LC_ALL=C
if [ -n "${1:-}" ]; then
    mkdir -p "$1"
    out=$(cd "$1" && pwd)
else
    out=
fi
cd "$(dirname "$0")/../.."
host=$(rustc -vV | sed -n 's/^host: //p')
target=${2:-$host}
build=${CARGO_TARGET_DIR:-target}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
soversion=${version%.*}

case $target in
    *-linux-* | *-freebsd* | *-none | *-none-*) ;;
    *) echo "package.sh: $target: only targets with ELF objects can be prelinked; cargo build --release -p nnn-capi gives its library" >&2
       exit 2 ;;
esac
tools=
if [ "$target" != "$host" ]; then
    # The triple of the GNU tools has no vendor.
    tools=$(echo "$target" | sed 's/-unknown//; s/^armv7-/arm-/; s/^thumb[^-]*-none-eabi.*/arm-none-eabi/')-
    set -- --target "$target"
    release=$build/$target/release
else
    set --
    release=$build/release
fi
CC=${CC:-${tools}gcc} LD=${LD:-${tools}ld} OBJCOPY=${OBJCOPY:-${tools}objcopy} AR=${AR:-${tools}ar}
export LD OBJCOPY AR
if [ "$target" != "$host" ]; then
    # Cargo links a shared library of its own, which is not packed.
    linker=CARGO_TARGET_$(echo "$target" | tr 'a-z.-' 'A-Z__')_LINKER
    eval "export $linker=\"\${$linker:-$CC}\""
fi

cargo build --quiet --locked --release -p nnn-capi --target-dir "$build" "$@"

name=libnnn-$version-$target
if [ -z "$out" ]; then
    mkdir -p "$build/package"
    out=$(cd "$build/package" && pwd)
fi
# Made in a folder of its own and moved when it is whole.
work=$(mktemp -d "$out/.package.XXXXXX")
trap 'rm -rf "$work"' EXIT
tree=$work/$name
mkdir -p "$tree/include" "$tree/lib/pkgconfig" "$tree/lib/cmake/nnn" "$tree/share/licenses/libnnn"

cp include/nnn.h include/nnn.hpp include/nnn_cpu.h "$tree/include"
ffi-tests/scripts/prelink.sh "$release/libnnn.a" ffi-tests/exports.txt "$tree/lib/libnnn.a"
files='nnn.pc:lib/pkgconfig'
case $target in
    *-none | *-none-*) ;; # no shared libraries there
    *)
        # Of the archive's one object, so both are the same code.
        "$CC" -shared -nostartfiles -Wl,-soname,"libnnn.so.$soversion" -Wl,--whole-archive "$tree/lib/libnnn.a" -Wl,--no-whole-archive \
            -Wl,-Bsymbolic-functions,--gc-sections,--as-needed,--no-undefined,--fatal-warnings,-z,relro,-z,now,-z,noexecstack,-s \
            -o "$tree/lib/libnnn.so.$version"
        ln -s "libnnn.so.$version" "$tree/lib/libnnn.so.$soversion"
        ln -s "libnnn.so.$soversion" "$tree/lib/libnnn.so"
        files="$files nnnConfig.cmake:lib/cmake/nnn nnnConfigVersion.cmake:lib/cmake/nnn" ;;
esac
case $(rustc --print cfg --target "$target") in
    *'target_pointer_width="64"'*) pointer=8 ;;
    *) pointer=4 ;;
esac
for file in $files; do
    sed "s/@VERSION@/$version/g; s/@SOVERSION@/$soversion/g; s/@TARGET@/$target/g; s/@POINTER_BYTES@/$pointer/g" \
        "ffi-tests/capi/package/${file%%:*}" >"$tree/${file#*:}/${file%%:*}"
done

# The licences of everything that is compiled in.
licences=$tree/share/licenses/libnnn
cp LICENSE-MIT LICENSE-APACHE "$licences"
echo "libnnn $version is compiled from these packages, and from Rust's core library and compiler_builtins (MIT or Apache-2.0):" >"$licences/CONTENTS"
cargo tree --quiet --locked -p libnnn --edges normal --target "$target" --prefix none --format '{p} {l}' --no-dedupe |
    sed 's/ (.*)//; s/ (proc-macro)//' | sort -u >"$work/crates"
while read -r crate crate_version licence; do
    echo "  $crate ${crate_version#v}: $licence" >>"$licences/CONTENTS"
    [ "$crate" != libnnn ] || continue
    for source in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$crate-${crate_version#v}"; do
        [ -d "$source" ] || { echo "package.sh: the source of $crate is not in cargo's registry: $source" >&2; exit 1; }
        mkdir -p "$licences/$crate"
        find "$source" -maxdepth 1 -iname 'LICEN[CS]E*' -type f -exec cp {} "$licences/$crate" ';'
    done
done <"$work/crates"

find "$tree" -type d -exec chmod 755 {} +
find "$tree" -type f -exec chmod 644 {} +
tar --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-946684800}" \
    -C "$work" -cf "$work/$name.tar" "$name"
gzip -9n "$work/$name.tar"
rm -rf "${out:?}/$name"
mv "$tree" "$out/$name"
mv -f "$work/$name.tar.gz" "$out/$name.tar.gz"
echo "$out/$name.tar.gz"
