//! Which instruction sets this machine has, and which one is in use. The decoding of CPUID and XCR0 is a pure function.

use crate::simd::scalar::FUSED;
use crate::status::{Result, Status, ensure};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// An instruction set that the kernels are written for, named by feature. The numbers are those of the C `nnn_isa`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Isa {
    /// Scalar code; fused multiply-add on a Cortex-M with an FPU.
    Scalar = 1,
    /// 128-bit lanes of the target's baseline (crate `wide`).
    Portable = 2,
    /// AVX2 and FMA.
    Avx2 = 3,
    /// AVX-512 F, BW, DQ and VL.
    Avx512 = 4,
    /// AVX-512 with VNNI: int8 dot products of four codes a lane.
    Avx512Vnni = 5,
    /// AVX2, FMA and the VEX-encoded VNNI.
    AvxVnni = 6,
    /// AArch64 baseline NEON.
    Neon = 7,
    /// NEON with the dotprod extension.
    NeonDotprod = 8,
    /// NEON with dotprod and the int8 matrix multiply extension.
    NeonI8mm = 9,
}

impl Isa {
    /// Every instruction set, slowest first within an architecture.
    pub const ALL: [Isa; 9] = [
        Isa::Scalar,
        Isa::Portable,
        Isa::Avx2,
        Isa::AvxVnni,
        Isa::Avx512,
        Isa::Avx512Vnni,
        Isa::Neon,
        Isa::NeonDotprod,
        Isa::NeonI8mm,
    ];

    /// The name, as in file names and README tables.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Avx512Vnni => "avx512vnni",
            Isa::AvxVnni => "avxvnni",
            Isa::Neon => "neon",
            Isa::NeonDotprod => "neon_dotprod",
            Isa::NeonI8mm => "neon_i8mm",
        }
    }

    /// Whether f32 results on it follow the canonical fused order (see the crate documentation): equal bits on all such sets.
    pub const fn has_fma(self) -> bool {
        match self {
            Isa::Scalar => FUSED,
            Isa::Portable => false,
            _ => true,
        }
    }

    /// The instruction set with that number, if there is one.
    pub const fn from_raw(raw: u32) -> Option<Isa> {
        // Written out, for calls as short as a dot product: this is one comparison.
        Some(match raw {
            1 => Isa::Scalar,
            2 => Isa::Portable,
            3 => Isa::Avx2,
            4 => Isa::Avx512,
            5 => Isa::Avx512Vnni,
            6 => Isa::AvxVnni,
            7 => Isa::Neon,
            8 => Isa::NeonDotprod,
            9 => Isa::NeonI8mm,
            _ => return None,
        })
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The instruction sets that this machine and build can run, slowest first.
    pub fn available() -> impl Iterator<Item = Isa> {
        let set = detect();
        Isa::ALL.into_iter().filter(move |isa| set.contains(*isa))
    }

    /// The instruction set that calls use now.
    pub fn active() -> Isa {
        active().get()
    }

    /// Makes all later calls of the process use `isa`; `None` returns to the best one.
    ///
    /// # Errors
    /// `Isa` when this machine or build cannot run it; the choice stays as it was.
    pub fn select(isa: Option<Isa>) -> Result<()> {
        let isa = isa.unwrap_or(detect().best());
        ensure(detect().contains(isa), Status::Isa, "isa")?;
        choose(isa);
        Ok(())
    }
}

/// Whether this is a build for a microcontroller: a bare 32-bit target. Flash is dear and nothing there runs the 128-bit lanes of
/// `portable`, so `scalar` is the only set, and what keeps large inputs fast on servers is left out.
pub(crate) const MICROCONTROLLER: bool = cfg!(all(target_os = "none", target_pointer_width = "32"));

/// A set of instruction sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsaSet(u32);

impl IsaSet {
    /// What every machine runs (microcontrollers: [`Isa::Scalar`] only).
    pub const BASE: IsaSet = IsaSet(Isa::Scalar.bit() | Isa::Portable.bit());

    /// The set with `isa` added.
    pub const fn with(self, isa: Isa) -> IsaSet {
        IsaSet(self.0 | isa.bit())
    }

