#!/bin/sh
# The tests of examples/swift, and README's Swift block in a package of its own.
#
#   swift.sh ROOT       as root on Debian: in a Debian 13 (trixie), which has Swift 6, that is made in the folder ROOT by debootstrap
#                       the first time (3 GB, some minutes)
#   swift.sh --here     with the Swift of this machine
#
# NNN_FUZZ_SECONDS=60 gives the fuzzer a minute. CARGO_TARGET_DIR as for package.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)

# fill FOLDER: what the tests need, as a user has it: the repository's folders, the package installed in prefix.
fill() {
    rm -rf "$1"
    mkdir -p "$1/libnnn/examples" "$1/libnnn/ffi-tests/golden" "$1/libnnn/ffi-tests/scripts" "$1/prefix" "$1/out" "$1/yours/Sources/yours"
    cp -r "$repository/examples/swift" "$1/libnnn/examples/swift"
    rm -rf "$1/libnnn/examples/swift/.build"
    cp "$repository/ffi-tests/golden/bindings.bin" "$1/libnnn/ffi-tests/golden"
    cp "$here/swift.sh" "$1/libnnn/ffi-tests/scripts"
    tar -xzf "$("$here/package.sh" "$1/out")" -C "$1/prefix" --strip-components=1
    # README's program, in a package that uses examples/swift by path.
    {
        awk '/^## Link it/ { on = 1 } on && /^```swift/ { code = 1; next } /^```/ { code = 0 } code && /^import/' "$repository/README.md"
        echo 'let gallery = try Matrix([1, 0, 0, 1, 0.6, 0.8] as [Float], dim: 2), bank = try Matrix([Float](repeating: 0.5, count: 64), dim: 2)'
        echo 'let queries = try Matrix([0.8, 0.6] as [Float], dim: 2)'
        awk '/^## Link it/ { on = 1 } on && /^```swift/ { code = 1; next } /^```/ { code = 0 } code && !/^import/' "$repository/README.md"
        echo 'print("row", hits[0][0].id)'
    } >"$1/yours/Sources/yours/main.swift"
    cat >"$1/yours/Package.swift" <<'PACKAGE'
// swift-tools-version:5.9
import PackageDescription
let package = Package(
    name: "yours",
    dependencies: [.package(path: "../libnnn/examples/swift")],
    targets: [.executableTarget(name: "yours", dependencies: [.product(name: "NNN", package: "swift")])])
PACKAGE
}

# tests FOLDER
tests() {
    PKG_CONFIG_PATH=$1/prefix/lib/pkgconfig LD_LIBRARY_PATH=$1/prefix/lib
    export PKG_CONFIG_PATH LD_LIBRARY_PATH
    cd "$1/libnnn/examples/swift"
    swift build -Xswiftc -warnings-as-errors
    swift test
    cd "$1/yours"
    [ "$(swift run -q yours)" = 'row 2' ]
    echo 'swift: all passed'
}

case ${1:-} in
    --inside) tests "$2" ;;
    --here)
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        fill "$work"
        tests "$work" ;;
    /*)
        root=$1
        if [ ! -e "$root/made" ]; then
            debootstrap --variant=minbase --include=ca-certificates trixie "$root" http://deb.debian.org/debian
            chroot "$root" sh -ec 'apt-get update -qq
                DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends swiftlang libc6-dev binutils'
            touch "$root/made"
        fi
        fill "$root/stranger"
        mount -t proc proc "$root/proc"
        trap 'umount "$root/proc"' EXIT
        chroot "$root" env NNN_FUZZ_SECONDS="${NNN_FUZZ_SECONDS:-1}" sh /stranger/libnnn/ffi-tests/scripts/swift.sh --inside /stranger ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
