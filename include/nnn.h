/*
 * libnnn: hubness-free retrieval (Nearest Neighbor Normalization, Chowdhury et al., EMNLP 2024).
 *
 *   gallery + bank --(tile kernel, fused top-k)--> neighbour table --> bias (float per row) --+
 *                                                                                             v
 *   query --------(score kernel)--> scores --------------------------(subtract, top-k)--> hits
 *
 * gallery: the rows being retrieved. bank: reference queries. bias: alpha times the mean of a gallery row's k largest
 * similarities with the bank, computed once and subtracted from the row's score at query time.
 *
 *   nnn_bias_f32(&gallery, &bank, 16, 0.75f, 0, gallery.rows, scratch, scratch_len, bias);      once, offline
 *   nnn_search_f32(&queries, &gallery, bias, NULL, 10, 0, gallery.rows, NULL, 0, hits, found);  for each batch of queries
 *
 * RULES THAT HOLD FOR EVERY FUNCTION
 *
 * Errors     All checks come before the first write: on any status but NNN_OK nothing was written (nnn_find_nonfinite_f32
 *            alone reports a place with NNN_ERR_VALUE). Of several faults the first of this order is reported:
 *            NULL, DIM, K, STRIDE, OVERFLOW, RANGE, ALIGN, CAPACITY, ALIAS, VALUE, ties by position of the argument. What only
 *            the content of a table, a list of hits or the sums can tell is judged after everything else, in the same order.
 *            No call aborts.
 * Memory     The caller owns all memory; nothing is allocated, kept or freed. Work memory is `scratch`: bytes of any content
 *            and alignment, of the size that a function gives, and a macro too. The stack use of a
 *            call is fixed, below 8 KiB.
 * Pointers   Valid for what the function says it reads or writes. NULL is fine with length 0. Typed pointers need the
 *            alignment of their type, no more. Inputs may overlap each other. An output (scratch is one) that overlaps anything
 *            else is NNN_ERR_ALIAS; a matrix reaches from its first element to its last, what lies between rows included.
 * Threads    The caller owns the threads. Calls may run at the same time on shared inputs and disjoint outputs.
 *            nnn_isa_select and nnn_cpu_hwcap act on the whole process; each call reads the choice once.
 * Ranges     Heavy calls take the gallery rows first..first + count. Outputs of a range (table, bias, scores) start at its
 *            first row; biases that are read, allow bits and hit ids are absolute gallery rows. Ranges and merges give the
 *            same bits as one call, whatever the partition. A count past the end is NNN_ERR_RANGE; strides and sizes that
 *            depend on it are judged for the rows that exist.
 * Units      rows, dim, k, first, count and strides count rows or elements; only scratch, and the strides of exported codes,
 *            count bytes.
 * Limits     dim 1 to NNN_MAX_DIM, at most 2^32 - 1 rows.
 * Order      Hits are ordered by score descending, then id ascending. A score that is NaN or infinite is never a hit, nor a
 *            neighbour. -0 is stored as +0 in tables, biases and hits.
 * Values     The bias side (table, bias, normalise, quantise) refuses NaN and infinity in what it reads. The query side
 *            checks queries and biases, never the gallery: a row whose score is not finite is no hit. The coarse index checks
 *            neither the rows in its lists nor their biases, which would read all of them.
 * float      On every instruction set with fused multiply-add results are the same bits. Dot, scores and search add in 32
 *            lanes (lane i mod 32, in index order) with fused multiply-add and a halving tree: the error is at most
 *            (ceil(dim / 32) + 6) * 2^-24 * sum |a_i b_i|. Neighbour table and bias add one fused chain in index order: at most
 *            (dim + 1) * 2^-24 * sum |a_i b_i|. Without fused multiply-add twice the bound. Rounding to nearest and no
 *            flush-to-zero are assumed; otherwise results may differ, memory safety does not.
 * int8       Dot products are exact for every code, -128 included. Scales and biases stay float.
 */
#ifndef NNN_H
#define NNN_H

#include <stddef.h>
#include <stdint.h>

/* A status must be looked at: compilers warn where it is dropped. */
#if defined(__cplusplus) && __cplusplus >= 201703L
#define NNN_MUST_USE [[nodiscard]]
#elif !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L
#define NNN_MUST_USE [[nodiscard]]
#elif defined(__GNUC__) || defined(__clang__)
#define NNN_MUST_USE __attribute__((warn_unused_result))
#elif defined(_MSC_VER) && defined(_Check_return_)
#define NNN_MUST_USE _Check_return_
#else
#define NNN_MUST_USE
#endif

/* Scratch sizes as constants, for static buffers: equal to the functions of the same name. Arguments are evaluated more
   than once. */
#define NNN_NEIGHBORS_SCRATCH_BYTES(k, dim)                                                                              \
    ((size_t)(k) > (SIZE_MAX - 655360u) / 4u ? SIZE_MAX                                                                  \
     : (size_t)(k) > 98304u                  ? (size_t)(k) * 4u + 655360u                                                \
                                             : (size_t)1048576u)
#define NNN_SEARCH_SCRATCH_BYTES(queries, k, dim)                                                                        \
    ((size_t)(queries) > 16u  ? (size_t)16448u                                                                           \
     : (size_t)(queries) > 0u ? (size_t)(queries) * 1024u + 64u                                                          \
                              : (size_t)0u)
#define NNN_RANKS_SCRATCH_BYTES(biases)                                                                                  \
    ((size_t)(biases) > (SIZE_MAX - 16576u) / 128u ? SIZE_MAX : (size_t)(biases) * 128u + 16576u)

/* The least scratch of nnn_bias_*. */
#define NNN_BIAS_SCRATCH_MIN_BYTES(k)                                                                                    \
    ((size_t)(k) > (SIZE_MAX - NNN_NEIGHBORS_SCRATCH_MIN_BYTES) / 4u                                                     \
         ? SIZE_MAX                                                                                                      \
         : (size_t)(k) * 4u + NNN_NEIGHBORS_SCRATCH_MIN_BYTES)

#define NNN_CERTIFIED_SCRATCH_BYTES(k, dim)                                                                              \
    ((size_t)(k) > (SIZE_MAX - 660556u) / 32u ? SIZE_MAX                                                                 \
     : (size_t)(k) > 12125u                   ? (size_t)(k) * 32u + 660556u                                              \
                                              : (size_t)1048576u)

/* The least scratch of the certified calls. */
#define NNN_CERTIFIED_SCRATCH_MIN_BYTES(k)                                                                               \
    ((size_t)(k) > (SIZE_MAX - 5196u) / 32u ? SIZE_MAX : (size_t)(k) * 32u + 5196u)

/* The least scratch of nnn_coarse_check. */
#define NNN_COARSE_CHECK_SCRATCH_BYTES(rows)                                                                             \
    ((size_t)(rows) / 8u + ((size_t)(rows) % 8u != 0u ? 1u : 0u))

#define NNN_COARSE_TRAIN_SCRATCH_BYTES(rows, lists, dim)                                                                 \
    ((size_t)(rows) > NNN_COARSE_TRAIN_WORDS_ / 3u || (size_t)(lists) > NNN_COARSE_TRAIN_WORDS_ - (size_t)(rows) * 3u || \
             (size_t)(dim) > (NNN_COARSE_TRAIN_WORDS_ - (size_t)(rows) * 3u - (size_t)(lists)) / 2u                      \
         ? SIZE_MAX                                                                                                      \
         : ((size_t)(rows) * 3u + (size_t)(lists) + (size_t)(dim) * 2u) * 4u + 655440u)
#define NNN_COARSE_TRAIN_WORDS_ ((SIZE_MAX - 655440u) / 4u)

/* Of nnn_coarse_scratch; with one row, the least scratch of the calls that take it. */
#define NNN_COARSE_SCRATCH_BYTES(rows, lists, probes, dim)                                                               \
    NNN_COARSE_BYTES_((size_t)(rows) < 2u ? 1u : NNN_LESSER_((size_t)(rows), (size_t)8192u), (size_t)(lists),            \
                      NNN_LESSER_((size_t)(probes), (size_t)(lists)), (size_t)(dim))
#define NNN_COARSE_BYTES_(rows, lists, probes, dim)                                                                      \
    ((dim) > NNN_COARSE_WORDS_ / ((rows) < 2u ? 1u : 16u) || (probes) > NNN_COARSE_WORDS_ / ((rows) < 2u ? 4u : 64u) ||  \
             (lists) > NNN_COARSE_WORDS_ || (probes) > (NNN_COARSE_WORDS_ - (lists)) / ((rows) * 2u) ||                  \
             NNN_COARSE_WORK_(rows, probes, dim) > NNN_COARSE_WORDS_ - (lists) - (rows) * (probes) * 2u                  \
         ? SIZE_MAX                                                                                                      \
         : (NNN_COARSE_WORK_(rows, probes, dim) + (lists) + (rows) * (probes) * 2u) * 4u + 68u)
#define NNN_COARSE_WORK_(rows, probes, dim)                                                                              \
    ((rows) < 2u ? (dim) + 1u + NNN_GREATER_((probes) * 4u + 258u, (size_t)1040u)                                        \
                 : NNN_GREATER_(((probes) * 4u + 258u + (dim)) * 16u + 4112u,                                            \
                                NNN_GREATER_((dim) + 1u, (size_t)131072u) + 163856u))
#define NNN_COARSE_WORDS_ ((SIZE_MAX - 68u) / 4u)
#define NNN_LESSER_(a, b) ((a) < (b) ? (a) : (b))
#define NNN_GREATER_(a, b) ((a) > (b) ? (a) : (b))

/// Version of this header. Incompatible changes raise MAJOR (MINOR while MAJOR is 0).
#define NNN_VERSION_MAJOR 0

/// Additions raise MINOR.
#define NNN_VERSION_MINOR 1

/// Corrections raise PATCH.
#define NNN_VERSION_PATCH 0

/// The three as one number that compares as the version does; nnn_version() is that of the library.
#define NNN_VERSION (((NNN_VERSION_MAJOR * 1000000) + (NNN_VERSION_MINOR * 1000)) + NNN_VERSION_PATCH)

/// Version of the binary interface; nnn_abi_version() is that of the library. Equal numbers fit together.
#define NNN_ABI_VERSION 1

/// Largest dim. With it every int8 dot product, -128 codes included, fits int32_t.
#define NNN_MAX_DIM 131071

/// Bytes of scratch that nnn_neighbors_update_* at least needs.
#define NNN_NEIGHBORS_SCRATCH_MIN_BYTES 4096

/// Bytes of scratch that nnn_coarse_assign at least needs.
#define NNN_COARSE_ASSIGN_SCRATCH_MIN_BYTES 4104

/// The id of padding in a table with ids.
#define NNN_NO_NEIGHBOR UINT32_MAX

/// The rank of an answer that is not among the hits, or whose score is not finite.
#define NNN_NOT_RANKED UINT32_MAX

/// nnn_encode_f32: the rows are retrieved.
#define NNN_SIDE_GALLERY 0

/// nnn_encode_f32: the rows are queries, live or of the bank.
#define NNN_SIDE_QUERY 1

/// Form of vectors for an index by inner product.
#define NNN_FORM_INNER_PRODUCT 0

/// Form of vectors for an index by squared or plain Euclidean distance.
#define NNN_FORM_L2 1

/// Form of vectors for an index by cosine. Cosines divide by the lengths: vectors of the inner-product form are wrong there.
#define NNN_FORM_COSINE 2

/// Result of a call: NNN_OK, or the first of the errors below that applies.
typedef int32_t nnn_status;

