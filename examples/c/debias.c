/* Debiased retrieval in plain C99: normalise, bias once, search, with a few rows that fit on the screen.
 *
 *   cargo build --release -p nnn-capi
 *   cc -std=c99 -I include examples/c/debias.c target/release/libnnn.a -o debias && ./debias
 */
#include "nnn.h"

#include <stdio.h>

enum { DIM = 4, GALLERY = 4, BANK = 4, QUERIES = 3, TOP = 2, K = 2 };

/* What all queries share is in the first column. The last gallery row has little else: it is close to every query, a hub. */
static const char *const names[GALLERY] = {"cat.jpg", "truck.jpg", "tea.jpg", "stock.jpg"};
static float gallery[GALLERY * DIM] = {
    0.3f, 1.0f, 0.0f, 0.0f, /* cat.jpg */
    0.3f, 0.0f, 1.0f, 0.0f, /* truck.jpg */
    0.3f, 0.0f, 0.0f, 1.0f, /* tea.jpg */
    1.0f, 0.1f, 0.1f, 0.1f, /* stock.jpg, the hub */
};
/* Queries seen earlier; no answers are needed. */
static float bank[BANK * DIM] = {
    1.0f, 0.6f, 0.0f, 0.1f, 1.0f, 0.1f, 0.6f, 0.0f, 1.0f, 0.0f, 0.1f, 0.6f, 1.0f, 0.3f, 0.3f, 0.3f,
};
static const char *const texts[QUERIES] = {"a kitten", "a lorry", "a hot drink"};
static float queries[QUERIES * DIM] = {
    1.0f, 0.6f, 0.1f, 0.0f, 1.0f, 0.0f, 0.6f, 0.1f, 1.0f, 0.1f, 0.0f, 0.6f,
};

static unsigned char scratch[NNN_NEIGHBORS_SCRATCH_BYTES(K, DIM)];

static int failed(const char *what, nnn_status status) {
    if (status != NNN_OK) fprintf(stderr, "%s: %s\n", what, nnn_status_str(status));
    return status != NNN_OK;
}

static int normalise(float *rows, size_t count) {
    nnn_mat_f32 m = {rows, count, DIM, DIM};
    return failed("normalise", nnn_normalize_f32(&m, rows, DIM));
}

/* Searches, prints the best hits of every query, and counts the queries whose best row is the right one. */
static int show(const char *title, const nnn_mat_f32 *q, const nnn_mat_f32 *g, const float *bias) {
    nnn_hit hits[QUERIES * TOP];
    uint32_t found[QUERIES];
    int right = 0;
    if (failed("search", nnn_search_f32(q, g, bias, NULL, TOP, 0, g->rows, NULL, 0, hits, found))) return -1;
    printf("%s\n", title);
    for (uint32_t i = 0; i < QUERIES; i++) {
        printf("  %-12s", texts[i]);
        for (uint32_t j = 0; j < found[i]; j++) printf("  %-9s %6.3f", names[hits[i * TOP + j].id], (double)hits[i * TOP + j].score);
        printf("\n");
        right += found[i] > 0 && hits[i * TOP].id == i;
    }
    printf("  right: %d of %d\n", right, QUERIES);
    return right;
}

int main(void) {
    const nnn_mat_f32 g = {gallery, GALLERY, DIM, DIM}, b = {bank, BANK, DIM, DIM}, q = {queries, QUERIES, DIM, DIM};
    float bias[GALLERY];
    if (normalise(gallery, GALLERY) || normalise(bank, BANK) || normalise(queries, QUERIES)) return 1;
    /* Once, offline: one float per gallery row. */
    if (failed("bias", nnn_bias_f32(&g, &b, K, 0.75f, 0, GALLERY, scratch, sizeof scratch, bias))) return 1;
    /* The hub answers every query before, none after. */
    const int before = show("plain", &q, &g, NULL), after = show("debiased", &q, &g, bias);
    return before == 0 && after == QUERIES ? 0 : 1;
}
