import Foundation
import XCTest

@testable import NNN

/// Random calls: NNN_FUZZ_SECONDS=60 gives each test a minute instead of a second, NNN_FUZZ_SEED repeats a run.
final class FuzzTests: XCTestCase {
    /// SplitMix64 (Steele, Lea and Flood, 2014).
    struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    static func variable(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }
    let seconds = variable("NNN_FUZZ_SECONDS").flatMap(Double.init) ?? 1
    let seed = variable("NNN_FUZZ_SEED").flatMap(UInt64.init) ?? UInt64(Date().timeIntervalSince1970 * 1000)

    /// Shapes and values of every kind: an answer or an NNNError, never a crash.
    func testArguments() throws {
        let end = Date(timeIntervalSinceNow: seconds)
        var (answered, refused, random) = (0, 0, Generator(state: seed))
        let odd: [Float] = [.nan, .infinity, -.infinity, 3e38, .leastNonzeroMagnitude, 0, -1, 0.75]
        func number() -> Int { [0, 1, 2, 3, 5, 8, 16, -1, 1 << 20, .max, .min].randomElement(using: &random)! }
        func alpha() -> Float { odd.randomElement(using: &random)! }
        func pick(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }
        func matrix() throws -> Matrix<[Float]> {
            var elements = (0..<pick(0..<200)).map { _ in Float.random(in: -1...1, using: &random) }
            if Bool.random(using: &random), !elements.isEmpty { elements[pick(0..<elements.count)] = alpha() }
            let plain = pick(0..<4) > 0
            return plain ? try Matrix(elements, dim: 8) : try Matrix(elements, dim: number(), rows: number(), stride: number())
        }
        func hits(_ m: Matrix<[Float]>, _ ids: Int) -> [Hit] {
            m.elements.map { Hit(score: $0, id: UInt32.random(in: 0...UInt32(ids), using: &random)) }
        }
        while Date() < end {
            do {
                let (a, b) = (try matrix(), try matrix())
                switch pick(0..<17) {
                case 0: _ = try NNN.bias(gallery: a, bank: b, k: number(), alpha: alpha())
                case 1: _ = try NNN.search(a, gallery: b, k: number())
                case 2: _ = try NNN.search(a, gallery: b, bias: Array(a.elements.prefix(b.rows)), allow: [7], k: number())
                case 3: _ = try NNN.normalize(a)
                case 4: _ = try NNN.bias(gallery: NNN.quantize(a), bank: NNN.quantize(b), k: number())
                case 5: _ = try NNN.search(NNN.quantize(a), gallery: NNN.quantize(b), k: number())
                case 6: _ = try NNN.scores(a, gallery: b)
                case 7:
                    var table = try Neighbors(rows: a.rows, k: number())
                    try table.update(gallery: a, bank: b)
                    try table.merge(table)
                    _ = try table.bias(k: number(), alpha: alpha())
                case 8: _ = try Neighbors(rows: number(), k: number())
                case 9:
                    var table = try NeighborIDs(table: hits(a, b.rows), k: number())
                    try table.update(gallery: a, bank: b, firstID: number(), live: [random.next()])
                    for row in try table.expire(k: number(), live: [random.next(), 5], ids: number()) {
                        try table.renew(row: row, gallery: a, bank: b)
                    }
                    _ = try table.bias(k: number(), alpha: alpha())
                case 10:
                    var table = try NeighborIDs(rows: a.rows, k: pick(1..<5))
                    try table.update(gallery: a, bank: b, firstID: pick(0..<3))
                    try table.merge(table)
                    for row in try table.expire(k: 1, live: [random.next(), 5], ids: pick(20..<130)) {
                        try table.renew(row: row, gallery: a, bank: b, live: [random.next()])
                    }
                    _ = try table.bias(k: 1, alpha: alpha())
                case 11:
                    let index = try Coarse(a, lists: pick(0..<5), rounds: pick(-1..<4))
                    _ = try index.bias(gallery: b, k: number(), alpha: alpha(), probes: number())
                    _ = try index.search(b, k: number(), probes: number())
                    let ids = index.ids.map { $0 ^ UInt32(pick(0..<40) / 39) }
                    _ = try Coarse(centroids: index.centroids, offsets: index.offsets, ids: ids, listed: index.listed)
                case 12:
                    let index = try Coarse(NNN.quantize(a), lists: pick(0..<5))
                    _ = try index.search(NNN.quantize(b), bias: Array(b.elements.prefix(a.rows)), allow: [7], k: number(), probes: number())
                case 13:
                    let sides: [Encoding.Side] = [.gallery, .query]
                    let g = try Encoded(a, side: sides[pick(0..<2)], mean: pick(0..<2) == 0 ? nil : NNN.mean(b))
                    let q = try Encoded(b, side: .query, mean: g.encoding!.mean, seed: UInt64(pick(0..<9) / 8))
                    _ = try NNN.bias(gallery: g, bank: q, k: number(), alpha: alpha())
                    _ = try NNN.search(q, gallery: g, bias: Array(b.elements.prefix(a.rows)), k: number())
                case 14:
                    let forms: [Export.Form] = [.innerProduct, .l2, .cosine]
                    let export = try Export(a, bias: Array(b.elements.prefix(a.rows)), form: forms[pick(0..<3)], multiple: number())
                    _ = try export.rows(a, bias: Array(b.elements.prefix(a.rows)))
                    _ = try export.queries(b, alpha: pick(0..<2) == 0 ? 1 : alpha())
                    _ = try export.scores(a.elements, query: Array(b.elements.prefix(a.dim)))
                case 15: _ = try NNN.merge(hits(a, 9), hits(b, 9).sorted { $0.score > $1.score }, k: number())
                default:
                    _ = try NNN.rerank(hits(a, b.elements.count), bias: b.elements, k: number())
                    _ = try NNN.rerankCertified(hits(a, b.elements.count), bias: b.elements, biasMin: alpha(), k: number())
                }
                answered += 1
            } catch let error as NNNError {
                XCTAssertGreaterThan(error.reason.count, 4)
                refused += 1
            }
        }
        print("fuzz: \(answered) calls answered, \(refused) refused, seed \(seed)")
        XCTAssertGreaterThan(min(answered, refused), 20)
    }

