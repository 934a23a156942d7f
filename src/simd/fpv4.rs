//! The FPU of a Cortex-M (FPv4-SP and FPv5): fused multiply-add for the scalar tier, which then has the bits of the other fused
//! tiers. As functions in assembly, because stable Rust lets no `asm!` name the FPU's registers here; a call may use s0 to s15.

core::arch::global_asm!(
    // With link-time optimisation the target's own features do not reach module assembly.
    ".fpu fpv4-sp-d16",
    // nnn_fused: s0 + s1 * s2
    ".section .text.nnn_fused,\"ax\",%progbits",
    ".global nnn_fused",
    ".hidden nnn_fused",
    ".type nnn_fused,%function",
    ".thumb_func",
    "nnn_fused:",
    "vfma.f32 s0, s1, s2",
    "bx lr",
    ".size nnn_fused, . - nnn_fused",
    // nnn_fused_lanes: r0 sums, r1 and r2 rows, r3 chunks
    ".section .text.nnn_fused_lanes,\"ax\",%progbits",
    ".global nnn_fused_lanes",
    ".hidden nnn_fused_lanes",
    ".type nnn_fused_lanes,%function",
    ".thumb_func",
    "nnn_fused_lanes:",
    "cbz r3, 2f",
    "vldmia r0, {{s0-s7}}",
    "1:",
    "vldmia r1!, {{s8-s11}}",
    "vldmia r2!, {{s12-s15}}",
    "vfma.f32 s0, s8, s12",
    "vfma.f32 s1, s9, s13",
    "vfma.f32 s2, s10, s14",
    "vfma.f32 s3, s11, s15",
    "vldmia r1!, {{s8-s11}}",
    "vldmia r2!, {{s12-s15}}",
    "vfma.f32 s4, s8, s12",
    "vfma.f32 s5, s9, s13",
    "vfma.f32 s6, s10, s14",
    "vfma.f32 s7, s11, s15",
    "adds r1, #96",
    "adds r2, #96",
    "subs r3, #1",
    "bne 1b",
    "vstmia r0, {{s0-s7}}",
    "2:",
    "bx lr",
    ".size nnn_fused_lanes, . - nnn_fused_lanes",
);

/// `acc + a * b`, rounded once.
#[inline(always)]
pub(super) fn mul_add(acc: f32, a: f32, b: f32) -> f32 {
    unsafe extern "C" {
        safe fn nnn_fused(acc: f32, a: f32, b: f32) -> f32;
    }
    nnn_fused(acc, a, b)
}

/// Eight lanes of the canonical order through all whole chunks: `sums[i] += a[32 c + i] * b[32 c + i]`, fused, for `c` in order.
///
/// # Safety
/// `a` and `b` are valid for reads of 8 elements at every multiple of 32 below `32 * chunks`.
#[inline(always)]
pub(super) unsafe fn lanes(sums: &mut [f32; 8], a: *const f32, b: *const f32, chunks: usize) {
    unsafe extern "C" {
        fn nnn_fused_lanes(sums: &mut [f32; 8], a: *const f32, b: *const f32, chunks: usize);
    }
    // SAFETY: the function reads what this contract names and writes the eight sums.
    unsafe { nnn_fused_lanes(sums, a, b, chunks) }
}
