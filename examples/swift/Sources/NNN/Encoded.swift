import CNNN

/// How rows were encoded. Both operands of a call need the same mean and seed.
public struct Encoding: Equatable, Sendable {
    /// What the rows are.
    public enum Side: UInt32, Sendable {
        /// Rows that are retrieved.
        case gallery = 0
        /// Queries, live or of the bank.
        case query = 1
    }

    public let side: Side
    public let mean: [Float]?
    public let seed: UInt64
}

/// A matrix with int8 codes and proven bounds of their errors: `bias`, `Neighbors.update` and `search` of two of them give the bits of the
/// matrices themselves, several times as fast.
public struct Encoded<Elements: RandomAccessCollection>: Rows where Elements.Element == Float {
    public let matrix: Matrix<Elements>
    public let encoding: Encoding?
    let codes: [Int8]
    let scales: [Float]
    let bounds: [nnn_bound]

    public var rows: Int { matrix.rows }
    public var dim: Int { matrix.dim }

    /// mean: best that of the bank (`NNN.mean`). seed: of the rotation, 0 for none. Both only decide how fast calls are.
    public init(_ matrix: Matrix<Elements>, side: Encoding.Side, mean: [Float]? = nil, seed: UInt64 = 0) throws {
        guard mean == nil || mean!.count == matrix.dim else {
            throw NNNError(status: .dim, argument: "mean", reason: "\(mean!.count) elements for rows of \(matrix.dim)")
        }
        try room("matrix", matrix.rows, matrix.dim)
        var codes = [Int8](repeating: 0, count: matrix.rows * matrix.dim)
        var scales = [Float](repeating: 0, count: matrix.rows)
        var bounds = [nnn_bound](repeating: nnn_bound(residual: 0, norm: 0, length: 0, offset: 0), count: matrix.rows)
        var work = [Float](repeating: 0, count: matrix.dim)
        try matrix.withView("matrix") { view in
            guard case .f32(var m) = view else { fatalError("a matrix is of floats") }
            try (mean ?? []).withUnsafeBufferPointer { center in
                let start = mean == nil ? nil : center.baseAddress
                let status = nnn_encode_f32(&m, start, side.rawValue, seed, &work, &codes, m.dim, &scales, &bounds)
                let row = nnn_mat_f32(data: start, rows: start == nil ? 0 : 1, dim: m.dim, stride: m.dim)
                try check(status, ("matrix", view), ("mean", .f32(row)))
            }
        }
        (self.matrix, self.codes, self.scales, self.bounds) = (matrix, codes, scales, bounds)
        encoding = Encoding(side: side, mean: mean, seed: seed)
    }

    public func withView<R>(_ name: String, _ body: (View) throws -> R) throws -> R {
        try matrix.withView(name) { view in
            guard case .f32(let m) = view else { fatalError("a matrix is of floats") }
            return try codes.withUnsafeBufferPointer { codes in
                try scales.withUnsafeBufferPointer { scales in
                    try bounds.withUnsafeBufferPointer { bounds in
                        let coded = nnn_mat_i8(
                            data: codes.baseAddress, scale: scales.baseAddress, rows: m.rows, dim: m.dim, stride: m.dim)
                        return try body(.encoded(nnn_encoded(rows: m, codes: coded, bounds: bounds.baseAddress)))
                    }
                }
            }
        }
    }
}

extension Encoded: Sendable where Elements: Sendable {}

extension NNN {
    /// The mean of the rows, for `Encoded`.
    public static func mean<E>(_ bank: Matrix<E>) throws -> [Float] {
        try bank.withView("bank") { view in
            guard case .f32(var m) = view else { fatalError("a matrix is of floats") }
            var mean = [Float](repeating: 0, count: m.dim)
            try check(nnn_mean_f32(&m, &mean), ("bank", view))
            return mean
        }
    }

    /// Refuses operands of different dims, and encoded ones that do not fit together.
    static func alike<G: Rows, B: Rows>(_ gallery: G, _ name: String, _ rows: B) throws {
        guard rows.dim == gallery.dim else {
            throw NNNError(
                status: .dim, argument: name,
                reason: "rows of \(rows.dim) elements, but gallery has rows of \(gallery.dim): embed both with one model")
        }
        guard let a = gallery.encoding, let b = rows.encoding else { return }
        guard a.side == .gallery, b.side == .query else {
            throw NNNError(
                status: .value, argument: name,
                reason: "the sides are \(a.side) and \(b.side): encode the gallery with .gallery, queries and bank with .query")
        }
        guard a.mean == b.mean, a.seed == b.seed else {
            throw NNNError(
                status: .value, argument: name, reason: "it was encoded with another mean or seed than gallery: encode both with the same")
        }
    }
}
