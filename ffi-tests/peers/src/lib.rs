//! What Python is too slow to loop over: pair kernels of a few nanoseconds, called through their C pointers, and the machine's
//! limits as `cargo bench` measures them. Each function works for as many calls as it is told; `peers.py` holds the clock.

use std::ffi::c_void;
use std::hint::black_box;

/// The part of the benchmark's measuring that the limits need.
mod measure {
    pub struct Contender<'a> {
        pub work: f64,
        pub run: Box<dyn FnMut() + 'a>,
    }

    impl<'a> Contender<'a> {
        pub fn new(_: impl Into<String>, work: f64, run: impl FnMut() + 'a) -> Self {
            Contender { work, run: Box::new(run) }
        }

        /// The work that was done.
        pub fn repeat(mut self, calls: u32) -> f64 {
            (0..calls).for_each(|_| (self.run)());
            self.work * f64::from(calls)
        }
    }
}

#[path = "../../benches/support/peaks.rs"]
mod peaks;

/// Multiply-adds in registers on an instruction set (`NNN_ISA_*`): the operations done, 0 where no such loop is written.
#[unsafe(no_mangle)]
pub extern "C" fn peers_multiply_add(isa: u32, int8: bool, calls: u32) -> f64 {
    let isa = nnn::Isa::available().find(|known| *known as u32 == isa);
    isa.and_then(|isa| peaks::multiply_add(isa, int8)).map_or(0.0, |peak| peak.repeat(calls))
}

/// Reads memory once: the bytes read. Eight streams far apart keep more of a core's misses in flight than one does, which is what
/// `peaks::read` measures; `streams` says which.
///
/// # Safety
/// `data` points to `len` floats.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peers_read(data: *const f32, len: usize, streams: bool, calls: u32) -> f64 {
    // SAFETY: the caller's promise.
    let data = unsafe { std::slice::from_raw_parts(data, len) };
    let read =
        if streams { measure::Contender::new("", size_of_val(data) as f64, || eight_streams(data)) } else { peaks::read(data) };
    read.repeat(calls)
}

fn eight_streams(data: &[f32]) {
    let mut sums = [[0f32; 64]; 8];
    let lines = data.len() / 8 / 64;
    let mut streams: [_; 8] = std::array::from_fn(|i| data[i * lines * 64..(i + 1) * lines * 64].as_chunks::<64>().0.iter());
    for _ in 0..lines {
        for (sums, stream) in sums.iter_mut().zip(&mut streams) {
            for (sum, x) in sums.iter_mut().zip(stream.next().expect("as many chunks in each stream")) {
                *sum += x;
            }
        }
    }
    black_box(sums);
}

/// `status f(a, b, dim, &out)`: libnnn, and SimSIMD and NumKong, which return nothing.
type Stores = unsafe extern "C" fn(*const c_void, *const c_void, usize, *mut c_void) -> i32;
/// `float f(a, b, dim)`: FAISS.
type Returns = unsafe extern "C" fn(*const c_void, *const c_void, usize) -> f32;
/// `float f(a, b, &dim)`: hnswlib.
type ByReference = unsafe extern "C" fn(*const c_void, *const c_void, *const usize) -> f32;

/// Calls a pair kernel over and over. `kind` is its shape: 0 `Stores`, 1 `Returns`, 2 `ByReference`; the last result goes to `out`.
///
/// # Safety
/// `kernel` is a function of that shape, `a` and `b` are what it reads, `out` has room for eight bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peers_pair(
    kind: u32,
    kernel: *const c_void,
    a: *const c_void,
    b: *const c_void,
    dim: usize,
    out: *mut f32,
    calls: u32,
) {
    // SAFETY: the caller says that the pointer is a function of this shape, and what it may read and write.
    unsafe {
        match kind {
            0 => {
                let kernel: Stores = std::mem::transmute(kernel);
                for _ in 0..calls {
                    black_box(kernel(a, b, dim, out.cast()));
                }
            }
            1 => {
                let kernel: Returns = std::mem::transmute(kernel);
                (0..calls).for_each(|_| *out = black_box(kernel(a, b, dim)));
            }
            _ => {
                let kernel: ByReference = std::mem::transmute(kernel);
                (0..calls).for_each(|_| *out = black_box(kernel(a, b, &dim)));
            }
        }
    }
}

/// A pair kernel that does nothing: what a call costs.
#[unsafe(no_mangle)]
pub extern "C" fn peers_nothing(_: *const c_void, _: *const c_void, _: usize, _: *mut c_void) -> i32 {
    black_box(0)
}
