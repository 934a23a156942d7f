/* Reset, faults and the vector table of a Cortex-M, for QEMU with semihosting: the part of a board support package that this
 * example needs. A real camera has its own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern uint32_t stack_top[], bss_start[], bss_end[], data_start[], data_end[], data_load[];
extern int main(void);
extern void initialise_monitor_handles(void); /* newlib's semihosting: opens standard output */
extern void __libc_init_array(void);

__attribute__((noreturn)) void reset_handler(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: access to the FPU (and MVE) */
    __asm volatile("dsb\n isb");
#endif
    memcpy(data_start, data_load, (size_t)((char *)data_end - (char *)data_start)); /* newlib's; the camera has none */
    memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
    initialise_monitor_handles();
    __libc_init_array();
    exit(main());
}

/* Any fault: SYS_EXIT_EXTENDED with status 99. */
static void fault(void) {
    static const uint32_t report[2] = {0x20026 /* ADP_Stopped_ApplicationExit */, 99};
    register uint32_t operation __asm("r0") = 0x20;
    register const uint32_t *argument __asm("r1") = report;
    __asm volatile("bkpt 0xAB" : : "r"(operation), "r"(argument) : "memory");
    for (;;) {
    }
}

void _init(void) {
}
void _fini(void) {
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_top, (void *)reset_handler, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
    0,         0,                     0,             (void *)fault, (void *)fault, 0,             (void *)fault, (void *)fault,
};
