import CNNN
import Foundation

/// An index of a bank or a gallery: inverted lists over centroids. Passes and searches score the lists of the best `probes` centroids
/// only, those exactly: with all lists they give the bits of `NNN.bias` and `NNN.search`.
///
///     let index = try Coarse(gallery)
///     let hits = try index.search(queries, bias: bias, k: 10, probes: 4).hits
///
/// `centroids`, `offsets`, `ids` and `listed` may be stored, and make the index again.
public struct Coarse<Listed: Rows> {
    /// lists x dim.
    public let centroids: [Float]
    /// lists + 1: list i is the rows offsets[i]..<offsets[i + 1] of `listed`.
    public let offsets: [UInt32]
    /// The row that each row of `listed` was.
    public let ids: [UInt32]
    /// The rows in list order.
    public let listed: Listed

    public var lists: Int { offsets.count - 1 }

    /// An index of these fields, as an index had them; all of it is checked.
    public init(centroids: [Float], offsets: [UInt32], ids: [UInt32], listed: Listed) throws {
        guard offsets.count >= 2, ids.count == listed.rows, centroids.count == (offsets.count - 1) * listed.dim else {
            throw NNNError(
                status: .capacity, argument: "offsets",
                reason: "\(offsets.count) with \(centroids.count) centroid elements and \(ids.count) ids for \(listed.rows) rows of "
                    + "\(listed.dim): take all fields from one index")
        }
        guard listed.encoding == nil else { throw notEncoded("listed") }
        let size = (ids.count + 7) / 8
        let status = withScratch(max(size, 1)) { nnn_coarse_check(ids.count, offsets.count - 1, offsets, ids, $0, size) }
        guard status == NNN_OK else {
            throw NNNError(
                status: .value, argument: "offsets", reason: "they and ids are no index of these rows: store all fields of one index")
        }
        (self.centroids, self.offsets, self.ids, self.listed) = (centroids, offsets, ids, listed)
    }

    /// `NNN.bias` with the indexed rows as the bank, from the lists that each gallery row probes. A row that found fewer than k has alpha
    /// times the mean of what it found; shortRows says how many did: many mean that more probes are needed. pairs: how many were scored.
    public func bias<R: Rows>(gallery: R, k: Int = 16, alpha: Float = 0.75, probes: Int = 8) throws -> (
        bias: [Float], shortRows: Int, pairs: UInt64
    ) {
        try NNN.alike(listed, "gallery", gallery)
        try require(k, atMost: listed.rows, "as the bank has no more rows")
        try requireProbes(probes)
        try requireFinite("alpha", alpha)
        try room("k", gallery.rows, k)
        var table = [Float](repeating: -.infinity, count: gallery.rows * k)
        let pairs = Counter()
        try withViews("gallery", gallery) { g, b, centroids, offsets, _ in
            try table.withUnsafeMutableBufferPointer { table in
                let table = Shared(table.baseAddress)
                try parallel(gallery.rows, size: ranges(gallery.rows)) { range in
                    let size = scratchSize(range.count, probes)
                    try withScratch(size) { scratch in
                        let to = table.at(range, of: k)
                        var (c, scored) = (centroids, UInt64(0))
                        let status: nnn_status
                        switch (g, b) {
                        case (.f32(var g), .f32(var b)):
                            status = nnn_coarse_neighbors_f32(
                                &g, &b, &c, offsets.start, probes, k, range.lowerBound, range.count, scratch, size, to, &scored)
                        case (.i8(var g), .i8(var b)):
                            status = nnn_coarse_neighbors_i8(
                                &g, &b, &c, offsets.start, probes, k, range.lowerBound, range.count, scratch, size, to, &scored)
                        default: throw notEncoded("gallery")
                        }
                        try check(status, ("gallery", g), ("centroids", .f32(c)))
                        pairs.add(scored)
                    }
                }
            }
        }
        var (out, short) = ([Float](repeating: 0, count: gallery.rows), 0)
        try check(nnn_coarse_bias(table, gallery.rows, k, k, alpha, &out, &short))
        return (out, short, pairs.value)
    }