    /// Whether `isa` is in the set.
    pub const fn contains(self, isa: Isa) -> bool {
        self.0 & isa.bit() != 0
    }

    /// The fastest member.
    pub fn best(self) -> Isa {
        Isa::ALL.into_iter().rev().find(|isa| self.contains(*isa)).unwrap_or(Isa::Scalar)
    }
}

/// The instruction sets of an x86 machine, from what CPUID and XGETBV say. Registers are `[eax, ebx, ecx, edx]`; leaves above
/// `max_leaf` are ignored, and so is `xcr0` when the system has not enabled XSAVE (it may not be readable then).
///
/// Bits: Intel SDM volume 2A, CPUID; volume 1, 13.3 (XCR0) and 15.2 (AVX-512 detection).
pub fn decode_x86(max_leaf: u32, leaf1: [u32; 4], leaf7_0: [u32; 4], leaf7_1: [u32; 4], xcr0: u64) -> IsaSet {
    const YMM_STATE: u64 = 0b110; // SSE and AVX registers are saved
    const ZMM_STATE: u64 = 0b1110_0110; // and the opmask, ZMM 0-15 and ZMM 16-31 state
    let bit = |register: u32, index: u32| register >> index & 1 == 1;
    let all = |register: u32, indexes: &[u32]| indexes.iter().all(|&i| bit(register, i));

    let mut set = IsaSet::BASE;
    if max_leaf < 7 {
        return set;
    }
    let [_, _, ecx1, _] = leaf1;
    let [max_subleaf, ebx7, ecx7, _] = leaf7_0;
    let osxsave = bit(ecx1, 27);
    let avx2 = all(ecx1, &[12, 28]) && bit(ebx7, 5); // FMA, AVX; AVX2
    if !(osxsave && xcr0 & YMM_STATE == YMM_STATE && avx2) {
        return set;
    }
    set = set.with(Isa::Avx2);
    if max_subleaf >= 1 && bit(leaf7_1[0], 4) {
        set = set.with(Isa::AvxVnni);
    }
    // AVX512F, DQ, BW, VL
    if xcr0 & ZMM_STATE == ZMM_STATE && all(ebx7, &[16, 17, 30, 31]) {
        set = set.with(Isa::Avx512);
        if bit(ecx7, 11) {
            set = set.with(Isa::Avx512Vnni);
        }
    }
    set
}

/// The instruction sets of an AArch64 machine from Linux' `AT_HWCAP` and `AT_HWCAP2` (arch/arm64/include/uapi/asm/hwcap.h).
pub fn decode_aarch64(hwcap: u64, hwcap2: u64) -> IsaSet {
    const ASIMD: u64 = 1 << 1;
    const ASIMDDP: u64 = 1 << 20;
    const I8MM2: u64 = 1 << 13;
    let mut set = IsaSet::BASE;
    if hwcap & ASIMD != 0 {
        set = set.with(Isa::Neon);
        if hwcap & ASIMDDP != 0 {
            set = set.with(Isa::NeonDotprod);
            if hwcap2 & I8MM2 != 0 {
                set = set.with(Isa::NeonI8mm);
            }
        }
    }
    set
}

/// An instruction set that was detected on this machine: the proof that the kernels need.
#[derive(Clone, Copy)]
pub(crate) struct Supported(Isa);

impl Supported {
    pub(crate) fn get(self) -> Isa {
        self.0
    }

    /// `isa`, if this machine can run it.
    #[cfg(test)]
    pub(crate) fn new(isa: Isa) -> Option<Supported> {
        detect().contains(isa).then_some(Supported(isa))
    }
}

/// The one cached byte: the active `Isa` in the low four bits (0: not chosen yet), above it what [`declare_hwcap`] was told.
/// Plain loads and stores (thumbv6m has no compare-and-swap): threads that race through the first call store the same value.
static STATE: AtomicU8 = AtomicU8::new(0);
const ISA_MASK: u8 = 0xF;
const DECLARED_DOTPROD: u8 = 1 << 4;
const DECLARED_I8MM: u8 = 1 << 5;

