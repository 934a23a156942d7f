#!/bin/sh
# Makes CNNN.xcframework for Package.swift on Apple's systems: libnnn for macOS, iOS and its simulator, with its headers.
#
# NOT RUN: no machine of ours has Xcode. It needs the five targets of rustc and Xcode's command-line tools.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# slice NAME TARGET...: one static library of several architectures.
slice() {
    name=$1
    shift
    libraries=
    for target in "$@"; do
        cargo build --quiet --locked --release -p nnn-capi --target "$target"
        libraries="$libraries target/$target/release/libnnn.a"
    done
    mkdir -p "$work/$name"
    # shellcheck disable=SC2086 # one argument per library
    lipo -create $libraries -output "$work/$name/libnnn.a"
}
slice macos aarch64-apple-darwin x86_64-apple-darwin
slice ios aarch64-apple-ios
slice simulator aarch64-apple-ios-sim x86_64-apple-ios

mkdir "$work/headers"
cp include/nnn.h include/nnn_cpu.h "$work/headers"
printf 'module CNNN {\n    header "nnn.h"\n    header "nnn_cpu.h"\n    export *\n}\n' >"$work/headers/module.modulemap"
rm -rf "$here/CNNN.xcframework"
xcodebuild -create-xcframework \
    -library "$work/macos/libnnn.a" -headers "$work/headers" \
    -library "$work/ios/libnnn.a" -headers "$work/headers" \
    -library "$work/simulator/libnnn.a" -headers "$work/headers" \
    -output "$here/CNNN.xcframework"