/// An instruction set: one of NNN_ISA_*.
typedef uint32_t nnn_isa;

/// A view of rows x dim floats in the caller's memory: row i starts at data[i * stride]. data may be NULL when rows is 0.
typedef struct nnn_mat_f32 {
    /// The first row.
    const float *data;
    /// Rows, at most 2^32 - 1.
    size_t rows;
    /// Elements per row, 1 to NNN_MAX_DIM.
    size_t dim;
    /// Elements from row to row, at least dim.
    size_t stride;
} nnn_mat_f32;

/// A view of rows x dim int8 codes with one scale per row: element (i, j) is data[i * stride + j] * scale[i].
typedef struct nnn_mat_i8 {
    /// The first row.
    const int8_t *data;
    /// One scale per row, or NULL: all scales are 1.
    const float *scale;
    /// Rows, at most 2^32 - 1.
    size_t rows;
    /// Codes per row, 1 to NNN_MAX_DIM.
    size_t dim;
    /// Codes from row to row, at least dim.
    size_t stride;
} nnn_mat_i8;

/// `sum of e^(beta * similarity)` of one gallery row over the bank rows it has seen; 40 bytes, whatever the bank.
///
/// The content is opaque. It is the same bits for the same set of bank rows, in whatever shards and order they came.
typedef struct nnn_log_sum {
    uint64_t low[3];
    uint32_t high[3];
    /// The highest bin; of an empty sum the least number.
    int32_t bin;
} nnn_log_sum;

/// A sum of float values without any rounding: an integer of 320 bits in units of 2^-149. Opaque; 40 bytes.
typedef struct nnn_exact_sum {
    uint64_t words[5];
} nnn_exact_sum;

/// A gallery row and its score for one query.
typedef struct nnn_hit {
    /// `<query, row> - bias[row]`.
    float score;
    /// Gallery row.
    uint32_t id;
} nnn_hit;

/// A correction that applies to a query only if its best plain row is in the activation set.
typedef struct nnn_gate {
    /// One float per gallery row: the inverted softmax (nnn_logsum_bias), or any other bias.
    const float *bias;
    /// The activation set: one bit per gallery row, bit r % 64 of word r / 64.
    const uint64_t *active;
    /// The beta of the bias: its weight beside another gate. Of a single gate it changes nothing.
    float beta;
} nnn_gate;

/// A gain in recall and its confidence interval.
typedef struct nnn_interval {
    /// Recall after minus recall before, on all queries.
    double gain;
    /// Lower end of the interval.
    double low;
    /// Upper end.
    double high;
} nnn_interval;

/// The distribution of k-occurrences over the gallery.
typedef struct nnn_hubness_stats {
    /// Third standardised moment: 0 for even retrieval, above 1 means hubs. 0 when all counts are equal.
    double skewness;
    /// Fourth standardised moment less 3. 0 when all counts are equal.
    double kurtosis;
    /// Share of all hits that would have to move for all rows to have the same count: 0 even, near 1 all hits on few rows.
    double robin_hood;
    /// Share of rows that no query retrieves.
    double never;
    /// The greatest count.
    uint32_t maximum;
    /// The first row that has it.
    uint32_t row;
} nnn_hubness_stats;

/// Attribute bias over queries.
typedef struct nnn_fairness {
    /// Mean of the signed biases: opposite biases of different queries cancel here.
    double mean;
    /// Mean of their magnitudes: here they do not.
    double mean_abs;
} nnn_fairness;

/// What the codes of a row lose, as upper bounds.
typedef struct nnn_bound {
    /// |x' - scale * codes|: the residual, all roundings of moving and rotating included.
    float residual;
    /// |x'|: the norm of the moved and rotated row.
    float norm;
    /// The larger of |x| and `norm + residual`.
    float length;
    /// Gallery rows: `<mean, x>`, which the codes do not hold. Queries: 0.
    float offset;
} nnn_bound;

/// Rows with their codes and bounds, as nnn_encode_f32 makes them. The codes of rows that were changed since give wrong results.
typedef struct nnn_encoded {
    /// The rows as they are.
    struct nnn_mat_f32 rows;
    /// Their codes, in the same number and dim.
    struct nnn_mat_i8 codes;
    /// What the codes lose: one bound per row.
    const struct nnn_bound *bounds;
} nnn_encoded;

/// What a certified call did: how much of the f32 work was left.
typedef struct nnn_certificate {
    /// Pairs whose score was computed in f32 because they were on a short list.
    uint64_t rescored;
    /// Gallery rows (bias side) or queries (search) whose list did not fit and that were computed in f32 throughout.
    uint64_t exhausted;
} nnn_certificate;

/// What the rows of an export lie within: the constants of all three forms.
///
/// The limits of shards merge. For rows to come, widen them by hand: a row that does not fit is refused. An
/// index is valid as long as all of its rows were written with the same limits.
typedef struct nnn_export_limits {
    /// Largest squared length of a row.
    double norm2;
    /// Least bias.
    float bias_min;
    /// Largest bias.
    float bias_max;
} nnn_export_limits;

/// How far biases are from the exact ones.
typedef struct nnn_bias_errors {
    /// Mean of `|bias - exact|`.
    double mean;
    /// Its maximum.
    double max;
} nnn_bias_errors;

/// The call did what it says.
#define NNN_OK 0

/// A required pointer is NULL (NULL is fine with length 0).
#define NNN_ERR_NULL -1

/// A dim is 0, above NNN_MAX_DIM, or differs between the operands.
#define NNN_ERR_DIM -2

/// k is 0, or larger than what it selects from.
#define NNN_ERR_K -3

/// A row range, id or count lies outside of its matrix, or there are more than 2^32 - 1 rows.
#define NNN_ERR_RANGE -4

/// A stride is smaller than the row it steps over.
#define NNN_ERR_STRIDE -5

/// A size in bytes does not fit the address space.
#define NNN_ERR_OVERFLOW -6

/// A typed pointer is not aligned for its type.
#define NNN_ERR_ALIGN -7

/// An output overlaps another argument.
#define NNN_ERR_ALIAS -8

/// A buffer is smaller than the call needs.
#define NNN_ERR_CAPACITY -9

/// A value is NaN or infinite, or a parameter is out of its domain.
#define NNN_ERR_VALUE -10

/// The instruction set is unknown, or not available in this build on this machine.
#define NNN_ERR_ISA -11

/// The best instruction set of the machine (nnn_isa_select).
#define NNN_ISA_AUTO 0

/// Plain scalar code.
#define NNN_ISA_SCALAR 1

/// 128-bit lanes of the target's baseline.
#define NNN_ISA_PORTABLE 2

/// x86-64 AVX2 and FMA.
#define NNN_ISA_AVX2 3

/// x86-64 AVX-512 F, BW, DQ and VL.
#define NNN_ISA_AVX512 4

/// x86-64 AVX-512 with VNNI.
#define NNN_ISA_AVX512VNNI 5

/// x86-64 AVX2, FMA and AVX-VNNI.
#define NNN_ISA_AVXVNNI 6

/// AArch64 NEON.
#define NNN_ISA_NEON 7

/// AArch64 NEON with dotprod.
#define NNN_ISA_NEON_DOTPROD 8

/// AArch64 NEON with dotprod and i8mm.
#define NNN_ISA_NEON_I8MM 9



#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// ======== Library and machine ========
///
/// Version of the library, composed as NNN_VERSION is.
uint32_t nnn_version(void);

/// Version of the library's binary interface. A program compiled with a header of the same NNN_ABI_VERSION fits.
uint32_t nnn_abi_version(void);

/// One line about a status code, never NULL: what is wrong and what to do about it. The text is static and ends with a NUL.
const char *nnn_status_str(nnn_status status);

/// The instruction set that calls use now, one of NNN_ISA_*, never NNN_ISA_AUTO.
nnn_isa nnn_isa_active(void);

/// Name of an instruction set, such as "avx2"; "auto" for NNN_ISA_AUTO, "unknown" for a number that is none. Never NULL; the text
/// is static and ends with a NUL.
const char *nnn_isa_str(nnn_isa isa);

/// Makes all later calls of the process use an instruction set; NNN_ISA_AUTO returns to the best one. Without it the best one is
/// chosen at the first call. A call that runs at the same time in another thread ends with the one it began with.
///
/// Errors: ISA (unknown, or not available here; the choice stays).
NNN_MUST_USE nnn_status nnn_isa_select(nnn_isa isa);

/// The instruction sets that this build can run on this machine, slowest first: their number to *count, and themselves to list,
/// which has room for `capacity` of them (16 are always enough). With list NULL and capacity 0 only the number is written.
///
/// Errors: NULL, OVERFLOW, ALIGN, CAPACITY (list has no room for all of them), ALIAS.
NNN_MUST_USE nnn_status nnn_isa_available(nnn_isa *list, size_t capacity, size_t *count);

/// Tells a build that cannot ask the system itself (bare metal, or a kernel without a usable interface) which AArch64 extensions
/// the machine has, as the values of Linux' AT_HWCAP and AT_HWCAP2, and chooses the best instruction set with them. Other
/// architectures find out for themselves; there the call has no effect. Declaring an extension that the machine lacks makes later
/// calls fail with an illegal instruction.
///
/// Always NNN_OK.
nnn_status nnn_cpu_hwcap(uint64_t hwcap, uint64_t hwcap2);

/// ======== Kernels: dot products and scores ========
///
/// *out = <a, b> of two rows of dim floats, in the order of summation of the scores. The values are not looked at: NaN in, NaN out.
///
/// O(dim). Errors: NULL, DIM, ALIGN, ALIAS.
NNN_MUST_USE nnn_status nnn_dot_f32(const float *a, const float *b, size_t dim, float *out);

/// *out = <a, b> of two rows of dim codes, exact for every code and every dim up to NNN_MAX_DIM.
///
/// O(dim). Errors: NULL, DIM, ALIGN, ALIAS.
NNN_MUST_USE nnn_status nnn_dot_i8(const int8_t *a, const int8_t *b, size_t dim, int32_t *out);

/// Four dot products at once, each with the bits of nnn_dot_f32: out[i] = <query, row i>. What a graph index asks for at every step,
/// in less time than four calls; the rows lie anywhere.
///
/// query, row0 .. row3: dim floats each. out: 4 floats. O(dim). Errors: NULL, DIM, ALIGN, ALIAS.
NNN_MUST_USE
nnn_status nnn_dot4_f32(const float *query,
                        const float *row0,
                        const float *row1,
                        const float *row2,
                        const float *row3,
                        size_t dim,
                        float *out);

/// As nnn_dot4_f32, of codes: exact, as nnn_dot_i8. out: 4 integers.
NNN_MUST_USE
nnn_status nnn_dot4_i8(const int8_t *query,
                       const int8_t *row0,
                       const int8_t *row1,
                       const int8_t *row2,
                       const int8_t *row3,
                       size_t dim,
                       int32_t *out);

/// Scores of all queries with the gallery rows first..first + count: out[q * out_stride + j] = <query q, row first + j>.
///
/// out: queries->rows x count floats, rows out_stride elements apart (out_stride >= count); what lies between rows is not written.
/// The gallery's values are not checked: a row with NaN scores NaN.
///
/// O(queries * count * dim), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or infinity in
/// the queries).
NNN_MUST_USE
nnn_status nnn_scores_f32(const struct nnn_mat_f32 *queries,
                          const struct nnn_mat_f32 *gallery,
                          size_t first,
                          size_t count,
                          float *out,
                          size_t out_stride);

