/// Hubness-free retrieval (Nearest Neighbor Normalization): libnnn for Swift.
///
///     let bias = try NNN.bias(gallery: gallery, bank: bank, k: 16, alpha: 0.75)        // once, offline
///     let hits = try NNN.search(queries, gallery: gallery, bias: bias, k: 10)          // per batch of queries
///
/// Heavy calls run on all processors over ranges of rows, with the same bits for any number. Errors are `NNNError`; it names the
/// argument and what to do.
import CNNN
import Dispatch

public enum NNN {
    /// Unit length for every row; rows of zeros stay zero.
    public static func normalize<E>(_ matrix: Matrix<E>) throws -> Matrix<[Float]> {
        try matrix.withView("matrix") { view in
            guard case .f32(var m) = view else { fatalError("a matrix is of floats") }
            let unit = try [Float](unsafeUninitializedCapacity: m.rows * m.dim) { out, count in
                try check(nnn_normalize_f32(&m, out.baseAddress, m.dim), ("matrix", view))
                count = m.rows * m.dim
            }
            return try Matrix(unit, dim: m.dim)
        }
    }

    /// int8 codes with one scale per row: max|x| / 127, rounded to nearest, ties to even.
    public static func quantize<E>(_ matrix: Matrix<E>) throws -> Codes {
        try matrix.withView("matrix") { view in
            guard case .f32(var m) = view else { fatalError("a matrix is of floats") }
            var scales = [Float](repeating: 0, count: m.rows)
            let codes = try [Int8](unsafeUninitializedCapacity: m.rows * m.dim) { out, count in
                try check(nnn_quantize_i8(&m, out.baseAddress, m.dim, &scales), ("matrix", view))
                count = m.rows * m.dim
            }
            return try Codes(codes, scales: scales, dim: m.dim)
        }
    }

    /// One number per gallery row: alpha times the mean of its k largest similarities with the bank.
    public static func bias<R: Rows>(gallery: R, bank: R, k: Int = 16, alpha: Float = 0.75) throws -> [Float] {
        try sameDim("bank", bank, "gallery", gallery)
        guard bank.rows > 0 else { throw NNNError(status: .k, argument: "bank", reason: "it has no rows") }
        try require(k, atMost: bank.rows, "as the bank has no more rows")
        try requireFinite("alpha", alpha)
        return try gallery.withView("gallery") { g in
            try bank.withView("bank") { b in
                try [Float](unsafeUninitializedCapacity: gallery.rows) { out, count in
                    let out = Shared(out.baseAddress)
                    let size = nnn_neighbors_scratch(k, gallery.dim)
                    try parallel(gallery.rows, size: ranges(gallery.rows)) { range in
                        try withScratch(size) { scratch in
                            let status: nnn_status
                            switch (g, b) {
                            case (.f32(var g), .f32(var b)):
                                status = nnn_bias_f32(&g, &b, k, alpha, range.lowerBound, range.count, scratch, size, out.at(range))
                            case (.i8(var g), .i8(var b)):
                                status = nnn_bias_i8(&g, &b, k, alpha, range.lowerBound, range.count, scratch, size, out.at(range))
                            default: fatalError("both are of one type")
                            }
                            try check(status, ("gallery", g), ("bank", b))
                        }
                    }
                    count = gallery.rows
                }
            }
        }
    }

