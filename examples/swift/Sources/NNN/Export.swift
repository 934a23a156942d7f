import CNNN

/// Vectors that carry the bias, so that an index which knows nothing of it searches debiased: pgvector, Milvus, Qdrant, FAISS.
///
/// All rows of an index share the fields, which may be stored beside it. For rows to come widen `norm2`, `biasMin` and `biasMax`: a row
/// outside of them is refused.
public struct Export: Equatable, Sendable {
    /// What the index compares vectors by.
    public enum Form: UInt32, Sendable {
        case innerProduct = 0
        /// Squared Euclidean distance, or its root.
        case l2 = 1
        case cosine = 2
    }

    public let form: Form
    /// Elements of a row before the export.
    public let columns: Int
    /// And after it: the dim of the index.
    public let dim: Int
    /// The largest squared length of a row.
    public var norm2: Double
    public var biasMin, biasMax: Float

    /// The export that fits these rows. multiple: what `dim` shall be a multiple of.
    public init<E>(_ gallery: Matrix<E>, bias: [Float], form: Form, multiple: Int = 1) throws {
        guard gallery.rows > 0 else {
            throw NNNError(status: .range, argument: "gallery", reason: "it has no rows to take the limits from")
        }
        try Self.biasFits(gallery.rows, bias)
        guard (1...65536).contains(multiple) else {
            throw NNNError(status: .value, argument: "multiple", reason: "\(multiple): 1 to 65536 are possible")
        }
        var limits = nnn_export_limits(norm2: 0, bias_min: 0, bias_max: 0)
        try gallery.withView("gallery") { view in
            guard case .f32(var m) = view else { fatalError("a matrix is of floats") }
            try Self.checkRows(nnn_export_limits_f32(&m, bias, 0, m.rows, &limits), view, bias)
        }
        (self.form, columns, dim) = (form, gallery.dim, nnn_export_dim(gallery.dim, form.rawValue, multiple))
        (norm2, biasMin, biasMax) = (limits.norm2, limits.bias_min, limits.bias_max)
    }

    private var limits: nnn_export_limits { nnn_export_limits(norm2: norm2, bias_min: biasMin, bias_max: biasMax) }

    /// The vectors of gallery rows with their biases, for the index.
    public func rows<E>(_ gallery: Matrix<E>, bias: [Float]) throws -> Matrix<[Float]> {
        try fits("gallery", gallery.dim)
        try Self.biasFits(gallery.rows, bias)
        try room("gallery", gallery.rows, dim)
        var out = [Float](repeating: 0, count: gallery.rows * dim)
        try gallery.withView("gallery") { view in
            guard case .f32(var m) = view else { fatalError("a matrix is of floats") }
            var limits = self.limits
            let status = nnn_export_rows_f32(&m, bias, &limits, form.rawValue, 0, m.rows, &out, dim)
            guard status != NNN_ERR_RANGE else {
                throw NNNError(
                    status: .range, argument: "gallery",
                    reason: "a row is longer than norm2, or its bias is outside of biasMin and biasMax: widen them, for all rows of the index")
            }
            try Self.checkRows(status, view, bias)
        }
        return try Matrix(out, dim: dim)
    }

    /// The vectors of queries. alpha: 1, or where rows carry means, biases of alpha 1, what they are multiplied by; not for `l2`.
    public func queries<E>(_ queries: Matrix<E>, alpha: Float = 1) throws -> Matrix<[Float]> {
        try fits("queries", queries.dim)
        try alphaFits(alpha)
        try room("queries", queries.rows, dim)
        var out = [Float](repeating: 0, count: queries.rows * dim)
        try queries.withView("queries") { view in
            guard case .f32(var m) = view else { fatalError("a matrix is of floats") }
            try check(nnn_export_queries_f32(&m, form.rawValue, alpha, &out, dim), ("queries", view))
        }
        return try Matrix(out, dim: dim)
    }

    /// Makes what the index answered for one query, inner products, squared distances or cosines, into debiased scores. (Of 1 - x subtract
    /// from 1 first; square a distance that is a root.) query: as it was before `queries`.
    public func scores(_ values: [Float], query: [Float], alpha: Float = 1) throws -> [Float] {
        try fits("query", query.count)
        try alphaFits(alpha)
        var (out, limits) = (values, self.limits)
        let status = nnn_export_scores(&limits, form.rawValue, query, query.count, alpha, &out, out.count)
        try query.withUnsafeBufferPointer { query in
            try values.withUnsafeBufferPointer { values in
                let (q, v) = (Self.column(query), Self.column(values))
                try check(status, ("query", .f32(q)), ("values", .f32(v)))
            }
        }
        return out
    }

    private static func column(_ values: UnsafeBufferPointer<Float>) -> nnn_mat_f32 {
        nnn_mat_f32(data: values.baseAddress, rows: values.count, dim: 1, stride: 1)
    }

    private static func checkRows(_ status: nnn_status, _ gallery: View, _ bias: [Float]) throws {
        try bias.withUnsafeBufferPointer { try check(status, ("gallery", gallery), ("bias", .f32(column($0)))) }
    }

    private static func biasFits(_ rows: Int, _ bias: [Float]) throws {
        guard bias.count == rows else {
            throw NNNError(
                status: .range, argument: "bias", reason: "\(bias.count) numbers for \(rows) rows: compute it for this gallery")
        }
    }

    private func fits(_ name: String, _ dim: Int) throws {
        guard dim == columns else {
            throw NNNError(status: .dim, argument: name, reason: "rows of \(dim) elements, but the export is for \(columns)")
        }
    }

    private func alphaFits(_ alpha: Float) throws {
        try requireFinite("alpha", alpha)
        guard form != .l2 || alpha == 1 else {
            throw NNNError(status: .value, argument: "alpha", reason: "\(alpha): the form l2 knows 1 only")
        }
    }
}
