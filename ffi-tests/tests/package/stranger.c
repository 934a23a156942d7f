/* A program of somebody who has only what the package gives. */
#include <nnn.h>
#include <nnn_cpu.h>
#include <stdio.h>

#ifdef BESIDE_RUST
uint64_t other_library(uint64_t n);
#endif

int main(void) {
    static const float rows[] = {1, 0, 0, 1, 0.6f, 0.8f}, captions[] = {0.6f, 0.8f, 0.8f, 0.6f}, query[] = {0.8f, 0.6f};
    static unsigned char scratch[NNN_BIAS_SCRATCH_MIN_BYTES(1)];
    const nnn_mat_f32 gallery = {rows, 3, 2, 2}, bank = {captions, 2, 2, 2}, queries = {query, 1, 2, 2};
    float bias[3];
    nnn_hit hit;
    uint32_t found = 0;
    nnn_status status = nnn_cpu_detect();
    if (status == NNN_OK) status = nnn_bias_f32(&gallery, &bank, 1, 0.75f, 0, 3, scratch, sizeof scratch, bias);
    if (status == NNN_OK) status = nnn_search_f32(&queries, &gallery, bias, NULL, 1, 0, 3, NULL, 0, &hit, &found);
    if (status != NNN_OK) {
        puts(nnn_status_str(status));
        return 1;
    }
#ifdef BESIDE_RUST
    if (other_library(10) != 45) return 2;
#endif
    printf("row %u\n", (unsigned)hit.id);
    return nnn_version() != NNN_VERSION || nnn_abi_version() != NNN_ABI_VERSION;
}
