//! Versions, texts, and the instruction set in use.

use super::check::{Facts, Memory, judge, output, refused};
use super::*;
use core::ffi::{CStr, c_char};

/// ======== Library and machine ========
///
/// Version of the library, composed as NNN_VERSION is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_version() -> u32 {
    NNN_VERSION
}

/// Version of the library's binary interface. A program compiled with a header of the same NNN_ABI_VERSION fits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_abi_version() -> u32 {
    NNN_ABI_VERSION
}

/// One line about a status code, never NULL: what is wrong and what to do about it. The text is static and ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_status_str(status: StatusCode) -> *const c_char {
    let text = match status {
        NNN_OK => c"ok",
        NNN_ERR_NULL => c"NULL: a required pointer is NULL; NULL is fine only with length 0",
        NNN_ERR_DIM => c"DIM: a dim is 0, above 131071 or differs from the other operand's; use one dim for all matrices",
        NNN_ERR_K => c"K: k is 0 or larger than what it selects from; lower k or give more rows",
        NNN_ERR_RANGE => c"RANGE: a row range, id or count is outside of its matrix, or there are more than 2^32 - 1 rows",
        NNN_ERR_STRIDE => c"STRIDE: a stride is smaller than its row; strides count elements from row to row",
        NNN_ERR_OVERFLOW => c"OVERFLOW: a size does not fit the address space; check rows, stride and k",
        NNN_ERR_ALIGN => c"ALIGN: a pointer is not aligned for its type; align it to the element size",
        NNN_ERR_ALIAS => c"ALIAS: an output overlaps another argument; give it memory of its own",
        NNN_ERR_CAPACITY => c"CAPACITY: a buffer is too small; ask the size function or macro of the call",
        NNN_ERR_VALUE => c"VALUE: NaN, infinity or a parameter out of its domain; nnn_find_nonfinite_f32 names row and column",
        NNN_ERR_ISA => c"ISA: this machine or build does not have the instruction set; nnn_isa_available lists them",
        _ => c"unknown status",
    };
    text.as_ptr()
}

/// The instruction set that calls use now, one of NNN_ISA_*, never NNN_ISA_AUTO.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_isa_active() -> IsaCode {
    Isa::active() as IsaCode
}

/// Name of an instruction set, such as "avx2"; "auto" for NNN_ISA_AUTO, "unknown" for a number that is none. Never NULL; the text
/// is static and ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_isa_str(isa: IsaCode) -> *const c_char {
    isa_text(isa).as_ptr()
}

fn isa_text(isa: IsaCode) -> &'static CStr {
    match isa {
        NNN_ISA_AUTO => c"auto",
        NNN_ISA_SCALAR => c"scalar",
        NNN_ISA_PORTABLE => c"portable",
        NNN_ISA_AVX2 => c"avx2",
        NNN_ISA_AVX512 => c"avx512",
        NNN_ISA_AVX512VNNI => c"avx512vnni",
        NNN_ISA_AVXVNNI => c"avxvnni",
        NNN_ISA_NEON => c"neon",
        NNN_ISA_NEON_DOTPROD => c"neon_dotprod",
        NNN_ISA_NEON_I8MM => c"neon_i8mm",
        _ => c"unknown",
    }
}

/// Makes all later calls of the process use an instruction set; NNN_ISA_AUTO returns to the best one. Without it the best one is
/// chosen at the first call. A call that runs at the same time in another thread ends with the one it began with.
///
/// Errors: ISA (unknown, or not available here; the choice stays).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_isa_select(isa: IsaCode) -> StatusCode {
    let choice = match isa {
        NNN_ISA_AUTO => Ok(None),
        _ => Isa::from_raw(isa).map(Some).ok_or(refused(Status::Isa)),
    };
    code(choice.and_then(Isa::select))
}

/// The instruction sets that this build can run on this machine, slowest first: their number to *count, and themselves to list,
/// which has room for `capacity` of them (16 are always enough). With list NULL and capacity 0 only the number is written.
///
/// Errors: NULL, OVERFLOW, ALIGN, CAPACITY (list has no room for all of them), ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_isa_available(list: *mut IsaCode, capacity: usize, count: *mut usize) -> StatusCode {
    let total = Isa::available().count();
    let facts = Facts { capacity: total <= capacity || list.is_null(), ..Facts::GOOD };
    let judged = judge(facts, &[&[Memory::write(list, Some(capacity)), Memory::write(count, Some(1))]]);
    if judged.is_ok() {
        // SAFETY: judged; the caller promises that the memory it names is writable.
        let list = unsafe { output(list, capacity) };
        for (slot, isa) in list.iter_mut().zip(Isa::available()) {
            *slot = isa as IsaCode;
        }
        // SAFETY: judged not NULL and aligned.
        unsafe { count.write(total) };
    }
    code(judged)
}

/// Tells a build that cannot ask the system itself (bare metal, or a kernel without a usable interface) which AArch64 extensions
/// the machine has, as the values of Linux' AT_HWCAP and AT_HWCAP2, and chooses the best instruction set with them. Other
/// architectures find out for themselves; there the call has no effect. Declaring an extension that the machine lacks makes later
/// calls fail with an illegal instruction.
///
/// Always NNN_OK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_cpu_hwcap(hwcap: u64, hwcap2: u64) -> StatusCode {
    crate::cpu::declare_hwcap(hwcap, hwcap2);
    NNN_OK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_has_its_name() {
        for isa in Isa::ALL {
            assert_eq!(isa_text(isa as u32).to_str(), Ok(isa.name()));
        }
    }
}
