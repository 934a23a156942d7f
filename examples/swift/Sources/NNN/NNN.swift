/// Hubness-free retrieval (Nearest Neighbor Normalization): libnnn for Swift.
///
///     let bias = try NNN.bias(gallery: gallery, bank: bank, k: 16, alpha: 0.75)        // once, offline
///     let hits = try NNN.search(queries, gallery: gallery, bias: bias, k: 10)          // per batch of queries
///
/// Beyond it: tables of neighbours that take bank shards and lose expired rows (`Neighbors`, `NeighborIDs`), exact results at the speed of
/// int8 (`Encoded`), a sublinear index of a bank or a gallery (`Coarse`), another engine's hits (`rerank`, `rerankCertified`), vectors for a
/// database that knows nothing of the bias (`Export`).
///
/// Heavy calls run on all processors over ranges of rows, with the same bits for any number. Errors are `NNNError`; it names the
/// argument and what to do.
import CNNN
import Foundation

public enum NNN {
    /// Unit length for every row; rows of zeros stay zero.
    public static func normalize<E>(_ matrix: Matrix<E>) throws -> Matrix<[Float]> {
        try room("matrix", matrix.rows, matrix.dim)
        return try matrix.withView("matrix") { view in
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
        try room("matrix", matrix.rows, matrix.dim)
        return try matrix.withView("matrix") { view in
            guard case .f32(var m) = view else { fatalError("a matrix is of floats") }
            var scales = [Float](repeating: 0, count: m.rows)
            let codes = try [Int8](unsafeUninitializedCapacity: m.rows * m.dim) { out, count in
                try check(nnn_quantize_i8(&m, out.baseAddress, m.dim, &scales), ("matrix", view))
                count = m.rows * m.dim
            }
            return try Codes(codes, scales: scales, dim: m.dim)
        }
    }

    /// All similarities: element q * gallery.rows + r is that of query q and gallery row r.
    public static func scores<R: Rows>(_ queries: R, gallery: R) throws -> [Float] {
        try alike(gallery, "queries", queries)
        try room("queries", queries.rows, gallery.rows)
        return try queries.withView("queries") { q in
            try gallery.withView("gallery") { g in
                var out = [Float](repeating: 0, count: queries.rows * gallery.rows)
                let status: nnn_status
                switch (q, g) {
                case (.f32(var q), .f32(var g)): status = nnn_scores_f32(&q, &g, 0, g.rows, &out, g.rows)
                case (.i8(var q), .i8(var g)): status = nnn_scores_i8(&q, &g, 0, g.rows, &out, g.rows)
                default: throw notEncoded("queries")
                }
                try check(status, ("queries", q))
                return out
            }
        }
    }

    /// One number per gallery row: alpha times the mean of its k largest similarities with the bank.
    public static func bias<R: Rows>(gallery: R, bank: R, k: Int = 16, alpha: Float = 0.75) throws -> [Float] {
        try alike(gallery, "bank", bank)
        guard bank.rows > 0 else { throw NNNError(status: .k, argument: "bank", reason: "it has no rows") }
        try require(k, atMost: bank.rows, "as the bank has no more rows")
        try requireFinite("alpha", alpha)
        var out = [Float](repeating: 0, count: gallery.rows)
        try out.withUnsafeMutableBufferPointer { out in
            let out = Shared(out.baseAddress)
            try pass(gallery, bank, k) { g, b, range, scratch, size in
                switch (g, b) {
                case (.f32(var g), .f32(var b)):
                    return nnn_bias_f32(&g, &b, k, alpha, range.lowerBound, range.count, scratch, size, out.at(range))
                case (.i8(var g), .i8(var b)):
                    return nnn_bias_i8(&g, &b, k, alpha, range.lowerBound, range.count, scratch, size, out.at(range))
                case (.encoded(var g), .encoded(var b)):
                    return nnn_bias_certified(&g, &b, k, alpha, range.lowerBound, range.count, scratch, size, out.at(range), nil)
                default: return nil
                }
            }
        }
        return out
    }

    /// For each query the k gallery rows with the largest <query, row> - bias[row], best first, ties to the lower row.
    ///
    /// allow: one bit per gallery row, bit r % 64 of word r / 64: which rows may be hits. A list is shorter than k where fewer are.
    /// Queries are shared out in batches of 16; fewer than that run on one processor.
    public static func search<Q: Rows, G: Rows>(
        _ queries: Q, gallery: G, bias: [Float]? = nil, allow: [UInt64]? = nil, k: Int = 10
    ) throws -> [[Hit]] {
        try alike(gallery, "queries", queries)
        try searchFits(gallery.rows, bias: bias, allow: allow, k: k)
        let k = min(k, gallery.rows)
        guard k > 0 else { return Array(repeating: [], count: queries.rows) }
        return try collect(queries.rows, k, bias, allow) { biases, allowed, hits, found in
            try queries.withView("queries") { q in
                try gallery.withView("gallery") { g in
                    let size = q.isEncoded ? nnn_certified_scratch(k, gallery.dim) : nnn_search_scratch(16, k, gallery.dim)
                    guard (0...memory).contains(size) else { throw tooMuch("k", k, gallery.dim) }
                    // Batches of 16 make full use of a gallery row.
                    try parallel(queries.rows, size: shares(queries.rows, atLeast: 16)) { range in
                        try withScratch(size) { scratch in
                            let (part, to) = (q.part(range), (hits.at(range, of: k), found.at(range)))
                            let status: nnn_status
                            switch (part, g) {
                            case (.f32(var q), .f32(var g)):
                                status = nnn_search_f32(&q, &g, biases.start, allowed.start, k, 0, g.rows, scratch, size, to.0, to.1)
                            case (.i8(var q), .i8(var g)):
                                status = nnn_search_i8(&q, &g, biases.start, allowed.start, k, 0, g.rows, scratch, size, to.0, to.1)
                            case (.encoded(var q), .encoded(var g)):
                                status = nnn_search_certified(
                                    &q, &g, biases.start, allowed.start, k, 0, g.rows.rows, scratch, size, to.0, to.1, nil)
                            default:
                                throw NNNError(
                                    status: .value, argument: "queries", reason: "rows of one kind go together: codes with codes, a matrix with a matrix")
                            }
                            let row = nnn_mat_f32(data: biases.start, rows: biases.start == nil ? 0 : g.rows, dim: 1, stride: 1)
                            try check(status, ("queries", part), ("bias", .f32(row)))
                        }
                    }
                }
            }
        }
    }

    /// Checks what searches have in common.
    static func searchFits(_ rows: Int, bias: [Float]?, allow: [UInt64]?, k: Int) throws {
        guard bias == nil || bias!.count == rows else {
            throw NNNError(status: .range, argument: "bias", reason: "\(bias!.count) numbers for \(rows) rows: compute it for this gallery")
        }
        let words = (rows + 63) / 64
        guard allow == nil || allow!.count >= words else {
            throw NNNError(status: .capacity, argument: "allow", reason: "\(allow!.count) words of 64 bits, \(words) are needed")
        }
        guard k >= 1 else { throw NNNError(status: .k, argument: "k", reason: "\(k): 1 at least is needed") }
    }

    /// The lists that a search writes: lends it the biases and bits, and room for k hits a query.
    static func collect(
        _ queries: Int, _ k: Int, _ bias: [Float]?, _ allow: [UInt64]?,
        _ body: (
            Shared<UnsafePointer<Float>?>, Shared<UnsafePointer<UInt64>?>, Shared<UnsafeMutablePointer<nnn_hit>?>,
            Shared<UnsafeMutablePointer<UInt32>?>
        ) throws -> Void
    ) throws -> [[Hit]] {
        try room("k", queries, k)
        var (hits, found) = ([Hit](repeating: Hit(score: 0, id: 0), count: queries * k), [UInt32](repeating: 0, count: queries))
        try (bias ?? []).withUnsafeBufferPointer { biases in
            try (allow ?? []).withUnsafeBufferPointer { allowed in
                try hits.withUnsafeMutableBufferPointer { hits in
                    try found.withUnsafeMutableBufferPointer { found in
                        try body(
                            Shared(bias == nil ? nil : biases.baseAddress), Shared(allow == nil ? nil : allowed.baseAddress),
                            Shared(rebound(hits)), Shared(found.baseAddress))
                    }
                }
            }
        }
        return (0..<queries).map { Array(hits[$0 * k..<$0 * k + Int(found[$0])]) }
    }

    /// The k best of two lists over different parts of a gallery. Ids must have been made those of the whole gallery.
    public static func merge(_ a: [Hit], _ b: [Hit], k: Int) throws -> [Hit] {
        guard k >= 1 else { throw NNNError(status: .k, argument: "k", reason: "\(k): 1 at least is needed") }
        guard a.count <= k else { throw NNNError(status: .range, argument: "a", reason: "\(a.count) hits, more than k = \(k)") }
        guard b.count <= UInt32.max else { throw NNNError(status: .range, argument: "b", reason: "\(b.count) hits, more than 2^32 - 1") }
        let k = min(k, a.count + b.count)
        guard k > 0 else { return [] }
        var (merged, count) = (a + [Hit](repeating: Hit(score: 0, id: 0), count: k - a.count), UInt32(a.count))
        try merged.withUnsafeMutableBufferPointer { merged in
            try b.withUnsafeBufferPointer { try check(nnn_hits_merge(rebound(merged), &count, rebound($0), UInt32(b.count), k)) }
        }
        return Array(merged.prefix(Int(count)))
    }

    /// Debiases what another engine found: the k best candidates by score - bias[id]. Candidates have raw similarities.
    public static func rerank(_ candidates: [Hit], bias: [Float], k: Int = 10) throws -> [Hit] {
        try candidatesFit(candidates, bias, k)
        return try reranked(candidates, bias, k) { nnn_rerank($0, candidates.count, bias, bias.count, k, $1, &$2) }
    }

    /// `rerank` of the exact best candidates of an index over all `bias.count` rows, each once. The hits are those of a search of the whole
    /// gallery where next is 0; else ask the engine for `next` candidates. biasMin: at most every bias.
    ///
    /// Of an approximate index the proof covers only rows that score at most as the last candidate.
    public static func rerankCertified(_ candidates: [Hit], bias: [Float], biasMin: Float, k: Int = 10) throws -> (hits: [Hit], next: Int) {
        try candidatesFit(candidates, bias, k)
        guard candidates.count <= bias.count else {
            throw NNNError(
                status: .range, argument: "candidates", reason: "\(candidates.count) of \(bias.count) rows, each of which can be there once")
        }
        try requireFinite("biasMin", biasMin)
        if let low = candidates.first(where: { bias[Int($0.id)] < biasMin }) {
            throw NNNError(
                status: .value, argument: "biasMin",
                reason: "\(biasMin), but the bias of row \(low.id) is \(bias[Int(low.id)]): no bias may be less")
        }
        var next = 0
        let hits = try reranked(candidates, bias, k) {
            nnn_rerank_certified($0, candidates.count, bias, bias.count, biasMin, k, $1, &$2, &next)
        }
        return (hits, next)
    }

    /// Checks what an engine found.
    private static func candidatesFit(_ candidates: [Hit], _ bias: [Float], _ k: Int) throws {
        guard k >= 1 else { throw NNNError(status: .k, argument: "k", reason: "\(k): 1 at least is needed") }
        for (i, hit) in candidates.enumerated() {
            guard Int(hit.id) < bias.count else {
                throw NNNError(
                    status: .range, argument: "candidates", reason: "candidate \(i) is row \(hit.id), but bias is for \(bias.count) rows")
            }
            guard hit.score.isFinite else {
                throw NNNError(status: .value, argument: "candidates", reason: "the score of candidate \(i) is \(hit.score)")
            }
        }
    }

    private static func reranked(
        _ candidates: [Hit], _ bias: [Float], _ k: Int,
        _ call: (UnsafePointer<nnn_hit>?, UnsafeMutablePointer<nnn_hit>?, inout UInt32) -> nnn_status
    ) throws -> [Hit] {
        var (hits, found) = ([Hit](repeating: Hit(score: 0, id: 0), count: min(k, candidates.count)), UInt32(0))
        let status = hits.withUnsafeMutableBufferPointer { hits in
            candidates.withUnsafeBufferPointer { call(rebound($0), rebound(hits), &found) }
        }
        try bias.withUnsafeBufferPointer {
            try check(status, ("bias", .f32(nnn_mat_f32(data: $0.baseAddress, rows: bias.count, dim: 1, stride: 1))))
        }
        return Array(hits.prefix(Int(found)))
    }

    /// The instruction set that calls use on this machine.
    public static var instructionSet: String {
        _ = detected
        return String(cString: nnn_isa_str(nnn_isa_active()))
    }

    /// Asks the system which extensions an AArch64 machine has, once.
    static let detected: Void = { _ = nnn_cpu_detect() }()

    /// Bytes of this machine.
    static let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory)
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