    /// `NNN.search` over the indexed rows, of the lists that each query probes. Ids, bias and allow are those of the rows as they were
    /// indexed. pairs: how many were scored.
    public func search<R: Rows>(
        _ queries: R, bias: [Float]? = nil, allow: [UInt64]? = nil, k: Int = 10, probes: Int = 8
    ) throws -> (hits: [[Hit]], pairs: UInt64) {
        try NNN.alike(listed, "queries", queries)
        try NNN.searchFits(listed.rows, bias: bias, allow: allow, k: k)
        try requireProbes(probes)
        let k = min(k, listed.rows)
        guard k > 0 else { return (Array(repeating: [], count: queries.rows), 0) }
        let pairs = Counter()
        let hits = try NNN.collect(queries.rows, k, bias, allow) { biases, allowed, hits, found in
            try withViews("queries", queries) { q, g, centroids, offsets, ids in
                try parallel(queries.rows, size: shares(queries.rows, atLeast: 16)) { range in
                    let size = scratchSize(range.count, probes)
                    try withScratch(size) { scratch in
                        let (part, to) = (q.part(range), (hits.at(range, of: k), found.at(range)))
                        var (c, scored) = (centroids, UInt64(0))
                        let status: nnn_status
                        switch (part, g) {
                        case (.f32(var q), .f32(var g)):
                            status = nnn_coarse_search_f32(
                                &q, &g, &c, offsets.start, ids.start, biases.start, allowed.start, probes, k, scratch, size, to.0, to.1, &scored)
                        case (.i8(var q), .i8(var g)):
                            status = nnn_coarse_search_i8(
                                &q, &g, &c, offsets.start, ids.start, biases.start, allowed.start, probes, k, scratch, size, to.0, to.1, &scored)
                        default: throw notEncoded("queries")
                        }
                        try check(status, ("queries", part), ("centroids", .f32(c)))
                        pairs.add(scored)
                    }
                }
            }
        }
        return (hits, pairs.value)
    }

    private typealias Numbers = Shared<UnsafePointer<UInt32>?>

    private func withViews<R: Rows>(_ name: String, _ rows: R, _ body: (View, View, nnn_mat_f32, Numbers, Numbers) throws -> Void) throws {
        try rows.withView(name) { a in
            try listed.withView("listed") { b in
                try centroids.withUnsafeBufferPointer { centroids in
                    try offsets.withUnsafeBufferPointer { offsets in
                        try ids.withUnsafeBufferPointer { ids in
                            let c = nnn_mat_f32(data: centroids.baseAddress, rows: lists, dim: rows.dim, stride: rows.dim)
                            try body(a, b, c, Shared(offsets.baseAddress), Shared(ids.baseAddress))
                        }
                    }
                }
            }
        }
    }

    /// What the library recommends, but not for so many rows at once that their probes take more than 64 MiB.
    private func scratchSize(_ rows: Int, _ probes: Int) -> Int {
        let probes = min(probes, lists)
        return nnn_coarse_scratch(min(rows, 1 + (1 << 23) / probes), lists, probes, listed.dim)
    }

    private func requireProbes(_ probes: Int) throws {
        guard probes >= 1 else { throw NNNError(status: .k, argument: "probes", reason: "\(probes): 1 at least is needed") }
    }
}

extension Coarse: Sendable where Listed: Sendable {}

extension Coarse where Listed == Matrix<[Float]> {
    /// Lists of the rows. lists: twice the square root of the rows, when nil. The centroids come from a sample of 64 rows a list, by
    /// `rounds` of k-means that `seed` begins.
    public init<E>(_ rows: Matrix<E>, lists: Int? = nil, rounds: Int = 10, seed: UInt64 = 0) throws {
        let made = try Lists(rows, lists: lists, rounds: rounds, seed: seed) { range, step, body in
            try rows.withView("rows") { view in
                guard case .f32(var m) = view.part(range) else { fatalError("a matrix is of floats") }
                (m.rows, m.stride) = ((m.rows + step - 1) / step, m.stride * step)
                return try body(m)
            }
        }
        var listed = [Float](repeating: 0, count: rows.rows * rows.dim)
        try rows.withView("rows") { view in
            guard case .f32(var m) = view else { fatalError("a matrix is of floats") }
            try check(nnn_coarse_gather_f32(&m, made.ids, m.rows, &listed, m.dim))
        }
        try self.init(centroids: made.centroids, offsets: made.offsets, ids: made.ids, listed: Matrix(listed, dim: rows.dim))
    }
}

