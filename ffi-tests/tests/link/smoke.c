/* Every function of the library once, on every instruction set of the machine, as C and as C++. smoke() gives 0, or the line of the
   check that failed. With FREESTANDING the program has no C library. */
#include "nnn.h"

#define CHECK(condition)      \
    do {                      \
        if (!(condition))     \
            return __LINE__;  \
    } while (0)
#define OK(call) CHECK((call) == NNN_OK)

static const float gallery_data[] = {1, 0, 0, 1, 0.6f, 0.8f};
static const float bank_data[] = {0.6f, 0.8f, 0.8f, 0.6f};
static const float query_data[] = {0.8f, 0.6f};
static const nnn_mat_f32 gallery = {gallery_data, 3, 2, 2};
static const nnn_mat_f32 bank = {bank_data, 2, 2, 2};
static const nnn_mat_f32 query = {query_data, 1, 2, 2};
/* The macros are constant expressions. */
static unsigned char scratch[NNN_BIAS_SCRATCH_MIN_BYTES(1)];
static unsigned char full_scratch[NNN_NEIGHBORS_SCRATCH_BYTES(1, 2)];

static int smoke_f32(void) {
    float bias[3], again[3], table[6], other[6], scores[3], unit[2], dot;
    nnn_hit hits[2], merged[2], reranked[2];
    uint32_t found = 0, count = 0;
    size_t row = 0, col = 0;
    static const float three_four[] = {3, 4};
    const nnn_mat_f32 source = {three_four, 1, 2, 2};

    OK(nnn_find_nonfinite_f32(&gallery, &row, &col));
    OK(nnn_normalize_f32(&source, unit, 2));
    CHECK(unit[0] == 0.6f && unit[1] == 0.8f);
    OK(nnn_dot_f32(gallery_data, query_data, 2, &dot));
    CHECK(dot == 0.8f);
    {
        float four[4];
        OK(nnn_dot4_f32(gallery_data, query_data, query_data, query_data, query_data, 2, four));
        CHECK(four[0] == dot && four[1] == dot && four[2] == dot && four[3] == dot);
    }
    OK(nnn_scores_f32(&query, &gallery, 0, 3, scores, 3));
    CHECK(scores[0] == dot && scores[1] == 0.6f && scores[2] > 0.95f && scores[2] < 0.97f);

    OK(nnn_bias_f32(&gallery, &bank, 1, 0.75f, 0, 3, scratch, sizeof scratch, bias));
    CHECK(bias[0] > 0.59f && bias[0] < 0.61f && bias[2] > 0.74f && bias[2] < 0.76f);
    OK(nnn_neighbors_init(table, 3, 2));
    OK(nnn_neighbors_init(other, 3, 2));
    OK(nnn_neighbors_update_f32(&gallery, &bank, 2, 0, 3, full_scratch, sizeof full_scratch, other));
    OK(nnn_neighbors_merge(table, other, 3, 2));
    OK(nnn_neighbors_bias(table, 3, 2, 1, 0.75f, again));
    CHECK(again[0] == bias[0] && again[1] == bias[1] && again[2] == bias[2]);

    OK(nnn_search_f32(&query, &gallery, bias, NULL, 2, 0, 3, NULL, 0, hits, &found));
    CHECK(found == 2 && hits[0].id == 2 && hits[1].id == 0);
    OK(nnn_search_f32(&query, &gallery, bias, NULL, 2, 0, 2, NULL, 0, merged, &count));
    CHECK(count == 2 && merged[0].id == 0);
    OK(nnn_hits_merge(merged, &count, hits, 1, 2));
    CHECK(count == 2 && merged[0].id == 2 && merged[0].score == hits[0].score && merged[1].id == 0);
    merged[0].score = scores[0];
    merged[0].id = 0;
    merged[1].score = scores[2];
    merged[1].id = 2;
    OK(nnn_rerank(merged, 2, bias, 3, 2, reranked, &count));
    CHECK(count == 2 && reranked[0].id == 2 && reranked[0].score == hits[0].score);
    return 0;
}

