package nnn

/*
#include "rows.h"

static void go_detect(void) { (void)nnn_cpu_detect(); }

static nnn_status go_find(ROWS(m), size_t dim, size_t *place) {
    F32(m);
    (void)m_i8; (void)m_scale; (void)m_bounds;
    return nnn_find_nonfinite_f32(&m, &place[0], &place[1]);
}

static nnn_status go_normalize(ROWS(m), size_t dim, float *dst) {
    F32(m);
    (void)m_i8; (void)m_scale; (void)m_bounds;
    return nnn_normalize_f32(&m, dst, dim);
}

static nnn_status go_quantize(ROWS(m), size_t dim, int8_t *dst, float *scale) {
    F32(m);
    (void)m_i8; (void)m_scale; (void)m_bounds;
    return nnn_quantize_i8(&m, dst, dim, scale);
}

static nnn_status go_mean(ROWS(m), size_t dim, float *mean) {
    F32(m);
    (void)m_i8; (void)m_scale; (void)m_bounds;
    return nnn_mean_f32(&m, mean);
}

static nnn_status go_encode(ROWS(m), size_t dim, const float *mean, uint32_t side, uint64_t seed, float *work, int8_t *codes,
                            float *scale, nnn_bound *bounds) {
    F32(m);
    (void)m_i8; (void)m_scale; (void)m_bounds;
    return nnn_encode_f32(&m, mean, side, seed, work, codes, dim, scale, bounds);
}

static nnn_status go_scores(int kind, ROWS(q), ROWS(g), size_t dim, float *out) {
    if (kind == CODES) { I8(q); I8(g); return nnn_scores_i8(&q, &g, 0, g.rows, out, g.rows); }
    F32(q); F32(g);
    return nnn_scores_f32(&q, &g, 0, g.rows, out, g.rows);
}

static nnn_status go_bias(int kind, ROWS(g), ROWS(b), size_t dim, size_t k, float alpha, size_t first, size_t count,
                          void *scratch, size_t scratch_len, float *bias) {
    if (kind == CODES) { I8(g); I8(b); return nnn_bias_i8(&g, &b, k, alpha, first, count, scratch, scratch_len, bias); }
    if (kind == CERTIFIED) {
        ENCODED(g); ENCODED(b);
        return nnn_bias_certified(&g, &b, k, alpha, first, count, scratch, scratch_len, bias, NULL);
    }
    F32(g); F32(b);
    return nnn_bias_f32(&g, &b, k, alpha, first, count, scratch, scratch_len, bias);
}

static nnn_status go_update(int kind, ROWS(g), ROWS(b), size_t dim, size_t k, size_t first, size_t count,
                            void *scratch, size_t scratch_len, float *table) {
    if (kind == CODES) { I8(g); I8(b); return nnn_neighbors_update_i8(&g, &b, k, first, count, scratch, scratch_len, table); }
    if (kind == CERTIFIED) {
        ENCODED(g); ENCODED(b);
        return nnn_neighbors_update_certified(&g, &b, k, first, count, scratch, scratch_len, table, NULL);
    }
    F32(g); F32(b);
    return nnn_neighbors_update_f32(&g, &b, k, first, count, scratch, scratch_len, table);
}

// sums: count of them, 40 bytes each.
static nnn_status go_softmax(int kind, ROWS(g), ROWS(b), size_t dim, float beta, size_t first, size_t count,
                             void *scratch, size_t scratch_len, uint64_t *memory, float *bias) {
    nnn_log_sum *sums = (nnn_log_sum *)memory;
    nnn_status status = nnn_logsum_init(sums, count);
    if (status != NNN_OK) return status;
    if (kind == CODES) { I8(g); I8(b); status = nnn_logsum_update_i8(&g, &b, NULL, beta, first, count, scratch, scratch_len, sums); }
    else { F32(g); F32(b); status = nnn_logsum_update_f32(&g, &b, NULL, beta, first, count, scratch, scratch_len, sums); }
    return status != NNN_OK ? status : nnn_logsum_bias(sums, count, beta, bias);
}

static nnn_status go_search(int kind, ROWS(q), ROWS(g), size_t dim, const float *bias, const uint64_t *allow, size_t k,
                            size_t first, size_t count, void *scratch, size_t scratch_len, nnn_hit *hits, uint32_t *found) {
    if (kind == CODES) { I8(q); I8(g); return nnn_search_i8(&q, &g, bias, allow, k, first, count, scratch, scratch_len, hits, found); }
    if (kind == CERTIFIED) {
        ENCODED(q); ENCODED(g);
        return nnn_search_certified(&q, &g, bias, allow, k, first, count, scratch, scratch_len, hits, found, NULL);
    }
    F32(q); F32(g);
    return nnn_search_f32(&q, &g, bias, allow, k, first, count, scratch, scratch_len, hits, found);
}
*/
import "C"

import (
	"fmt"
	"sync"
	"unsafe"
)

