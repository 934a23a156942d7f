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

        mutating func lists(_ count: Int, _ length: Int) -> [[Hit]] {
            let raw = take(count * length * 2, UInt32.self)
            return (0..<count).map { list in
                (list * length..<(list + 1) * length).map { Hit(score: Float(bitPattern: raw[2 * $0]), id: raw[2 * $0 + 1]) }
            }
        }

        mutating func hits(_ queries: Int, _ top: Int) -> [[Hit]] {
            let (all, found) = (lists(queries, top), take(queries, UInt32.self))
            return zip(all, found).map { Array($0.prefix(Int($1))) }
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
        var table = try Neighbors(rows: rows, k: k)
        for part in [30..<bankRows, 0..<30] {
            var shard = try Neighbors(rows: rows, k: k)
            let elements = Array(bank.elements[part.lowerBound * dim..<part.upperBound * dim])
            try shard.update(gallery: gallery, bank: Matrix(elements, dim: dim))
            try table.merge(shard)
        }
        XCTAssertEqual(table.table.map(\.bitPattern), golden.take(rows * k, UInt32.self))
        let bias = try NNN.bias(gallery: gallery, bank: bank, k: k, alpha: alpha)
        XCTAssertEqual(bias.map(\.bitPattern), golden.take(rows, UInt32.self))
        XCTAssertEqual(try table.bias(alpha: alpha), bias)
        golden.at += rows * 4  // softmax bias
        let packed = try Matrix(Array(queries.elements), dim: dim)
        XCTAssertEqual(try NNN.scores(packed, gallery: gallery).map(\.bitPattern), golden.take(queryRows * rows, UInt32.self))
        let plain = try NNN.search(queries, gallery: gallery, k: top)
        XCTAssertEqual(plain, golden.hits(queryRows, top))
        XCTAssertEqual(try NNN.search(queries, gallery: gallery, bias: bias, allow: allow, k: top), golden.hits(queryRows, top))
        let all = try NNN.search(queries, gallery: gallery, k: rows)
        let debiased = try NNN.search(queries, gallery: gallery, bias: bias, k: 3)
        for (candidates, expected) in zip(all, debiased) {
            XCTAssertEqual(try NNN.rerank(candidates, bias: bias, k: 3), expected)
        }
        var codes: [Codes] = []
        for matrix in [gallery, bank, packed] {
            let made = try NNN.quantize(matrix)
            XCTAssertEqual(made.codes, golden.take(made.codes.count, Int8.self))
            XCTAssertEqual(made.scales.map(\.bitPattern), golden.take(made.rows, UInt32.self))
            codes.append(made)
        }
        let int8 = try NNN.bias(gallery: codes[0], bank: codes[1], k: k, alpha: alpha)
        XCTAssertEqual(int8.map(\.bitPattern), golden.take(rows, UInt32.self))
        XCTAssertEqual(try NNN.search(codes[2], gallery: codes[0], bias: int8, k: top), golden.hits(queryRows, top))
        let few = Int(golden.take(1, UInt32.self)[0])
        let numbers = golden.take(4, UInt32.self).map { Int($0) }
        let (lists, probes, rounds, seed) = (numbers[0], numbers[1], numbers[2], UInt64(numbers[3]))
        let reranked = try plain.map { try NNN.rerankCertified($0, bias: bias, biasMin: bias.min()!, k: few) }
        XCTAssertEqual(reranked.map(\.hits), golden.hits(queryRows, few))
        XCTAssertEqual(reranked.map { UInt32($0.next) }, golden.take(queryRows))
        let index = try Coarse(gallery, lists: lists, rounds: rounds, seed: seed)
        XCTAssertEqual(index.centroids.map(\.bitPattern), golden.take(lists * dim, UInt32.self))
        XCTAssertEqual(index.offsets, golden.take(lists + 1))
        XCTAssertEqual(index.ids, golden.take(rows))
        let found = try index.search(queries, bias: bias, allow: allow, k: top, probes: probes)
        XCTAssertEqual(found.hits, golden.hits(queryRows, top))
        XCTAssertEqual([UInt32(found.pairs)], golden.take(1))
        let coarse = try Coarse(bank, lists: lists, rounds: rounds, seed: seed).bias(gallery: gallery, k: k, alpha: alpha, probes: probes)
        XCTAssertEqual(coarse.bias.map(\.bitPattern), golden.take(rows, UInt32.self))
        XCTAssertEqual([UInt32(coarse.shortRows), UInt32(coarse.pairs)], golden.take(2))
        let live = golden.take((bankRows + 63) / 64, UInt64.self)
        var ids = try NeighborIDs(rows: rows, k: k), other = ids
        try other.update(gallery: gallery, bank: Matrix(Array(bank.elements[(30 * dim)...]), dim: dim), firstID: 30)
        try ids.update(gallery: gallery, bank: Matrix(Array(bank.elements[..<(30 * dim)]), dim: dim))
        try ids.merge(other)
        XCTAssertEqual([ids.table], golden.lists(1, rows * k))
        let short = try ids.expire(k: few, live: live, ids: bankRows)
        XCTAssertEqual(short.map { UInt32($0) }, golden.take(Int(golden.take(1, UInt32.self)[0])))
        for row in short { try ids.renew(row: row, gallery: gallery, bank: bank, live: live) }
        XCTAssertEqual([ids.table], golden.lists(1, rows * k))
        XCTAssertEqual(try ids.bias(k: few, alpha: alpha).map(\.bitPattern), golden.take(rows, UInt32.self))
        XCTAssertEqual(golden.at, golden.data.count)
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
        refused(.value, "candidates", "is nan") { try NNN.rerank([Hit(score: .nan, id: 1)], bias: bias) }
        var table = try Neighbors(rows: 100, k: 4), ids = try NeighborIDs(rows: 100, k: 4)
        try ids.update(gallery: gallery, bank: bank)
        refused(.range, "rows", "0 to") { try Neighbors(rows: -1, k: 1) }
        refused(.overflow, "k", "memory") { try Neighbors(rows: 1 << 31, k: .max) }
        refused(.overflow, "k", "memory") { try NeighborIDs(rows: 1 << 31, k: 1 << 20) }
        refused(.capacity, "table", "rows of 2") { try Neighbors(table: [1], k: 2) }
        refused(.value, "gallery", "row 33") { try table.update(gallery: bad, bank: bank) }
        refused(.range, "gallery", "table of 100") { try table.update(gallery: bank, bank: bank) }
        refused(.range, "other", "same") { try table.merge(Neighbors(rows: 9, k: 4)) }
        refused(.k, "k", "no more") { try table.bias(k: 5) }
        XCTAssertEqual(table, try Neighbors(rows: 100, k: 4), "a refused update wrote to the table")
        refused(.range, "firstID", "50 bank rows") { try ids.update(gallery: gallery, bank: bank, firstID: Int(UInt32.max) - 49) }
        refused(.capacity, "live", "1 are needed") { try ids.update(gallery: gallery, bank: bank, live: []) }
        refused(.capacity, "ids", "one bit") { try ids.expire(k: 1, live: [1], ids: 65) }
        refused(.range, "live", "one bit") { try ids.expire(k: 1, live: [1], ids: 30) }
        refused(.range, "row", "100 rows") { try ids.renew(row: 100, gallery: gallery, bank: bank) }
        let index = try Coarse(bank, lists: 5)
        refused(.k, "rows", "none") { try Coarse(try unit(0, 16)) }
        refused(.k, "lists", "1 to 100") { try Coarse(gallery, lists: 101) }
        refused(.value, "rows", "element 5") { try Coarse(bad) }
        refused(.dim, "gallery", "one model") { try index.bias(gallery: try unit(5, 8)) }
        refused(.value, "gallery", "row 33") { try index.bias(gallery: bad) }
        refused(.value, "gallery", "one kind") { try index.bias(gallery: try NNN.quantize(gallery)) }
        refused(.k, "k", "1 to 50") { try index.bias(gallery: gallery, k: 51) }
        refused(.k, "probes", "1 at least") { try index.search(gallery, probes: 0) }
        refused(.value, "queries", "row 33") { try index.search(bad) }
        refused(.value, "offsets", "one index") {
            try Coarse(centroids: index.centroids, offsets: index.offsets, ids: [UInt32](repeating: 0, count: 50), listed: index.listed)
        }
        refused(.capacity, "offsets", "one index") {
            try Coarse(centroids: index.centroids, offsets: index.offsets, ids: [], listed: index.listed)
        }
        let encoded = try Encoded(gallery, side: .gallery)
        refused(.dim, "mean", "3 elements") { try Encoded(gallery, side: .gallery, mean: [1, 2, 3]) }
        refused(.value, "matrix", "row 33") { try Encoded(bad, side: .query) }
        refused(.value, "bank", ".query") { try NNN.bias(gallery: encoded, bank: encoded) }
        refused(.value, "bank", "same") { try NNN.bias(gallery: encoded, bank: Encoded(bank, side: .query, seed: 1)) }
        refused(.value, "gallery", "itself") { try ids.update(gallery: encoded, bank: Encoded(bank, side: .query)) }
        refused(.range, "a", "more than k") { try NNN.merge([Hit(score: 2, id: 1), Hit(score: 1, id: 2)], [], k: 1) }
        refused(.value, "biasMin", "no bias") { try NNN.rerankCertified([Hit(score: 1, id: 1)], bias: bias, biasMin: 9) }
        let export = try Export(gallery, bias: bias, form: .l2)
        refused(.value, "alpha", "l2") { try export.queries(bank, alpha: 2) }
        refused(.range, "gallery", "widen") { try export.rows(Matrix([Float](repeating: 2, count: 16), dim: 16), bias: [0]) }
        refused(.range, "bias", "this gallery") { try export.rows(gallery, bias: []) }
        refused(.value, "values", "row 1") { try export.scores([1, .nan], query: Array(gallery.elements.prefix(16))) }
        let lazyRows = try Matrix(Repeated(), dim: 3)
        refused(.stride, "gallery", "Array(elements)") { try NNN.bias(gallery: lazyRows, bank: lazyRows, k: 1) }
        XCTAssertEqual(try NNN.search(bank, gallery: bad, bias: bias, k: 100)[0].count, 99)
    }

    /// Elements that lie nowhere.
    struct Repeated: RandomAccessCollection {
        let startIndex = 0, endIndex = 9
        subscript(_: Int) -> Float { 1 }
    }
}