static int smoke_i8(void) {
    int8_t codes[6], bank_codes[4], query_codes[2];
    float scale[3], bank_scale[2], query_scale[1], bias[3], again[3], scores[3];
    nnn_hit hit;
    uint32_t found = 0;
    int32_t dot = 0;
    const nnn_mat_i8 rows = {codes, scale, 3, 2, 2};
    const nnn_mat_i8 reference = {bank_codes, bank_scale, 2, 2, 2};
    const nnn_mat_i8 queries = {query_codes, query_scale, 1, 2, 2};

    OK(nnn_quantize_i8(&gallery, codes, 2, scale));
    OK(nnn_quantize_i8(&bank, bank_codes, 2, bank_scale));
    OK(nnn_quantize_i8(&query, query_codes, 2, query_scale));
    OK(nnn_dot_i8(codes, query_codes, 2, &dot));
    CHECK(dot == 127 * 127);
    {
        int32_t four[4];
        OK(nnn_dot4_i8(codes, query_codes, query_codes, query_codes, query_codes, 2, four));
        CHECK(four[0] == dot && four[1] == dot && four[2] == dot && four[3] == dot);
    }
    OK(nnn_scores_i8(&queries, &rows, 0, 3, scores, 3));
    CHECK(scores[2] > 0.95f && scores[2] < 0.97f);
    OK(nnn_bias_i8(&rows, &reference, 1, 0.75f, 0, 3, scratch, sizeof scratch, bias));
    OK(nnn_neighbors_init(again, 3, 1));
    OK(nnn_neighbors_update_i8(&rows, &reference, 1, 0, 3, scratch, sizeof scratch, again));
    CHECK(again[2] * 0.75f == bias[2]);
    OK(nnn_search_i8(&queries, &rows, NULL, NULL, 1, 0, 3, NULL, 0, &hit, &found));
    CHECK(found == 1 && hit.id == 2 && hit.score == scores[2]);
    return 0;
}

static int smoke_certified(void) {
    static unsigned char work_memory[NNN_CERTIFIED_SCRATCH_MIN_BYTES(1)];
    int8_t codes[6], bank_codes[4], query_codes[2];
    float scale[3], bank_scale[2], query_scale[1], mean[2], work[2], bias[3], plain[3], table[3];
    nnn_bound bounds[3], bank_bounds[2], query_bounds[1];
    nnn_certificate done;
    nnn_hit hit, plain_hit;
    uint32_t found = 0, plain_found = 0;
    const nnn_encoded rows = {{gallery_data, 3, 2, 2}, {codes, scale, 3, 2, 2}, bounds};
    const nnn_encoded reference = {{bank_data, 2, 2, 2}, {bank_codes, bank_scale, 2, 2, 2}, bank_bounds};
    const nnn_encoded queries = {{query_data, 1, 2, 2}, {query_codes, query_scale, 1, 2, 2}, query_bounds};

    CHECK(nnn_certified_scratch(1, 2) == NNN_CERTIFIED_SCRATCH_BYTES(1, 2));
    OK(nnn_mean_f32(&bank, mean));
    CHECK(mean[0] > 0.69f && mean[0] < 0.71f);
    OK(nnn_encode_f32(&gallery, mean, NNN_SIDE_GALLERY, 7, work, codes, 2, scale, bounds));
    OK(nnn_encode_f32(&bank, mean, NNN_SIDE_QUERY, 7, work, bank_codes, 2, bank_scale, bank_bounds));
    OK(nnn_encode_f32(&query, mean, NNN_SIDE_QUERY, 7, work, query_codes, 2, query_scale, query_bounds));
    OK(nnn_bias_f32(&gallery, &bank, 1, 0.75f, 0, 3, scratch, sizeof scratch, plain));
    OK(nnn_bias_certified(&rows, &reference, 1, 0.75f, 0, 3, work_memory, sizeof work_memory, bias, &done));
    CHECK(bias[0] == plain[0] && bias[1] == plain[1] && bias[2] == plain[2]);
    OK(nnn_neighbors_init(table, 3, 1));
    OK(nnn_neighbors_update_certified(&rows, &reference, 1, 0, 3, work_memory, sizeof work_memory, table, &done));
    CHECK(table[2] * 0.75f == plain[2]);
    OK(nnn_search_f32(&query, &gallery, bias, NULL, 1, 0, 3, NULL, 0, &plain_hit, &plain_found));
    OK(nnn_search_certified(&queries, &rows, bias, NULL, 1, 0, 3, work_memory, sizeof work_memory, &hit, &found, NULL));
    CHECK(found == 1 && plain_found == 1 && hit.id == plain_hit.id && hit.score == plain_hit.score);
    return 0;
}

