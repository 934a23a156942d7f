/* On-camera search: int8 gallery and biases in flash, one frame's embedding in, the best debiased rows out; and one row that the
 * camera adds itself, with the bias that a bank in flash gives it. No heap, no initialised data. Built as CMakeLists.txt says; in
 * QEMU it prints through semihosting, compares all that it finds with what the host found (gallery.h), and exits with 0 if equal. */
#include "gallery.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* All RAM that the search needs: the frame, the row that is added, and the scratch of its bias. */
static float unit[DIM];
static int8_t codes[DIM], added_codes[DIM];
static float scale, added_scale, bias_of_added;
static unsigned char scratch[NNN_BIAS_SCRATCH_MIN_BYTES(K)];

static const nnn_mat_i8 gallery = {gallery_codes, gallery_scale, ROWS, DIM, DIM}, bank = {bank_codes, bank_scale, BANK, DIM, DIM};
static const nnn_mat_i8 added = {added_codes, &added_scale, 1, DIM, DIM}, query = {codes, &scale, 1, DIM, DIM};
static const nnn_mat_f32 unit_query = {unit, 1, DIM, DIM}, small_gallery = {gallery_f32, F32_ROWS, DIM, DIM};

static int failures;

static void check(int good, const char *what) {
    if (!good) {
        failures++;
        printf("WRONG: %s\n", what);
    }
}

/* A frame's embedding of any length, to unit length and to codes. */
static nnn_status take(const float *frame, int8_t *to_codes, float *to_scale) {
    const nnn_mat_f32 m = {frame, 1, DIM, DIM};
    const nnn_status status = nnn_normalize_f32(&m, unit, DIM);
    return status == NNN_OK ? nnn_quantize_i8(&unit_query, to_codes, DIM, to_scale) : status;
}

/* Adds a row: its codes, and its bias from the bank in flash. */
static nnn_status add(const float *frame) {
    const nnn_status status = take(frame, added_codes, &added_scale);
    if (status != NNN_OK)
        return status;
    return nnn_bias_i8(&added, &bank, K, ALPHA, 0, 1, scratch, sizeof scratch, &bias_of_added);
}

/* The best rows of flash and RAM together. */
static nnn_status search(const float *frame, nnn_hit *hits, uint32_t *found) {
    nnn_hit more[1];
    uint32_t count;
    nnn_status status = take(frame, codes, &scale);
    if (status == NNN_OK)
        status = nnn_search_i8(&query, &gallery, gallery_bias, NULL, TOP, 0, ROWS, NULL, 0, hits, found);
    if (status == NNN_OK)
        status = nnn_search_i8(&query, &added, &bias_of_added, NULL, 1, 0, 1, NULL, 0, more, &count);
    if (status != NNN_OK)
        return status;
    more[0].id += ROWS; /* ids of the second shard follow those of the first */
    return nnn_hits_merge(hits, found, more, count, TOP);
}

/* The bias of the added row once more, the long way: a table filled from two halves of the bank, merged. */
static float bias_by_halves(void) {
    static float table[2][K];
    float bias = 0;
    for (int half = 0; half < 2; half++) {
        const size_t first = half * (BANK / 2);
        const nnn_mat_i8 part = {bank_codes + first * DIM, bank_scale + first, BANK / 2, DIM, DIM};
        check(nnn_neighbors_init(table[half], 1, K) == NNN_OK, "init");
        check(nnn_neighbors_update_i8(&added, &part, K, 0, 1, scratch, sizeof scratch, table[half]) == NNN_OK, "update");
    }
    check(nnn_neighbors_merge(table[0], table[1], 1, K) == NNN_OK, "merge");
    check(nnn_neighbors_bias(table[0], 1, K, K, ALPHA, &bias) == NNN_OK, "bias");
    return bias;
}

/* Scores in f32: the host's bits where both fuse multiply and add, else within the bounds of both sums and of the subtraction. */
static int close(const nnn_hit *hits, const nnn_hit *host) {
#ifdef __ARM_FEATURE_FMA
    return memcmp(hits, host, TOP * sizeof *hits) == 0;
#else
    const float bound = 3.0f * (DIM / 32 + 6) / (1 << 24) + 2.0f / (1 << 24); /* of rows of unit length: sum |a b| <= 1 */
    for (int i = 0; i < TOP; i++)
        if (!(fabsf(hits[i].score - host[i].score) <= bound) || hits[i].id != host[i].id)
            return 0;
    return 1;
#endif
}

int main(void) {
    nnn_hit hits[TOP];
    uint32_t found;
    printf("libnnn %lu, %s; %d rows of %d codes in flash, a bank of %d\n", (unsigned long)nnn_version(),
           nnn_isa_str(nnn_isa_active()), ROWS, DIM, BANK);

    check(add(frames + (FRAMES - 1) * DIM) == NNN_OK, "the row is added");
    printf("added row %d, bias %.6f\n", ROWS, (double)bias_of_added);
    check(memcmp(&bias_of_added, &added_bias, sizeof added_bias) == 0, "the bias of the added row");
    const float other = bias_by_halves();
    check(memcmp(&other, &added_bias, sizeof other) == 0, "the bias from two halves of the bank");

    for (int f = 0; f < FRAMES; f++) {
        check(search(frames + f * DIM, hits, &found) == NNN_OK && found == TOP, "the search");
        printf("frame %d shows %s:", f, names[answers[f]]);
        for (uint32_t i = 0; i < found; i++)
            printf(" %lu (%.4f)", (unsigned long)hits[i].id, (double)hits[i].score);
        printf("\n");
        check(memcmp(hits, expected + f * TOP, sizeof hits) == 0, "int8 hits: not the host's bits");

        check(nnn_search_f32(&unit_query, &small_gallery, gallery_f32_bias, NULL, TOP, 0, F32_ROWS, NULL, 0, hits, &found) == NNN_OK,
              "the f32 search");
        check(found == TOP && close(hits, expected_f32 + f * TOP), "f32 hits: not the host's");
    }
    /* An argument out of order is refused, and nothing is written. */
    check(nnn_search_i8(&query, &gallery, gallery_bias, NULL, 0, 0, ROWS, NULL, 0, hits, &found) == NNN_ERR_K, "k = 0");
    printf(failures ? "%d failures\n" : "all as on the host\n", failures);
    return failures != 0;
}
