import CNNN

/// For each gallery row its k largest similarities with the bank, best first, -infinity where fewer were seen: the state behind the
/// biases of every smaller k and every alpha. Shards of a bank, added or merged in any order, give the same bits.
public struct Neighbors: Equatable, Sendable {
    public let rows, k: Int
    /// rows x k.
    public private(set) var table: [Float]

    /// An empty table.
    public init(rows: Int, k: Int) throws {
        try tableFits(rows, k)
        (self.rows, self.k) = (rows, k)
        table = [Float](repeating: -.infinity, count: rows * k)
    }

    /// A table that was stored.
    public init(table: [Float], k: Int) throws {
        guard k >= 1, table.count % k == 0, table.count / k <= UInt32.max else {
            throw NNNError(status: .capacity, argument: "table", reason: "\(table.count) floats are no whole rows of \(k)")
        }
        (rows, self.k, self.table) = (table.count / k, k, table)
    }

    /// Adds all rows of the bank. On an error the table is as it was.
    public mutating func update<R: Rows>(gallery: R, bank: R) throws {
        try NNN.alike(gallery, "bank", bank)
        try galleryFits(gallery.rows, rows)
        let k = self.k
        var next = table
        try next.withUnsafeMutableBufferPointer { table in
            let table = Shared(table.baseAddress)
            try pass(gallery, bank, k) { g, b, range, scratch, size in
                let to = table.at(range, of: k)
                switch (g, b) {
                case (.f32(var g), .f32(var b)):
                    return nnn_neighbors_update_f32(&g, &b, k, range.lowerBound, range.count, scratch, size, to)
                case (.i8(var g), .i8(var b)):
                    return nnn_neighbors_update_i8(&g, &b, k, range.lowerBound, range.count, scratch, size, to)
                case (.encoded(var g), .encoded(var b)):
                    return nnn_neighbors_update_certified(&g, &b, k, range.lowerBound, range.count, scratch, size, to, nil)
                default: return nil
                }
            }
        }
        table = next
    }

    /// Adds what another table of the same gallery rows has seen, of other bank rows.
    public mutating func merge(_ other: Neighbors) throws {
        try sameTable(other.rows, other.k, rows, k)
        try check(nnn_neighbors_merge(&table, other.table, rows, k))
    }

    /// The biases for a k up to the table's own.
    public func bias(k: Int? = nil, alpha: Float = 0.75) throws -> [Float] {
        let k = k ?? self.k
        try require(k, atMost: self.k, "as the table holds no more")
        try requireFinite("alpha", alpha)
        var out = [Float](repeating: 0, count: rows)
        try check(nnn_neighbors_bias(table, rows, self.k, k, alpha, &out))
        return out
    }
}

/// `Neighbors` that know which bank rows they hold, so that rows of the bank can expire. Known neighbours are exact at all times. Keep
/// some more than the k of the bias, so that few rows run short.
public struct NeighborIDs: Equatable, Sendable {
    /// The id of padding.
    public static let none = UInt32.max

    public let rows, k: Int
    /// rows x k: similarity and bank row, `none` where none is known.
    public private(set) var table: [Hit]

    /// An empty table.
    public init(rows: Int, k: Int) throws {
        try tableFits(rows, k)
        (self.rows, self.k) = (rows, k)
        table = [Hit](repeating: Hit(score: -.infinity, id: Self.none), count: rows * k)
    }

    /// A table that was stored.
    public init(table: [Hit], k: Int) throws {
        guard k >= 1, table.count % k == 0, table.count / k <= UInt32.max else {
            throw NNNError(status: .capacity, argument: "table", reason: "\(table.count) hits are no whole rows of \(k)")
        }
        (rows, self.k, self.table) = (table.count / k, k, table)
    }

    /// Adds rows of the bank, row j with the id firstID + j. live: one bit per bank row, rows without it are left out; nil: all. On an
    /// error the table is as it was.
    public mutating func update<R: Rows>(gallery: R, bank: R, firstID: Int = 0, live: [UInt64]? = nil) throws {
        var next = table
        try add(gallery, bank, firstID, live, first: 0, to: &next)
        table = next
    }

    private func add<R: Rows>(_ gallery: R, _ bank: R, _ firstID: Int, _ live: [UInt64]?, first: Int, to table: inout [Hit]) throws {
        try NNN.alike(gallery, "bank", bank)
        try galleryFits(gallery.rows, rows)
        guard firstID >= 0, firstID <= Int(UInt32.max) - bank.rows else {
            throw NNNError(
                status: .range, argument: "firstID",
                reason: "\(firstID): 0 to \(Int(UInt32.max) - bank.rows) are possible for \(bank.rows) bank rows")
        }
        let words = (bank.rows + 63) / 64
        guard live == nil || live!.count >= words else {
            throw NNNError(status: .capacity, argument: "live", reason: "\(live!.count) words of 64 bits, \(words) are needed")
        }
        let (k, count) = (self.k, table.count / self.k)
        try (live ?? []).withUnsafeBufferPointer { bits in
            let bits = Shared(live == nil ? nil : bits.baseAddress)
            try table.withUnsafeMutableBufferPointer { table in
                let table = Shared(rebound(table))
                try pass(gallery, bank, k, rows: count) { g, b, range, scratch, size in
                    let (to, first) = (table.at(range, of: k), first + range.lowerBound)
                    switch (g, b) {
                    case (.f32(var g), .f32(var b)):
                        return nnn_neighbor_ids_update_f32(&g, &b, bits.start, firstID, k, first, range.count, scratch, size, to)
                    case (.i8(var g), .i8(var b)):
                        return nnn_neighbor_ids_update_i8(&g, &b, bits.start, firstID, k, first, range.count, scratch, size, to)
                    default: return nil
                    }
                }
            }
        }
    }

