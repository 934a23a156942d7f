//! The decoders on the feature words of real machines (composed from the vendors' documents: which features each has, and where they
//! are reported), and on what hypervisors, firmware and old systems make of them.

use super::*;

/// Leaf 1 ECX; leaf 7.0 EAX, EBX, ECX; leaf 7.1 EAX; XCR0.
struct Machine {
    name: &'static str,
    max_leaf: u32,
    leaf1_ecx: u32,
    leaf7: [u32; 3],
    leaf7_1_eax: u32,
    xcr0: u64,
    /// What it runs beyond the baseline.
    expected: &'static [Isa],
}

const AVX2: &[Isa] = &[Isa::Avx2];
const AVX_VNNI: &[Isa] = &[Isa::Avx2, Isa::AvxVnni];
const AVX512: &[Isa] = &[Isa::Avx2, Isa::Avx512];
const AVX512_VNNI: &[Isa] = &[Isa::Avx2, Isa::Avx512, Isa::Avx512Vnni];
const ALL_X86: &[Isa] = &[Isa::Avx2, Isa::AvxVnni, Isa::Avx512, Isa::Avx512Vnni];

const fn machine(
    name: &'static str,
    max_leaf: u32,
    leaf1_ecx: u32,
    leaf7: [u32; 3],
    leaf7_1_eax: u32,
    xcr0: u64,
    expected: &'static [Isa],
) -> Machine {
    Machine { name, max_leaf, leaf1_ecx, leaf7, leaf7_1_eax, xcr0, expected }
}

const SAPPHIRE_RAPIDS: Machine =
    machine("Sapphire Rapids", 0x20, 0x7FFE_FBFF, [1, 0xF3BF_BFFB, 0x1B41_5FFE], 0x1C30, 0x602E7, ALL_X86);

#[rustfmt::skip]
const MACHINES: [Machine; 26] = [
    machine("Penryn: no XSAVE states beyond SSE", 0x0D, 0x0408_E3FD, [0, 0, 0], 0, 0x3, &[]),
    machine("Nehalem", 0x0B, 0x009C_E3BD, [0, 0, 0], 0, 0, &[]),
    machine("Sandy Bridge: AVX without AVX2 and FMA", 0x0D, 0x1FBA_E3FF, [0, 0, 0], 0, 0x7, &[]),
    machine("Ivy Bridge: F16C, still no AVX2", 0x0D, 0x7FBA_E3FF, [0, 0x0281, 0], 0, 0x7, &[]),
    machine("Haswell", 0x0D, 0x7FFA_FBFF, [0, 0x27AB, 0], 0, 0x7, AVX2),
    machine("Broadwell", 0x14, 0x7FFA_FBFF, [0, 0x021C_2FBB, 0], 0, 0x7, AVX2),
    machine("Skylake client", 0x16, 0x7FFA_FBBF, [0, 0x029C_6FBF, 0], 0, 0x1F, AVX2),
    machine("Knights Landing: AVX-512 F without BW, DQ, VL", 0x0D, 0x7FF8_F3BF, [0, 0x1C0D_23AB, 0x1], 0, 0xE7, AVX2),
    machine("Skylake-X", 0x16, 0x7FFE_FBFF, [0, 0xD39F_FFFB, 0x8], 0, 0xE7, AVX512),
    machine("Cascade Lake", 0x16, 0x7FFE_FBFF, [0, 0xD39F_FFFB, 0x0808], 0, 0x2FF, AVX512_VNNI),
    machine("Ice Lake server", 0x1B, 0x7FFE_FBFF, [0, 0xF3BF_BFEB, 0x0041_7FFE], 0, 0x2E7, AVX512_VNNI),
    SAPPHIRE_RAPIDS,
    machine("Alder Lake: AVX-VNNI, AVX-512 fused off", 0x20, 0x7FFA_FBBF, [1, 0x239C_27EB, 0x9840_27AC], 0x0040_0810, 0x207, AVX_VNNI),
    machine("Zen 1", 0x0D, 0x7ED8_320B, [0, 0x209C_01A9, 0], 0, 0x7, AVX2),
    machine("Zen 2", 0x10, 0x7ED8_320B, [0, 0x219C_91A9, 0x0040_0004], 0, 0x207, AVX2),
    machine("Zen 3", 0x10, 0x7EF8_320B, [0, 0x219C_97A9, 0x0040_069C], 0, 0x207, AVX2),
    machine("Zen 4: AVX-512 VNNI, no AVX-VNNI", 0x10, 0x7EFA_320B, [1, 0xF1BF_97A9, 0x0040_5FCE], 0x20, 0x2E7, AVX512_VNNI),
    machine("Zen 5", 0x10, 0x7EFA_320B, [1, 0xF1BF_97AB, 0x1A40_5FCE], 0x30, 0x2E7, ALL_X86),
    machine("Haswell under a system without AVX state", 0x0D, 0x7FFA_FBFF, [0, 0x27AB, 0], 0, 0x3, &[]),
    machine("Haswell without OSXSAVE: XCR0 is not readable, whatever is passed", 0x0D, 0x77FA_FBFF, [0, 0x27AB, 0], 0, 0x7, &[]),
    machine("Ice Lake, ZMM state off", 0x1B, 0x7FFE_FBFF, [0, 0xF3BF_BFEB, 0x0041_7FFE], 0, 0x7, AVX2),
    machine("Ice Lake, opmask and lower ZMM state only", 0x1B, 0x7FFE_FBFF, [0, 0xF3BF_BFEB, 0x0041_7FFE], 0, 0x67, AVX2),
    machine("Ice Lake, ZMM state without YMM state", 0x1B, 0x7FFE_FBFF, [0, 0xF3BF_BFEB, 0x0041_7FFE], 0, 0xE3, &[]),
    machine("Cascade Lake, firmware limits CPUID to leaf 6", 6, 0x7FFE_FBFF, [1, 0xD39F_FFFB, 0x0808], 0x10, 0xE7, &[]),
    machine("Cascade Lake, hypervisor hides AVX but not leaf 7", 0x16, 0x6FFE_FBFF, [0, 0xD39F_FFFB, 0x0808], 0, 0xE7, &[]),
    machine("Alder Lake, hypervisor reports no subleaf 7.1", 0x20, 0x7FFA_FBBF, [0, 0x239C_27EB, 0x9840_27AC], 0x0040_0810, 0x207, AVX2),
];