    /// For each query the k gallery rows with the largest <query, row> - bias[row], best first, ties to the lower row.
    ///
    /// allow: one bit per gallery row, bit r % 64 of word r / 64: which rows may be hits. A list is shorter than k where fewer are.
    /// Queries are shared out in batches of 16; fewer than that run on one processor.
    public static func search<Q: Rows, G: Rows>(
        _ queries: Q, gallery: G, bias: [Float]? = nil, allow: [UInt64]? = nil, k: Int = 10
    ) throws -> [[Hit]] {
        try sameDim("queries", queries, "gallery", gallery)
        guard bias == nil || bias!.count == gallery.rows else {
            throw NNNError(
                status: .range, argument: "bias", reason: "\(bias!.count) numbers for \(gallery.rows) rows: compute it for this gallery")
        }
        let words = (gallery.rows + 63) / 64
        guard allow == nil || allow!.count >= words else {
            throw NNNError(status: .capacity, argument: "allow", reason: "\(allow!.count) words of 64 bits, \(words) are needed")
        }
        guard k >= 1 else { throw NNNError(status: .k, argument: "k", reason: "\(k): 1 at least is needed") }
        let k = min(k, gallery.rows)
        guard k > 0 else { return Array(repeating: [], count: queries.rows) }
        var hits = [nnn_hit](repeating: nnn_hit(score: 0, id: 0), count: queries.rows * k)
        var found = [UInt32](repeating: 0, count: queries.rows)
        try queries.withView("queries") { q in
            try gallery.withView("gallery") { g in
                try (bias ?? []).withUnsafeBufferPointer { biases in
                    try (allow ?? []).withUnsafeBufferPointer { allowed in
                        try hits.withUnsafeMutableBufferPointer { hits in
                            try found.withUnsafeMutableBufferPointer { found in
                                let (hits, found) = (Shared(hits.baseAddress), Shared(found.baseAddress))
                                let biases = Shared(bias == nil ? nil : biases.baseAddress)
                                let allowed = Shared(allow == nil ? nil : allowed.baseAddress)
                                let size = nnn_search_scratch(16, k, gallery.dim)
                                // Batches of 16 make full use of a gallery row.
                                try parallel(queries.rows, size: shares(queries.rows, atLeast: 16)) { range in
                                    try withScratch(size) { scratch in
                                        let (part, to) = (q.part(range), (hits.at(range, of: k), found.at(range)))
                                        let status: nnn_status
                                        switch (part, g) {
                                        case (.f32(var q), .f32(var g)):
                                            status = nnn_search_f32(
                                                &q, &g, biases.start, allowed.start, k, 0, g.rows, scratch, size, to.0, to.1)
                                        case (.i8(var q), .i8(var g)):
                                            status = nnn_search_i8(
                                                &q, &g, biases.start, allowed.start, k, 0, g.rows, scratch, size, to.0, to.1)
                                        default:
                                            throw NNNError(
                                                status: .value, argument: "queries", reason: "codes go with codes, a matrix with a matrix")
                                        }
                                        let row = nnn_mat_f32(data: biases.start, rows: biases.start == nil ? 0 : g.rows, dim: 1, stride: 1)
                                        try check(status, ("queries", part), ("bias", .f32(row)))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        return (0..<queries.rows).map { q in
            hits[q * k..<q * k + Int(found[q])].map { Hit(score: $0.score, id: $0.id) }
        }
    }

    /// Debiases what another engine found: the k best candidates by score - bias[id]. Candidates have raw similarities.
    public static func rerank(_ candidates: [Hit], bias: [Float], k: Int = 10) throws -> [Hit] {
        guard k >= 1 else { throw NNNError(status: .k, argument: "k", reason: "\(k): 1 at least is needed") }
        for (i, hit) in candidates.enumerated() {
            guard Int(hit.id) < bias.count else {
                throw NNNError(
                    status: .range, argument: "candidates", reason: "candidate \(i) is row \(hit.id), but bias is for \(bias.count) rows")
            }
        }
        let k = min(k, candidates.count)
        guard k > 0 else { return [] }
        let raw = candidates.map { nnn_hit(score: $0.score, id: $0.id) }
        var (hits, found) = ([nnn_hit](repeating: nnn_hit(score: 0, id: 0), count: k), UInt32(0))
        try check(nnn_rerank(raw, raw.count, bias, bias.count, k, &hits, &found))
        return hits.prefix(Int(found)).map { Hit(score: $0.score, id: $0.id) }
    }

    /// The instruction set that calls use on this machine.
    public static var instructionSet: String { String(cString: nnn_isa_str(nnn_isa_active())) }

    /// Asks the system which extensions an AArch64 machine has, once.
    static let detected: Void = { _ = nnn_cpu_detect() }()

    private static func sameDim<A: Rows, B: Rows>(_ name: String, _ rows: A, _ otherName: String, _ other: B) throws {
        _ = detected
        guard rows.dim == other.dim else {
            throw NNNError(
                status: .dim, argument: name,
                reason: "rows of \(rows.dim) elements, but \(otherName) has rows of \(other.dim): embed both with one model")
        }
    }
}

/// A pointer that ranges of one call share; they write to elements of their own.
struct Shared<Pointer>: @unchecked Sendable {
    let start: Pointer
    init(_ start: Pointer) { self.start = start }

    func at<T>(_ range: Range<Int>, of each: Int = 1) -> UnsafeMutablePointer<T>? where Pointer == UnsafeMutablePointer<T>? {
        start.map { $0 + range.lowerBound * each }
    }
}

func withScratch<R>(_ size: Int, _ body: (UnsafeMutableRawPointer) throws -> R) rethrows -> R {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    defer { memory.deallocate() }
    return try body(memory)
}