func init() { C.go_detect() }

// view is a checked Matrix, Codes or Encoded.
type view struct {
	kind              C.int
	f32               []float32
	i8                []int8
	scale             []float32
	bounds            []bound
	rows, dim, stride int
}

// bound is nnn_bound.
type bound [4]float32

const (
	floatRows     = C.FLOATS
	codeRows      = C.CODES
	certifiedRows = C.CERTIFIED
)

// part is the rows [first, first+count).
func (v view) part(first, count int) view {
	if count == 0 {
		return view{kind: v.kind, dim: v.dim, stride: v.stride}
	}
	v.rows = count
	switch v.kind {
	case floatRows:
		v.f32 = v.f32[first*v.stride:]
	case codeRows:
		v.i8 = v.i8[first*v.stride:]
	case certifiedRows:
		v.f32, v.i8, v.bounds = v.f32[first*v.stride:], v.i8[first*v.dim:], v.bounds[first:]
	}
	if v.scale != nil {
		v.scale = v.scale[first:]
	}
	return v
}

// row is a vector, for the search of bad values.
func row(data []float32) view {
	return view{f32: data, rows: len(data), dim: 1, stride: 1}
}

// start is the address of a slice's elements, nil without any.
func start[T any](s []T) unsafe.Pointer {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Pointer(&s[0])
}

func floats(s []float32) *C.float   { return (*C.float)(start(s)) }
func int8s(s []int8) *C.int8_t      { return (*C.int8_t)(start(s)) }
func words(s []uint64) *C.uint64_t  { return (*C.uint64_t)(start(s)) }
func counts(s []uint32) *C.uint32_t { return (*C.uint32_t)(start(s)) }
func hitsOf(s []Hit) *C.nnn_hit     { return (*C.nnn_hit)(start(s)) }
func size(n int) C.size_t           { return C.size_t(n) }

func boundsOf(s []bound) *C.nnn_bound { return (*C.nnn_bound)(start(s)) }

// scratches keeps work memory between calls; what it holds is of no meaning.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

// scratch lends n bytes to f.
func scratch(n C.size_t, f func(memory unsafe.Pointer, n C.size_t) C.nnn_status) C.nnn_status {
	if n > maxElements {
		return C.NNN_ERR_OVERFLOW
	}
	buffer := scratches.Get().(*[]byte)
	if len(*buffer) < int(n) {
		*buffer = make([]byte, n)
	}
	status := f(start(*buffer), n)
	scratches.Put(buffer)
	return status
}

// named is an argument that must not hold NaN or infinity.
type named struct {
	arg string
	v   view
}

// check makes the error of a status. Where values are the cause it looks for the place.
func (c call) check(status C.nnn_status, finite ...named) error {
	if status == C.NNN_OK {
		return nil
	}
	if Status(status) == ErrValue {
		for _, argument := range finite {
			if where := argument.v.nonfinite(); where != "" {
				return c.refuse(argument.arg, ErrValue, "%s: remove or repair such rows", where)
			}
		}
	}
	return &Error{string(c), "", C.GoString(C.nnn_status_str(status)), Status(status)}
}

// nonfinite says where the first NaN or infinity is, "" when there is none.
func (v view) nonfinite() string {
	if v.kind == codeRows {
		if v.scale == nil {
			return ""
		}
		scales := row(v.scale[:v.rows])
		return scales.nonfinite()
	}
	var place [2]C.size_t
	status := C.go_find(floats(v.f32), nil, nil, nil, size(v.rows), size(v.stride), size(v.dim), &place[0])
	if Status(status) != ErrValue {
		return ""
	}
	r, column := int(place[0]), int(place[1])
	return fmt.Sprintf("element (%d, %d) is %v", r, column, v.f32[r*v.stride+column])
}

func (v view) normalize(dst []float32) C.nnn_status {
	return C.go_normalize(floats(v.f32), nil, nil, nil, size(v.rows), size(v.stride), size(v.dim), floats(dst))
}

func (v view) quantize(dst []int8, scale []float32) C.nnn_status {
	return C.go_quantize(floats(v.f32), nil, nil, nil, size(v.rows), size(v.stride), size(v.dim), int8s(dst), floats(scale))
}

func (v view) mean(out []float32) C.nnn_status {
	return C.go_mean(floats(v.f32), nil, nil, nil, size(v.rows), size(v.stride), size(v.dim), floats(out))
}

func (v view) encode(mean []float32, side Side, seed uint64, codes []int8, scale []float32, bounds []bound) C.nnn_status {
	work := make([]float32, v.dim)
	return C.go_encode(floats(v.f32), nil, nil, nil, size(v.rows), size(v.stride), size(v.dim), floats(mean), C.uint32_t(side),
		C.uint64_t(seed), floats(work), int8s(codes), floats(scale), boundsOf(bounds))
}

