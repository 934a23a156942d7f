import CNNN

/// What is wrong with an argument: which one, and what to do about it.
public struct NNNError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The statuses of nnn.h.
    public enum Status: Int32, Sendable {
        case null = -1, dim = -2, k = -3, range = -4, stride = -5, overflow = -6
        case align = -7, alias = -8, capacity = -9, value = -10, isa = -11
    }

    public let status: Status
    /// The argument, empty where only the library saw it.
    public let argument: String
    public let reason: String

    public var description: String { argument.isEmpty ? reason : "\(argument): \(reason)" }
}

/// A gallery row and its score for one query.
public struct Hit: Equatable, Hashable, Sendable {
    public var score: Float
    public var id: UInt32

    public init(score: Float, id: UInt32) {
        self.score = score
        self.id = id
    }
}

/// Rows of `dim` floats, `stride` elements apart, in an `Array`, a `ContiguousArray`, a slice of either, or a buffer pointer: read where
/// they are.
public struct Matrix<Elements: RandomAccessCollection> where Elements.Element == Float {
    public let elements: Elements
    public let rows, dim, stride: Int

    /// As many whole rows as the elements hold, or `rows` of them.
    public init(_ elements: Elements, dim: Int, rows: Int? = nil, stride: Int? = nil) throws {
        self.elements = elements
        self.dim = dim
        self.stride = stride ?? dim
        self.rows = try checkedRows(elements.count, rows: rows, dim: dim, stride: self.stride, "elements")
    }
}

extension Matrix: Sendable where Elements: Sendable {}

/// Rows of int8 codes with one scale each: element (i, j) is `codes[i * dim + j] * scales[i]`. `quantize` makes them.
public struct Codes: Sendable {
    public let codes: [Int8]
    public let scales: [Float]
    public let rows, dim: Int

    public init(_ codes: [Int8], scales: [Float], dim: Int) throws {
        rows = try checkedRows(codes.count, rows: nil, dim: dim, stride: dim, "codes")
        guard scales.count == rows else {
            throw NNNError(status: .capacity, argument: "scales", reason: "\(scales.count) for \(rows) rows: one each is needed")
        }
        self.codes = codes
        self.scales = scales
        self.dim = dim
    }
}

private func checkedRows(_ count: Int, rows: Int?, dim: Int, stride: Int, _ name: String) throws -> Int {
    guard (1...Int(NNN_MAX_DIM)).contains(dim) else {
        throw NNNError(status: .dim, argument: "dim", reason: "\(dim): 1 to \(NNN_MAX_DIM) are possible")
    }
    guard stride >= dim else {
        throw NNNError(status: .stride, argument: "stride", reason: "\(stride) for rows of \(dim): it is the distance from row to row")
    }
    let held = count < dim ? 0 : (count - dim) / stride + 1
    let wanted = rows ?? held
    guard wanted >= 0, wanted <= UInt32.max else {
        throw NNNError(status: .range, argument: "rows", reason: "\(wanted): 0 to 2^32 - 1 are possible")
    }
    guard wanted <= held else {
        throw NNNError(status: .capacity, argument: name, reason: "\(count) elements hold \(held) rows, not \(wanted)")
    }
    return wanted
}

/// Either kind of rows. The operands of one call are of one kind.
public protocol Rows {
    var rows: Int { get }
    var dim: Int { get }
    /// How they were encoded; nil of plain rows.
    var encoding: Encoding? { get }
    /// Lends the rows in the form of nnn.h; throws where they do not lie in one piece.
    func withView<R>(_ name: String, _ body: (View) throws -> R) throws -> R
}

extension Rows {
    public var encoding: Encoding? { nil }
}

/// The rows as nnn.h takes them; of use only inside of `withView`.
public enum View {
    case f32(nnn_mat_f32)
    case i8(nnn_mat_i8)
    case encoded(nnn_encoded)
}

// Reading only, while `withView` keeps the storage alive.
extension View: @unchecked Sendable {}

extension Matrix: Rows {
    public func withView<R>(_ name: String, _ body: (View) throws -> R) throws -> R {
        _ = NNN.detected
        let result = try elements.withContiguousStorageIfAvailable {
            try body(.f32(nnn_mat_f32(data: $0.baseAddress, rows: rows, dim: dim, stride: stride)))
        }
        guard let result else {
            throw NNNError(status: .stride, argument: name, reason: "its elements do not lie in one piece: Array(elements) copies them so")
        }
        return result
    }
}