/// The instruction set in use; read once per call.
#[inline]
pub(crate) fn active() -> Supported {
    match chosen() {
        Some(isa) => isa,
        None => choose_best(),
    }
}

/// The instruction set in use, once one was chosen.
#[inline]
pub(crate) fn chosen() -> Option<Supported> {
    // Only `choose` stores, and only what `detect` contains.
    Isa::from_raw((STATE.load(Relaxed) & ISA_MASK).into()).map(Supported)
}

#[cold]
fn choose_best() -> Supported {
    let best = detect().best();
    choose(best);
    Supported(best)
}

fn choose(isa: Isa) {
    STATE.store(STATE.load(Relaxed) & !ISA_MASK | isa as u8, Relaxed);
}

/// Tells a build that cannot ask the system itself what Linux' `AT_HWCAP` and `AT_HWCAP2` say (or an equal value made from another
/// system's call), and chooses the best instruction set with it. Without effect on other architectures than AArch64.
///
/// Declaring an extension that the machine lacks makes later calls fail with an illegal instruction.
pub fn declare_hwcap(hwcap: u64, hwcap2: u64) {
    if cfg!(not(target_arch = "aarch64")) {
        return;
    }
    let declared = decode_aarch64(hwcap, hwcap2);
    let flag = |isa, flag| if declared.contains(isa) { flag } else { 0 };
    let flags = flag(Isa::NeonDotprod, DECLARED_DOTPROD) | flag(Isa::NeonI8mm, DECLARED_I8MM);
    STATE.store(flags, Relaxed);
    choose_best();
}

#[cfg(target_arch = "x86_64")]
fn detect() -> IsaSet {
    use core::arch::x86_64::{__cpuid_count, _xgetbv};
    #[target_feature(enable = "xsave")]
    fn xcr0() -> u64 {
        // SAFETY: XGETBV with index 0 is defined wherever OSXSAVE is set, which the only caller checks.
        unsafe { _xgetbv(0) }
    }
    let registers = |leaf, sub| {
        // SAFETY: every x86-64 processor has CPUID. (The oldest supported Rust has the call unsafe.)
        #[allow(unused_unsafe)]
        let r = unsafe { __cpuid_count(leaf, sub) };
        [r.eax, r.ebx, r.ecx, r.edx]
    };
    let [max_leaf, ..] = registers(0, 0);
    let leaf1 = registers(1, 0);
    let osxsave = leaf1[2] >> 27 & 1 == 1;
    // SAFETY: OSXSAVE says that the system has enabled XGETBV.
    let xcr0 = if osxsave { unsafe { xcr0() } } else { 0 };
    let (leaf7_0, leaf7_1) = if max_leaf >= 7 { (registers(7, 0), registers(7, 1)) } else { ([0; 4], [0; 4]) };
    decode_x86(max_leaf, leaf1, leaf7_0, leaf7_1, xcr0)
}

#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
fn detect() -> IsaSet {
    /// What the standard library finds, where there is one; the core has no way to ask.
    #[cfg(any(test, feature = "std"))]
    fn found() -> u8 {
        let flag = |found, flag| if found { flag } else { 0 };
        flag(std::arch::is_aarch64_feature_detected!("dotprod"), DECLARED_DOTPROD)
            | flag(std::arch::is_aarch64_feature_detected!("i8mm"), DECLARED_I8MM)
    }
    #[cfg(not(any(test, feature = "std")))]
    fn found() -> u8 {
        0
    }
    let flags = STATE.load(Relaxed) | found();
    let mut set = IsaSet::BASE.with(Isa::Neon);
    if cfg!(target_feature = "dotprod") || flags & DECLARED_DOTPROD != 0 {
        set = set.with(Isa::NeonDotprod);
        if cfg!(target_feature = "i8mm") || flags & DECLARED_I8MM != 0 {
            set = set.with(Isa::NeonI8mm);
        }
    }
    set
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))))]
fn detect() -> IsaSet {
    if MICROCONTROLLER { IsaSet(Isa::Scalar.bit()) } else { IsaSet::BASE }
}

#[cfg(test)]
mod tests;