/// As nnn_scores_f32, of codes: ((float)dot * scale of the query) * scale of the row, each step rounded once. VALUE is about the
/// scales of the queries.
NNN_MUST_USE
nnn_status nnn_scores_i8(const struct nnn_mat_i8 *queries,
                         const struct nnn_mat_i8 *gallery,
                         size_t first,
                         size_t count,
                         float *out,
                         size_t out_stride);

/// ======== Rows: find bad values, normalise, quantise ========
///
/// Looks for a value that is NaN or infinite. NNN_OK when there is none (row and col are not written then); otherwise
/// NNN_ERR_VALUE, and the first such place, row by row, is written to *row and *col.
///
/// O(rows * dim). Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS (nothing is written), VALUE (see above).
NNN_MUST_USE nnn_status nnn_find_nonfinite_f32(const struct nnn_mat_f32 *m, size_t *row, size_t *col);

/// Scales every row to unit length: dst row = src row / |src row|, the length summed in double, each element rounded once. A row of
/// zeros stays zero. No other function normalises.
///
/// dst: src->rows x src->dim floats, rows dst_stride elements apart; what lies between rows is not written. In place: dst ==
/// src->data with dst_stride == src->stride; any other overlap is refused.
///
/// O(rows * dim), no work memory. Errors: NULL, DIM, STRIDE (dst_stride < dim too), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in src).
NNN_MUST_USE nnn_status nnn_normalize_f32(const struct nnn_mat_f32 *src, float *dst, size_t dst_stride);

/// Symmetric int8 codes with one scale per row: scale = max|x| / 127, code = x / scale rounded to nearest, ties to even, in
/// [-127, 127]. A row of zeros has codes 0 and scale 1. Where max|x| / 127 is below the smallest normal float, the scale is the
/// next float above it.
///
/// dst: src->rows x src->dim codes, rows dst_stride codes apart; what lies between rows is not written. scale: src->rows floats.
///
/// O(rows * dim), no work memory. Errors: NULL, DIM, STRIDE (dst_stride < dim too), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in src).
NNN_MUST_USE nnn_status nnn_quantize_i8(const struct nnn_mat_f32 *src, int8_t *dst, size_t dst_stride, float *scale);

/// ======== Neighbour table ========
///
/// For each gallery row its k largest similarities with the bank, best first, -inf where fewer were seen: rows x k floats, row
/// after row. It is the one state behind the biases of every k up to its own and every alpha. Tables of bank shards merge exactly,
/// tables of gallery shards are concatenated.
///
/// nnn_neighbors_init makes an empty table: all -inf.
///
/// O(rows * k). Errors: NULL, K (0), OVERFLOW, RANGE, ALIGN.
NNN_MUST_USE nnn_status nnn_neighbors_init(float *table, size_t rows, size_t k);

/// Recommended bytes of scratch of nnn_neighbors_update_* and nnn_bias_*, good for both element types and every instruction set:
/// 1 MiB, and above k = 98,304 640 KiB + 4 k. SIZE_MAX when that is not representable. NNN_NEIGHBORS_SCRATCH_BYTES(k, dim) is the
/// same as a constant. Less works too, slower: down to NNN_NEIGHBORS_SCRATCH_MIN_BYTES for an update, NNN_BIAS_SCRATCH_MIN_BYTES(k)
/// for a bias.
size_t nnn_neighbors_scratch(size_t k, size_t dim);

/// Adds all rows of the bank to what the table rows of the gallery rows first..first + count have seen. Exact, in any order: shards
/// of a bank one after the other give the bits of one update with all of it. An empty bank adds nothing.
///
/// table: count x k floats, the first of them of gallery row `first`, made by nnn_neighbors_init. scratch: scratch_len bytes of any
/// content.
///
/// O(count * bank rows * dim) plus one read of the range and of the bank for the finite check (about 1 % at 1,024 rows). Errors:
/// NULL, DIM, K (0), STRIDE, OVERFLOW, RANGE, ALIGN, CAPACITY (scratch below NNN_NEIGHBORS_SCRATCH_MIN_BYTES), ALIAS, VALUE (NaN or
/// infinity in the range or the bank; table rows that are not in order).
NNN_MUST_USE
nnn_status nnn_neighbors_update_f32(const struct nnn_mat_f32 *gallery,
                                    const struct nnn_mat_f32 *bank,
                                    size_t k,
                                    size_t first,
                                    size_t count,
                                    void *scratch,
                                    size_t scratch_len,
                                    float *table);

/// As nnn_neighbors_update_f32, of codes: similarities are ((float)dot * scale of the bank row) * scale of the gallery row, each
/// step rounded once. VALUE is about the scales of the range and the bank, and the table.
NNN_MUST_USE
nnn_status nnn_neighbors_update_i8(const struct nnn_mat_i8 *gallery,
                                   const struct nnn_mat_i8 *bank,
                                   size_t k,
                                   size_t first,
                                   size_t count,
                                   void *scratch,
                                   size_t scratch_len,
                                   float *table);

/// Merges a table of the same gallery rows built on other bank rows: `into` keeps the k largest of both. Associative and commutative
/// in every bit.
///
/// into, from: rows x k floats. O(rows * k), no work memory. Errors: NULL, K (0), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (rows that
/// are not in order, NaN, +inf).
NNN_MUST_USE
nnn_status nnn_neighbors_merge(float *into,
                               const float *from,
                               size_t rows,
                               size_t k);

/// ======== Bias ========
///
/// The biases of a table's rows: bias[r] = alpha * mean of the first k floats of row r, summed best first in double, divided by k,
/// multiplied by alpha, rounded once; -0 becomes +0.
///
/// table: rows x table_k floats, of which the first k <= table_k of each row are read. bias: rows floats.
///
/// O(rows * k), no work memory. Errors: NULL, K (k is 0 or above table_k, or a row has seen fewer than k bank rows), OVERFLOW,
/// RANGE, ALIGN, ALIAS, VALUE (alpha not finite, rows not in order, a bias beyond the range of float).
NNN_MUST_USE nnn_status nnn_neighbors_bias(const float *table, size_t rows, size_t table_k, size_t k, float alpha, float *bias);

/// Biases of the gallery rows first..first + count in one call, without a table of the caller's: bias[i] = alpha * mean of the k
/// largest <bank row, gallery row first + i>. The bits of nnn_neighbors_init, _update and _bias with the same k.
///
/// bias: count floats. scratch: scratch_len bytes of any content.
///
/// O(count * bank rows * dim) plus one read of the range and of the bank for the finite check (about 1 % at 1,024 rows). Errors:
/// NULL, DIM, K (0, or above the bank's rows), STRIDE, OVERFLOW, RANGE, ALIGN, CAPACITY (scratch below
/// NNN_BIAS_SCRATCH_MIN_BYTES(k)), ALIAS, VALUE (NaN or infinity in the range, the bank or alpha), and what only the sums can tell:
/// K (a row has fewer than k finite similarities), VALUE (a bias beyond the range of float).
NNN_MUST_USE
nnn_status nnn_bias_f32(const struct nnn_mat_f32 *gallery,
                        const struct nnn_mat_f32 *bank,
                        size_t k,
                        float alpha,
                        size_t first,
                        size_t count,
                        void *scratch,
                        size_t scratch_len,
                        float *bias);

/// As nnn_bias_f32, of codes: similarities are ((float)dot * scale of the bank row) * scale of the gallery row, each step rounded
/// once. VALUE is about the scales of the range and the bank, and alpha.
NNN_MUST_USE
nnn_status nnn_bias_i8(const struct nnn_mat_i8 *gallery,
                       const struct nnn_mat_i8 *bank,
                       size_t k,
                       float alpha,
                       size_t first,
                       size_t count,
                       void *scratch,
                       size_t scratch_len,
                       float *bias);

/// The biases of a grid of parameters from one table: biases[(j * ks_len + i) * rows + r] is that of row r for ks[i] and alphas[j],
/// with the bits of nnn_neighbors_bias, for one walk along each row. What nnn_ranks_* compares.
///
/// table: rows x table_k floats. ks: ascending. biases: ks_len * alphas_len * rows floats.
///
/// O(rows * (largest k + ks_len * alphas_len)), no work memory. Errors: NULL, K (a k is 0, above table_k or not above the one before,
/// or a row has seen fewer bank rows), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (an alpha is not finite, rows not in order, a bias beyond
/// the range of float).
NNN_MUST_USE
nnn_status nnn_neighbors_grid(const float *table,
                              size_t rows,
                              size_t table_k,
                              const size_t *ks,
                              size_t ks_len,
                              const float *alphas,
                              size_t alphas_len,
                              float *biases);

/// ======== Softmax family ========
///
/// The inverted softmax and its kin as biases, from one sum of e^(beta * similarity) over the bank per gallery row: 40 bytes a row,
/// whatever the bank and beta. As the neighbour table: bank shards update or merge in any order, gallery ranges go to any thread, and
/// the bits are those of one call. The sums carry an exponent of their own: no beta overflows. Their content is opaque.
///
/// nnn_logsum_init makes rows empty sums.
///
/// O(rows). Errors: NULL, OVERFLOW, RANGE, ALIGN.
NNN_MUST_USE
nnn_status nnn_logsum_init(struct nnn_log_sum *sums,
                           size_t rows);

/// Adds e^(beta * similarity) of all rows of the bank, e^log_weights[j] times for row j, to the sums of the gallery rows
/// first..first + count. Exact, in any order. Similarities beyond the range of float are left out.
///
/// log_weights: bank->rows floats, or NULL: all 0. scratch: as of nnn_neighbors_update_*. sums: count of them, the first of gallery row
/// `first`, made by nnn_logsum_init and only ever used with this beta. A term is within 9e-7 of its
/// value; log_weights, and instruction sets without fused multiply-add, add 2^-23 of the exponent beta * similarity + log_weight.
///
/// O(count * bank rows * dim), the exponentials some per cent on top; 4.2 KiB of stack. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE,
/// ALIGN, CAPACITY (scratch below NNN_NEIGHBORS_SCRATCH_MIN_BYTES), ALIAS, VALUE (NaN or infinity in the range, the bank or the
/// weights; beta not finite or not above 0, or so large that beta times the largest possible similarity reaches 2^35).
NNN_MUST_USE
nnn_status nnn_logsum_update_f32(const struct nnn_mat_f32 *gallery,
                                 const struct nnn_mat_f32 *bank,
                                 const float *log_weights,
                                 float beta,
                                 size_t first,
                                 size_t count,
                                 void *scratch,
                                 size_t scratch_len,
                                 struct nnn_log_sum *sums);

/// As nnn_logsum_update_f32, of codes. VALUE is about the scales of the range and the bank, the weights and beta.
NNN_MUST_USE
nnn_status nnn_logsum_update_i8(const struct nnn_mat_i8 *gallery,
                                const struct nnn_mat_i8 *bank,
                                const float *log_weights,
                                float beta,
                                size_t first,
                                size_t count,
                                void *scratch,
                                size_t scratch_len,
                                struct nnn_log_sum *sums);

/// Adds the sums of the same gallery rows over other bank rows, made with the same beta. Associative and commutative in every bit.
///
/// into, from: rows of them. O(rows), no work memory. Errors: NULL, OVERFLOW, RANGE, ALIGN, ALIAS.
NNN_MUST_USE nnn_status nnn_logsum_merge(struct nnn_log_sum *into, const struct nnn_log_sum *from, size_t rows);