static nnn_log_sum log_sums[3], more_sums[3], work_sums[3];
static nnn_exact_sum columns[2], more_columns[2];

/* The family: in one dimension or two what it gives is known. */
static int smoke_family(void) {
    float bias[3], dual[3], mean[2], potentials[8], grid[6], table[6];
    static const size_t ks[] = {1, 2};
    static const float alphas[] = {1};
    int8_t codes[6];
    float scale[3];
    const nnn_mat_i8 rows = {codes, scale, 3, 2, 2};

    double logs[3];

    OK(nnn_quantize_i8(&gallery, codes, 2, scale));
    OK(nnn_logsum_init(log_sums, 3));
    OK(nnn_logsum_init(more_sums, 3));
    OK(nnn_logsum_update_f32(&gallery, &bank, NULL, 1000.0f, 0, 3, full_scratch, sizeof full_scratch, log_sums));
    OK(nnn_logsum_merge(more_sums, log_sums, 3));
    OK(nnn_logsum_bias(more_sums, 3, 1000.0f, bias));
    CHECK(bias[0] > 0.7999f && bias[0] < 0.8001f && bias[2] > 0.999f && bias[2] < 1.001f);
    OK(nnn_logsum_ln(more_sums, 3, logs));
    CHECK(logs[0] > 799.9 && logs[0] < 800.1);
    OK(nnn_logsum_dual_bias(log_sums, 1000.0f, more_sums, 1000.0f, 3, dual));
    CHECK(dual[0] == bias[0] && dual[2] == bias[2]);
    OK(nnn_logsum_update_i8(&rows, &rows, NULL, 1000.0f, 0, 3, full_scratch, sizeof full_scratch, more_sums));

    OK(nnn_columns_init(columns, 2));
    OK(nnn_columns_init(more_columns, 2));
    OK(nnn_columns_update_f32(&bank, columns));
    OK(nnn_columns_merge(more_columns, columns, 2));
    OK(nnn_columns_mean(more_columns, 2, 2, mean));
    CHECK(mean[0] > 0.699f && mean[0] < 0.701f);
    OK(nnn_mean_bias_f32(&gallery, mean, 0.5f, 0, 3, bias));
    CHECK(bias[0] > 0.349f && bias[0] < 0.351f);
    OK(nnn_mean_bias_i8(&rows, mean, 0.5f, 0, 3, dual));
    CHECK(dual[0] - bias[0] < 1e-3f && bias[0] - dual[0] < 1e-3f);
    OK(nnn_columns_update_i8(&rows, columns));

    OK(nnn_sinkhorn_bias_f32(&gallery, &gallery, &bank, 0.1f, 2, work_sums, 3, potentials, 8, full_scratch, sizeof full_scratch, bias));
    OK(nnn_sinkhorn_bias_i8(&rows, NULL, &rows, 0.1f, 2, work_sums, 3, potentials, 8, full_scratch, sizeof full_scratch, dual));

    OK(nnn_neighbors_init(table, 3, 2));
    OK(nnn_neighbors_update_f32(&gallery, &bank, 2, 0, 3, full_scratch, sizeof full_scratch, table));
    OK(nnn_neighbors_grid(table, 3, 2, ks, 2, alphas, 1, grid));
    OK(nnn_neighbors_bias(table, 3, 2, 2, 1, bias));
    CHECK(grid[3] == bias[0] && grid[5] == bias[2] && grid[0] == table[0]);
    return 0;
}

