package nnn

/*
#include "rows.h"

static nnn_status go_coarse_train(const float *rows, size_t count, size_t dim, size_t stride, size_t lists, size_t rounds,
                                  uint64_t seed, void *scratch, size_t scratch_len, float *centroids) {
    const nnn_mat_f32 sample = {rows, count, dim, stride};
    return nnn_coarse_train(&sample, lists, rounds, seed, scratch, scratch_len, centroids);
}

static nnn_status go_coarse_assign(const float *data, size_t rows, size_t dim, size_t stride, const float *centroids, size_t lists,
                                   size_t first, size_t count, void *scratch, size_t scratch_len, uint32_t *assigned) {
    const nnn_mat_f32 view = {data, rows, dim, stride}, c = {centroids, lists, dim, dim};
    return nnn_coarse_assign(&view, &c, first, count, scratch, scratch_len, assigned);
}

static nnn_status go_coarse_gather(int kind, ROWS(r), size_t dim, const uint32_t *ids, float *f32, int8_t *i8, float *scale) {
    (void)r_bounds;
    if (kind == CODES) { I8(r); return nnn_coarse_gather_i8(&r, ids, r.rows, i8, dim, scale); }
    F32(r);
    return nnn_coarse_gather_f32(&r, ids, r.rows, f32, dim);
}

static nnn_status go_coarse_neighbors(int kind, ROWS(g), ROWS(b), size_t dim, const float *centroids, size_t lists,
                                      const uint32_t *offsets, size_t probes, size_t k, size_t first, size_t count, void *scratch,
                                      size_t scratch_len, float *table, uint64_t *pairs) {
    const nnn_mat_f32 c = {centroids, lists, dim, dim};
    (void)g_bounds; (void)b_bounds;
    if (kind == CODES) {
        I8(g); I8(b);
        return nnn_coarse_neighbors_i8(&g, &b, &c, offsets, probes, k, first, count, scratch, scratch_len, table, pairs);
    }
    F32(g); F32(b);
    return nnn_coarse_neighbors_f32(&g, &b, &c, offsets, probes, k, first, count, scratch, scratch_len, table, pairs);
}

static nnn_status go_coarse_search(int kind, ROWS(q), ROWS(g), size_t dim, const float *centroids, size_t lists,
                                   const uint32_t *offsets, const uint32_t *ids, const float *bias, const uint64_t *allow,
                                   size_t probes, size_t k, void *scratch, size_t scratch_len, nnn_hit *hits, uint32_t *found,
                                   uint64_t *pairs) {
    const nnn_mat_f32 c = {centroids, lists, dim, dim};
    (void)q_bounds; (void)g_bounds;
    if (kind == CODES) {
        I8(q); I8(g);
        return nnn_coarse_search_i8(&q, &g, &c, offsets, ids, bias, allow, probes, k, scratch, scratch_len, hits, found, pairs);
    }
    F32(q); F32(g);
    return nnn_coarse_search_f32(&q, &g, &c, offsets, ids, bias, allow, probes, k, scratch, scratch_len, hits, found, pairs);
}

static nnn_status go_ids_update(int kind, ROWS(g), ROWS(b), size_t dim, const uint64_t *live, size_t first_id, size_t k, size_t first,
                                size_t count, void *scratch, size_t scratch_len, nnn_hit *table) {
    (void)g_bounds; (void)b_bounds;
    if (kind == CODES) {
        I8(g); I8(b);
        return nnn_neighbor_ids_update_i8(&g, &b, live, first_id, k, first, count, scratch, scratch_len, table);
    }
    F32(g); F32(b);
    return nnn_neighbor_ids_update_f32(&g, &b, live, first_id, k, first, count, scratch, scratch_len, table);
}

static nnn_status go_export_limits(const float *data, size_t rows, size_t dim, size_t stride, const float *bias, nnn_export_limits *limits) {
    const nnn_mat_f32 view = {data, rows, dim, stride};
    return nnn_export_limits_f32(&view, bias, 0, rows, limits);
}

static nnn_status go_export_rows(const float *data, size_t rows, size_t dim, size_t stride, const float *bias, nnn_export_limits limits,
                                 uint32_t form, size_t first, size_t count, float *out, size_t out_stride) {
    const nnn_mat_f32 view = {data, rows, dim, stride};
    return nnn_export_rows_f32(&view, bias, &limits, form, first, count, out, out_stride);
}

static nnn_status go_export_queries(const float *data, size_t rows, size_t dim, size_t stride, uint32_t form, float alpha, float *out,
                                    size_t out_stride) {
    const nnn_mat_f32 view = {data, rows, dim, stride};
    return nnn_export_queries_f32(&view, form, alpha, out, out_stride);
}

static nnn_status go_export_scores(nnn_export_limits limits, uint32_t form, const float *query, size_t dim, float alpha, float *values,
                                   size_t len) {
    return nnn_export_scores(&limits, form, query, dim, alpha, values, len);
}
*/
import "C"

