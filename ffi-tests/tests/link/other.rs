//! A library of somebody else: Rust with std, which brings its own runtime, allocator and panics.

#[unsafe(no_mangle)]
pub extern "C" fn other_library(n: u64) -> u64 {
    let text = (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
    std::panic::catch_unwind(|| text.iter().map(|number| number.parse::<u64>().unwrap()).sum()).unwrap_or(0)
}