// passScratch is the work memory of a pass over the bank.
func (v view) passScratch(k int) C.size_t {
	if v.kind == certifiedRows {
		return C.nnn_certified_scratch(size(k), size(v.dim))
	}
	return C.nnn_neighbors_scratch(size(k), size(v.dim))
}

func scores(q, g view, out []float32) C.nnn_status {
	return C.go_scores(q.kind, floats(q.f32), int8s(q.i8), floats(q.scale), boundsOf(q.bounds), size(q.rows), size(q.stride),
		floats(g.f32), int8s(g.i8), floats(g.scale), boundsOf(g.bounds), size(g.rows), size(g.stride), size(g.dim), floats(out))
}

func bias(g, b view, k int, alpha float32, first int, out []float32) C.nnn_status {
	return scratch(g.passScratch(k), func(memory unsafe.Pointer, n C.size_t) C.nnn_status {
		return C.go_bias(g.kind, floats(g.f32), int8s(g.i8), floats(g.scale), boundsOf(g.bounds), size(g.rows), size(g.stride),
			floats(b.f32), int8s(b.i8), floats(b.scale), boundsOf(b.bounds), size(b.rows), size(b.stride), size(g.dim),
			size(k), C.float(alpha), size(first), size(len(out)), memory, n, floats(out))
	})
}

func update(g, b view, k, first, count int, table []float32) C.nnn_status {
	return scratch(g.passScratch(k), func(memory unsafe.Pointer, n C.size_t) C.nnn_status {
		return C.go_update(g.kind, floats(g.f32), int8s(g.i8), floats(g.scale), boundsOf(g.bounds), size(g.rows), size(g.stride),
			floats(b.f32), int8s(b.i8), floats(b.scale), boundsOf(b.bounds), size(b.rows), size(b.stride), size(g.dim),
			size(k), size(first), size(count), memory, n, floats(table))
	})
}

func merge(into, from *Neighbors) C.nnn_status {
	return C.nnn_neighbors_merge(floats(into.Table), floats(from.Table), size(into.Rows), size(into.K))
}

func tableBias(n *Neighbors, k int, alpha float32, out []float32) C.nnn_status {
	return C.nnn_neighbors_bias(floats(n.Table), size(n.Rows), size(n.K), size(k), C.float(alpha), floats(out))
}

func softmaxBias(g, b view, beta float32, first int, out []float32) C.nnn_status {
	sums := make([]uint64, 5*len(out))
	return scratch(C.nnn_neighbors_scratch(1, size(g.dim)), func(memory unsafe.Pointer, n C.size_t) C.nnn_status {
		return C.go_softmax(g.kind, floats(g.f32), int8s(g.i8), floats(g.scale), boundsOf(g.bounds), size(g.rows), size(g.stride),
			floats(b.f32), int8s(b.i8), floats(b.scale), boundsOf(b.bounds), size(b.rows), size(b.stride), size(g.dim),
			C.float(beta), size(first), size(len(out)), memory, n, words(sums), floats(out))
	})
}

func search(q, g view, bias []float32, allow []uint64, k, first, count int, hits []Hit, found []uint32) C.nnn_status {
	bytes := C.nnn_search_scratch(size(q.rows), size(k), size(q.dim))
	if q.kind == certifiedRows {
		bytes = C.nnn_certified_scratch(size(k), size(q.dim))
	}
	return scratch(bytes, func(memory unsafe.Pointer, n C.size_t) C.nnn_status {
		return C.go_search(q.kind, floats(q.f32), int8s(q.i8), floats(q.scale), boundsOf(q.bounds), size(q.rows), size(q.stride),
			floats(g.f32), int8s(g.i8), floats(g.scale), boundsOf(g.bounds), size(g.rows), size(g.stride), size(g.dim),
			floats(bias), words(allow), size(k), size(first), size(count), memory, n, hitsOf(hits), counts(found))
	})
}

func hitsMerge(a []Hit, length *uint32, b []Hit, k int) C.nnn_status {
	return C.nnn_hits_merge(hitsOf(a), (*C.uint32_t)(length), hitsOf(b), C.uint32_t(len(b)), size(k))
}

func rerank(candidates []Hit, bias []float32, k int, hits []Hit) (int, C.nnn_status) {
	var found C.uint32_t
	status := C.nnn_rerank(hitsOf(candidates), size(len(candidates)), floats(bias), size(len(bias)), size(k), hitsOf(hits), &found)
	return int(found), status
}

// Version is that of libnnn, such as "0.1.0".
func Version() string {
	n := uint32(C.nnn_version())
	return fmt.Sprintf("%d.%d.%d", n/1000000, n/1000%1000, n%1000)
}

// ISA names the instruction set that calls use on this machine, such as "avx512vnni".
func ISA() string { return C.GoString(C.nnn_isa_str(C.nnn_isa_active())) }

// Error is the general text of a status.
func (s Status) Error() string { return "nnn: " + C.GoString(C.nnn_status_str(C.nnn_status(s))) }
