/* A plugin for QEMU's user emulation: prints how many instructions of the emulated program are executed between the entries of the
 * functions nnn_gauge_measured and nnn_gauge_end (src/bin/gauge.rs). The count is exact and repeats.
 *
 *     gcc -O2 -shared -fPIC -o libcount.so qemu-count.c
 *     qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu max -plugin ./libcount.so -d plugin gauge JOB ISA
 *
 * Version 1 of the plugin interface (QEMU 4.2 and later), declared here because Debian's packages have no qemu-plugin.h. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { INLINE_ADD_U64 = 0, NO_REGISTERS = 0 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int, void *, uint64_t);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int, void *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id, const void *, int, char **);

static uint64_t executed, begin, end;

static void entered(unsigned cpu, void *when) {
    (void)cpu;
    *(uint64_t *)when = executed;
}

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    size_t i, n = qemu_plugin_tb_n_insns(block);
    (void)id;
    for (i = 0; i < n; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        const char *symbol = qemu_plugin_insn_symbol(instruction);
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, INLINE_ADD_U64, &executed, 1);
        /* Only a call leads to the first instruction of a block in these functions; the first of them is the first called. */
        if (i != 0 || symbol == NULL)
            continue;
        if (strcmp(symbol, "nnn_gauge_measured") == 0 && begin == 0)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, entered, NO_REGISTERS, &begin);
        if (strcmp(symbol, "nnn_gauge_end") == 0 && end == 0)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, entered, NO_REGISTERS, &end);
    }
}

static void finished(plugin_id id, void *unused) {
    (void)id;
    (void)unused;
    fprintf(stderr, "instructions: %" PRIu64 "\n", end - begin);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