/// Natural logarithms of sums: ln[r], -infinity of a row that has seen nothing. What a Sinkhorn iteration that is shared out among threads
/// or machines needs: ln u = ln(1 / rows) - ln of the sums weighted by ln v (nnn_sinkhorn_bias_* says how), with the bits of one call.
///
/// sums: rows of them. ln: rows doubles. O(rows), no work memory. Errors: NULL, OVERFLOW, RANGE, ALIGN, ALIAS.
NNN_MUST_USE
nnn_status nnn_logsum_ln(const struct nnn_log_sum *sums,
                         size_t rows,
                         double *ln);

/// The inverted softmax as a bias: bias[r] = ln(sum r) / beta, rounded once. score - bias is 1 / beta times the logarithm of the inverted
/// softmax, so it ranks as that does. As beta tends to 0 it tends to ln(bank rows) / beta plus the mean, and the constant leaves float too
/// few digits for the rest: below beta = 0.01 use nnn_mean_bias_*.
///
/// sums: rows of them; beta: that of their updates. bias: rows floats. O(rows), no work memory. Errors: NULL, K (a row has seen no
/// similarity), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (beta not finite or not above 0, a bias beyond the range of float).
NNN_MUST_USE
nnn_status nnn_logsum_bias(const struct nnn_log_sum *sums,
                           size_t rows,
                           float beta,
                           float *bias);

/// DualIS: bias[r] = (ln(sum r) + ln(gallery_sum r)) / (beta + gallery_beta), from sums over a bank of queries and sums of the same rows
/// over a bank of gallery items.
///
/// As nnn_logsum_bias.
NNN_MUST_USE
nnn_status nnn_logsum_dual_bias(const struct nnn_log_sum *sums,
                                float beta,
                                const struct nnn_log_sum *gallery_sums,
                                float gallery_beta,
                                size_t rows,
                                float *bias);

/// ======== Distribution normalisation ========
///
/// DN(lambda): bias[r] = lambda * <mean of the bank, row r>, which is the NNN bias of alpha = lambda and k = the whole bank for one dot a
/// row. The mean comes from exact column sums, so that bank shards in any order, or merged, give the same bits: nnn_columns_init,
/// nnn_columns_update_*, nnn_columns_merge, nnn_columns_mean, then nnn_mean_bias_*.
///
/// nnn_columns_init makes dim zeros. O(dim). Errors: NULL, DIM, ALIGN.
NNN_MUST_USE
nnn_status nnn_columns_init(struct nnn_exact_sum *sums,
                            size_t dim);

/// Adds the rows of a bank to its column sums.
///
/// sums: bank->dim of them. O(rows * dim), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in the bank).
NNN_MUST_USE nnn_status nnn_columns_update_f32(const struct nnn_mat_f32 *bank, struct nnn_exact_sum *sums);

/// As nnn_columns_update_f32, of codes times their scale. VALUE is about the scales.
NNN_MUST_USE nnn_status nnn_columns_update_i8(const struct nnn_mat_i8 *bank, struct nnn_exact_sum *sums);

/// Adds the column sums of another shard of the bank. Associative and commutative in every bit.
///
/// into, from: dim of them. O(dim), no work memory. Errors: NULL, DIM, ALIGN, ALIAS.
NNN_MUST_USE nnn_status nnn_columns_merge(struct nnn_exact_sum *into, const struct nnn_exact_sum *from, size_t dim);

/// mean[j] = sum j / rows, rows being how many bank rows were added.
///
/// sums: dim of them. mean: dim floats. O(dim), no work memory. Errors: NULL, DIM, K (rows is 0), ALIGN, ALIAS, VALUE (a mean beyond the
/// range of float).
NNN_MUST_USE
nnn_status nnn_columns_mean(const struct nnn_exact_sum *sums,
                            size_t dim,
                            size_t rows,
                            float *mean);

/// The DN biases of the gallery rows first..first + count: bias[i] = lambda * <mean, gallery row first + i>, summed in double, rounded
/// once: the same bits on every machine.
///
/// mean: gallery->dim floats. bias: count floats. O(count * dim), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN,
/// ALIAS, VALUE (NaN or infinity in the range, the mean or lambda, a bias beyond the range of float).
NNN_MUST_USE
nnn_status nnn_mean_bias_f32(const struct nnn_mat_f32 *gallery,
                             const float *mean,
                             float lambda,
                             size_t first,
                             size_t count,
                             float *bias);

/// As nnn_mean_bias_f32, of codes times their scale. VALUE is about the scales of the range, the mean and lambda.
NNN_MUST_USE
nnn_status nnn_mean_bias_i8(const struct nnn_mat_i8 *gallery,
                            const float *mean,
                            float lambda,
                            size_t first,
                            size_t count,
                            float *bias);

/// ======== Sinkhorn ========
///
/// SN and DBSN: bias[r] = -tau * ln u[r] of all gallery rows, where u and v start uniform and are set in turns, `iterations` times, to
/// v[j] = (1 / bank rows) / sum over the targets i of K[i][j] u[i], u[i] = (1 / targets) / sum over j of K[i][j] v[j], with K[i][j] =
/// e^((<target i, bank row j> - 1) / tau). Targets are the gallery rows and, unless gallery_bank is NULL, its rows after them.
///
/// K is never stored: each iteration computes all similarities twice. The authors use tau = 0.01 and 10 iterations. sums: sums_len of
/// any content, at least the largest of the numbers of rows; potentials: potentials_len floats of any content, at least the sum of
/// them. scratch: as of nnn_neighbors_update_*. bias: gallery->rows floats. Callers with threads run the same steps by
/// nnn_logsum_update_* with weights, ranges of rows apart: with the same bits.
///
/// O(2 * iterations * targets * bank rows * dim). Errors: NULL, DIM, K (no gallery row, an empty bank), STRIDE, OVERFLOW, RANGE, ALIGN,
/// CAPACITY (sums, potentials, scratch), ALIAS, VALUE (NaN or infinity in a matrix; tau not above 0, not finite or too small;
/// iterations = 0).
NNN_MUST_USE
nnn_status nnn_sinkhorn_bias_f32(const struct nnn_mat_f32 *gallery,
                                 const struct nnn_mat_f32 *gallery_bank,
                                 const struct nnn_mat_f32 *bank,
                                 float tau,
                                 size_t iterations,
                                 struct nnn_log_sum *sums,
                                 size_t sums_len,
                                 float *potentials,
                                 size_t potentials_len,
                                 void *scratch,
                                 size_t scratch_len,
                                 float *bias);

/// As nnn_sinkhorn_bias_f32, of codes. VALUE is about the scales, tau and iterations.
NNN_MUST_USE
nnn_status nnn_sinkhorn_bias_i8(const struct nnn_mat_i8 *gallery,
                                const struct nnn_mat_i8 *gallery_bank,
                                const struct nnn_mat_i8 *bank,
                                float tau,
                                size_t iterations,
                                struct nnn_log_sum *sums,
                                size_t sums_len,
                                float *potentials,
                                size_t potentials_len,
                                void *scratch,
                                size_t scratch_len,
                                float *bias);

/// ======== Neighbour table with ids: banks whose rows expire, galleries that change ========
///
/// rows x k hits instead of floats; ids are those of bank rows. The known neighbours of a row come first, in the order of hits, the rest
/// is padding: id NNN_NO_NEIGHBOR, and as its score a floor that no unknown neighbour is above (-inf: there is none). Known neighbours
/// are exact at all times; a row with k of them has the bias of the whole bank.
///
/// A bank that changes: add rows (update), expire rows (below), recompute the rows that this lists. Keep some columns more than k and
/// few are. alpha changes by nnn_neighbor_ids_bias anew (rows * k), without a bank pass.
///
/// A gallery that changes needs no function: the state of a row is its vector, its table row and its bias, and rows do not depend on
/// each other. To add rows, append the three (the table by init and update of the new range). To remove row r, clear its bit in `allow`
/// of nnn_search_*, or copy the last row's three over it, whose id then is r.
///
/// nnn_neighbor_ids_init makes an empty table. O(rows * k). Errors: NULL, K (0), OVERFLOW, RANGE, ALIGN.
NNN_MUST_USE
nnn_status nnn_neighbor_ids_init(struct nnn_hit *table,
                                 size_t rows,
                                 size_t k);

/// Adds rows of the bank, row j with the id first_id + j, to what the table rows of the gallery rows first..first + count have seen:
/// nnn_neighbors_update_f32 with ids, in the same bits. Of equal similarities at the end of a row it depends on the order of updates
/// whose id is kept.
///
/// live: one bit per bank row (bit j % 64 of word j / 64), rows without it are left out; or NULL: all. table: count x k hits.
///
/// O(count * bank rows * dim). Errors: NULL, DIM, K (0), STRIDE, OVERFLOW, RANGE (also an id of 2^32 - 1 or above), ALIGN, CAPACITY
/// (scratch below NNN_NEIGHBORS_SCRATCH_MIN_BYTES), ALIAS, VALUE (NaN or infinity in the range or the bank; rows of another table).
NNN_MUST_USE
nnn_status nnn_neighbor_ids_update_f32(const struct nnn_mat_f32 *gallery,
                                       const struct nnn_mat_f32 *bank,
                                       const uint64_t *live,
                                       size_t first_id,
                                       size_t k,
                                       size_t first,
                                       size_t count,
                                       void *scratch,
                                       size_t scratch_len,
                                       struct nnn_hit *table);

/// As nnn_neighbor_ids_update_f32, of codes; similarities as nnn_neighbors_update_i8.
NNN_MUST_USE
nnn_status nnn_neighbor_ids_update_i8(const struct nnn_mat_i8 *gallery,
                                      const struct nnn_mat_i8 *bank,
                                      const uint64_t *live,
                                      size_t first_id,
                                      size_t k,
                                      size_t first,
                                      size_t count,
                                      void *scratch,
                                      size_t scratch_len,
                                      struct nnn_hit *table);

/// Merges a table of the same gallery rows built on other bank rows.
///
/// into, from: rows x k hits. O(rows * k), no work memory. Errors: NULL, K (0), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (no such table).
NNN_MUST_USE
nnn_status nnn_neighbor_ids_merge(struct nnn_hit *into,
                                  const struct nnn_hit *from,
                                  size_t rows,
                                  size_t k);

/// Removes the neighbours that are not live any more, and lists the table rows that then know fewer than k neighbours although more
/// bank rows are live: recompute those (init, then update with the whole bank) before their bias is taken.
///
/// table: rows x table_k hits that have seen every live bank row. live: one bit per id, `ids` of them. short_rows: room for rows
/// numbers, of which *short_count are written, ascending (table rows, from 0).
///
/// O(rows * table_k + ids / 64), no work memory. Errors: NULL, K (k is 0 or above table_k), OVERFLOW, RANGE (an id in the table of ids
/// or above; ids above 2^32 - 1), ALIGN, ALIAS, VALUE (no such table).
NNN_MUST_USE
nnn_status nnn_neighbor_ids_expire(struct nnn_hit *table,
                                   size_t rows,
                                   size_t table_k,
                                   size_t k,
                                   const uint64_t *live,
                                   size_t ids,
                                   uint32_t *short_rows,
                                   size_t *short_count);

/// The biases of a table's rows, in the bits of nnn_neighbors_bias.
///
/// table: rows x table_k hits. bias: rows floats. O(rows * table_k), no work memory. Errors: NULL, K (k is 0 or above table_k, or a row
/// knows fewer than k neighbours), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (alpha not finite, no such table, a bias beyond the range of
/// float).
NNN_MUST_USE
nnn_status nnn_neighbor_ids_bias(const struct nnn_hit *table,
                                 size_t rows,
                                 size_t table_k,
                                 size_t k,
                                 float alpha,
                                 float *bias);

