// swift-tools-version:5.9
// libnnn for Swift. On Linux the installed package is found by pkg-config (README, "Link it"); on Apple's systems CNNN.xcframework,
// which xcframework.sh makes, is linked into the product.
import PackageDescription

#if os(Linux)
let library = Target.systemLibrary(name: "CNNN", pkgConfig: "nnn")
#else
let library = Target.binaryTarget(name: "CNNN", path: "CNNN.xcframework")
#endif

let package = Package(
    name: "NNN",
    products: [.library(name: "NNN", targets: ["NNN"])],
    targets: [
        library,
        .target(name: "NNN", dependencies: ["CNNN"]),
        .testTarget(name: "NNNTests", dependencies: ["NNN"]),
    ]
)
