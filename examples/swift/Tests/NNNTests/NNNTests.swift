import Foundation
import XCTest

@testable import NNN

final class NNNTests: XCTestCase {
    /// Reads the file of results of the C functions, in order.
    struct Golden {
        let data: Data
        var at = 0

        mutating func take<T>(_ count: Int, _: T.Type = T.self) -> [T] {
            let size = count * MemoryLayout<T>.stride
            defer { at += size }
            return data.subdata(in: at..<at + size).withUnsafeBytes { Array($0.bindMemory(to: T.self)) }
        }

        mutating func hits(_ queries: Int, _ top: Int) -> [[Hit]] {
            let (raw, found) = (take(queries * top * 2, UInt32.self), take(queries, UInt32.self))
            return (0..<queries).map { q in
                (0..<Int(found[q])).map { i in
                    Hit(score: Float(bitPattern: raw[2 * (q * top + i)]), id: raw[2 * (q * top + i) + 1])
                }
            }
        }
    }

    func testSameBits() throws {
        try XCTSkipIf(["scalar", "portable"].contains(NNN.instructionSet), "the bits are those of processors with fused multiply-add")
        let file = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../../ffi-tests/golden/bindings.bin").standardized
        var golden = Golden(data: try Data(contentsOf: file))
        let sizes = golden.take(6, UInt32.self).map { Int($0) }
        let (rows, bankRows, queryRows, dim, k, top) = (sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5])
        let alpha = golden.take(2, Float.self)[0]
        let gallery = try Matrix(golden.take(rows * dim, Float.self), dim: dim)
        let bank = try Matrix(golden.take(bankRows * dim, Float.self), dim: dim)
        let queries = try Matrix(ContiguousArray(golden.take(queryRows * dim, Float.self)), dim: dim)
        let allow = golden.take((rows + 63) / 64, UInt64.self)
        golden.at += rows * k * 4  // the table
        let bias = try NNN.bias(gallery: gallery, bank: bank, k: k, alpha: alpha)
        XCTAssertEqual(bias.map(\.bitPattern), golden.take(rows, UInt32.self))
        golden.at += (rows + queryRows * rows) * 4  // softmax bias, scores
        let plain = try NNN.search(queries, gallery: gallery, k: top)
        XCTAssertEqual(plain, golden.hits(queryRows, top))
        XCTAssertEqual(try NNN.search(queries, gallery: gallery, bias: bias, allow: allow, k: top), golden.hits(queryRows, top))
        let all = try NNN.search(queries, gallery: gallery, k: rows)
        let debiased = try NNN.search(queries, gallery: gallery, bias: bias, k: 3)
        for (candidates, expected) in zip(all, debiased) {
            XCTAssertEqual(try NNN.rerank(candidates, bias: bias, k: 3), expected)
        }
        var codes: [Codes] = []
        for matrix in [gallery, bank, try Matrix(Array(queries.elements), dim: dim)] {
            let made = try NNN.quantize(matrix)
            XCTAssertEqual(made.codes, golden.take(made.codes.count, Int8.self))
            XCTAssertEqual(made.scales.map(\.bitPattern), golden.take(made.rows, UInt32.self))
            codes.append(made)
        }
        let int8 = try NNN.bias(gallery: codes[0], bank: codes[1], k: k, alpha: alpha)
        XCTAssertEqual(int8.map(\.bitPattern), golden.take(rows, UInt32.self))
        XCTAssertEqual(try NNN.search(codes[2], gallery: codes[0], bias: int8, k: top), golden.hits(queryRows, top))
        XCTAssertLessThanOrEqual(golden.at, golden.data.count)  // the coarse index and what follows is not wrapped yet
    }

    func unit(_ rows: Int, _ dim: Int) throws -> Matrix<[Float]> {
        try NNN.normalize(Matrix((0..<rows * dim).map { _ in Float.random(in: -1...1) }, dim: dim))
    }

    func testParts() throws {
        let (gallery, bank, queries) = (try unit(3000, 16), try unit(64, 16), try unit(100, 16))
        let bias = try NNN.bias(gallery: gallery, bank: bank, k: 4)
        for row in [0, 1023, 1024, 2999] {
            let one = try Matrix(gallery.elements[row * 16..<(row + 1) * 16], dim: 16)
            let bank = try Matrix(bank.elements[...], dim: 16)
            XCTAssertEqual(try NNN.bias(gallery: one, bank: bank, k: 4), [bias[row]])
        }
        let hits = try NNN.search(queries, gallery: gallery, bias: bias, k: 5)
        for q in [0, 15, 16, 50, 99] {
            let one = try Matrix(queries.elements[q * 16..<(q + 1) * 16], dim: 16)
            XCTAssertEqual(try NNN.search(one, gallery: gallery, bias: bias, k: 5), [hits[q]])
        }
        XCTAssertEqual(try NNN.search(try unit(0, 16), gallery: gallery, k: 5), [])
        XCTAssertEqual(try NNN.search(queries, gallery: try unit(0, 16), k: 5), Array(repeating: [], count: 100))
    }

    func refused(_ status: NNNError.Status, _ argument: String, _ remedy: String, line: UInt = #line, _ body: () throws -> Any) {
        XCTAssertThrowsError(try body(), line: line) { error in
            let error = error as? NNNError
            XCTAssertEqual(error?.status, status, line: line)
            XCTAssertEqual(error?.argument, argument, line: line)
            XCTAssert(error?.reason.contains(remedy) == true, "\(String(describing: error))", line: line)
        }
    }

    func testErrors() throws {
        let (gallery, bank) = (try unit(100, 16), try unit(50, 16))
        let bias = try NNN.bias(gallery: gallery, bank: bank)
        var elements = gallery.elements
        elements[33 * 16 + 5] = .nan
        let bad = try Matrix(elements, dim: 16)
        refused(.k, "k", "1 to 50") { try NNN.bias(gallery: gallery, bank: bank, k: 51) }
        refused(.k, "k", "1 to 50") { try NNN.bias(gallery: gallery, bank: bank, k: 0) }
        refused(.k, "bank", "no rows") { try NNN.bias(gallery: gallery, bank: try unit(0, 16)) }
        refused(.dim, "bank", "one model") { try NNN.bias(gallery: gallery, bank: try unit(50, 8)) }
        refused(.value, "alpha", "finite") { try NNN.bias(gallery: gallery, bank: bank, alpha: .infinity) }
        refused(.value, "gallery", "row 33, element 5") { try NNN.bias(gallery: bad, bank: bank) }
        refused(.value, "bank", "row 33, element 5") { try NNN.bias(gallery: gallery, bank: bad) }
        refused(.value, "matrix", "row 33, element 5") { try NNN.quantize(bad) }
        refused(.dim, "dim", "1 to") { try Matrix([Float](), dim: 0) }
        refused(.stride, "stride", "distance") { try Matrix([Float](repeating: 0, count: 9), dim: 3, stride: 2) }
        refused(.capacity, "elements", "not 4") { try Matrix([Float](repeating: 0, count: 9), dim: 3, rows: 4) }
        refused(.range, "rows", "0 to") { try Matrix([Float](), dim: 3, rows: -1) }
        refused(.capacity, "scales", "one each") { try Codes([1, 2, 3, 4], scales: [1], dim: 2) }
        refused(.range, "bias", "this gallery") { try NNN.search(bank, gallery: gallery, bias: Array(bias.dropLast())) }
        refused(.value, "bias", "row 99") { try NNN.search(bank, gallery: gallery, bias: bias.dropLast() + [.nan]) }
        refused(.capacity, "allow", "2 are needed") { try NNN.search(bank, gallery: gallery, allow: [1]) }
        refused(.k, "k", "1 at least") { try NNN.search(bank, gallery: gallery, k: 0) }
        refused(.value, "queries", "codes") { try NNN.search(bank, gallery: try NNN.quantize(gallery)) }
        refused(.range, "candidates", "100 rows") { try NNN.rerank([Hit(score: 1, id: 100)], bias: bias) }
        refused(.value, "", "NaN") { try NNN.rerank([Hit(score: .nan, id: 1)], bias: bias) }
        let lazyRows = try Matrix(Repeated(), dim: 3)
        refused(.stride, "gallery", "Array(elements)") { try NNN.bias(gallery: lazyRows, bank: lazyRows, k: 1) }
        XCTAssertEqual(try NNN.search(bank, gallery: bad, bias: bias, k: 100)[0].count, 99)
    }

    /// Random shapes and values: an answer or an NNNError, never a crash. NNN_FUZZ_SECONDS=60 gives it a minute instead of a second.
    func testFuzz() throws {
        let seconds = Double(ProcessInfo.processInfo.environment["NNN_FUZZ_SECONDS"] ?? "1") ?? 1
        let end = Date(timeIntervalSinceNow: seconds)
        var (answered, refused) = (0, 0)
        let odd: [Float] = [.nan, .infinity, -.infinity, 3e38, .leastNonzeroMagnitude, 0, -1, 0.75]
        func number() -> Int { [0, 1, 2, 3, 5, 8, 16, -1, 1 << 20, .max, .min].randomElement()! }
        func matrix() throws -> Matrix<[Float]> {
            var elements = (0..<Int.random(in: 0...200)).map { _ in Float.random(in: -1...1) }
            if Bool.random(), !elements.isEmpty { elements[Int.random(in: 0..<elements.count)] = odd.randomElement()! }
            let plain = Int.random(in: 0..<4) > 0
            return plain ? try Matrix(elements, dim: 8) : try Matrix(elements, dim: number(), rows: number(), stride: number())
        }
        while Date() < end {
            do {
                let (a, b) = (try matrix(), try matrix())
                switch Int.random(in: 0..<7) {
                case 0: _ = try NNN.bias(gallery: a, bank: b, k: number(), alpha: odd.randomElement()!)
                case 1: _ = try NNN.search(a, gallery: b, k: number())
                case 2: _ = try NNN.search(a, gallery: b, bias: Array(a.elements.prefix(b.rows)), allow: [7], k: number())
                case 3: _ = try NNN.normalize(a)
                case 4: _ = try NNN.bias(gallery: NNN.quantize(a), bank: NNN.quantize(b), k: number())
                case 5: _ = try NNN.search(NNN.quantize(a), gallery: NNN.quantize(b), k: number())
                default:
                    let candidates = a.elements.map { Hit(score: $0, id: UInt32.random(in: 0...UInt32(b.elements.count))) }
                    _ = try NNN.rerank(candidates, bias: b.elements, k: number())
                }
                answered += 1
            } catch let error as NNNError {
                XCTAssertGreaterThan(error.reason.count, 4)
                refused += 1
            }
        }
        print("fuzz: \(answered) calls answered, \(refused) refused")
        XCTAssertGreaterThan(min(answered, refused), 20)
    }

    /// Elements that lie nowhere.
    struct Repeated: RandomAccessCollection {
        let startIndex = 0, endIndex = 9
        subscript(_: Int) -> Float { 1 }
    }
}