/// ======== Search ========
///
/// Recommended bytes of scratch of nnn_search_*: at most 16,448. Less works too, down to none (scratch NULL,
/// length 0), with the same hits, slower. NNN_SEARCH_SCRATCH_BYTES(queries, k, dim) is the same as a
/// constant.
size_t nnn_search_scratch(size_t queries, size_t k, size_t dim);

/// For each query the k gallery rows of first..first + count with the largest <query, row> - bias[row], best first.
///
/// bias: gallery->rows floats, or NULL: plain search. allow: one bit per gallery row, bit r % 64 of word r / 64 says whether row r
/// may be a hit (a filter, or the tombstones of removed rows), or NULL: all may. hits: queries->rows * k; those of query q start at
/// hits[q * k]. found: queries->rows counts; found[q] = min(k, allowed rows of the range with a finite score); hits past it are not
/// written.
///
/// The gallery's values are not checked: a row whose score is not finite is no hit.
///
/// O(queries * count * dim), no memory but scratch. Errors: NULL, DIM, K (0), STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in the queries or the range's biases).
NNN_MUST_USE
nnn_status nnn_search_f32(const struct nnn_mat_f32 *queries,
                          const struct nnn_mat_f32 *gallery,
                          const float *bias,
                          const uint64_t *allow,
                          size_t k,
                          size_t first,
                          size_t count,
                          void *scratch,
                          size_t scratch_len,
                          struct nnn_hit *hits,
                          uint32_t *found);

/// As nnn_search_f32, of codes: ((float)dot * scale of the query) * scale of the row - bias, each step rounded once. VALUE is about
/// the scales of the queries and the range's biases.
NNN_MUST_USE
nnn_status nnn_search_i8(const struct nnn_mat_i8 *queries,
                         const struct nnn_mat_i8 *gallery,
                         const float *bias,
                         const uint64_t *allow,
                         size_t k,
                         size_t first,
                         size_t count,
                         void *scratch,
                         size_t scratch_len,
                         struct nnn_hit *hits,
                         uint32_t *found);

/// Merges the hits of another part of the gallery: `a` keeps the k best of both, *a_len how many they are. Any order of merging
/// gives the same.
///
/// a: *a_len hits in the order of hits, with room for k. b: b_len hits in the order of hits, any number of them. Ids of shards have
/// been made absolute by the caller (base of the shard added) and are disjoint.
///
/// O(k + b_len), no work memory. Errors: NULL, K (0), OVERFLOW, RANGE (*a_len above k, or a result above 2^32 - 1), ALIGN, ALIAS,
/// VALUE (a list that is not in order, NaN, infinity).
NNN_MUST_USE nnn_status nnn_hits_merge(struct nnn_hit *a, uint32_t *a_len, const struct nnn_hit *b, uint32_t b_len, size_t k);

/// Debiases the hits of another engine: the k best of the candidates by score - bias[id], best first, to hits, their number to
/// *found.
///
/// candidates: len hits in any order, with raw similarities; duplicates stay. bias: bias_len floats, one per gallery row. hits: room
/// for min(k, len). *found = min(k, candidates whose debiased score is finite); hits past it are not written.
///
/// O(len * min(k, len)) at worst, O(len) when few candidates rank; no work memory. Errors: NULL, K (0), OVERFLOW, RANGE (an id >=
/// bias_len, len or bias_len above 2^32 - 1), ALIGN, ALIAS, VALUE (NaN or infinity in a candidate's score or its bias).
NNN_MUST_USE
nnn_status nnn_rerank(const struct nnn_hit *candidates,
                      size_t len,
                      const float *bias,
                      size_t bias_len,
                      size_t k,
                      struct nnn_hit *hits,
                      uint32_t *found);

/// nnn_rerank of the best len rows of a gallery by plain score, which also tells whether the hits are those of a search of the whole
/// gallery: then *next = 0, else *next = how many candidates to ask the engine for next (twice as many, at most bias_len).
///
/// candidates: the exact best len rows of an index over all bias_len rows, each id once, in any order. bias_min: at most every bias.
/// hits: room for min(k, len).
///
/// The proof: a row that is no candidate scores at most the least candidate's s and has a bias of at least bias_min; rounding is
/// monotone, so its debiased score is at most s - bias_min, rounded. If the k-th hit is strictly above that, it neither beats nor ties
/// it. All rows are always proved. Of an approximate index' answer this covers only the rows that score at most s: it says nothing
/// about better rows that the index missed. Scores are the engine's: its own rounding is no part of the proof.
///
/// O(len * min(k, len)) at worst; no work memory. Errors: those of nnn_rerank; RANGE also for len above bias_len; VALUE also for a
/// bias_min that is not finite or above a candidate's bias.
NNN_MUST_USE
nnn_status nnn_rerank_certified(const struct nnn_hit *candidates,
                                size_t len,
                                const float *bias,
                                size_t bias_len,
                                float bias_min,
                                size_t k,
                                struct nnn_hit *hits,
                                uint32_t *found,
                                size_t *next);

/// ======== Gated search ========
///
/// Adds to an activation set the gallery rows that are among the n best of a bank query: those of the first n hits of each list.
///
/// hits, found: the plain hits of `queries` bank queries, k apart, as nnn_search_* gives them. set: one bit per gallery row, bit r % 64 of
/// word r / 64, zeroed before the first call; sets of bank shards are combined by |, hits of gallery shards merged first.
///
/// O(queries * n), no work memory. Errors: NULL, K (k is 0, n is 0 or above k), OVERFLOW, RANGE (a count above k, an id >= rows), ALIGN,
/// ALIAS.
NNN_MUST_USE
nnn_status nnn_activation_set(const struct nnn_hit *hits,
                              const uint32_t *found,
                              size_t queries,
                              size_t k,
                              size_t n,
                              size_t rows,
                              uint64_t *set);

/// nnn_search_f32 with corrections that open per query: QBNorm's dynamic inverted softmax with one gate, DBNorm's DualDIS with two (of a
/// query bank and of a gallery bank).
///
/// gates: one or two. winners: queries->rows gallery rows: the best row of each query by plain scores over the whole gallery (the first
/// hit of a plain search with k = 1), UINT32_MAX when there is none. A gate is open for the query if that row is in its set.
/// One gate, open: score - bias; closed: the plain score. Two gates, both open: score - (beta bias + beta' bias') / (beta + beta'), that
/// is DualIS; both closed: the plain score; one open: score - bias + ln(max(score, 2^-126)) / beta, the logarithm over beta of the
/// authors' product of the plain score and the inverted softmax. Where the score is not positive that product ranks by the wrong end;
/// here such rows follow the others, in the order of score - bias as far as float tells it beside 87 / beta.
///
/// Since winners come from outside, ranges and merges give the same bits as one call. All else is as in nnn_search_f32, at its cost; with
/// just one of two gates open a logarithm a row on top. Errors: those of nnn_search_f32, RANGE (not one or two gates, a winner that is
/// no row), VALUE (NaN or infinity in the range's biases, beta not finite or not above 0).
NNN_MUST_USE
nnn_status nnn_search_gated_f32(const struct nnn_mat_f32 *queries,
                                const struct nnn_mat_f32 *gallery,
                                const struct nnn_gate *gates,
                                size_t gates_len,
                                const uint32_t *winners,
                                const uint64_t *allow,
                                size_t k,
                                size_t first,
                                size_t count,
                                void *scratch,
                                size_t scratch_len,
                                struct nnn_hit *hits,
                                uint32_t *found);

/// As nnn_search_gated_f32, of codes.
NNN_MUST_USE
nnn_status nnn_search_gated_i8(const struct nnn_mat_i8 *queries,
                               const struct nnn_mat_i8 *gallery,
                               const struct nnn_gate *gates,
                               size_t gates_len,
                               const uint32_t *winners,
                               const uint64_t *allow,
                               size_t k,
                               size_t first,
                               size_t count,
                               void *scratch,
                               size_t scratch_len,
                               struct nnn_hit *hits,
                               uint32_t *found);

/// nnn_rerank with corrections that open per query, as in nnn_search_gated_*; the winner is the best of the candidates.
///
/// candidates: len hits of one query in any order, with raw similarities. rows: of the gallery. hits: room for min(k, len).
///
/// O(len * min(k, len)) at worst, O(rows) for the finite check; no work memory. Errors: NULL, K (0), OVERFLOW, RANGE (not one or two
/// gates, an id >= rows, len or rows above 2^32 - 1), ALIGN, ALIAS, VALUE (NaN or infinity in a candidate's score or the biases, beta not
/// finite or not above 0).
NNN_MUST_USE
nnn_status nnn_rerank_gated(const struct nnn_hit *candidates,
                            size_t len,
                            const struct nnn_gate *gates,
                            size_t gates_len,
                            size_t rows,
                            size_t k,
                            struct nnn_hit *hits,
                            uint32_t *found);

/// Dual softmax (DSL) over a batch of live queries: reranks one query's candidates by score * e^(beta * (score - bias)) * queries, in the
/// log domain: the new score is score - bias + ln(max(score, 2^-126) * queries) / beta. Of rows whose score is not positive the order
/// is that of score - bias.
///
/// bias: bias_len floats, the inverted softmax (nnn_logsum_bias) of every gallery row with the live batch itself as the bank; beta: that
/// of the bias, the inverse of the temperature; queries: how many the batch has.
///
/// Transductive: each query's ranking depends on the other queries of the batch. Figures obtained with it do not compare with those of
/// methods that see one query at a time, and a service that answers queries as they come cannot use it.
///
/// Otherwise as nnn_rerank. Errors: NULL, K (k or queries is 0), OVERFLOW, RANGE (an id >= bias_len, len or bias_len above 2^32 - 1),
/// ALIGN, ALIAS, VALUE (NaN or infinity in a candidate's score or its bias, beta not finite or not above 0).
NNN_MUST_USE
nnn_status nnn_dual_softmax(const struct nnn_hit *candidates,
                            size_t len,
                            const float *bias,
                            size_t bias_len,
                            float beta,
                            size_t queries,
                            size_t k,
                            struct nnn_hit *hits,
                            uint32_t *found);

/// ======== Evaluation ========
///
/// Everything works on ranks, hits and labels in the caller's memory. The right answers of query q are the gallery rows
/// ids[offsets[q]] .. ids[offsets[q + 1] - 1], one or more: offsets has queries + 1 numbers.
///
/// The rank of each query's best answer among its hits, from 1; NNN_NOT_RANKED when none is there.
///
/// hits, found: as nnn_search_* gives them for k. ranks: queries numbers. O(hits * answers), no work memory. Errors: NULL, K (0),
/// OVERFLOW, RANGE (a count above k, offsets that descend or end past ids_len), ALIGN, ALIAS, VALUE (a query without an answer).
NNN_MUST_USE
nnn_status nnn_best_ranks(const struct nnn_hit *hits,
                          const uint32_t *found,
                          size_t queries,
                          size_t k,
                          const size_t *offsets,
                          const uint32_t *ids,
                          size_t ids_len,
                          uint32_t *ranks);

/// Recommended bytes of scratch of nnn_ranks_* for that many biases: 16 KiB and 128 (1 + biases). A sixteenth works too, slower.
size_t nnn_ranks_scratch(size_t biases);

