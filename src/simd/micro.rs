//! int8 dot products of a microcontroller: one query against four rows, with as few instructions as the processor allows. Written
//! out, because builds for size unroll nothing and keep arrays in memory.
//!
//! Three forms, chosen by the build: plain multiply-add; `smlad` (feature `dsp`: two products an instruction); MVE (feature `mve`:
//! sixteen). Features of the crate, because stable Rust shows no target feature of 32-bit Arm.

/// Exact dot products of `query` with four rows.
///
/// # Safety
/// All pointers are valid for `dim` reads.
#[cfg(not(any(feature = "dsp", target_feature = "dsp", feature = "mve")))]
#[inline]
pub(crate) unsafe fn four(query: *const i8, rows: [*const i8; 4], dim: usize) -> [i32; 4] {
    // SAFETY: this function's contract.
    unsafe { plain(query, rows, dim, 0, [0; 4]) }
}

/// Adds the products from code `start` on.
///
/// # Safety
/// As [`four`].
#[inline(always)]
#[allow(dead_code)] // not with MVE
unsafe fn plain(query: *const i8, rows: [*const i8; 4], dim: usize, start: usize, sums: [i32; 4]) -> [i32; 4] {
    let ([a, b, c, d], [mut sum_a, mut sum_b, mut sum_c, mut sum_d]) = (rows, sums);
    for i in start..dim {
        // SAFETY: `i < dim`.
        unsafe {
            let code = i32::from(*query.add(i));
            sum_a = sum_a.wrapping_add(code * i32::from(*a.add(i)));
            sum_b = sum_b.wrapping_add(code * i32::from(*b.add(i)));
            sum_c = sum_c.wrapping_add(code * i32::from(*c.add(i)));
            sum_d = sum_d.wrapping_add(code * i32::from(*d.add(i)));
        }
    }
    [sum_a, sum_b, sum_c, sum_d]
}

/// Exact dot products of `query` with four rows.
///
/// # Safety
/// All pointers are valid for `dim` reads.
#[cfg(all(any(feature = "dsp", target_feature = "dsp"), not(feature = "mve")))]
#[inline]
pub(crate) unsafe fn four(query: *const i8, rows: [*const i8; 4], dim: usize) -> [i32; 4] {
    use core::arch::asm;

    /// Four codes as two words of two 16-bit numbers: codes 0 and 2, 1 and 3.
    ///
    /// # Safety
    /// `p` is valid for four reads.
    #[inline(always)]
    unsafe fn load(p: *const i8) -> (u32, u32) {
        // SAFETY: this function's contract; the processor reads unaligned words.
        let codes = unsafe { p.cast::<u32>().read_unaligned() };
        let (even, odd);
        // SAFETY: arithmetic of registers.
        unsafe {
            asm!("sxtb16 {}, {}", lateout(reg) even, in(reg) codes, options(pure, nomem, nostack, preserves_flags));
            asm!("sxtb16 {}, {}, ror #8", lateout(reg) odd, in(reg) codes, options(pure, nomem, nostack, preserves_flags));
        }
        (even, odd)
    }
    /// `sum` and the four products.
    #[inline(always)]
    fn add((a, b): (u32, u32), (c, d): (u32, u32), mut sum: i32) -> i32 {
        // SAFETY: arithmetic of registers; it may set the Q flag, which is not preserved.
        unsafe {
            asm!("smlad {0}, {1}, {2}, {0}", inlateout(reg) sum, in(reg) a, in(reg) c, options(pure, nomem, nostack));
            asm!("smlad {0}, {1}, {2}, {0}", inlateout(reg) sum, in(reg) b, in(reg) d, options(pure, nomem, nostack));
        }
        sum
    }

    let [a, b, c, d] = rows;
    let (mut sum_a, mut sum_b, mut sum_c, mut sum_d) = (0, 0, 0, 0);
    let mut i = 0;
    // SAFETY: four codes are left from every `i` on; the rest is for `plain`.
    unsafe {
        while i + 4 <= dim {
            let codes = load(query.add(i));
            sum_a = add(codes, load(a.add(i)), sum_a);
            sum_b = add(codes, load(b.add(i)), sum_b);
            sum_c = add(codes, load(c.add(i)), sum_c);
            sum_d = add(codes, load(d.add(i)), sum_d);
            i += 4;
        }
        plain(query, rows, dim, i, [sum_a, sum_b, sum_c, sum_d])
    }
}

#[cfg(feature = "mve")]
core::arch::global_asm!(
    // With link-time optimisation the target's own features do not reach module assembly.
    ".cpu cortex-m55",
    // nnn_mve_dot: r0 and r1 rows, r2 codes; the loop's tail masks the lanes past the end, which are not read
    ".section .text.nnn_mve_dot,\"ax\",%progbits",
    ".global nnn_mve_dot",
    ".hidden nnn_mve_dot",
    ".type nnn_mve_dot,%function",
    ".thumb_func",
    "nnn_mve_dot:",
    "push {{r7, lr}}",
    "mov r12, #0",
    "dlstp.8 lr, r2",
    "1:",
    "vldrb.u8 q0, [r0], #16",
    "vldrb.u8 q1, [r1], #16",
    "vmladava.s8 r12, q0, q1",
    "letp lr, 1b",
    "mov r0, r12",
    "pop {{r7, pc}}",
    ".size nnn_mve_dot, . - nnn_mve_dot",
);

/// Exact dot products of `query` with four rows.
///
/// # Safety
/// All pointers are valid for `dim` reads, `dim` is not 0.
#[cfg(feature = "mve")]
#[inline]
pub(crate) unsafe fn four(query: *const i8, rows: [*const i8; 4], dim: usize) -> [i32; 4] {
    unsafe extern "C" {
        fn nnn_mve_dot(a: *const i8, b: *const i8, dim: usize) -> i32;
    }
    let [a, b, c, d] = rows;
    // SAFETY: the function reads `dim` codes of both rows.
    unsafe { [nnn_mve_dot(query, a, dim), nnn_mve_dot(query, b, dim), nnn_mve_dot(query, c, dim), nnn_mve_dot(query, d, dim)] }
}