    /// Adds what another table of the same gallery rows has seen, of other bank rows.
    public mutating func merge(_ other: NeighborIDs) throws {
        try sameTable(other.rows, other.k, rows, k)
        let (rows, k) = (self.rows, self.k)
        try table.withUnsafeMutableBufferPointer { into in
            try other.table.withUnsafeBufferPointer { from in
                try check(nnn_neighbor_ids_merge(rebound(into), rebound(from), rows, k))
            }
        }
    }

    /// Removes the neighbours that are not live any more. live: one bit per id, `ids` of them. Returns the rows that know fewer than k
    /// neighbours now although the bank has more: `renew` them before the bias is taken.
    public mutating func expire(k: Int, live: [UInt64], ids: Int) throws -> [Int] {
        try require(k, atMost: self.k, "as the table holds no more")
        guard ids >= 0, ids <= UInt32.max, (ids + 63) / 64 <= live.count else {
            throw NNNError(
                status: .capacity, argument: "ids", reason: "\(ids), but live has \(live.count) words of 64 bits: one bit for each is needed")
        }
        if let unknown = table.first(where: { $0.id != Self.none && Int($0.id) >= ids }) {
            throw NNNError(
                status: .range, argument: "live", reason: "it is for \(ids) ids, but the table knows \(unknown.id): one bit for each is needed")
        }
        var (short, count) = ([UInt32](repeating: 0, count: rows), 0)
        let (rows, held) = (self.rows, self.k)
        try table.withUnsafeMutableBufferPointer { table in
            try check(nnn_neighbor_ids_expire(rebound(table), rows, held, k, live, ids, &short, &count))
        }
        return short.prefix(count).map { Int($0) }
    }

    /// Computes one row anew. bank: all rows, at the place of their ids.
    public mutating func renew<R: Rows>(row: Int, gallery: R, bank: R, live: [UInt64]? = nil) throws {
        guard (0..<rows).contains(row) else {
            throw NNNError(status: .range, argument: "row", reason: "\(row) in a table of \(rows) rows")
        }
        var fresh = [Hit](repeating: Hit(score: -.infinity, id: Self.none), count: k)
        try add(gallery, bank, 0, live, first: row, to: &fresh)
        table.replaceSubrange(row * k..<(row + 1) * k, with: fresh)
    }

    /// The biases for a k up to the table's own, in the bits of `Neighbors`.
    public func bias(k: Int? = nil, alpha: Float = 0.75) throws -> [Float] {
        let wanted = k ?? self.k
        try require(wanted, atMost: self.k, "as the table holds no more")
        try requireFinite("alpha", alpha)
        var out = [Float](repeating: 0, count: rows)
        try table.withUnsafeBufferPointer { table in
            try check(nnn_neighbor_ids_bias(rebound(table), rows, self.k, wanted, alpha, &out))
        }
        return out
    }
}

/// Runs a pass over the bank on ranges of the gallery's rows. body gives the status, or nil for kinds of rows that it does not take.
func pass<R: Rows>(
    _ gallery: R, _ bank: R, _ k: Int, rows: Int? = nil,
    _ body: @Sendable (View, View, Range<Int>, UnsafeMutableRawPointer, Int) -> nnn_status?
) throws {
    let rows = rows ?? gallery.rows
    guard rows > 0 else { return }
    try gallery.withView("gallery") { g in
        try bank.withView("bank") { b in
            let size = g.isEncoded ? nnn_certified_scratch(k, gallery.dim) : nnn_neighbors_scratch(k, gallery.dim)
            guard (0...NNN.memory).contains(size) else { throw tooMuch("k", k, gallery.dim) }
            try parallel(rows, size: ranges(rows)) { range in
                try withScratch(size) { scratch in
                    guard let status = body(g, b, range, scratch, size) else { throw notEncoded("gallery") }
                    try check(status, ("gallery", g), ("bank", b))
                }
            }
        }
    }
}

func notEncoded(_ name: String) -> NNNError {
    NNNError(status: .value, argument: name, reason: "a matrix or codes are needed, of one kind: pass the matrix itself")
}

func tableFits(_ rows: Int, _ k: Int) throws {
    guard rows >= 0, rows <= UInt32.max else {
        throw NNNError(status: .range, argument: "rows", reason: "\(rows): 0 to 2^32 - 1 are possible")
    }
    guard k >= 1 else { throw NNNError(status: .k, argument: "k", reason: "\(k): 1 at least is needed") }
    try room("k", rows, k)
}

func galleryFits(_ rows: Int, _ table: Int) throws {
    guard rows == table else { throw NNNError(status: .range, argument: "gallery", reason: "\(rows) rows for a table of \(table)") }
}

func sameTable(_ rows: Int, _ k: Int, _ ownRows: Int, _ ownK: Int) throws {
    guard rows == ownRows, k == ownK else {
        throw NNNError(
            status: .range, argument: "other", reason: "\(rows) rows of \(k), here \(ownRows) of \(ownK): merge tables of the same")
    }
}

/// `Hit` has the layout of nnn_hit: two fields of four bytes.
func rebound(_ hits: UnsafeMutableBufferPointer<Hit>) -> UnsafeMutablePointer<nnn_hit>? {
    hits.baseAddress.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: nnn_hit.self) }
}

func rebound(_ hits: UnsafeBufferPointer<Hit>) -> UnsafePointer<nnn_hit>? {
    hits.baseAddress.map { UnsafeRawPointer($0).assumingMemoryBound(to: nnn_hit.self) }
}