/// The exact rank of each query's best answer in the whole gallery, by plain scores and by each of several biases, from 1.
///
/// biases: biases_len of them one after the other, each gallery->rows floats: those of a grid (nnn_neighbors_grid), or of several methods.
/// ranks: (1 + biases_len) x queries->rows numbers, those by plain scores first; each just what nnn_search_* would give. All biases share
/// the dots of one search. NNN_NOT_RANKED where no answer's score is finite.
///
/// O(queries * rows * (dim + biases_len)). Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE (an answer that is no gallery row, offsets that
/// descend or end past ids_len), ALIGN, CAPACITY (scratch below a sixteenth of nnn_ranks_scratch, and 8), ALIAS, VALUE (NaN or infinity
/// in queries or biases, a query without an answer).
NNN_MUST_USE
nnn_status nnn_ranks_f32(const struct nnn_mat_f32 *queries,
                         const struct nnn_mat_f32 *gallery,
                         const float *biases,
                         size_t biases_len,
                         const size_t *offsets,
                         const uint32_t *ids,
                         size_t ids_len,
                         void *scratch,
                         size_t scratch_len,
                         uint32_t *ranks);

/// As nnn_ranks_f32, of codes.
NNN_MUST_USE
nnn_status nnn_ranks_i8(const struct nnn_mat_i8 *queries,
                        const struct nnn_mat_i8 *gallery,
                        const float *biases,
                        size_t biases_len,
                        const size_t *offsets,
                        const uint32_t *ids,
                        size_t ids_len,
                        void *scratch,
                        size_t scratch_len,
                        uint32_t *ranks);

/// Recall at k: *share of the ranks are k or better.
///
/// Errors: NULL, K (0), OVERFLOW, ALIGN, ALIAS, VALUE (len is 0).
NNN_MUST_USE nnn_status nnn_recall(const uint32_t *ranks, size_t len, size_t k, double *share);

/// The median rank, the mean of the two in the middle when they are even in number; infinite when the middle is not ranked.
///
/// O(32 * len), no work memory. Errors: NULL, OVERFLOW, ALIGN, ALIAS, VALUE (len is 0).
NNN_MUST_USE nnn_status nnn_median_rank(const uint32_t *ranks, size_t len, double *median);

/// Paired bootstrap of the difference in recall at k between two runs over the same queries: *gain is after minus before, and the
/// interval that holds the middle `confidence` of the resampled differences.
///
/// before, after: the ranks of the same `queries` queries. work: work_len numbers, one per resample (1,000 at least for 95 per cent). The
/// same seed gives the same interval everywhere. O(work_len * queries). Errors: NULL, K (0), OVERFLOW, RANGE, ALIGN, CAPACITY (work_len
/// is 0), ALIAS, VALUE (queries is 0, confidence not between 0 and 1).
NNN_MUST_USE
nnn_status nnn_bootstrap(const uint32_t *before,
                         const uint32_t *after,
                         size_t queries,
                         size_t k,
                         double confidence,
                         uint64_t seed,
                         uint32_t *work,
                         size_t work_len,
                         struct nnn_interval *gain);

/// Chooses among biases by recall at k on held-out queries, and proposes none unless it is sure to help.
///
/// ranks: (1 + biases) x queries numbers as nnn_ranks_* gives them, plain first. *best: the bias with the best recall, from 0; of equally
/// good ones the first, so list the mildest first, as nnn_neighbors_grid does. *gain: its gain over plain search and the interval of
/// nnn_bootstrap. *helps: 1 when that interval lies above 0 and chance alone lets some bias gain as many standard deviations,
/// (won - lost) / sqrt(won + lost) queries, in fewer than 1 - confidence of random sign flips (plain and corrected swapped, per
/// query, in all runs together); else 0: serve without a correction. The interval of the winner looks a little better than it is: judge it on queries that took no part in the choice.
///
/// work, confidence, seed: as of nnn_bootstrap; two numbers per flip, so that fewer than 2 / (1 - confidence) never say 1.
/// O(biases * queries * (1 + work_len / 64)). Errors: NULL, K (k or biases is 0), OVERFLOW, RANGE, ALIGN, CAPACITY (work_len is 0),
/// ALIAS, VALUE (queries is 0, confidence not between 0 and 1).
NNN_MUST_USE
nnn_status nnn_choose(const uint32_t *ranks,
                      size_t biases,
                      size_t queries,
                      size_t k,
                      double confidence,
                      uint64_t seed,
                      uint32_t *work,
                      size_t work_len,
                      size_t *best,
                      uint32_t *helps,
                      struct nnn_interval *gain);

/// Adds to each gallery row's k-occurrence: in how many queries' first n hits it is.
///
/// hits, found: as nnn_search_* gives them for k. counts: rows numbers, zeroed before the first call. O(queries * n), no work memory.
/// Errors: NULL, K (k is 0, n is 0 or above k), OVERFLOW, RANGE (a count above k, an id >= rows, a sum above 2^32 - 1), ALIGN, ALIAS.
NNN_MUST_USE
nnn_status nnn_count_occurrences(const struct nnn_hit *hits,
                                 const uint32_t *found,
                                 size_t queries,
                                 size_t k,
                                 size_t n,
                                 uint32_t *counts,
                                 size_t rows);

/// How unevenly queries reach the gallery: the distribution of k-occurrences.
///
/// counts: rows numbers of nnn_count_occurrences. O(rows), no work memory. Errors: NULL, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (all counts
/// are 0).
NNN_MUST_USE
nnn_status nnn_hubness(const uint32_t *counts,
                       size_t rows,
                       struct nnn_hubness_stats *hubness);

/// The attribute bias of each query's first n hits, (number of A - number of B) / n, and its means over the queries.
///
/// labels: rows of them, one per gallery row: 1 for attribute A, -1 for B, 0 for neither. biases: queries floats. A query with fewer than
/// n hits is divided by those it has; one without any has bias 0. O(queries * n), no work memory. Errors: NULL, K (k is 0, n is 0 or above
/// k), OVERFLOW, RANGE (a count above k, an id >= rows), ALIGN, ALIAS, VALUE (no queries, another label, labels that do not hold both
/// attributes).
NNN_MUST_USE
nnn_status nnn_attribute_bias(const struct nnn_hit *hits,
                              const uint32_t *found,
                              size_t queries,
                              size_t k,
                              size_t n,
                              const int8_t *labels,
                              size_t rows,
                              float *biases,
                              struct nnn_fairness *means);

/// Draws a bank in which every group is equally large: as many rows of each as the smallest has, without replacement, ascending.
///
/// groups: one number per bank row, 0 for rows that are never drawn. sample: room for capacity rows; rows are always enough. *count: how
/// many were drawn. The same seed draws the same everywhere. O(rows), 2 KiB of stack. Errors: NULL, OVERFLOW, RANGE, ALIGN, ALIAS,
/// CAPACITY (fewer than what is drawn), VALUE (fewer than two groups).
NNN_MUST_USE
nnn_status nnn_balanced_sample(const uint8_t *groups,
                               size_t rows,
                               uint64_t seed,
                               uint32_t *sample,
                               size_t capacity,
                               size_t *count);

/// ======== Certified: exact float results at int8 speed ========
///
/// The mean of the rows of m, for nnn_encode_f32: out[j] = mean of m's column j, added up in float.
///
/// out: m->dim floats. O(rows * dim), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in m, or values so large that the sum might overflow).
NNN_MUST_USE nnn_status nnn_mean_f32(const struct nnn_mat_f32 *m, float *out);

/// Encodes rows for the certified calls: int8 codes, one scale and one bound per row.
///
/// With q' = R(q - mean), r' = R r and the codes' images q^, r^ of a query q and a gallery row r, where R is an orthonormal
/// transform named by the seed (0: none),
///   |<q, r> - <q^, r^> - <mean, r>| <= |q' - q^| |r'| + |q^| |r' - r^|
/// so the norms in the bounds limit the error of every score. The bounds hold for every mean and seed, which only decide how small
/// they are: moving and rotating tame the few huge dimensions of CLIP-like embeddings. Both sides need the same mean and seed.
///
/// mean: src->dim floats, best nnn_mean_f32 of the bank, or NULL. side: NNN_SIDE_GALLERY or NNN_SIDE_QUERY (live queries, bank).
/// work: src->dim floats. codes: src->rows x src->dim, rows codes_stride apart. scale, bounds: src->rows each.
///
/// O(rows * dim * log dim). Errors: NULL, DIM, STRIDE (codes_stride < dim too), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in src or mean; another side).
NNN_MUST_USE
nnn_status nnn_encode_f32(const struct nnn_mat_f32 *src,
                          const float *mean,
                          uint32_t side,
                          uint64_t seed,
                          float *work,
                          int8_t *codes,
                          size_t codes_stride,
                          float *scale,
                          struct nnn_bound *bounds);

/// Recommended bytes of scratch of the certified calls, good for every instruction set: 1 MiB, and above k = 12,125 646 KiB + 32 k.
/// SIZE_MAX when that is not representable. NNN_CERTIFIED_SCRATCH_BYTES(k, dim) is the same as a constant. Less works too, slower,
/// down to NNN_CERTIFIED_SCRATCH_MIN_BYTES(k).
size_t nnn_certified_scratch(size_t k, size_t dim);

/// nnn_neighbors_update_f32 of the rows, bit for bit, by their codes: an int8 pass finds for each gallery row a short list that
/// provably holds its k nearest of the bank, and only that is computed in float. A list that is not short (many near-ties) is given
/// to the float pass.
///
/// table: count x k floats as for nnn_neighbors_update_f32. certificate: what was done, or NULL.
///
/// O(count * bank rows * dim) of int8 work, on real embeddings about 2 k pairs a row of float work. Errors: as
/// nnn_neighbors_update_f32; CAPACITY is scratch below NNN_CERTIFIED_SCRATCH_MIN_BYTES(k).
NNN_MUST_USE
nnn_status nnn_neighbors_update_certified(const struct nnn_encoded *gallery,
                                          const struct nnn_encoded *bank,
                                          size_t k,
                                          size_t first,
                                          size_t count,
                                          void *scratch,
                                          size_t scratch_len,
                                          float *table,
                                          struct nnn_certificate *certificate);

/// nnn_bias_f32 of the rows, bit for bit, by their codes; as nnn_neighbors_update_certified.
///
/// bias: count floats. certificate: what was done, or NULL. Errors: as nnn_bias_f32; CAPACITY is scratch below
/// NNN_CERTIFIED_SCRATCH_MIN_BYTES(k).
NNN_MUST_USE
nnn_status nnn_bias_certified(const struct nnn_encoded *gallery,
                              const struct nnn_encoded *bank,
                              size_t k,
                              float alpha,
                              size_t first,
                              size_t count,
                              void *scratch,
                              size_t scratch_len,
                              float *bias,
                              struct nnn_certificate *certificate);

/// nnn_search_f32 of the rows, bit for bit, by their codes: a quarter of the memory traffic. Queries are encoded with
/// NNN_SIDE_QUERY and the mean and seed of the gallery.
///
/// bias, allow, hits, found: as for nnn_search_f32. certificate: what was done, or NULL. Errors: as nnn_search_f32, and CAPACITY
/// (scratch below NNN_CERTIFIED_SCRATCH_MIN_BYTES(k)).
NNN_MUST_USE
nnn_status nnn_search_certified(const struct nnn_encoded *queries,
                                const struct nnn_encoded *gallery,
                                const float *bias,
                                const uint64_t *allow,
                                size_t k,
                                size_t first,
                                size_t count,
                                void *scratch,
                                size_t scratch_len,
                                struct nnn_hit *hits,
                                uint32_t *found,
                                struct nnn_certificate *certificate);