fn set(isas: &[Isa]) -> IsaSet {
    isas.iter().fold(IsaSet::BASE, |set, isa| set.with(*isa))
}

#[test]
fn x86_machines_run_what_they_have() {
    for m in &MACHINES {
        let [eax7, ebx7, ecx7] = m.leaf7;
        let decoded = decode_x86(m.max_leaf, [0, 0, m.leaf1_ecx, 0], [eax7, ebx7, ecx7, 0], [m.leaf7_1_eax, 0, 0, 0], m.xcr0);
        assert_eq!(decoded, set(m.expected), "{}", m.name);
        assert_eq!(decoded.best(), *m.expected.last().unwrap_or(&Isa::Portable), "{}", m.name);
    }
}

/// Each documented bit that is taken away takes away what needs it; no other bit changes anything.
#[test]
fn exactly_the_documented_bits_decide() {
    let full = SAPPHIRE_RAPIDS;
    // All bits of every word set, but one.
    let decode = |word: usize, bit: u32| {
        let mut words = [u32::MAX; 4];
        if let Some(word) = words.get_mut(word) {
            *word &= !(1 << bit);
        }
        let [ecx1, ebx7, ecx7, eax71] = words;
        decode_x86(full.max_leaf, [0, 0, ecx1, 0], [1, ebx7, ecx7, 0], [eax71, 0, 0, 0], u64::MAX)
    };
    for bit in 0..32 {
        // FMA, OSXSAVE, AVX
        let expected = if matches!(bit, 12 | 27 | 28) { &[] } else { ALL_X86 };
        assert_eq!(decode(0, bit), set(expected), "leaf 1 ECX bit {bit}");
        // AVX2; AVX-512 F, DQ, BW, VL
        let expected = match bit {
            5 => &[],
            16 | 17 | 30 | 31 => AVX_VNNI,
            _ => ALL_X86,
        };
        assert_eq!(decode(1, bit), set(expected), "leaf 7.0 EBX bit {bit}");
        let without_vnni = &[Isa::Avx2, Isa::AvxVnni, Isa::Avx512];
        assert_eq!(decode(2, bit), set(if bit == 11 { without_vnni } else { ALL_X86 }), "leaf 7.0 ECX bit {bit}");
        assert_eq!(decode(3, bit), set(if bit == 4 { AVX512_VNNI } else { ALL_X86 }), "leaf 7.1 EAX bit {bit}");
    }
    for bit in 0..64 {
        // SSE and AVX state; opmask, upper halves of ZMM 0-15, ZMM 16-31
        let expected = match bit {
            1 | 2 => &[],
            5..=7 => AVX_VNNI,
            _ => ALL_X86,
        };
        let all = [u32::MAX; 4];
        assert_eq!(decode_x86(full.max_leaf, all, all, all, !(1 << bit)), set(expected), "XCR0 bit {bit}");
    }
}