    /// A small retrieval whose similarities are exact in any order of addition: elements are multiples of 1/8.
    struct Problem {
        let gallery, bank, queries: Matrix<[Float]>
        let galleryCodes, bankCodes, queryCodes: Codes
        let k, top: Int
        let alpha: Float
        let allow: [UInt64]?

        init(_ random: inout Generator) throws {
            let dim = Int.random(in: 1...70, using: &random)
            func rows(_ least: Int) throws -> (Matrix<[Float]>, Codes) {
                let (count, stride) = (Int.random(in: least...40, using: &random), dim + Int.random(in: 0...4, using: &random))
                let codes = (0..<count * dim).map { _ in Int8.random(in: -8...8, using: &random) }
                var elements = [Float](repeating: .nan, count: count * stride)
                for (i, code) in codes.enumerated() { elements[i / dim * stride + i % dim] = Float(code) / 8 }
                let matrix = try Matrix(elements, dim: dim, rows: count, stride: stride)
                return (matrix, try Codes(codes, scales: [Float](repeating: 0.125, count: count), dim: dim))
            }
            (gallery, galleryCodes) = try rows(0)
            (bank, bankCodes) = try rows(1)
            (queries, queryCodes) = try rows(0)
            (k, top) = (Int.random(in: 1...bank.rows, using: &random), Int.random(in: 1...50, using: &random))
            alpha = Float(Int.random(in: -2...6, using: &random)) / 4
            allow = Bool.random(using: &random) ? [random.next()] : nil
        }