static unsigned char ranks_scratch[NNN_RANKS_SCRATCH_BYTES(1)];

static int smoke_gates_and_evaluation(void) {
    static const float bias[] = {0.25f, 0, 0.5f};
    static const size_t offsets[] = {0, 1};
    static const uint32_t answer[] = {1};
    static const int8_t labels[] = {1, -1, -1};
    static const uint8_t groups[] = {1, 2, 2};
    static const uint32_t winner[] = {2};
    uint64_t set[1] = {0};
    nnn_gate gates[2];
    nnn_hit hits[3], other[3];
    uint32_t found = 0, again = 0, ranks[2], counts[3] = {0, 0, 0}, resamples[50], sample[3], helps = 9;
    size_t best = 9, drawn = 0;
    double share = 0, median = 0;
    float attribute[1];
    nnn_interval gain;
    nnn_hubness_stats hubness;
    nnn_fairness means;
    int8_t codes[6], query_codes[2];
    float scale[3], query_scale[1];
    const nnn_mat_i8 rows = {codes, scale, 3, 2, 2};
    const nnn_mat_i8 queries = {query_codes, query_scale, 1, 2, 2};

    gates[0].bias = gates[1].bias = bias;
    gates[0].active = gates[1].active = set;
    gates[0].beta = gates[1].beta = 20.0f;
    OK(nnn_search_f32(&query, &gallery, NULL, NULL, 3, 0, 3, NULL, 0, hits, &found));
    OK(nnn_activation_set(hits, &found, 1, 3, 1, 3, set));
    CHECK(set[0] == 4);
    OK(nnn_search_gated_f32(&query, &gallery, gates, 2, winner, NULL, 3, 0, 3, NULL, 0, other, &again));
    CHECK(again == 3 && other[0].id == 1 && other[1].id == 0);
    OK(nnn_rerank_gated(hits, 3, gates, 1, 3, 3, other, &again));
    CHECK(again == 3 && other[0].id == 1 && other[0].score == hits[2].score);
    OK(nnn_dual_softmax(hits, 3, bias, 3, 1.0f, 1, 3, other, &again));
    CHECK(again == 3);
    OK(nnn_quantize_i8(&gallery, codes, 2, scale));
    OK(nnn_quantize_i8(&query, query_codes, 2, query_scale));
    OK(nnn_search_gated_i8(&queries, &rows, gates, 1, winner, NULL, 3, 0, 3, NULL, 0, other, &again));
    CHECK(again == 3 && other[0].id == 1);

    CHECK(nnn_ranks_scratch(1) == sizeof ranks_scratch);
    OK(nnn_best_ranks(hits, &found, 1, 3, offsets, answer, 1, ranks));
    CHECK(ranks[0] == 3);
    OK(nnn_ranks_i8(&queries, &rows, bias, 1, offsets, answer, 1, ranks_scratch, sizeof ranks_scratch, ranks));
    OK(nnn_ranks_f32(&query, &gallery, bias, 1, offsets, answer, 1, ranks_scratch, sizeof ranks_scratch, ranks));
    CHECK(ranks[0] == 3 && ranks[1] == 1);
    OK(nnn_recall(ranks, 2, 1, &share));
    OK(nnn_median_rank(ranks, 2, &median));
    CHECK(share == 0.5 && median == 2);
    OK(nnn_bootstrap(ranks, ranks + 1, 1, 1, 0.9, 1, resamples, 50, &gain));
    CHECK(gain.gain == 1 && gain.low == 1);
    OK(nnn_choose(ranks, 1, 1, 1, 0.9, 1, resamples, 50, &best, &helps, &gain));
    CHECK(best == 0 && helps == 0); /* one query proves nothing */
    OK(nnn_count_occurrences(hits, &found, 1, 3, 1, counts, 3));
    OK(nnn_hubness(counts, 3, &hubness));
    CHECK(hubness.maximum == 1 && hubness.row == 2 && counts[2] == 1);
    OK(nnn_attribute_bias(hits, &found, 1, 3, 1, labels, 3, attribute, &means));
    CHECK(attribute[0] == -1 && means.mean == -1 && means.mean_abs == 1);
    OK(nnn_balanced_sample(groups, 3, 1, sample, 3, &drawn));
    CHECK(drawn == 2 && sample[0] == 0);
    return 0;
}

