/* Stack that calls take, measured: the stack below is painted, the call runs, and what it has overwritten is counted, arguments on
 * the stack included. On the data of the camera (gallery.h), on a board or on the host (there without a red zone). */
#include "gallery.h"

#include <stdio.h>

enum { PAINTED = 12288, PAINT = 0xA5, LIST = 40 };

static float unit[DIM], scale[2], bias[1], table[2][LIST];
static int8_t codes[DIM];
static unsigned char scratch[NNN_BIAS_SCRATCH_MIN_BYTES(LIST)];
static nnn_hit hits[2 * TOP], more[TOP];
static uint32_t found[2], more_found = TOP;
static int32_t dot;

static const nnn_mat_i8 gallery = {gallery_codes, gallery_scale, ROWS, DIM, DIM}, bank = {bank_codes, bank_scale, BANK, DIM, DIM};
static const nnn_mat_i8 query = {codes, scale, 1, DIM, DIM}, queries = {gallery_codes, gallery_scale, 2, DIM, DIM};
static const nnn_mat_f32 frame = {frames, 1, DIM, DIM}, unit_query = {unit, 1, DIM, DIM};
static const nnn_mat_f32 small_gallery = {gallery_f32, F32_ROWS, DIM, DIM};

static nnn_status normalize(void) {
    return nnn_normalize_f32(&frame, unit, DIM);
}
static nnn_status quantize(void) {
    return nnn_quantize_i8(&unit_query, codes, DIM, scale);
}
static nnn_status dot_i8(void) {
    return nnn_dot_i8(codes, gallery_codes, DIM, &dot);
}
static nnn_status search_i8(void) {
    return nnn_search_i8(&query, &gallery, gallery_bias, NULL, TOP, 0, ROWS, NULL, 0, hits, found);
}
static nnn_status search_two_i8(void) {
    return nnn_search_i8(&queries, &gallery, gallery_bias, NULL, TOP, 0, ROWS, scratch, sizeof scratch, hits, found);
}
static nnn_status search_f32(void) {
    return nnn_search_f32(&unit_query, &small_gallery, gallery_f32_bias, NULL, TOP, 0, F32_ROWS, NULL, 0, more, &more_found);
}
static nnn_status merge(void) {
    return nnn_hits_merge(hits, found, more, more_found, TOP);
}
static nnn_status rerank(void) {
    return nnn_rerank(hits, TOP, gallery_bias, ROWS, TOP, more, &more_found);
}
static nnn_status bias_i8(void) {
    return nnn_bias_i8(&query, &bank, K, ALPHA, 0, 1, scratch, sizeof scratch, bias);
}
static nnn_status bias_long_i8(void) {
    return nnn_bias_i8(&query, &bank, LIST, ALPHA, 0, 1, scratch, sizeof scratch, bias);
}
static nnn_status bias_f32(void) {
    return nnn_bias_f32(&unit_query, &small_gallery, K, ALPHA, 0, 1, scratch, sizeof scratch, bias);
}
static nnn_status init(void) {
    return nnn_neighbors_init(table[0], 2, LIST);
}
static nnn_status update_i8(void) {
    return nnn_neighbors_update_i8(&query, &bank, LIST, 0, 1, scratch, sizeof scratch, table[0]);
}
static nnn_status tables_merge(void) {
    return nnn_neighbors_merge(table[1], table[0], 1, LIST);
}
static nnn_status table_bias(void) {
    return nnn_neighbors_bias(table[0], 1, LIST, K, ALPHA, bias);
}

__attribute__((noinline)) static long depth(nnn_status (*call)(void)) {
    char *sp;
#ifdef __arm__
    __asm volatile("mov %0, sp" : "=r"(sp));
#else
    __asm volatile("mov %%rsp, %0" : "=r"(sp));
#endif
    volatile unsigned char *p, *const top = (volatile unsigned char *)sp;
    for (p = top - PAINTED; p < top; p++)
        *p = PAINT;
    const nnn_status status = call();
    for (p = top - PAINTED; *p == PAINT; p++) {
    }
    return status != NNN_OK ? -1 : top - p;
}

int main(void) {
    static const struct {
        const char *name;
        nnn_status (*call)(void);
    } calls[] = {
        {"nnn_normalize_f32", normalize},        {"nnn_quantize_i8", quantize},      {"nnn_dot_i8", dot_i8},
        {"nnn_search_i8", search_i8},            {"nnn_search_i8", search_two_i8},   {"nnn_search_f32", search_f32},
        {"nnn_hits_merge", merge},               {"nnn_rerank", rerank},             {"nnn_bias_i8", bias_i8},
        {"nnn_bias_i8", bias_long_i8},           {"nnn_bias_f32", bias_f32},         {"nnn_neighbors_init", init},
        {"nnn_neighbors_update_i8", update_i8},  {"nnn_neighbors_merge", tables_merge}, {"nnn_neighbors_bias", table_bias},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const long bytes = depth(calls[i].call);
        printf("%s %ld\n", calls[i].name, bytes);
        if (bytes < 0 || bytes >= PAINTED)
            return 1;
    }
    return 0;
}