        func similarity(_ a: Matrix<[Float]>, _ i: Int, _ b: Matrix<[Float]>, _ j: Int) -> Double {
            a.elements.withUnsafeBufferPointer { x in
                b.elements.withUnsafeBufferPointer { y in
                    // As tests are built, without optimisation, this loop is most of the time.
                    var (sum, d) = (0.0, 0)
                    while d < a.dim {
                        sum += Double(x[i * a.stride + d]) * Double(y[j * b.stride + d])
                        d += 1
                    }
                    return sum
                }
            }
        }

        /// The definition, of the bank rows that are live.
        func bias(_ k: Int, _ live: (Int) -> Bool = { _ in true }) -> [Float] {
            (0..<gallery.rows).map { i in
                let all = (0..<bank.rows).filter(live).map { similarity(gallery, i, bank, $0) }.sorted(by: >)
                return Float(Double(alpha) * (all.prefix(k).reduce(0, +) / Double(k)))
            }
        }

        /// All allowed rows in order, cut at top.
        func hits(_ bias: [Float]?, _ top: Int) -> [[Hit]] {
            (0..<queries.rows).map { q in
                let allowed = (0..<gallery.rows).filter { allow == nil || allow![0] >> UInt64($0) & 1 == 1 }
                let all = allowed.map { Hit(score: Float(similarity(queries, q, gallery, $0)) - (bias?[$0] ?? 0), id: UInt32($0)) }
                return Array(all.sorted { ($1.score, $0.id) < ($0.score, $1.id) }.prefix(top))
            }
        }
    }

    /// Small problems against their definition, bit for bit.
    func testProblems() throws {
        let end = Date(timeIntervalSinceNow: seconds)
        var (count, random) = (0, Generator(state: seed))
        while Date() < end {
            let state = random.state
            do {
                try check(Problem(&random), random.next())
            } catch {
                XCTFail("\(error)")
            }
            if testRun!.totalFailureCount > 0 { return XCTFail("NNN_FUZZ_SEED=\(state) repeats it") }
            count += 1
        }
        print("fuzz: \(count) problems, seed \(seed)")
        XCTAssertGreaterThan(count, 2)
    }

