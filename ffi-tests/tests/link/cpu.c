/* nnn_cpu.h: prints the instruction set that it makes the library use. With an argument, declares every extension instead,
 * whatever the machine has: a wrong dispatch. Either way the chosen kernel then runs. */
#include "nnn_cpu.h"
#include <stdio.h>

int main(int argc, char **argv) {
    static const int8_t a[20] = {-128, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, -128};
    int32_t dot = 0;
    (void)argv;
    if (argc > 1) {
        if (nnn_cpu_hwcap(UINT64_MAX, UINT64_MAX) != NNN_OK)
            return 1;
    } else if (nnn_cpu_detect() != NNN_OK) {
        return 1;
    }
    if (nnn_dot_i8(a, a, 20, &dot) != NNN_OK || dot != 34877)
        return 2;
    return puts(nnn_isa_str(nnn_isa_active())) < 0;
}