/// ======== Export to ANN engines ========
///
/// Debiased search in an engine that knows inner products, squared distances or cosines only: the bias b of a row r becomes one or two
/// further elements. Exact for rows and queries q of any length (unit length keeps the elements small, which graph indexes like):
///
///   form           row                                                query            score back
///   inner product  [r, b - c]                                         [q, -alpha]      ip - alpha c
///   L2             [r, sqrt(n - r.r + 2 (b - bias_min))]              [q, 0]           (q.q + n - 2 bias_min - d2) / 2
///   cosine         [r, b - c, sqrt(n - r.r + h^2 - (b - c)^2)]        [q, -alpha, 0]   cos * sqrt((n + h^2) (q.q + alpha^2)) - alpha c
///
/// n: the largest r.r. c, h: middle and half width of the biases' range. alpha: 1; or rows carry means (biases of alpha 1) and every
/// query its own alpha, without a new index, but for L2. Never put the inner-product form into a cosine index: it divides by the
/// lengths, and the ranking is wrong without any error.
///
/// Floats of a vector of that form (NNN_FORM_*) for rows of dim floats, rounded up to a multiple of `multiple` (0 counts as 1): the dim
/// of the index, and the out_stride of the writers. SIZE_MAX for an unknown form, or when it is not representable.
size_t nnn_export_dim(size_t dim,
                      uint32_t form,
                      size_t multiple);

/// Bytes of a vector of codes (nnn_export_rows_i8): dim codes, zeros up to a multiple of 4, scale, bias. SIZE_MAX when that is not
/// representable.
size_t nnn_export_bytes(size_t dim);

/// *limits = what the gallery rows first..first + count and their biases lie within; of no rows: limits that any others replace in a
/// merge.
///
/// For rows to come, widen the fields by hand: a row outside is refused by the writers. All rows of an index are written with the same
/// limits, which its scores need too: store them with it. bias: gallery->rows floats.
///
/// O(count * dim), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or infinity in the range or its
/// biases).
NNN_MUST_USE
nnn_status nnn_export_limits_f32(const struct nnn_mat_f32 *gallery,
                                 const float *bias,
                                 size_t first,
                                 size_t count,
                                 struct nnn_export_limits *limits);

/// As nnn_export_limits_f32, of codes and their scales.
NNN_MUST_USE
nnn_status nnn_export_limits_i8(const struct nnn_mat_i8 *gallery,
                                const float *bias,
                                size_t first,
                                size_t count,
                                struct nnn_export_limits *limits);

/// Widens limits by those of other rows. Any order of merging gives the same.
///
/// O(1). Errors: NULL, ALIGN, ALIAS.
NNN_MUST_USE nnn_status nnn_export_limits_merge(struct nnn_export_limits *into, const struct nnn_export_limits *from);

/// Writes the vectors of the gallery rows first..first + count, out_stride floats each: the row, the form's last elements, zeros up to
/// the stride (of the last vector too).
///
/// bias: gallery->rows floats. limits: those of the whole index. form: NNN_FORM_*. out: count * out_stride floats; out_stride >=
/// nnn_export_dim(dim, form, 1).
///
/// O(count * out_stride), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE (also a row outside of the limits), ALIGN, ALIAS,
/// VALUE (NaN or infinity in the range or its biases; an unknown form; limits of no rows or too large for float).
NNN_MUST_USE
nnn_status nnn_export_rows_f32(const struct nnn_mat_f32 *gallery,
                               const float *bias,
                               const struct nnn_export_limits *limits,
                               uint32_t form,
                               size_t first,
                               size_t count,
                               float *out,
                               size_t out_stride);

/// Writes rows of codes with scale and bias beside them, out_stride bytes each, for nnn_metric_i8: dim codes, zeros up to a multiple of
/// 4, the scale and b - c as floats, zeros up to the stride (>= nnn_export_bytes(dim)). Limits with bias_min = -bias_max keep b as it
/// is (c = 0).
///
/// O(count * out_stride), no work memory. Errors: as nnn_export_rows_f32.
NNN_MUST_USE
nnn_status nnn_export_rows_i8(const struct nnn_mat_i8 *gallery,
                              const float *bias,
                              const struct nnn_export_limits *limits,
                              size_t first,
                              size_t count,
                              void *out,
                              size_t out_stride);

/// Writes the vectors of queries, as nnn_export_rows_f32 those of rows. alpha: 1, or where rows carry means what their biases shall be
/// multiplied by.
///
/// O(queries * out_stride), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or infinity in the
/// queries, an unknown form, alpha not finite, or not 1 for L2).
NNN_MUST_USE
nnn_status nnn_export_queries_f32(const struct nnn_mat_f32 *queries,
                                  uint32_t form,
                                  float alpha,
                                  float *out,
                                  size_t out_stride);

/// As nnn_export_queries_f32, of codes for nnn_metric_i8, out_stride bytes each.
NNN_MUST_USE nnn_status nnn_export_queries_i8(const struct nnn_mat_i8 *queries, float alpha, void *out, size_t out_stride);

/// Makes what an engine answered for one query into debiased scores, in place: len inner products, squared distances (of an engine that
/// takes the root: square them) or cosines. For engines that answer 1 - x, subtract from 1 first; for nnn_metric_*, negate.
///
/// query: dim floats, as they were before the export. Computed in double, rounded once. With u = 2^-24, e the error of the engine's
/// value and s the score, the error is at most (up to 2^-50 of the terms)
///
///   inner product  e + u (|s| + |alpha (b - c)|)
///   L2             e / 2 + u (|s| + n - r.r + 2 (b - bias_min))
///   cosine         e sqrt((n + h^2) (q.q + alpha^2)) + u (|s| + |alpha (b - c)| + |q.r - alpha (b - c)|)
///
/// O(dim + len). Errors: NULL, DIM, OVERFLOW, RANGE (len above 2^32 - 1), ALIGN, ALIAS, VALUE (NaN or infinity in the query or the
/// values, form and alpha as in nnn_export_queries_f32, limits of no rows).
NNN_MUST_USE
nnn_status nnn_export_scores(const struct nnn_export_limits *limits,
                             uint32_t form,
                             const float *query,
                             size_t dim,
                             float alpha,
                             float *values,
                             size_t len);

/// Distance of two vectors of the inner-product form for engines that take a function: hnswlib's DISTFUNC<float>, and USearch's metric
/// of kind array-array-state. `state`: a const size_t with the dim of the rows (without the bias) that outlives the index; a and b: dim + 1 floats.
///
/// Minus the inner product: -(score + alpha c); where c = 0 and alpha = 1, minus the score of nnn_search_f32, bit for bit. Symmetric,
/// as graph builds need. +inf where that is not finite, or an argument is NULL, misaligned or a dim out of range: never NaN.
float nnn_metric_f32(const void *a,
                     const void *b,
                     const void *state);

/// As nnn_metric_f32, of two vectors of nnn_export_rows_i8 or nnn_export_queries_i8 at any address; a is the query, where there is one.
float nnn_metric_i8(const void *a,
                    const void *b,
                    const void *state);

/// ======== Coarse index ========
///
/// Inverted lists over centroids: biases and debiased search that look at a part of the bank or the gallery only. Rows belong to the
/// list of the centroid with the largest inner product and are laid out list by list; a pass probes the lists of the best centroids.
/// What is scored is scored exactly: with all lists probed the bits are those of the exact pass. An index is plain arrays of the
/// caller, to be kept in any file:
///
///   centroids   lists x dim floats, stride dim: a matrix of one row a list
///   offsets     lists + 1 numbers: list l holds the places offsets[l] to offsets[l + 1] - 1
///   ids         rows numbers: the original row at each place, ascending within a list
///
///   nnn_coarse_train(&sample, lists, 10, seed, scratch, scratch_len, centroids);
///   nnn_coarse_assign(&bank, &c, 0, bank.rows, scratch, scratch_len, assigned);       any ranges, any threads
///   nnn_coarse_lists(assigned, bank.rows, lists, offsets, ids);
///   nnn_coarse_gather_f32(&bank, ids, bank.rows, listed_rows, dim);                   the rows in list order: `listed`
///   nnn_coarse_neighbors_f32(&gallery, &listed, &c, offsets, probes, k, 0, gallery.rows, scratch, scratch_len, table, &pairs);
///   nnn_coarse_bias(table, gallery.rows, k, k, 0.75f, bias, &short_rows);
///
/// New rows: assign them, then nnn_coarse_lists and gather anew, O(rows); the centroids stay. Any content of these arrays is safe;
/// nnn_coarse_check tells whether it is an index.
///
/// Recommended bytes of scratch of nnn_coarse_train: 12 a row, 4 a list, 8 a dim, and 640 KiB. SIZE_MAX when that is not representable.
/// 651,264 less work too, slower. NNN_COARSE_TRAIN_SCRATCH_BYTES(rows, lists, dim) is the same as a constant.
size_t nnn_coarse_train_scratch(size_t rows,
                                size_t lists,
                                size_t dim);

/// Recommended bytes of scratch of nnn_coarse_neighbors_* for so many gallery rows, and of nnn_coarse_search_* for so many queries:
/// 8 for each of up to 8,192 rows and each of its probes, about 1.2 MiB (256 a probe where those are thousands), and 4 a list. SIZE_MAX
/// when that is not representable. Less works too, slower, down to that of one row.
/// NNN_COARSE_SCRATCH_BYTES(rows, lists, probes, dim) is the same as a constant.
size_t nnn_coarse_scratch(size_t rows,
                          size_t lists,
                          size_t probes,
                          size_t dim);

/// Centroids of a sample: lists rows of unit length, dim floats each, by spherical k-means: `rounds` times each row is assigned to the
/// centroid with the largest inner product, and each centroid becomes the mean of its rows, scaled to unit length (Dhillon and Modha,
/// 2001). It starts from one row of each of `lists` equal stretches of the sample, drawn by seed. A centroid without rows takes the
/// worst-fitting row of the largest list. The same bits on every instruction set with fused multiply-add. With fewer distinct rows
/// than lists some lists stay empty.
///
/// Between sqrt(rows to be indexed) and four times as many lists, from 50 sampled rows or more a list, in 10 rounds, are a good start.
///
/// centroids: lists x dim floats. O(rounds * rows * lists * dim). Errors: NULL, DIM, K (no lists, or no rows), STRIDE, OVERFLOW, RANGE,
/// ALIGN, CAPACITY (scratch more than 651,264 bytes below nnn_coarse_train_scratch), ALIAS, VALUE (NaN or infinity in the sample).
NNN_MUST_USE
nnn_status nnn_coarse_train(const struct nnn_mat_f32 *sample,
                            size_t lists,
                            size_t rounds,
                            uint64_t seed,
                            void *scratch,
                            size_t scratch_len,
                            float *centroids);

/// The list of each row of first..first + count: the centroid with the largest inner product, ties by the lower list; a row without a
/// finite similarity goes to list 0. Ranges in any order and by any threads give the bits of one call.
///
/// assigned: count numbers. scratch: as nnn_neighbors_scratch, less is slower. O(count * lists * dim). Errors: NULL, DIM, K (no
/// centroids), STRIDE, OVERFLOW, RANGE, ALIGN, CAPACITY (scratch below NNN_COARSE_ASSIGN_SCRATCH_MIN_BYTES), ALIAS, VALUE (NaN or
/// infinity in the range or the centroids).
NNN_MUST_USE
nnn_status nnn_coarse_assign(const struct nnn_mat_f32 *rows,
                             const struct nnn_mat_f32 *centroids,
                             size_t first,
                             size_t count,
                             void *scratch,
                             size_t scratch_len,
                             uint32_t *assigned);

