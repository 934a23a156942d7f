//! The panic handler of the C library.

/// No panic is reachable from the C functions. The release link proves it: the optimiser drops this function when nothing calls
/// it, and if something does, the symbol below is missing and names the reason. A debug build for bare metal is not optimised
/// enough for that.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    #[cfg(not(debug_assertions))]
    {
        unsafe extern "C" {
            fn nnn_a_panic_is_reachable() -> !;
        }
        // SAFETY: never linked, so never called.
        unsafe { nnn_a_panic_is_reachable() }
    }
    #[cfg(debug_assertions)]
    loop {}
}