extension Codes: Rows {
    public func withView<R>(_ name: String, _ body: (View) throws -> R) throws -> R {
        _ = NNN.detected
        return try codes.withUnsafeBufferPointer { codes in
            try scales.withUnsafeBufferPointer { scales in
                try body(.i8(nnn_mat_i8(data: codes.baseAddress, scale: scales.baseAddress, rows: rows, dim: dim, stride: dim)))
            }
        }
    }
}

extension View {
    var rows: Int {
        switch self {
        case .f32(let m): return m.rows
        case .i8(let m): return m.rows
        case .encoded(let e): return e.rows.rows
        }
    }

    var isEncoded: Bool {
        guard case .encoded = self else { return false }
        return true
    }

    /// The rows `range`.
    func part(_ range: Range<Int>) -> View {
        switch self {
        case .f32(let m): return .f32(m.part(range))
        case .i8(let m): return .i8(m.part(range))
        case .encoded(let e):
            let bounds = e.bounds.map { $0 + (range.isEmpty ? 0 : range.lowerBound) }
            return .encoded(nnn_encoded(rows: e.rows.part(range), codes: e.codes.part(range), bounds: bounds))
        }
    }

    /// Where the first NaN or infinity is.
    var nonfinite: String? {
        var (row, column) = (0, 0)
        switch self {
        case .f32(var m):
            guard nnn_find_nonfinite_f32(&m, &row, &column) == NNN_ERR_VALUE else { return nil }
        case .encoded(var e):
            guard nnn_find_nonfinite_f32(&e.rows, &row, &column) == NNN_ERR_VALUE else { return nil }
        case .i8(let m):
            var scales = nnn_mat_f32(data: m.scale, rows: m.rows, dim: 1, stride: 1)
            guard nnn_find_nonfinite_f32(&scales, &row, &column) == NNN_ERR_VALUE else { return nil }
        }
        return "row \(row), element \(column)"
    }
}

extension nnn_mat_f32 {
    func part(_ range: Range<Int>) -> nnn_mat_f32 {
        nnn_mat_f32(data: data.map { $0 + (range.isEmpty ? 0 : range.lowerBound * stride) }, rows: range.count, dim: dim, stride: stride)
    }
}

extension nnn_mat_i8 {
    func part(_ range: Range<Int>) -> nnn_mat_i8 {
        let first = range.isEmpty ? 0 : range.lowerBound
        return nnn_mat_i8(
            data: data.map { $0 + first * stride }, scale: scale.map { $0 + first }, rows: range.count, dim: dim, stride: stride)
    }
}

/// Throws what a status means. Of bad values it says where they are, in the views named.
func check(_ status: nnn_status, _ named: (String, View)...) throws {
    guard status != NNN_OK else { return }
    if status == NNN_ERR_VALUE {
        for (name, view) in named {
            if let place = view.nonfinite {
                throw NNNError(status: .value, argument: name, reason: "NaN or infinity in \(place): remove or repair such rows")
            }
        }
    }
    throw NNNError(status: .init(rawValue: status) ?? .value, argument: "", reason: String(cString: nnn_status_str(status)))
}

func require(_ k: Int, atMost most: Int, _ why: String) throws {
    guard k >= 1, k <= most else { throw NNNError(status: .k, argument: "k", reason: "\(k): 1 to \(most) are possible, \(why)") }
}

func requireFinite(_ name: String, _ x: Float) throws {
    guard x.isFinite else { throw NNNError(status: .value, argument: name, reason: "\(x): a finite number is needed") }
}

/// Refuses what memory does not hold: Swift has no error for it.
func room(_ name: String, _ rows: Int, _ each: Int) throws {
    let (elements, overflow) = rows.multipliedReportingOverflow(by: each)
    guard !overflow, elements <= NNN.memory / 8 else { throw tooMuch(name, rows, each) }
}

func tooMuch(_ name: String, _ rows: Int, _ each: Int) -> NNNError {
    NNNError(status: .overflow, argument: name, reason: "\(rows) x \(each) elements do not fit into memory")
}