/// From the list of each row to the lists, by a counting sort.
///
/// assigned: rows numbers below lists. offsets: lists + 1 numbers. ids: rows numbers. O(rows + lists), no work memory. Errors: NULL,
/// OVERFLOW, RANGE (more than 2^32 - 1 rows or 2^32 - 2 lists), ALIGN, ALIAS, VALUE (a list that is not there).
NNN_MUST_USE
nnn_status nnn_coarse_lists(const uint32_t *assigned,
                            size_t rows,
                            size_t lists,
                            uint32_t *offsets,
                            uint32_t *ids);

/// Whether offsets and ids are those of an index over so many rows: NNN_OK, or VALUE. Reads all of it, once.
///
/// offsets: lists + 1 numbers. ids: rows numbers. scratch: NNN_COARSE_CHECK_SCRATCH_BYTES(rows), that is rows / 8, rounded up.
/// O(rows + lists). Errors: NULL, OVERFLOW, RANGE (more than 2^32 - 1 rows or 2^32 - 2 lists), ALIGN, CAPACITY (scratch), ALIAS, VALUE
/// (offsets do not ascend from 0 to rows; a row is missing, there twice or not ascending in its list).
NNN_MUST_USE
nnn_status nnn_coarse_check(size_t rows,
                            size_t lists,
                            const uint32_t *offsets,
                            const uint32_t *ids,
                            void *scratch,
                            size_t scratch_len);

/// Copies rows in the order of ids: row i of dst is row ids[i] of src. With the ids of nnn_coarse_lists: the rows in list order.
///
/// ids: count numbers. dst: count rows of src->dim floats, dst_stride apart. O(count * dim). Errors: NULL, DIM, STRIDE (of src;
/// dst_stride below the dim), OVERFLOW, RANGE (an id that is no row), ALIGN, ALIAS.
NNN_MUST_USE
nnn_status nnn_coarse_gather_f32(const struct nnn_mat_f32 *src,
                                 const uint32_t *ids,
                                 size_t count,
                                 float *dst,
                                 size_t dst_stride);

/// As nnn_coarse_gather_f32, of codes. scale: count floats, 1 where src has no scales.
NNN_MUST_USE
nnn_status nnn_coarse_gather_i8(const struct nnn_mat_i8 *src,
                                const uint32_t *ids,
                                size_t count,
                                int8_t *dst,
                                size_t dst_stride,
                                float *scale);

/// Adds to the table rows of the gallery rows first..first + count what their `probes` best lists of the bank hold.
///
/// bank: in list order. The lists of a row are those with the largest inner product of row (codes: code * scale) and centroid, ties by
/// the lower list, empty ones left out. probes = lists, or more, gives the bits of nnn_neighbors_update_*. A row that finds no finite
/// similarity in them goes on with the other lists, in order, until it finds one. table: count x k floats, made by
/// nnn_neighbors_init. *pairs: how many pairs of rows were scored.
///
/// O(count * (lists + probed bank rows) * dim); nothing depends on the size of the bank: its values are not checked, a similarity that
/// is not finite is no neighbour. Errors: NULL, DIM, K (k or probes is 0), STRIDE, OVERFLOW, RANGE, ALIGN, CAPACITY (scratch below
/// nnn_coarse_scratch of one row), ALIAS, VALUE (NaN or infinity in the range or the centroids; offsets that do not ascend from 0 to
/// the bank's rows; table rows that are not in order).
NNN_MUST_USE
nnn_status nnn_coarse_neighbors_f32(const struct nnn_mat_f32 *gallery,
                                    const struct nnn_mat_f32 *bank,
                                    const struct nnn_mat_f32 *centroids,
                                    const uint32_t *offsets,
                                    size_t probes,
                                    size_t k,
                                    size_t first,
                                    size_t count,
                                    void *scratch,
                                    size_t scratch_len,
                                    float *table,
                                    uint64_t *pairs);

/// As nnn_coarse_neighbors_f32, of codes; the centroids are floats.
NNN_MUST_USE
nnn_status nnn_coarse_neighbors_i8(const struct nnn_mat_i8 *gallery,
                                   const struct nnn_mat_i8 *bank,
                                   const struct nnn_mat_f32 *centroids,
                                   const uint32_t *offsets,
                                   size_t probes,
                                   size_t k,
                                   size_t first,
                                   size_t count,
                                   void *scratch,
                                   size_t scratch_len,
                                   float *table,
                                   uint64_t *pairs);

/// As nnn_neighbors_bias, but a row that has seen fewer than k bank rows has alpha times the mean of what it has seen. *short_rows:
/// how many rows those are; many of them mean that more probes are needed.
///
/// O(rows * k), no work memory. Errors: NULL, K (k is 0 or above table_k, or a row has seen none), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE
/// (alpha not finite, rows not in order, a bias beyond the range of float).
NNN_MUST_USE
nnn_status nnn_coarse_bias(const float *table,
                           size_t rows,
                           size_t table_k,
                           size_t k,
                           float alpha,
                           float *bias,
                           size_t *short_rows);

/// For each query the k rows with the largest <query, row> - bias[row] among those in its `probes` best lists, best first.
///
/// gallery: in list order. ids: gallery->rows numbers. bias, allow and the hits' ids are in terms of the original rows, as in
/// nnn_search_*. The lists of a query are those with the largest inner product of query (codes: code * scale) and centroid, ties by
/// the lower list, empty ones left out. probes = lists, or more, gives the bits of nnn_search_*. *pairs: how many pairs of query and
/// row were scored.
///
/// O(queries * (lists + probed rows) * dim); nothing depends on the size of the gallery: neither its values nor the biases are checked,
/// a row whose debiased score is not finite is no hit, nor is one whose id has no bias. Errors: NULL, DIM, K (k or probes is 0), STRIDE,
/// OVERFLOW, RANGE, ALIGN, CAPACITY (scratch below nnn_coarse_scratch of one row), ALIAS, VALUE (NaN or infinity in the queries or the
/// centroids; offsets that do not ascend from 0 to the gallery's rows).
NNN_MUST_USE
nnn_status nnn_coarse_search_f32(const struct nnn_mat_f32 *queries,
                                 const struct nnn_mat_f32 *gallery,
                                 const struct nnn_mat_f32 *centroids,
                                 const uint32_t *offsets,
                                 const uint32_t *ids,
                                 const float *bias,
                                 const uint64_t *allow,
                                 size_t probes,
                                 size_t k,
                                 void *scratch,
                                 size_t scratch_len,
                                 struct nnn_hit *hits,
                                 uint32_t *found,
                                 uint64_t *pairs);

/// As nnn_coarse_search_f32, of codes; the centroids are floats.
NNN_MUST_USE
nnn_status nnn_coarse_search_i8(const struct nnn_mat_i8 *queries,
                                const struct nnn_mat_i8 *gallery,
                                const struct nnn_mat_f32 *centroids,
                                const uint32_t *offsets,
                                const uint32_t *ids,
                                const float *bias,
                                const uint64_t *allow,
                                size_t probes,
                                size_t k,
                                void *scratch,
                                size_t scratch_len,
                                struct nnn_hit *hits,
                                uint32_t *found,
                                uint64_t *pairs);

/// How far biases are from the exact ones, on all rows or a sample: mean and maximum of |bias[i] - exact[i]|, summed in double.
///
/// exact, bias: rows floats. O(rows). Errors: NULL, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or infinity).
NNN_MUST_USE nnn_status nnn_bias_error(const float *exact, const float *bias, size_t rows, struct nnn_bias_errors *error);

/// Recall at k of hits against exact ones: the share of the exact hits that are among the hits, over all queries; 1 where there are no
/// exact hits.
///
/// exact, hits: queries x k hits as a search writes them. exact_found, found: queries counts. O(queries * k^2). Errors: NULL, K (0),
/// OVERFLOW, RANGE (a count above k), ALIGN, ALIAS.
NNN_MUST_USE
nnn_status nnn_hits_recall(const struct nnn_hit *exact,
                           const uint32_t *exact_found,
                           const struct nnn_hit *hits,
                           const uint32_t *found,
                           size_t queries,
                           size_t k,
                           double *recall);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/* Both sides agree on the layout of the structs. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define NNN_STATIC_ASSERT_(condition) static_assert(condition, "layout of nnn.h")
#elif !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define NNN_STATIC_ASSERT_(condition) _Static_assert(condition, "layout of nnn.h")
#endif
#ifdef NNN_STATIC_ASSERT_
NNN_STATIC_ASSERT_(sizeof(float) == 4 && sizeof(void *) == sizeof(size_t));
NNN_STATIC_ASSERT_(sizeof(nnn_hit) == 8 && offsetof(nnn_hit, score) == 0 && offsetof(nnn_hit, id) == 4);
NNN_STATIC_ASSERT_(sizeof(nnn_mat_f32) == 4 * sizeof(size_t) && offsetof(nnn_mat_f32, data) == 0 &&
                   offsetof(nnn_mat_f32, rows) == sizeof(size_t) && offsetof(nnn_mat_f32, dim) == 2 * sizeof(size_t) &&
                   offsetof(nnn_mat_f32, stride) == 3 * sizeof(size_t));
NNN_STATIC_ASSERT_(sizeof(nnn_mat_i8) == 5 * sizeof(size_t) && offsetof(nnn_mat_i8, data) == 0 &&
                   offsetof(nnn_mat_i8, scale) == sizeof(size_t) && offsetof(nnn_mat_i8, rows) == 2 * sizeof(size_t) &&
                   offsetof(nnn_mat_i8, dim) == 3 * sizeof(size_t) && offsetof(nnn_mat_i8, stride) == 4 * sizeof(size_t));
NNN_STATIC_ASSERT_(sizeof(nnn_bound) == 16 && offsetof(nnn_bound, residual) == 0 && offsetof(nnn_bound, norm) == 4 &&
                   offsetof(nnn_bound, length) == 8 && offsetof(nnn_bound, offset) == 12);
NNN_STATIC_ASSERT_(sizeof(nnn_certificate) == 16 && offsetof(nnn_certificate, rescored) == 0 &&
                   offsetof(nnn_certificate, exhausted) == 8);
NNN_STATIC_ASSERT_(sizeof(nnn_encoded) == 10 * sizeof(size_t) && offsetof(nnn_encoded, codes) == 4 * sizeof(size_t) &&
                   offsetof(nnn_encoded, bounds) == 9 * sizeof(size_t));
NNN_STATIC_ASSERT_(sizeof(nnn_log_sum) == 40 && sizeof(nnn_exact_sum) == 40);
NNN_STATIC_ASSERT_(offsetof(nnn_gate, active) == sizeof(size_t) && offsetof(nnn_gate, beta) == 2 * sizeof(size_t));
NNN_STATIC_ASSERT_(sizeof(nnn_hubness_stats) == 40 && offsetof(nnn_hubness_stats, maximum) == 32);
NNN_STATIC_ASSERT_(sizeof(nnn_export_limits) == 16 && offsetof(nnn_export_limits, bias_min) == 8 &&
                   offsetof(nnn_export_limits, bias_max) == 12);
NNN_STATIC_ASSERT_(sizeof(nnn_bias_errors) == 16 && offsetof(nnn_bias_errors, max) == 8);
NNN_STATIC_ASSERT_(sizeof(nnn_interval) == 24 && sizeof(nnn_fairness) == 16);
#undef NNN_STATIC_ASSERT_
#endif

#endif /* NNN_H */