#[test]
fn without_leaf_7_there_is_only_the_baseline() {
    let all = [u32::MAX; 4];
    for max_leaf in 0..7 {
        assert_eq!(decode_x86(max_leaf, all, all, all, u64::MAX), IsaSet::BASE, "{max_leaf}");
    }
    assert_eq!(decode_x86(7, all, all, all, u64::MAX), set(ALL_X86));
    assert_eq!(decode_x86(7, [0; 4], [0; 4], [0; 4], 0), IsaSet::BASE);
}

/// `AT_HWCAP` and `AT_HWCAP2` under Linux.
#[test]
fn aarch64_machines_run_what_they_have() {
    use Isa::{Neon, NeonDotprod, NeonI8mm};
    let machines: [(&str, u64, u64, &[Isa]); 10] = [
        ("a system that hides SIMD", 0x0, 0x0, &[]),
        ("Cortex-A53 with crypto", 0x08FF, 0x0, &[Neon]),
        ("Cortex-A72, Raspberry Pi 4", 0x0887, 0x0, &[Neon]),
        ("Cortex-A76, Raspberry Pi 5", 0x0011_9FFF, 0x0, &[Neon, NeonDotprod]),
        ("Neoverse N1", 0x1011_9FFF, 0x0, &[Neon, NeonDotprod]),
        ("Apple M1: dotprod without i8mm", 0xFFB3_FFFF, 0x0181, &[Neon, NeonDotprod]),
        ("Neoverse V1", 0xDFFF_FFFF, 0x0001_F201, &[Neon, NeonDotprod, NeonI8mm]),
        ("SVE's int8 multiply (bit 9) is not NEON's (bit 13)", 0xDFFF_FFFF, 1 << 9, &[Neon, NeonDotprod]),
        ("i8mm without dotprod is not believed", 0x08FF, 1 << 13, &[Neon]),
        ("dotprod without NEON is not believed", 1 << 20, 1 << 13, &[]),
    ];
    for (name, hwcap, hwcap2, expected) in machines {
        assert_eq!(decode_aarch64(hwcap, hwcap2), set(expected), "{name}");
    }
}

#[test]
fn numbers_and_names_are_one_to_one() {
    for (i, isa) in Isa::ALL.into_iter().enumerate() {
        assert_eq!(Isa::from_raw(isa as u32), Some(isa));
        assert!(Isa::ALL.iter().take(i).all(|other| other.name() != isa.name() && *other as u32 != isa as u32));
        assert!((1..=u32::from(ISA_MASK)).contains(&(isa as u32)), "{isa:?} does not fit the cached byte");
    }
    assert_eq!((Isa::from_raw(0), Isa::from_raw(10), Isa::from_raw(u32::MAX)), (None, None, None));
}

#[test]
fn the_best_of_a_set_is_its_fastest() {
    assert_eq!(IsaSet::BASE.best(), Isa::Portable);
    assert_eq!(set(AVX_VNNI).best(), Isa::AvxVnni);
    assert_eq!(set(ALL_X86).best(), Isa::Avx512Vnni);
    assert_eq!(set(&[Isa::NeonI8mm, Isa::Neon]).best(), Isa::NeonI8mm);
}

/// The standard library detects on its own: the two must agree on the machine that runs this.
#[cfg(target_arch = "x86_64")]
#[test]
fn detection_agrees_with_the_standard_library() {
    use std::is_x86_feature_detected as has;
    let avx2 = has!("avx2") && has!("fma");
    let avx512 = avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    assert_eq!(detect().contains(Isa::Avx2), avx2);
    assert_eq!(detect().contains(Isa::Avx512), avx512);
    assert_eq!(detect().contains(Isa::Avx512Vnni), avx512 && has!("avx512vnni"));
    assert_eq!(detect().contains(Isa::AvxVnni), avx2 && has!("avxvnni"));
}
