//! What this machine can do at most, measured beside everything else: multiply-adds in registers, and plain reading.

use super::measure::Contender;
use std::hint::black_box;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::black_box;
    use core::arch::x86_64::*;

    pub const ROUNDS: usize = 20_000;

    /// A loop of independent multiply-adds, enough to fill two units of latency 5. The operands are unknown to the compiler, so
    /// nothing can be moved out of the loop or folded.
    macro_rules! peak_loop {
        ($name:ident, $features:literal, $count:literal, $zero:expr, |$acc:ident, $a:ident, $b:ident| $step:expr) => {
            #[target_feature(enable = $features)]
            pub fn $name() {
                let ($a, $b) = (black_box($zero), black_box($zero));
                let mut sums = [$zero; $count];
                for _ in 0..ROUNDS {
                    for $acc in &mut sums {
                        *$acc = $step;
                    }
                }
                black_box(sums);
            }
        };
    }
    peak_loop!(f32_avx2, "avx2,fma", 12, _mm256_setzero_ps(), |acc, a, b| _mm256_fmadd_ps(a, b, *acc));
    peak_loop!(f32_avx512, "avx512f", 24, _mm512_setzero_ps(), |acc, a, b| _mm512_fmadd_ps(a, b, *acc));
    peak_loop!(i8_avx512vnni, "avx512f,avx512vnni", 24, _mm512_setzero_si512(), |acc, a, b| _mm512_dpbusd_epi32(*acc, a, b));
    peak_loop!(i8_avx2, "avx2", 12, _mm256_setzero_si256(), |acc, a, b| {
        let (sum, product): (__m256i, __m256i);
        // SAFETY: two instructions on registers; written out because the compiler would compute the product once.
        unsafe {
            core::arch::asm!("vpmaddwd {t}, {a}, {b}", "vpaddd {c}, {c}, {t}", a = in(ymm_reg) a, b = in(ymm_reg) b,
                t = out(ymm_reg) product, c = inout(ymm_reg) *acc => sum, options(nomem, nostack, preserves_flags));
        }
        let _ = product;
        sum
    });
}

/// The fastest multiply-add loop for an element type on an instruction set; its work is operations, multiply and add apart.
#[cfg(target_arch = "x86_64")]
pub fn multiply_add(isa: nnn::Isa, int8: bool) -> Option<Contender<'static>> {
    use nnn::Isa;
    use x86::ROUNDS;
    let (name, lanes, run): (_, usize, unsafe fn()) = match (isa, int8) {
        (Isa::Avx2 | Isa::AvxVnni, false) => ("FMA peak, 256 bit", 12 * 8, x86::f32_avx2),
        (Isa::Avx512 | Isa::Avx512Vnni, false) => ("FMA peak, 512 bit", 24 * 16, x86::f32_avx512),
        (Isa::Avx512Vnni, true) => ("VNNI peak", 24 * 64, x86::i8_avx512vnni),
        (Isa::Avx2, true) => ("16-bit multiply-add peak, 256 bit", 12 * 16, x86::i8_avx2),
        _ => return None,
    };
    // SAFETY: an available instruction set was asked for, so the machine has the features of its loop.
    Some(Contender::new(name, (2 * lanes * ROUNDS) as f64, move || unsafe { run() }))
}

/// No loop written for other architectures: their tables have no peak column.
#[cfg(not(target_arch = "x86_64"))]
pub fn multiply_add(_: nnn::Isa, _: bool) -> Option<Contender<'static>> {
    None
}

/// Summing memory once, front to back; its work is bytes.
pub fn read(data: &[f32]) -> Contender<'_> {
    Contender::new("plain read", size_of_val(data) as f64, move || {
        let mut sums = [0f32; 128];
        for chunk in data.as_chunks::<128>().0 {
            for (sum, x) in sums.iter_mut().zip(chunk) {
                *sum += x;
            }
        }
        black_box(sums);
    })
}
