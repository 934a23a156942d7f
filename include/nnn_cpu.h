/* nnn_cpu.h: tells libnnn which AArch64 extensions this machine has. C99 and C++11.
 *
 * libnnn asks no operating system for anything, and an AArch64 program may not read the processor's registers for features. So on
 * AArch64 it uses the extensions it was compiled for (baseline NEON at least) until a program says more:
 *
 *     #include <nnn_cpu.h>
 *     int main(void) { nnn_cpu_detect(); ...
 *
 * Linux and Android are asked by getauxval, Apple's systems by sysctlbyname, Windows by IsProcessorFeaturePresent. On other
 * systems and other architectures the call does nothing.
 */
#ifndef NNN_CPU_H
#define NNN_CPU_H

#include "nnn.h"

#if defined(__aarch64__) || defined(__arm64__) || defined(_M_ARM64)
#if defined(__linux__)
#include <sys/auxv.h>
#define NNN_CPU_LINUX 1
#elif defined(__APPLE__)
#include <sys/types.h>
/* after the types it needs */
#include <sys/sysctl.h>
#define NNN_CPU_APPLE 1
#elif defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#define NNN_CPU_WINDOWS 1
#endif
#endif

/* Bits of Linux' AT_HWCAP and AT_HWCAP2, the language of nnn_cpu_hwcap. */
#define NNN_CPU_HWCAP_ASIMD (UINT64_C(1) << 1)
#define NNN_CPU_HWCAP_ASIMDDP (UINT64_C(1) << 20)
#define NNN_CPU_HWCAP2_I8MM (UINT64_C(1) << 13)

#if defined(NNN_CPU_APPLE)
static inline int nnn_cpu_apple(const char *name) {
    int value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, NULL, 0) == 0 && value != 0;
}
#endif

/* Chooses the best instruction set of this machine. Call it once, before other threads use the library, and before
 * nnn_isa_select, whose choice it replaces. Always NNN_OK. */
static inline nnn_status nnn_cpu_detect(void) {
#if defined(NNN_CPU_LINUX)
    return nnn_cpu_hwcap((uint64_t)getauxval(AT_HWCAP), (uint64_t)getauxval(AT_HWCAP2));
#elif defined(NNN_CPU_APPLE)
    const uint64_t dotprod = nnn_cpu_apple("hw.optional.arm.FEAT_DotProd") ? NNN_CPU_HWCAP_ASIMDDP : 0;
    const uint64_t i8mm = nnn_cpu_apple("hw.optional.arm.FEAT_I8MM") ? NNN_CPU_HWCAP2_I8MM : 0;
    return nnn_cpu_hwcap(NNN_CPU_HWCAP_ASIMD | dotprod, i8mm);
#elif defined(NNN_CPU_WINDOWS)
    /* By number: older SDKs lack the names PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE and PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE. */
    const uint64_t dotprod = IsProcessorFeaturePresent(43) ? NNN_CPU_HWCAP_ASIMDDP : 0;
    const uint64_t i8mm = IsProcessorFeaturePresent(66) ? NNN_CPU_HWCAP2_I8MM : 0;
    return nnn_cpu_hwcap(NNN_CPU_HWCAP_ASIMD | dotprod, i8mm);
#else
    return NNN_OK;
#endif
}

#endif