import "unsafe"

func train(sample view, rounds int, seed uint64, centroids []float32) C.nnn_status {
	lists := size(len(centroids) / sample.dim)
	bytes := C.nnn_coarse_train_scratch(size(sample.rows), lists, size(sample.dim))
	return scratch(bytes, func(memory unsafe.Pointer, n C.size_t) C.nnn_status {
		return C.go_coarse_train(floats(sample.f32), size(sample.rows), size(sample.dim), size(sample.stride), lists, size(rounds),
			C.uint64_t(seed), memory, n, floats(centroids))
	})
}

func assign(rows view, centroids []float32, first int, assigned []uint32) C.nnn_status {
	return scratch(C.nnn_neighbors_scratch(1, size(rows.dim)), func(memory unsafe.Pointer, n C.size_t) C.nnn_status {
		return C.go_coarse_assign(floats(rows.f32), size(rows.rows), size(rows.dim), size(rows.stride), floats(centroids),
			size(len(centroids)/rows.dim), size(first), size(len(assigned)), memory, n, counts(assigned))
	})
}

func makeLists(assigned, offsets, ids []uint32) C.nnn_status {
	return C.nnn_coarse_lists(counts(assigned), size(len(assigned)), size(len(offsets)-1), counts(offsets), counts(ids))
}

func checkLists(offsets, ids []uint32) C.nnn_status {
	bytes := size((len(ids) + 7) / 8)
	return scratch(bytes, func(memory unsafe.Pointer, n C.size_t) C.nnn_status {
		return C.nnn_coarse_check(size(len(ids)), size(len(offsets)-1), counts(offsets), counts(ids), memory, n)
	})
}

// gather copies the rows in the order of ids; of f32, i8 and scale those of the kind of rows.
func (v view) gather(ids []uint32, f32 []float32, i8 []int8, scale []float32) C.nnn_status {
	return C.go_coarse_gather(v.kind, floats(v.f32), int8s(v.i8), floats(v.scale), nil, size(v.rows), size(v.stride), size(v.dim),
		counts(ids), floats(f32), int8s(i8), floats(scale))
}

func coarseNeighbors(g, b view, centroids []float32, offsets []uint32, probes, k, first, count int, table []float32,
	pairs *uint64) C.nnn_status {
	lists := len(offsets) - 1
	return scratch(coarseScratch(count, lists, probes, g.dim), func(memory unsafe.Pointer, n C.size_t) C.nnn_status {
		return C.go_coarse_neighbors(g.kind, floats(g.f32), int8s(g.i8), floats(g.scale), nil, size(g.rows), size(g.stride),
			floats(b.f32), int8s(b.i8), floats(b.scale), nil, size(b.rows), size(b.stride), size(g.dim), floats(centroids), size(lists),
			counts(offsets), size(probes), size(k), size(first), size(count), memory, n, floats(table), (*C.uint64_t)(pairs))
	})
}

// coarseScratch is what the library recommends, but not for so many rows at once that their probes take more than 64 MiB.
func coarseScratch(rows, lists, probes, dim int) C.size_t {
	if probes > lists {
		probes = lists
	}
	if most := 1 + 1<<23/probes; rows > most {
		rows = most
	}
	return C.nnn_coarse_scratch(size(rows), size(lists), size(probes), size(dim))
}

func coarseBias(table []float32, rows, k int, alpha float32, out []float32) (short int, status C.nnn_status) {
	var count C.size_t
	status = C.nnn_coarse_bias(floats(table), size(rows), size(k), size(k), C.float(alpha), floats(out), &count)
	return int(count), status
}