    func check(_ p: Problem, _ bits: UInt64) throws {
        let expected = p.bias(p.k)
        XCTAssertEqual(try NNN.bias(gallery: p.gallery, bank: p.bank, k: p.k, alpha: p.alpha), expected)
        XCTAssertEqual(try NNN.bias(gallery: p.galleryCodes, bank: p.bankCodes, k: p.k, alpha: p.alpha), expected)
        let (g, b) = (try Encoded(p.gallery, side: .gallery, seed: 1), try Encoded(p.bank, side: .query, seed: 1))
        XCTAssertEqual(try NNN.bias(gallery: g, bank: b, k: p.k, alpha: p.alpha), expected)
        var table = try Neighbors(rows: p.gallery.rows, k: p.k), ids = try NeighborIDs(rows: p.gallery.rows, k: p.k)
        let cut = Int(bits % UInt64(p.bank.rows + 1))
        for (first, end) in [(cut, p.bank.rows), (0, cut)] {
            let elements = Array(p.bank.elements[first * p.bank.stride..<end * p.bank.stride])
            let shard = try Matrix(elements, dim: p.bank.dim, rows: end - first, stride: p.bank.stride)
            var (part, partIDs) = (try Neighbors(rows: p.gallery.rows, k: p.k), try NeighborIDs(rows: p.gallery.rows, k: p.k))
            try part.update(gallery: p.gallery, bank: shard)
            try partIDs.update(gallery: p.gallery, bank: shard, firstID: first)
            try table.merge(part)
            try ids.merge(partIDs)
        }
        XCTAssertEqual(try table.bias(alpha: p.alpha), expected)
        XCTAssertEqual(try ids.bias(alpha: p.alpha), expected)
        let live = { (j: Int) in (bits | 1) >> UInt64(j) & 1 == 1 }
        let few = min(p.k, (0..<p.bank.rows).filter(live).count)
        for row in try ids.expire(k: few, live: [bits | 1], ids: p.bank.rows) {
            try ids.renew(row: row, gallery: p.gallery, bank: p.bank, live: [bits | 1])
        }
        XCTAssertEqual(try ids.bias(k: few, alpha: p.alpha), p.bias(few, live))
        let lists = try Coarse(p.bank, seed: bits)
        let coarse = try lists.bias(gallery: p.gallery, k: p.k, alpha: p.alpha, probes: lists.lists)
        XCTAssertEqual(coarse.bias, expected)
        XCTAssertEqual(coarse.pairs, UInt64(p.gallery.rows * p.bank.rows))

        let q = try Encoded(p.queries, side: .query, seed: 1)
        for bias in [nil, expected] {
            let hits = p.hits(bias, p.top)
            XCTAssertEqual(try NNN.search(p.queries, gallery: p.gallery, bias: bias, allow: p.allow, k: p.top), hits)
            XCTAssertEqual(try NNN.search(p.queryCodes, gallery: p.galleryCodes, bias: bias, allow: p.allow, k: p.top), hits)
            XCTAssertEqual(try NNN.search(q, gallery: g, bias: bias, allow: p.allow, k: p.top), hits)
            guard p.gallery.rows > 0 else { continue }
            let index = try Coarse(p.gallery, seed: bits)
            XCTAssertEqual(try index.search(p.queries, bias: bias, allow: p.allow, k: p.top, probes: index.lists).hits, hits)
            let codes = try Coarse(p.galleryCodes, seed: bits)
            XCTAssertEqual(try codes.search(p.queryCodes, bias: bias, allow: p.allow, k: p.top, probes: codes.lists).hits, hits)
        }
        for (candidates, hits) in zip(p.hits(nil, p.gallery.rows), p.hits(expected, p.top)) {
            XCTAssertEqual(try NNN.rerank(candidates, bias: expected, k: p.top), hits)
            let half = hits.count / 2
            XCTAssertEqual(try NNN.merge(Array(hits[half...]), Array(hits[..<half]), k: p.top), hits)
            guard p.allow == nil, let least = expected.min() else { continue }
            let proved = try NNN.rerankCertified(Array(candidates.prefix((candidates.count + 1) / 2)), bias: expected, biasMin: least, k: p.top)
            XCTAssert(proved.next > 0 || proved.hits == hits)
        }
        try checkExport(p, expected)
    }

    /// Exported vectors give the debiased scores back, to rounding.
    func checkExport(_ p: Problem, _ bias: [Float]) throws {
        guard p.gallery.rows > 0 else { return }
        for form: Export.Form in [.innerProduct, .l2, .cosine] {
            let export = try Export(p.gallery, bias: bias, form: form, multiple: 4)
            let (rows, queries) = (try export.rows(p.gallery, bias: bias), try export.queries(p.queries))
            for q in 0..<queries.rows {
                let query = Array(p.queries.elements[q * p.queries.stride..<q * p.queries.stride + p.queries.dim])
                let values = (0..<rows.rows).map { i -> Float in
                    let inner = p.similarity(queries, q, rows, i)
                    let (row, query) = (p.similarity(rows, i, rows, i), p.similarity(queries, q, queries, q))
                    switch form {
                    case .innerProduct: return Float(inner)
                    case .l2: return Float(row + query - 2 * inner)
                    case .cosine: return Float(inner / max((row * query).squareRoot(), 1e-30))
                    }
                }
                for (i, score) in try export.scores(values, query: query).enumerated() {
                    XCTAssertEqual(Double(score), p.similarity(p.queries, q, p.gallery, i) - Double(bias[i]), accuracy: 1e-3)
                }
            }
        }
    }
}