static int smoke(void) {
    nnn_isa list[16];
    size_t count = 0, i;
    CHECK(nnn_version() == NNN_VERSION && nnn_abi_version() == NNN_ABI_VERSION);
    CHECK(nnn_status_str(NNN_ERR_K)[0] == 'K' && nnn_isa_str(NNN_ISA_SCALAR)[0] == 's');
    CHECK(nnn_neighbors_scratch(1, 2) == sizeof full_scratch && nnn_search_scratch(1, 1, 2) == NNN_SEARCH_SCRATCH_BYTES(1, 1, 2));
    OK(nnn_isa_available(list, 16, &count));
    for (i = 0; i < count; i++) {
        int line;
        OK(nnn_isa_select(list[i]));
        CHECK(nnn_isa_active() == list[i]);
        line = smoke_f32();
        CHECK(line == 0);
        line = smoke_i8();
        CHECK(line == 0);
        line = smoke_certified();
        CHECK(line == 0);
        line = smoke_family();
        CHECK(line == 0);
        line = smoke_gates_and_evaluation();
        CHECK(line == 0);
    }
    OK(nnn_cpu_hwcap(0, 0));
    OK(nnn_isa_select(NNN_ISA_AUTO));
    return 0;
}

#if defined(FREESTANDING)

void *memcpy(void *dst, const void *src, size_t n) {
    char *d = (char *)dst;
    const char *s = (const char *)src;
    while (n--)
        *d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n) {
    char *d = (char *)dst;
    const char *s = (const char *)src;
    if ((uintptr_t)d <= (uintptr_t)s)
        return memcpy(dst, src, n);
    while (n--)
        d[n] = s[n];
    return dst;
}

void *memset(void *dst, int value, size_t n) {
    char *d = (char *)dst;
    while (n--)
        *d++ = (char)value;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n) {
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x < *y ? -1 : 1;
    return 0;
}

/* Linux: exit(smoke() != 0). */
void start(void) {
    long status = smoke() != 0;
#if defined(__x86_64__)
    __asm__ volatile("syscall" : : "a"(60L), "D"(status) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long number __asm__("x8") = 93;
    register long argument __asm__("x0") = status;
    __asm__ volatile("svc 0" : : "r"(number), "r"(argument) : "memory");
#endif
    for (;;) {
    }
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp, %ebp\n and $-16, %rsp\n call start\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n bl start\n");
#endif

#else

#include <stdio.h>

#if defined(BESIDE_RUST)
#if defined(__cplusplus)
extern "C"
#endif
uint64_t other_library(uint64_t n);
#endif

int main(void) {
    int line = smoke();
    if (line != 0)
        printf("smoke.c:%d failed on %s\n", line, nnn_isa_str(nnn_isa_active()));
#if defined(BESIDE_RUST)
    if (other_library(10) != 45)
        return 2;
#endif
    return line != 0;
}

#endif