extension Coarse where Listed == Codes {
    /// Lists of the floats that the codes stand for.
    public init(_ rows: Codes, lists: Int? = nil, rounds: Int = 10, seed: UInt64 = 0) throws {
        let made = try Lists(rows, lists: lists, rounds: rounds, seed: seed) { range, step, body in
            let dim = rows.dim
            var floats: [Float] = []
            for row in stride(from: range.lowerBound, to: range.upperBound, by: step) {
                floats += rows.codes[row * dim..<(row + 1) * dim].map { Float($0) * rows.scales[row] }
            }
            return try floats.withUnsafeBufferPointer {
                try body(nnn_mat_f32(data: $0.baseAddress, rows: floats.count / dim, dim: dim, stride: dim))
            }
        }
        var (codes, scales) = ([Int8](repeating: 0, count: rows.codes.count), [Float](repeating: 0, count: rows.rows))
        try rows.withView("rows") { view in
            guard case .i8(var m) = view else { fatalError("codes are of int8") }
            try check(nnn_coarse_gather_i8(&m, made.ids, m.rows, &codes, m.dim, &scales))
        }
        try self.init(
            centroids: made.centroids, offsets: made.offsets, ids: made.ids, listed: Codes(codes, scales: scales, dim: rows.dim))
    }
}

/// Centroids, offsets and ids of rows.
private struct Lists {
    var centroids: [Float], offsets: [UInt32], ids: [UInt32]

    /// floats: lends each step-th row of a range as floats.
    init<R: Rows>(
        _ rows: R, lists: Int?, rounds: Int, seed: UInt64,
        _ floats: @Sendable (Range<Int>, Int, (nnn_mat_f32) throws -> Void) throws -> Void
    ) throws {
        _ = NNN.detected
        guard rows.rows > 0 else { throw NNNError(status: .k, argument: "rows", reason: "there are none to index") }
        let lists = lists ?? min(Int(2 * Double(rows.rows).squareRoot()), rows.rows)
        guard (1...rows.rows).contains(lists) else {
            throw NNNError(
                status: .k, argument: "lists", reason: "\(lists): 1 to \(rows.rows) are possible, as there are no more rows")
        }
        guard (0...10000).contains(rounds) else {
            throw NNNError(status: .value, argument: "rounds", reason: "\(rounds): 0 to 10000 are possible")
        }
        let dim = rows.dim
        var centroids = [Float](repeating: 0, count: lists * dim)
        (offsets, ids) = ([UInt32](repeating: 0, count: lists + 1), [UInt32](repeating: 0, count: rows.rows))
        try floats(0..<rows.rows, max(rows.rows / (64 * lists), 1)) { sample in
            let size = nnn_coarse_train_scratch(sample.rows, lists, dim)
            try withScratch(size) { scratch in
                var sample = sample
                try check(nnn_coarse_train(&sample, lists, rounds, seed, scratch, size, &centroids), ("rows", .f32(sample)))
            }
        }
        var assigned = [UInt32](repeating: 0, count: rows.rows)
        try centroids.withUnsafeBufferPointer { centers in
            try assigned.withUnsafeMutableBufferPointer { assigned in
                let (centers, assigned) = (Shared(centers.baseAddress), Shared(assigned.baseAddress))
                let size = nnn_neighbors_scratch(1, dim)
                try parallel(rows.rows, size: ranges(rows.rows)) { range in
                    try floats(range, 1) { part in
                        try withScratch(size) { scratch in
                            var (part, c) = (part, nnn_mat_f32(data: centers.start, rows: lists, dim: dim, stride: dim))
                            let status = nnn_coarse_assign(&part, &c, 0, part.rows, scratch, size, assigned.at(range))
                            try check(status, ("rows", .f32(part)))
                        }
                    }
                }
            }
        }
        self.centroids = centroids
        try check(nnn_coarse_lists(assigned, assigned.count, lists, &offsets, &ids))
    }
}

/// A sum that ranges of one call add to.
private final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private(set) var value = UInt64(0)

    func add(_ count: UInt64) {
        lock.lock()
        defer { lock.unlock() }
        value += count
    }
}
