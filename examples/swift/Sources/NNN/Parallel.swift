import Dispatch
import Foundation

private let processors = ProcessInfo.processInfo.activeProcessorCount

/// The size of equal parts of n, one per processor.
func shares(_ n: Int, atLeast least: Int) -> Int { max((n + processors - 1) / processors, least) }

/// The size of ranges of n gallery rows that keep the processors busy, and are long enough for the check of the bank not to count.
func ranges(_ n: Int) -> Int { min(max((n + 8 * processors - 1) / (8 * processors), 1024), shares(n, atLeast: 1)) }

/// The first error, in the order of the ranges.
private final class FirstError: @unchecked Sendable {
    private let lock = NSLock()
    private var first: (index: Int, error: Error)?

    func note(_ index: Int, _ error: Error) {
        lock.lock()
        defer { lock.unlock() }
        if first == nil || index < first!.index { first = (index, error) }
    }

    func rethrow() throws {
        if let first { throw first.error }
    }
}

/// Runs body over 0..<n in ranges of a size, on all processors. With n = 0 it runs once, for what is checked without rows.
func parallel(_ n: Int, size: Int, _ body: @Sendable (Range<Int>) throws -> Void) throws {
    let parts = (n + size - 1) / size
    guard parts > 1 else { return try body(0..<n) }
    let errors = FirstError()
    DispatchQueue.concurrentPerform(iterations: parts) { i in
        do { try body(i * size..<min((i + 1) * size, n)) } catch { errors.note(i, error) }
    }
    try errors.rethrow()
}