func coarseSearch(q, g view, centroids []float32, offsets, ids []uint32, bias []float32, allow []uint64, probes, k int, hits []Hit,
	found []uint32, pairs *uint64) C.nnn_status {
	lists := len(offsets) - 1
	return scratch(coarseScratch(q.rows, lists, probes, q.dim), func(memory unsafe.Pointer, n C.size_t) C.nnn_status {
		return C.go_coarse_search(q.kind, floats(q.f32), int8s(q.i8), floats(q.scale), nil, size(q.rows), size(q.stride),
			floats(g.f32), int8s(g.i8), floats(g.scale), nil, size(g.rows), size(g.stride), size(g.dim), floats(centroids), size(lists),
			counts(offsets), counts(ids), floats(bias), words(allow), size(probes), size(k), memory, n, hitsOf(hits), counts(found),
			(*C.uint64_t)(pairs))
	})
}

func idsInit(table []Hit, rows, k int) C.nnn_status {
	return C.nnn_neighbor_ids_init(hitsOf(table), size(rows), size(k))
}

func idsUpdate(g, b view, live []uint64, firstID, k, first, count int, table []Hit) C.nnn_status {
	return scratch(C.nnn_neighbors_scratch(size(k), size(g.dim)), func(memory unsafe.Pointer, n C.size_t) C.nnn_status {
		return C.go_ids_update(g.kind, floats(g.f32), int8s(g.i8), floats(g.scale), nil, size(g.rows), size(g.stride),
			floats(b.f32), int8s(b.i8), floats(b.scale), nil, size(b.rows), size(b.stride), size(g.dim), words(live), size(firstID),
			size(k), size(first), size(count), memory, n, hitsOf(table))
	})
}

func idsMerge(into, from []Hit, rows, k int) C.nnn_status {
	return C.nnn_neighbor_ids_merge(hitsOf(into), hitsOf(from), size(rows), size(k))
}

func idsExpire(table []Hit, rows, tableK, k int, live []uint64, ids int, short []uint32) (int, C.nnn_status) {
	var count C.size_t
	status := C.nnn_neighbor_ids_expire(hitsOf(table), size(rows), size(tableK), size(k), words(live), size(ids), counts(short), &count)
	return int(count), status
}

func idsBias(table []Hit, rows, tableK, k int, alpha float32, out []float32) C.nnn_status {
	return C.nnn_neighbor_ids_bias(hitsOf(table), size(rows), size(tableK), size(k), C.float(alpha), floats(out))
}

func rerankCertified(candidates []Hit, bias []float32, biasMin float32, k int, hits []Hit) (found, next int, status C.nnn_status) {
	var count C.uint32_t
	var more C.size_t
	status = C.nnn_rerank_certified(hitsOf(candidates), size(len(candidates)), floats(bias), size(len(bias)), C.float(biasMin), size(k),
		hitsOf(hits), &count, &more)
	return int(count), int(more), status
}

func exportDim(dim int, form Form, multiple int) int {
	return int(C.nnn_export_dim(size(dim), C.uint32_t(form), size(multiple)))
}

func (e *Export) limits() C.nnn_export_limits {
	return C.nnn_export_limits{norm2: C.double(e.Norm2), bias_min: C.float(e.BiasMin), bias_max: C.float(e.BiasMax)}
}

func (e *Export) measure(rows view, bias []float32) C.nnn_status {
	var limits C.nnn_export_limits
	status := C.go_export_limits(floats(rows.f32), size(rows.rows), size(rows.dim), size(rows.stride), floats(bias), &limits)
	e.Norm2, e.BiasMin, e.BiasMax = float64(limits.norm2), float32(limits.bias_min), float32(limits.bias_max)
	return status
}

func (e *Export) writeRows(rows view, bias []float32, first, count int, out []float32) C.nnn_status {
	return C.go_export_rows(floats(rows.f32), size(rows.rows), size(rows.dim), size(rows.stride), floats(bias), e.limits(),
		C.uint32_t(e.Form), size(first), size(count), floats(out), size(e.Dim))
}

func (e *Export) writeQueries(queries view, alpha float32, out []float32) C.nnn_status {
	return C.go_export_queries(floats(queries.f32), size(queries.rows), size(queries.dim), size(queries.stride), C.uint32_t(e.Form),
		C.float(alpha), floats(out), size(e.Dim))
}

func (e *Export) scores(query []float32, alpha float32, values []float32) C.nnn_status {
	return C.go_export_scores(e.limits(), C.uint32_t(e.Form), floats(query), size(len(query)), C.float(alpha), floats(values),
		size(len(values)))
}
