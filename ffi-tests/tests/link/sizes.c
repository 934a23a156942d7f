/* The size macros equal the size functions, near every bend and every overflow. */
#include "nnn.h"
#include <stdio.h>

static int failures = 0;

static void check(size_t a, size_t k, size_t dim) {
    size_t neighbors = nnn_neighbors_scratch(k, dim), search = nnn_search_scratch(a, k, dim);
    size_t certified = nnn_certified_scratch(k, dim);
    if (NNN_RANKS_SCRATCH_BYTES(a) != nnn_ranks_scratch(a) && failures++ < 20)
        printf("biases %zu: ranks %zu, macro %zu\n", a, nnn_ranks_scratch(a), NNN_RANKS_SCRATCH_BYTES(a));
    if (NNN_NEIGHBORS_SCRATCH_BYTES(k, dim) != neighbors || NNN_SEARCH_SCRATCH_BYTES(a, k, dim) != search ||
        NNN_CERTIFIED_SCRATCH_BYTES(k, dim) != certified) {
        if (failures++ < 20)
            printf("queries %zu k %zu dim %zu: neighbors %zu, macro %zu; search %zu, macro %zu; certified %zu, macro %zu\n", a, k,
                   dim, neighbors, NNN_NEIGHBORS_SCRATCH_BYTES(k, dim), search, NNN_SEARCH_SCRATCH_BYTES(a, k, dim), certified,
                   NNN_CERTIFIED_SCRATCH_BYTES(k, dim));
    }
}

static void check_coarse(size_t rows, size_t lists, size_t probes, size_t dim) {
    size_t train = nnn_coarse_train_scratch(rows, lists, dim), search = nnn_coarse_scratch(rows, lists, probes, dim);
    if ((NNN_COARSE_TRAIN_SCRATCH_BYTES(rows, lists, dim) != train ||
         NNN_COARSE_SCRATCH_BYTES(rows, lists, probes, dim) != search) && failures++ < 20)
        printf("rows %zu lists %zu probes %zu dim %zu: train %zu, macro %zu; search %zu, macro %zu\n", rows, lists, probes, dim, train,
               NNN_COARSE_TRAIN_SCRATCH_BYTES(rows, lists, dim), search, NNN_COARSE_SCRATCH_BYTES(rows, lists, probes, dim));
}

/* Every bend and every overflow of the coarse index's sizes, with their neighbours. */
static void check_coarse_sizes(void) {
    const size_t words = (SIZE_MAX - 68) / 4, train = (SIZE_MAX - 655440) / 4;
    const size_t bends[] = {1,         196,       4097,      8192,      65536,      131072,         147968, words / 16384,
                            words / 32, words / 16, words / 4, words / 3, words / 2,  words - 1040,   words,  train / 3,
                            train / 2, train,     SIZE_MAX - 1, words / 64};
    size_t values[3 * sizeof bends / sizeof bends[0]], count = 0, r, l, p, d;
    for (r = 0; r < sizeof bends / sizeof bends[0]; r++)
        for (d = 0; d < 3; d++)
            values[count++] = bends[r] + d - 1;
    for (r = 0; r < count; r++)
        for (l = 0; l < count; l++)
            for (p = 0; p < count; p++)
                for (d = 0; d < count; d++)
                    check_coarse(values[r], values[l], values[p], values[d]);
}

