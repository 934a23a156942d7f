/* libnnn in USearch's C API (2.x): an index of float vectors that carry their bias as one more element, compared by nnn_metric_f32.
 *
 *   static const size_t dim = 384;                                     // outlives the index
 *   usearch_index_t index = nnn_usearch_init(&dim, options, &error);
 *   usearch_reserve(index, rows, &error);
 *   usearch_add(index, key, vector, usearch_scalar_f32_k, &error);     // vectors of nnn_export_rows_f32, NNN_FORM_INNER_PRODUCT
 *   usearch_search(index, query, usearch_scalar_f32_k, 10, keys, distances, &error);       // of nnn_export_queries_f32, alpha 1
 *
 * A debiased score is -distance - c, with c the middle of the biases that the vectors were written with (nnn_export_limits_f32).
 * An index that was saved knows nothing of its metric: call nnn_usearch_metric after usearch_load or usearch_view.
 */
#ifndef NNN_USEARCH_H
#define NNN_USEARCH_H

#include "nnn.h"

#include <usearch.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Makes an index of dim + 1 elements compare by libnnn's metric. `dim` is kept, not copied. */
static inline void nnn_usearch_metric(usearch_index_t index, const size_t *dim, usearch_error_t *error) {
    if (usearch_dimensions(index, error) != *dim + 1)
        *error = "the index must have one dimension more than the rows, for their bias";
    else
        /* With a state, USearch calls its metric with three arguments: both vectors and the state. */
        usearch_change_metric(index, (usearch_metric_t)(void (*)(void))nnn_metric_f32, (void *)dim, usearch_metric_ip_k, error);
}

/* usearch_init for rows of *dim floats with the bias tail; dimensions, metric and quantization of the options are set here. NULL with an
 * error. */
static inline usearch_index_t nnn_usearch_init(const size_t *dim, usearch_init_options_t options, usearch_error_t *error) {
    usearch_index_t index;
    options.dimensions = *dim + 1;
    options.metric_kind = usearch_metric_ip_k;
    options.metric = NULL;
    options.quantization = usearch_scalar_f32_k;
    index = usearch_init(&options, error);
    if (index == NULL) return NULL;
    nnn_usearch_metric(index, dim, error);
    if (*error != NULL) {
        usearch_error_t ignored = NULL;
        usearch_free(index, &ignored);
        return NULL;
    }
    return index;
}

/* Another bias (less c) for a key of one vector. USearch hands out copies only: the vector, dim + 1 floats at `work`, is taken out and
 * added again. A search meanwhile does not find the key; where adding fails, the vector is out of the index, and still at `work`. */
static inline void nnn_usearch_set_bias(usearch_index_t index, usearch_key_t key, float tail, float *work, usearch_error_t *error) {
    const size_t count = usearch_count(index, key, error);
    if (*error == NULL && count > 1) *error = "several vectors have this key";
    if (*error != NULL) return;
    if (count == 0 || usearch_get(index, key, 1, work, usearch_scalar_f32_k, error) != 1) {
        if (*error == NULL) *error = "no vector has this key";
        return;
    }
    work[usearch_dimensions(index, error) - 1] = tail;
    usearch_remove(index, key, error);
    if (*error == NULL) usearch_add(index, key, work, usearch_scalar_f32_k, error);
}

#ifdef __cplusplus
}
#endif

#endif