/* nnn_coarse_check takes one bit a row, and no byte less. */
static void check_coarse_check(void) {
    static const uint32_t offsets[] = {0, 17}, ids[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    static unsigned char scratch[NNN_COARSE_CHECK_SCRATCH_BYTES(17)];
    if (nnn_coarse_check(17, 1, offsets, ids, scratch, sizeof scratch) != NNN_OK ||
        nnn_coarse_check(17, 1, offsets, ids, scratch, sizeof scratch - 1) != NNN_ERR_CAPACITY ||
        NNN_COARSE_CHECK_SCRATCH_BYTES(16) != 2 || NNN_COARSE_CHECK_SCRATCH_BYTES(SIZE_MAX) != SIZE_MAX / 8 + 1)
        failures++, printf("NNN_COARSE_CHECK_SCRATCH_BYTES\n");
}

/* The least scratch of a bias is what the macro says: one byte less is refused, for a bank of one row and k = 1. */
static void check_minimum(void) {
    static const float one[] = {1};
    static unsigned char scratch[NNN_BIAS_SCRATCH_MIN_BYTES(1)];
    const nnn_mat_f32 m = {one, 1, 1, 1};
    float bias = 0, table = 0;
    if (nnn_bias_f32(&m, &m, 1, 1, 0, 1, scratch, sizeof scratch, &bias) != NNN_OK || bias != 1 ||
        nnn_bias_f32(&m, &m, 1, 1, 0, 1, scratch, sizeof scratch - 1, &bias) != NNN_ERR_CAPACITY)
        failures++, printf("NNN_BIAS_SCRATCH_MIN_BYTES\n");
    if (nnn_neighbors_init(&table, 1, 1) != NNN_OK ||
        nnn_neighbors_update_f32(&m, &m, 1, 0, 1, scratch, NNN_NEIGHBORS_SCRATCH_MIN_BYTES - 1, &table) != NNN_ERR_CAPACITY ||
        nnn_neighbors_update_f32(&m, &m, 1, 0, 1, scratch, NNN_NEIGHBORS_SCRATCH_MIN_BYTES, &table) != NNN_OK || table != 1)
        failures++, printf("NNN_NEIGHBORS_SCRATCH_MIN_BYTES\n");
}

/* The same of the certified calls. */
static void check_certified_minimum(void) {
    static const float one[] = {1};
    static unsigned char scratch[NNN_CERTIFIED_SCRATCH_MIN_BYTES(1)];
    int8_t codes[1];
    float scale[1], work[1], bias = 0;
    nnn_bound bounds[1];
    const nnn_mat_f32 rows = {one, 1, 1, 1};
    const nnn_encoded m = {{one, 1, 1, 1}, {codes, scale, 1, 1, 1}, bounds};
    if (nnn_encode_f32(&rows, NULL, NNN_SIDE_GALLERY, 0, work, codes, 1, scale, bounds) != NNN_OK ||
        nnn_bias_certified(&m, &m, 1, 1, 0, 1, scratch, sizeof scratch, &bias, NULL) != NNN_OK || bias != 1 ||
        nnn_bias_certified(&m, &m, 1, 1, 0, 1, scratch, sizeof scratch - 1, &bias, NULL) != NNN_ERR_CAPACITY)
        failures++, printf("NNN_CERTIFIED_SCRATCH_MIN_BYTES\n");
}

int main(void) {
    const size_t dims[] = {0, 1, 2, 31, 32, 33, 384, 512, 1536, 16384, NNN_MAX_DIM, NNN_MAX_DIM + 1, SIZE_MAX};
    size_t bends[20], count = 0, i, j, d;
    bends[count++] = 512;
    bends[count++] = 65536;
    bends[count++] = 98304;
    for (i = 1; i <= 8; i++)
        bends[count++] = SIZE_MAX / i;
    bends[count++] = 12125;
    bends[count++] = (SIZE_MAX - 660556) / 32;
    bends[count++] = (SIZE_MAX - 655360) / 4;
    bends[count++] = (SIZE_MAX - 393216) / 4;
    for (d = 0; d < sizeof dims / sizeof dims[0]; d++) {
        for (i = 0; i < 2048; i++)
            check(i % 70, i, dims[d]);
        for (i = 0; i < count; i++)
            for (j = 0; j < 64; j++)
                check(bends[i] + j - 32, bends[i] + j - 32, dims[d]);
    }
    if (NNN_BIAS_SCRATCH_MIN_BYTES(SIZE_MAX / 4) != SIZE_MAX || NNN_BIAS_SCRATCH_MIN_BYTES(2) != 4104)
        failures++, printf("NNN_BIAS_SCRATCH_MIN_BYTES overflows\n");
    if (NNN_CERTIFIED_SCRATCH_MIN_BYTES(SIZE_MAX / 32) != SIZE_MAX || NNN_CERTIFIED_SCRATCH_MIN_BYTES(2) != 5260)
        failures++, printf("NNN_CERTIFIED_SCRATCH_MIN_BYTES overflows\n");
    check_minimum();
    check_certified_minimum();
    check_coarse_sizes();
    check_coarse_check();
    printf("%d differences\n", failures);
    return failures != 0;
}
