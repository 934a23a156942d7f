/*
 * nnn.hpp: libnnn for C++17 and later. Header-only; every function is one call of its namesake in nnn.h, where the contracts stand.
 *
 *   std::vector<float> bias(gallery.rows);
 *   nnn::check(nnn::bias(gallery, bank, 16, 0.75f, nnn::all, scratch, bias));                                  // throws
 *   if (auto s = nnn::search(queries, gallery, bias, std::nullopt, 10, nnn::all, {}, hits, found); s != nnn::status::ok) ...
 *   std::error_code e = nnn::search(queries, gallery, std::nullopt, std::nullopt, 10, nnn::all, {}, hits, found);
 *
 * Arguments  Those of C in the order of C. Pointer and length are one span, first and count one range, an argument that may be
 *            absent is a std::optional. A span is made of any contiguous container: std::vector, std::array, an array, std::span.
 * Errors     Every call returns a status, which converts to std::error_code; check() throws it. Beyond the checks of C, a span
 *            that is shorter than the call needs is status::capacity. That is found first, and nothing is written.
 * Memory     Views only: nothing here owns, allocates, keeps or frees. What a view refers to must outlive the call.
 * Threads    As in C: the caller's. Hand out ranges and merge; the bits are those of one call.
 */
#ifndef NNN_HPP
#define NNN_HPP

#include "nnn.h"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>

namespace nnn {

/* ======== Status ======== */

/// Result of a call: ok, or the first of the errors that applies. The numbers are those of nnn.h.
enum class [[nodiscard]] status : std::int32_t {
    ok = NNN_OK,
    null = NNN_ERR_NULL,
    dim = NNN_ERR_DIM,
    k = NNN_ERR_K,
    range = NNN_ERR_RANGE,
    stride = NNN_ERR_STRIDE,
    overflow = NNN_ERR_OVERFLOW,
    align = NNN_ERR_ALIGN,
    alias = NNN_ERR_ALIAS,
    capacity = NNN_ERR_CAPACITY,
    value = NNN_ERR_VALUE,
    isa = NNN_ERR_ISA
};

/// One line about a status: what is wrong and what to do about it. Static text.
inline const char *message(status s) noexcept { return nnn_status_str(static_cast<nnn_status>(s)); }

/// The std::error_category of libnnn's status codes.
inline const std::error_category &category() noexcept {
    struct nnn_category final : std::error_category {
        const char *name() const noexcept override { return "nnn"; }
        std::string message(int code) const override { return nnn_status_str(code); }
    };
    static const nnn_category instance;
    return instance;
}

inline std::error_code make_error_code(status s) noexcept { return {static_cast<int>(s), category()}; }

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
/// Throws std::system_error unless the status is ok.
inline void check(status s) {
    if (s != status::ok) throw std::system_error(make_error_code(s));
}
#endif

/* ======== Views ======== */

namespace detail {

/// T (*)[] of what an expression's data() points to: converts where only const is added, so never between element types.
template <class C>
using elements_of = std::remove_pointer_t<decltype(std::data(std::declval<C &>()))> (*)[];

/// Whether `each * rows` elements fit into `size`, without overflow.
constexpr bool holds(std::size_t size, std::size_t rows, std::size_t each) noexcept { return each == 0 || size / each >= rows; }

/// Whether `rows` rows of `dim` elements, `stride` apart, fit into `size`. A stride below dim is for C to refuse.
constexpr bool holds_rows(std::size_t size, std::size_t rows, std::size_t dim, std::size_t stride) noexcept {
    return rows == 0 || stride < dim || (size >= dim && (stride == 0 || (size - dim) / stride >= rows - 1));
}

/// How many rows of `dim` elements, `stride` apart, `size` elements hold.
constexpr std::size_t rows_in(std::size_t size, std::size_t dim, std::size_t stride) noexcept {
    return dim == 0 || stride < dim || size < dim ? 0 : (size - dim) / stride + 1;
}

}  // namespace detail

/// Elements next to each other in the caller's memory: a pointer and a length, as std::span of C++20.
template <class T>
class span {
public:
    constexpr span() noexcept = default;
    constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}

    /// Of a container with data() and size(), or an array.
    template <class C, class = std::enable_if_t<std::is_convertible_v<detail::elements_of<C>, T (*)[]>>>
    constexpr span(C &&container) noexcept : data_(std::data(container)), size_(std::size(container)) {}

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/// Work memory: bytes of any content, of any contiguous container.
class scratch {
public:
    constexpr scratch() noexcept = default;
    constexpr scratch(void *data, std::size_t bytes) noexcept : data_(data), bytes_(bytes) {}

    template <class C, class T = std::remove_pointer_t<decltype(std::data(std::declval<C &>()))>,
              class = std::enable_if_t<std::is_trivially_copyable_v<T> && !std::is_const_v<T>>>
    constexpr scratch(C &&container) noexcept : data_(std::data(container)), bytes_(std::size(container) * sizeof(T)) {}

    constexpr void *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return bytes_; }

private:
    void *data_ = nullptr;
    std::size_t bytes_ = 0;
};

/// Gallery rows first..first + count; without a count up to the last one.
struct range {
    static constexpr std::size_t to_the_end = SIZE_MAX;
    std::size_t first = 0;
    std::size_t count = to_the_end;
};

/// All gallery rows.
inline constexpr range all{};

/// Rows of floats: an nnn_mat_f32.
struct matrix_f32 : nnn_mat_f32 {
    constexpr matrix_f32(const float *first, std::size_t n, std::size_t width, std::size_t step) noexcept
        : nnn_mat_f32{first, n, width, step} {}
    constexpr matrix_f32(const float *first, std::size_t n, std::size_t width) noexcept : matrix_f32(first, n, width, width) {}
    /// As many whole rows as the elements hold.
    constexpr matrix_f32(span<const float> elements, std::size_t width, std::size_t step) noexcept
        : matrix_f32(elements.data(), detail::rows_in(elements.size(), width, step), width, step) {}
    constexpr matrix_f32(span<const float> elements, std::size_t width) noexcept : matrix_f32(elements, width, width) {}
};

/// Rows of int8 codes, with a scale per row or without: an nnn_mat_i8.
struct matrix_i8 : nnn_mat_i8 {
    constexpr matrix_i8(const std::int8_t *first, const float *scales, std::size_t n, std::size_t width, std::size_t step) noexcept
        : nnn_mat_i8{first, scales, n, width, step} {}
    /// As many whole rows as the codes hold; all scales are 1.
    constexpr matrix_i8(span<const std::int8_t> codes, std::size_t width, std::size_t step) noexcept
        : matrix_i8(codes.data(), nullptr, detail::rows_in(codes.size(), width, step), width, step) {}
    constexpr matrix_i8(span<const std::int8_t> codes, std::size_t width) noexcept : matrix_i8(codes, width, width) {}
    /// As many whole rows as both the codes and the scales hold.
    constexpr matrix_i8(span<const std::int8_t> codes, span<const float> scales, std::size_t width, std::size_t step) noexcept
        : matrix_i8(codes, width, step) {
        scale = scales.data();
        if (scales.size() < rows) rows = scales.size();
    }
    constexpr matrix_i8(span<const std::int8_t> codes, span<const float> scales, std::size_t width) noexcept
        : matrix_i8(codes, scales, width, width) {}
};

/// A gallery row and its score.
using hit = nnn_hit;

namespace detail {

template <class Matrix>
struct functions;

template <>
struct functions<matrix_f32> {
    static constexpr auto scores = &nnn_scores_f32;
    static constexpr auto update = &nnn_neighbors_update_f32;
    static constexpr auto bias = &nnn_bias_f32;
    static constexpr auto search = &nnn_search_f32;
    static constexpr auto log_sums = &nnn_logsum_update_f32;
    static constexpr auto columns = &nnn_columns_update_f32;
    static constexpr auto mean_bias = &nnn_mean_bias_f32;
    static constexpr auto sinkhorn = &nnn_sinkhorn_bias_f32;
    static constexpr auto search_gated = &nnn_search_gated_f32;
    static constexpr auto ranks = &nnn_ranks_f32;
    static constexpr auto update_ids = &nnn_neighbor_ids_update_f32;
    static constexpr auto export_limits = &nnn_export_limits_f32;
    static constexpr auto coarse_neighbors = &nnn_coarse_neighbors_f32;
    static constexpr auto coarse_search = &nnn_coarse_search_f32;
};

template <>
struct functions<matrix_i8> {
    static constexpr auto scores = &nnn_scores_i8;
    static constexpr auto update = &nnn_neighbors_update_i8;
    static constexpr auto bias = &nnn_bias_i8;
    static constexpr auto search = &nnn_search_i8;
    static constexpr auto log_sums = &nnn_logsum_update_i8;
    static constexpr auto columns = &nnn_columns_update_i8;
    static constexpr auto mean_bias = &nnn_mean_bias_i8;
    static constexpr auto sinkhorn = &nnn_sinkhorn_bias_i8;
    static constexpr auto search_gated = &nnn_search_gated_i8;
    static constexpr auto ranks = &nnn_ranks_i8;
    static constexpr auto update_ids = &nnn_neighbor_ids_update_i8;
    static constexpr auto export_limits = &nnn_export_limits_i8;
    static constexpr auto coarse_neighbors = &nnn_coarse_neighbors_i8;
    static constexpr auto coarse_search = &nnn_coarse_search_i8;
};

constexpr status of(nnn_status code) noexcept { return static_cast<status>(code); }

/// The range with its count.
template <class Matrix>
constexpr range resolve(range r, const Matrix &gallery) noexcept {
    if (r.count == range::to_the_end && r.first <= gallery.rows) r.count = gallery.rows - r.first;
    return r;
}

/// Words of a bitmap.
constexpr std::size_t words(std::size_t bits) noexcept { return bits / 64 + (bits % 64 != 0); }

/// Rows of a resolved range that exist; a range past the end is for C to refuse.
template <class Matrix>
constexpr std::size_t existing(range r, const Matrix &gallery) noexcept {
    return r.count < gallery.rows ? r.count : gallery.rows;
}

}  // namespace detail

/* ======== Machine ======== */

/// Instruction sets that this build can run on this machine, slowest first.
struct isa_list {
    nnn_isa items[16] = {};
    std::size_t count = 0;
    const nnn_isa *begin() const noexcept { return items; }
    const nnn_isa *end() const noexcept { return items + count; }
};

inline isa_list isa_available() noexcept {
    isa_list list;
    if (nnn_isa_available(list.items, 16, &list.count) != NNN_OK) list.count = 0;  // 16 are always enough
    return list;
}
/// What is linked: major * 65536 + minor * 256 + patch, and the number that changes with the binary interface.
inline std::uint32_t version() noexcept { return nnn_version(); }
inline std::uint32_t abi_version() noexcept { return nnn_abi_version(); }

/// What an AArch64 machine has, as nnn_cpu.h reads it.
inline status cpu_hwcap(std::uint64_t hwcap, std::uint64_t hwcap2) noexcept { return detail::of(nnn_cpu_hwcap(hwcap, hwcap2)); }

inline nnn_isa isa_active() noexcept { return nnn_isa_active(); }
inline const char *isa_name(nnn_isa isa) noexcept { return nnn_isa_str(isa); }
inline status isa_select(nnn_isa isa) noexcept { return detail::of(nnn_isa_select(isa)); }

/* ======== Kernels ======== */

/// out = <a, b>; different lengths are status::dim.
inline status dot(span<const float> a, span<const float> b, float &out) noexcept {
    return a.size() != b.size() ? status::dim : detail::of(nnn_dot_f32(a.data(), b.data(), a.size(), &out));
}
/** One row with four; see nnn_dot4_f32. */
inline status dot4(span<const float> query, span<const float> row0, span<const float> row1, span<const float> row2,
                   span<const float> row3, float (&out)[4]) noexcept {
    const std::size_t dim = query.size();
    if (row0.size() != dim || row1.size() != dim || row2.size() != dim || row3.size() != dim)
        return status::dim;
    return detail::of(nnn_dot4_f32(query.data(), row0.data(), row1.data(), row2.data(), row3.data(), dim, out));
}
inline status dot4(span<const std::int8_t> query, span<const std::int8_t> row0, span<const std::int8_t> row1,
                   span<const std::int8_t> row2, span<const std::int8_t> row3, std::int32_t (&out)[4]) noexcept {
    const std::size_t dim = query.size();
    if (row0.size() != dim || row1.size() != dim || row2.size() != dim || row3.size() != dim)
        return status::dim;
    return detail::of(nnn_dot4_i8(query.data(), row0.data(), row1.data(), row2.data(), row3.data(), dim, out));
}
inline status dot(span<const std::int8_t> a, span<const std::int8_t> b, std::int32_t &out) noexcept {
    return a.size() != b.size() ? status::dim : detail::of(nnn_dot_i8(a.data(), b.data(), a.size(), &out));
}

/// out[q * out_stride + j] = <query q, row first + j>.
template <class Matrix>
status scores(const Matrix &queries, const Matrix &gallery, range rows, span<float> out, std::size_t out_stride) noexcept {
    const range r = detail::resolve(rows, gallery);
    const std::size_t columns = detail::existing(r, gallery);
    if (columns > 0 && !detail::holds_rows(out.size(), queries.rows, columns, out_stride)) return status::capacity;
    return detail::of(detail::functions<Matrix>::scores(&queries, &gallery, r.first, r.count, out.data(), out_stride));
}

/* ======== Rows ======== */

/// Where find_nonfinite found something.
struct position {
    std::size_t row = 0;
    std::size_t col = 0;
};

/// status::value, and where, when there is a NaN or an infinity.
inline status find_nonfinite(const matrix_f32 &m, position &where) noexcept {
    return detail::of(nnn_find_nonfinite_f32(&m, &where.row, &where.col));
}

/// dst row = src row / |src row|.
inline status normalize(const matrix_f32 &src, span<float> dst, std::size_t dst_stride) noexcept {
    if (!detail::holds_rows(dst.size(), src.rows, src.dim, dst_stride)) return status::capacity;
    return detail::of(nnn_normalize_f32(&src, dst.data(), dst_stride));
}

/// In place, dense rows of dim elements.
inline status normalize(span<float> rows, std::size_t dim) noexcept { return normalize(matrix_f32(rows, dim), rows, dim); }

/// Symmetric int8 codes with one scale per row.
inline status quantize(const matrix_f32 &src, span<std::int8_t> dst, std::size_t dst_stride, span<float> scale) noexcept {
    const bool fits = detail::holds_rows(dst.size(), src.rows, src.dim, dst_stride) && scale.size() >= src.rows;
    return fits ? detail::of(nnn_quantize_i8(&src, dst.data(), dst_stride, scale.data())) : status::capacity;
}

/* ======== Codes with bounds ======== */

/// What the codes of a row lose.
using bound = nnn_bound;

/// What a certified call did.
using certificate = nnn_certificate;

/// Which side of a score rows are.
enum class side : std::uint32_t { gallery = NNN_SIDE_GALLERY, query = NNN_SIDE_QUERY };

/// Rows with the codes and bounds that encode() made of them, as many as all three hold: an nnn_encoded.
struct encoded : nnn_encoded {
    constexpr encoded(const matrix_f32 &floats, const matrix_i8 &bytes, span<const bound> limits) noexcept
        : nnn_encoded{floats, bytes, limits.data()} {
        std::size_t n = limits.size();
        if (floats.rows < n) n = floats.rows;
        if (bytes.rows < n) n = bytes.rows;
        rows.rows = codes.rows = n;
    }
};

/// out[j] = mean of column j.
inline status mean(const matrix_f32 &m, span<float> out) noexcept {
    return out.size() < m.dim ? status::capacity : detail::of(nnn_mean_f32(&m, out.data()));
}

/// Codes, scales and bounds of rows, for the certified calls. mean: m.dim floats, or std::nullopt; another size is status::dim.
inline status encode(const matrix_f32 &src, std::optional<span<const float>> mean, side which, std::uint64_t seed, span<float> work,
                     span<std::int8_t> codes, std::size_t codes_stride, span<float> scale, span<bound> bounds) noexcept {
    if (mean && mean->size() != src.dim) return status::dim;
    const bool fits = work.size() >= src.dim && detail::holds_rows(codes.size(), src.rows, src.dim, codes_stride) &&
                      scale.size() >= src.rows && bounds.size() >= src.rows;
    return fits ? detail::of(nnn_encode_f32(&src, mean ? mean->data() : nullptr, static_cast<std::uint32_t>(which), seed, work.data(),
                                            codes.data(), codes_stride, scale.data(), bounds.data()))
                : status::capacity;
}

/// Recommended bytes of scratch of the certified calls.
inline std::size_t certified_scratch(std::size_t k, std::size_t dim) noexcept { return nnn_certified_scratch(k, dim); }

/* ======== Neighbour table and bias ======== */

/// A neighbour table in the caller's floats: rows x k, as many whole rows as they hold. init() makes it empty; a table that was
/// built earlier goes on without.
class neighbors {
public:
    constexpr neighbors(span<float> table, std::size_t k) noexcept
        : table_(table.data()), rows_(k == 0 ? 0 : table.size() / k), k_(k) {}

    constexpr std::size_t rows() const noexcept { return rows_; }
    constexpr std::size_t k() const noexcept { return k_; }

    status init() noexcept { return detail::of(nnn_neighbors_init(table_, rows_, k_)); }

    /// Adds the bank to what the gallery rows of the range, one per table row, have seen.
    template <class Matrix>
    status update(const Matrix &gallery, const Matrix &bank, range rows, scratch work) noexcept {
        const range r = detail::resolve(rows, gallery);
        if (detail::existing(r, gallery) > rows_) return status::capacity;
        return detail::of(
            detail::functions<Matrix>::update(&gallery, &bank, k_, r.first, r.count, work.data(), work.size(), table_));
    }

    /// The same bits by codes; see encode. `done` may be absent: what the call did.
    status update_certified(const encoded &gallery, const encoded &bank, range rows, scratch work,
                            certificate *done = nullptr) noexcept {
        const range r = detail::resolve(rows, gallery.rows);
        if (detail::existing(r, gallery.rows) > rows_) return status::capacity;
        return detail::of(
            nnn_neighbors_update_certified(&gallery, &bank, k_, r.first, r.count, work.data(), work.size(), table_, done));
    }

    /// Takes over the neighbours of a table of the same rows; another shape is status::range.
    status merge(const neighbors &from) noexcept {
        if (from.rows_ != rows_ || from.k_ != k_) return status::range;
        return detail::of(nnn_neighbors_merge(table_, from.table_, rows_, k_));
    }

    /// bias[r] = alpha * mean of the first k neighbours of row r.
    status bias(std::size_t k, float alpha, span<float> bias) const noexcept {
        return bias.size() < rows_ ? status::capacity
                                   : detail::of(nnn_neighbors_bias(table_, rows_, k_, k, alpha, bias.data()));
    }

    /// The biases of a grid: biases[(j * ks.size() + i) * rows + r] is that of row r for alphas[j] and ks[i].
    status grid(span<const std::size_t> ks, span<const float> alphas, span<float> biases) const noexcept {
        const bool fits = detail::holds(biases.size(), alphas.size(), rows_) &&
                          detail::holds(biases.size(), ks.size(), alphas.size() * rows_);
        return !fits ? status::capacity
                     : detail::of(nnn_neighbors_grid(table_, rows_, k_, ks.data(), ks.size(), alphas.data(), alphas.size(),
                                                     biases.data()));
    }

private:
    float *table_;
    std::size_t rows_;
    std::size_t k_;
};

/// A neighbour table with ids in the caller's hits, for banks whose rows expire; as neighbors otherwise.
class neighbor_ids {
public:
    constexpr neighbor_ids(span<hit> table, std::size_t k) noexcept
        : table_(table.data()), rows_(k == 0 ? 0 : table.size() / k), k_(k) {}

    constexpr std::size_t rows() const noexcept { return rows_; }
    constexpr std::size_t k() const noexcept { return k_; }

    status init() noexcept { return detail::of(nnn_neighbor_ids_init(table_, rows_, k_)); }

    /// Adds the bank rows, row j with the id first_id + j; live: one bit per bank row, or std::nullopt: all.
    template <class Matrix>
    status update(const Matrix &gallery, const Matrix &bank, std::optional<span<const std::uint64_t>> live, std::size_t first_id,
                  range rows, scratch work) noexcept {
        const range r = detail::resolve(rows, gallery);
        if (detail::existing(r, gallery) > rows_ || (live && live->size() < detail::words(bank.rows))) return status::capacity;
        return detail::of(detail::functions<Matrix>::update_ids(&gallery, &bank, live ? live->data() : nullptr, first_id, k_, r.first,
                                                                r.count, work.data(), work.size(), table_));
    }

    /// Takes over the neighbours of a table of the same rows; another shape is status::range.
    status merge(const neighbor_ids &from) noexcept {
        if (from.rows_ != rows_ || from.k_ != k_) return status::range;
        return detail::of(nnn_neighbor_ids_merge(table_, from.table_, rows_, k_));
    }

    /// Removes what is not live of `ids` ids; the first short_count of short_rows are the table rows to recompute.
    status expire(std::size_t k, span<const std::uint64_t> live, std::size_t ids, span<std::uint32_t> short_rows,
                  std::size_t &short_count) noexcept {
        if (live.size() < detail::words(ids) || short_rows.size() < rows_) return status::capacity;
        return detail::of(nnn_neighbor_ids_expire(table_, rows_, k_, k, live.data(), ids, short_rows.data(), &short_count));
    }

    /// bias[r] = alpha * mean of the first k neighbours of row r.
    status bias(std::size_t k, float alpha, span<float> bias) const noexcept {
        return bias.size() < rows_ ? status::capacity
                                   : detail::of(nnn_neighbor_ids_bias(table_, rows_, k_, k, alpha, bias.data()));
    }

private:
    hit *table_;
    std::size_t rows_;
    std::size_t k_;
};

/// Recommended bytes of scratch of bias and neighbors::update.
inline std::size_t neighbors_scratch(std::size_t k, std::size_t dim) noexcept { return nnn_neighbors_scratch(k, dim); }

/// Biases of the gallery rows of the range, in one call.
template <class Matrix>
status bias(const Matrix &gallery, const Matrix &bank, std::size_t k, float alpha, range rows, scratch work,
            span<float> out) noexcept {
    const range r = detail::resolve(rows, gallery);
    if (out.size() < detail::existing(r, gallery)) return status::capacity;
    return detail::of(
        detail::functions<Matrix>::bias(&gallery, &bank, k, alpha, r.first, r.count, work.data(), work.size(), out.data()));
}

/// The bits of bias of the rows, by their codes.
inline status bias_certified(const encoded &gallery, const encoded &bank, std::size_t k, float alpha, range rows, scratch work,
                             span<float> out, certificate *done = nullptr) noexcept {
    const range r = detail::resolve(rows, gallery.rows);
    if (out.size() < detail::existing(r, gallery.rows)) return status::capacity;
    return detail::of(
        nnn_bias_certified(&gallery, &bank, k, alpha, r.first, r.count, work.data(), work.size(), out.data(), done));
}

/* ======== Softmax family, DN, Sinkhorn ======== */

using log_sum = nnn_log_sum;
using exact_sum = nnn_exact_sum;

/// The sums behind the inverted softmax, one per gallery row, in the caller's memory. init() makes them empty; sums that were made
/// earlier with the same beta go on without.
class log_sums {
public:
    constexpr log_sums(span<log_sum> sums, float beta) noexcept : sums_(sums), beta_(beta) {}

    status init() noexcept { return detail::of(nnn_logsum_init(sums_.data(), sums_.size())); }

    /// Adds the bank, row j e^log_weights[j] times, to what the gallery rows of the range, one per sum, have seen.
    template <class Matrix>
    status update(const Matrix &gallery, const Matrix &bank, range rows, scratch work,
                  std::optional<span<const float>> log_weights = std::nullopt) noexcept {
        const range r = detail::resolve(rows, gallery);
        if (detail::existing(r, gallery) > sums_.size()) return status::capacity;
        if (log_weights && log_weights->size() < bank.rows) return status::capacity;
        return detail::of(detail::functions<Matrix>::log_sums(&gallery, &bank, log_weights ? log_weights->data() : nullptr, beta_,
                                                              r.first, r.count, work.data(), work.size(), sums_.data()));
    }

    /// Takes over what sums of the same rows have seen; another number of them is status::range.
    status merge(const log_sums &from) noexcept {
        if (from.sums_.size() != sums_.size()) return status::range;
        return detail::of(nnn_logsum_merge(sums_.data(), from.sums_.data(), sums_.size()));
    }

    /// Natural logarithms of the sums.
    status ln(span<double> ln) const noexcept {
        return ln.size() < sums_.size() ? status::capacity : detail::of(nnn_logsum_ln(sums_.data(), sums_.size(), ln.data()));
    }

    /// The inverted softmax.
    status bias(span<float> bias) const noexcept {
        return bias.size() < sums_.size() ? status::capacity
                                          : detail::of(nnn_logsum_bias(sums_.data(), sums_.size(), beta_, bias.data()));
    }

    /// DualIS, with sums of the same rows over a bank of gallery items.
    status dual_bias(const log_sums &gallery, span<float> bias) const noexcept {
        if (gallery.sums_.size() != sums_.size()) return status::range;
        if (bias.size() < sums_.size()) return status::capacity;
        return detail::of(
            nnn_logsum_dual_bias(sums_.data(), beta_, gallery.sums_.data(), gallery.beta_, sums_.size(), bias.data()));
    }

private:
    span<log_sum> sums_;
    float beta_;
};

/// The exact column sums of a bank, in the caller's memory: dim of them.
class column_sums {
public:
    explicit constexpr column_sums(span<exact_sum> sums) noexcept : sums_(sums) {}

    status init() noexcept { return detail::of(nnn_columns_init(sums_.data(), sums_.size())); }

    /// Another dim is status::dim.
    template <class Matrix>
    status update(const Matrix &bank) noexcept {
        return bank.dim != sums_.size() ? status::dim : detail::of(detail::functions<Matrix>::columns(&bank, sums_.data()));
    }

    status merge(const column_sums &from) noexcept {
        if (from.sums_.size() != sums_.size()) return status::dim;
        return detail::of(nnn_columns_merge(sums_.data(), from.sums_.data(), sums_.size()));
    }

    /// The mean of `rows` bank rows.
    status mean(std::size_t rows, span<float> out) const noexcept {
        return out.size() < sums_.size() ? status::capacity
                                         : detail::of(nnn_columns_mean(sums_.data(), sums_.size(), rows, out.data()));
    }

private:
    span<exact_sum> sums_;
};

/// DN: out[i] = lambda * <mean, row first + i>; a mean of another dim is status::dim.
template <class Matrix>
status mean_bias(const Matrix &gallery, span<const float> mean, float lambda, range rows, span<float> out) noexcept {
    const range r = detail::resolve(rows, gallery);
    if (mean.size() != gallery.dim) return status::dim;
    if (out.size() < detail::existing(r, gallery)) return status::capacity;
    return detail::of(detail::functions<Matrix>::mean_bias(&gallery, mean.data(), lambda, r.first, r.count, out.data()));
}

/// SN, or with a gallery bank DBSN.
template <class Matrix>
status sinkhorn_bias(const Matrix &gallery, const Matrix *gallery_bank, const Matrix &bank, float tau, std::size_t iterations,
                     span<log_sum> sums, span<float> potentials, scratch work, span<float> out) noexcept {
    if (out.size() < gallery.rows) return status::capacity;
    return detail::of(detail::functions<Matrix>::sinkhorn(&gallery, gallery_bank, &bank, tau, iterations, sums.data(), sums.size(),
                                                          potentials.data(), potentials.size(), work.data(), work.size(),
                                                          out.data()));
}

/* ======== Search ======== */

/// Recommended bytes of scratch of search.
inline std::size_t search_scratch(std::size_t queries, std::size_t k, std::size_t dim) noexcept {
    return nnn_search_scratch(queries, k, dim);
}

namespace detail {

/// Whether all that a search reads and writes is there.
template <class Matrix>
constexpr bool search_fits(const Matrix &queries, const Matrix &gallery, const std::optional<span<const float>> &bias,
                           const std::optional<span<const std::uint64_t>> &allow, std::size_t k, span<hit> hits,
                           span<std::uint32_t> found) noexcept {
    // Given but empty is not absent: it must not become a plain search.
    return (!bias || bias->size() >= gallery.rows) && (!allow || allow->size() >= words(gallery.rows)) &&
           holds(hits.size(), queries.rows, k) && found.size() >= queries.rows;
}

}  // namespace detail

/// For each query the k rows of the range with the largest <query, row> - bias[row], best first, to hits[q * k].
/// bias: one float per gallery row, or std::nullopt: plain search. allow: one bit per gallery row, or std::nullopt: all rows.
template <class Matrix>
status search(const Matrix &queries, const Matrix &gallery, std::optional<span<const float>> bias,
              std::optional<span<const std::uint64_t>> allow, std::size_t k, range rows, scratch work, span<hit> hits,
              span<std::uint32_t> found) noexcept {
    if (!detail::search_fits(queries, gallery, bias, allow, k, hits, found)) return status::capacity;
    const range r = detail::resolve(rows, gallery);
    return detail::of(detail::functions<Matrix>::search(&queries, &gallery, bias ? bias->data() : nullptr,
                                                        allow ? allow->data() : nullptr, k, r.first, r.count, work.data(),
                                                        work.size(), hits.data(), found.data()));
}

/// The hits of search of the rows, by their codes. Queries are encoded with side::query and the mean and seed of the gallery.
inline status search_certified(const encoded &queries, const encoded &gallery, std::optional<span<const float>> bias,
                               std::optional<span<const std::uint64_t>> allow, std::size_t k, range rows, scratch work,
                               span<hit> hits, span<std::uint32_t> found, certificate *done = nullptr) noexcept {
    if (!detail::search_fits(queries.rows, gallery.rows, bias, allow, k, hits, found)) return status::capacity;
    const range r = detail::resolve(rows, gallery.rows);
    return detail::of(nnn_search_certified(&queries, &gallery, bias ? bias->data() : nullptr, allow ? allow->data() : nullptr, k,
                                           r.first, r.count, work.data(), work.size(), hits.data(), found.data(), done));
}

/// a, of which a_len are hits, keeps the k best of both lists.
inline status merge_hits(span<hit> a, std::uint32_t &a_len, span<const hit> b, std::size_t k) noexcept {
    if (a.size() < k) return status::capacity;
    if (b.size() > UINT32_MAX) return status::range;
    return detail::of(nnn_hits_merge(a.data(), &a_len, b.data(), static_cast<std::uint32_t>(b.size()), k));
}

/// The k best of another engine's candidates by score - bias[id].
inline status rerank(span<const hit> candidates, span<const float> bias, std::size_t k, span<hit> hits,
                     std::uint32_t &found) noexcept {
    if (hits.size() < (k < candidates.size() ? k : candidates.size())) return status::capacity;
    return detail::of(
        nnn_rerank(candidates.data(), candidates.size(), bias.data(), bias.size(), k, hits.data(), &found));
}

/// rerank of the exact best candidates; next = 0: proved to be the hits of the whole gallery, else how many candidates to ask for next.
inline status rerank_certified(span<const hit> candidates, span<const float> bias, float bias_min, std::size_t k, span<hit> hits,
                               std::uint32_t &found, std::size_t &next) noexcept {
    if (hits.size() < (k < candidates.size() ? k : candidates.size())) return status::capacity;
    return detail::of(nnn_rerank_certified(candidates.data(), candidates.size(), bias.data(), bias.size(), bias_min, k, hits.data(),
                                           &found, &next));
}

/* ======== Gated search ======== */

/// A bias that applies to queries whose best plain row is in the activation set. It has no lengths: bias and set are those of the
/// whole gallery.
using gate = nnn_gate;

/// Adds the rows of the first n hits of each query's list of k to an activation set.
inline status activation_set(span<const hit> hits, span<const std::uint32_t> found, std::size_t k, std::size_t n, std::size_t rows,
                             span<std::uint64_t> set) noexcept {
    if (!detail::holds(hits.size(), found.size(), k) || set.size() < detail::words(rows)) return status::capacity;
    return detail::of(nnn_activation_set(hits.data(), found.data(), found.size(), k, n, rows, set.data()));
}

/// search with one or two gates; winners: each query's best plain row, UINT32_MAX for none.
template <class Matrix>
status search_gated(const Matrix &queries, const Matrix &gallery, span<const gate> gates, span<const std::uint32_t> winners,
                    std::optional<span<const std::uint64_t>> allow, std::size_t k, range rows, scratch work, span<hit> hits,
                    span<std::uint32_t> found) noexcept {
    if (!detail::search_fits(queries, gallery, std::nullopt, allow, k, hits, found) || winners.size() < queries.rows)
        return status::capacity;
    const range r = detail::resolve(rows, gallery);
    return detail::of(detail::functions<Matrix>::search_gated(&queries, &gallery, gates.data(), gates.size(), winners.data(),
                                                              allow ? allow->data() : nullptr, k, r.first, r.count, work.data(),
                                                              work.size(), hits.data(), found.data()));
}

/// rerank with one or two gates over a gallery of `rows`.
inline status rerank_gated(span<const hit> candidates, span<const gate> gates, std::size_t rows, std::size_t k, span<hit> hits,
                           std::uint32_t &found) noexcept {
    if (hits.size() < (k < candidates.size() ? k : candidates.size())) return status::capacity;
    return detail::of(nnn_rerank_gated(candidates.data(), candidates.size(), gates.data(), gates.size(), rows, k, hits.data(), &found));
}

/// Dual softmax over a batch of live queries. Transductive: see nnn_dual_softmax.
inline status dual_softmax(span<const hit> candidates, span<const float> bias, float beta, std::size_t queries, std::size_t k,
                           span<hit> hits, std::uint32_t &found) noexcept {
    if (hits.size() < (k < candidates.size() ? k : candidates.size())) return status::capacity;
    return detail::of(nnn_dual_softmax(candidates.data(), candidates.size(), bias.data(), bias.size(), beta, queries, k, hits.data(),
                                       &found));
}

/* ======== Evaluation ======== */

using interval = nnn_interval;
using hubness_stats = nnn_hubness_stats;
using fairness = nnn_fairness;

/// The right answers: those of query q are ids[offsets[q]] up to ids[offsets[q + 1]].
struct positives {
    span<const std::size_t> offsets;
    span<const std::uint32_t> ids;
};

/// What choose() found: the best bias, whether it is sure to help, its gain.
struct choice {
    std::size_t best = 0;
    bool helps = false;
    interval gain{};
};

/// The rank of each query's best answer among its hits.
inline status best_ranks(span<const hit> hits, span<const std::uint32_t> found, std::size_t k, const positives &right,
                         span<std::uint32_t> ranks) noexcept {
    if (right.offsets.size() != found.size() + 1) return status::range;
    if (!detail::holds(hits.size(), found.size(), k) || ranks.size() < found.size()) return status::capacity;
    return detail::of(nnn_best_ranks(hits.data(), found.data(), found.size(), k, right.offsets.data(), right.ids.data(),
                                     right.ids.size(), ranks.data()));
}

/// Recommended bytes of scratch of ranks.
inline std::size_t ranks_scratch(std::size_t biases) noexcept { return nnn_ranks_scratch(biases); }

/// The exact ranks by plain scores and by each bias; biases that are no multiple of the rows are status::range.
template <class Matrix>
status ranks(const Matrix &queries, const Matrix &gallery, span<const float> biases, const positives &right, scratch work,
             span<std::uint32_t> out) noexcept {
    const std::size_t count = gallery.rows == 0 ? 0 : biases.size() / gallery.rows;
    if (count * gallery.rows != biases.size() || right.offsets.size() != queries.rows + 1) return status::range;
    if (!detail::holds(out.size(), queries.rows, count + 1)) return status::capacity;
    return detail::of(detail::functions<Matrix>::ranks(&queries, &gallery, biases.data(), count, right.offsets.data(),
                                                       right.ids.data(), right.ids.size(), work.data(), work.size(), out.data()));
}

/// The share of ranks that are k or better.
inline status recall(span<const std::uint32_t> ranks, std::size_t k, double &share) noexcept {
    return detail::of(nnn_recall(ranks.data(), ranks.size(), k, &share));
}

inline status median_rank(span<const std::uint32_t> ranks, double &median) noexcept {
    return detail::of(nnn_median_rank(ranks.data(), ranks.size(), &median));
}

/// Paired bootstrap of the difference in recall at k; runs of different length are status::range. work: one number per resample.
inline status bootstrap(span<const std::uint32_t> before, span<const std::uint32_t> after, std::size_t k, double confidence,
                        std::uint64_t seed, span<std::uint32_t> work, interval &gain) noexcept {
    if (before.size() != after.size()) return status::range;
    return detail::of(nnn_bootstrap(before.data(), after.data(), before.size(), k, confidence, seed, work.data(), work.size(), &gain));
}

/// Chooses among biases by the ranks of ranks(); ranks that are no multiple of the queries are status::range.
inline status choose(span<const std::uint32_t> ranks, std::size_t queries, std::size_t k, double confidence, std::uint64_t seed,
                     span<std::uint32_t> work, choice &chosen) noexcept {
    const std::size_t runs = queries == 0 ? 1 : ranks.size() / queries;
    if (runs * queries != ranks.size() || runs == 0) return status::range;
    std::uint32_t helps = 0;
    const status s = detail::of(nnn_choose(ranks.data(), runs - 1, queries, k, confidence, seed, work.data(), work.size(),
                                           &chosen.best, &helps, &chosen.gain));
    if (s == status::ok) chosen.helps = helps != 0;
    return s;
}

/// Adds to the k-occurrences of the gallery rows, one count each.
inline status count_occurrences(span<const hit> hits, span<const std::uint32_t> found, std::size_t k, std::size_t n,
                                span<std::uint32_t> counts) noexcept {
    if (!detail::holds(hits.size(), found.size(), k)) return status::capacity;
    return detail::of(nnn_count_occurrences(hits.data(), found.data(), found.size(), k, n, counts.data(), counts.size()));
}

/// The distribution of k-occurrences.
inline status hubness(span<const std::uint32_t> counts, hubness_stats &stats) noexcept {
    return detail::of(nnn_hubness(counts.data(), counts.size(), &stats));
}

/// The attribute bias of each query's first n hits, and its means. labels: 1, -1 or 0 per gallery row.
inline status attribute_bias(span<const hit> hits, span<const std::uint32_t> found, std::size_t k, std::size_t n,
                             span<const std::int8_t> labels, span<float> biases, fairness &means) noexcept {
    if (!detail::holds(hits.size(), found.size(), k) || biases.size() < found.size()) return status::capacity;
    return detail::of(nnn_attribute_bias(hits.data(), found.data(), found.size(), k, n, labels.data(), labels.size(), biases.data(),
                                         &means));
}

/// Draws as many rows of each group as the smallest has.
inline status balanced_sample(span<const std::uint8_t> groups, std::uint64_t seed, span<std::uint32_t> sample,
                              std::size_t &count) noexcept {
    return detail::of(nnn_balanced_sample(groups.data(), groups.size(), seed, sample.data(), sample.size(), &count));
}

/* ======== Export to ANN engines ======== */

/// What an engine's index compares vectors by. Cosine divides by the lengths: give it its own form.
enum class form : std::uint32_t { inner_product = NNN_FORM_INNER_PRODUCT, l2 = NNN_FORM_L2, cosine = NNN_FORM_COSINE };

/// What the rows of an export lie within.
using export_limits = nnn_export_limits;

/// Floats of a vector, a multiple of `multiple`.
inline std::size_t export_dim(std::size_t dim, form f, std::size_t multiple = 1) noexcept {
    return nnn_export_dim(dim, static_cast<std::uint32_t>(f), multiple);
}
/// Bytes of a vector of codes.
inline std::size_t export_bytes(std::size_t dim) noexcept { return nnn_export_bytes(dim); }

/// The limits of the rows of a range and their biases.
template <class Matrix>
status find_export_limits(const Matrix &gallery, span<const float> bias, range rows, export_limits &limits) noexcept {
    if (bias.size() < gallery.rows) return status::capacity;
    const range r = detail::resolve(rows, gallery);
    return detail::of(detail::functions<Matrix>::export_limits(&gallery, bias.data(), r.first, r.count, &limits));
}

/// Widens limits by those of other rows.
inline status merge_export_limits(export_limits &into, const export_limits &from) noexcept {
    return detail::of(nnn_export_limits_merge(&into, &from));
}

/// The vectors of the rows of a range, out_stride floats each.
inline status export_rows(const matrix_f32 &gallery, span<const float> bias, const export_limits &limits, form f, range rows,
                          span<float> out, std::size_t out_stride) noexcept {
    const range r = detail::resolve(rows, gallery);
    if (bias.size() < gallery.rows || !detail::holds(out.size(), detail::existing(r, gallery), out_stride)) return status::capacity;
    return detail::of(nnn_export_rows_f32(&gallery, bias.data(), &limits, static_cast<std::uint32_t>(f), r.first, r.count, out.data(),
                                          out_stride));
}
/// The vectors of codes, out_stride bytes each.
inline status export_rows(const matrix_i8 &gallery, span<const float> bias, const export_limits &limits, range rows,
                          span<std::int8_t> out, std::size_t out_stride) noexcept {
    const range r = detail::resolve(rows, gallery);
    if (bias.size() < gallery.rows || !detail::holds(out.size(), detail::existing(r, gallery), out_stride)) return status::capacity;
    return detail::of(nnn_export_rows_i8(&gallery, bias.data(), &limits, r.first, r.count, out.data(), out_stride));
}

/// The vectors of queries. alpha: 1, or where rows carry means that of these queries.
inline status export_queries(const matrix_f32 &queries, form f, float alpha, span<float> out, std::size_t out_stride) noexcept {
    if (!detail::holds(out.size(), queries.rows, out_stride)) return status::capacity;
    return detail::of(nnn_export_queries_f32(&queries, static_cast<std::uint32_t>(f), alpha, out.data(), out_stride));
}
inline status export_queries(const matrix_i8 &queries, float alpha, span<std::int8_t> out, std::size_t out_stride) noexcept {
    if (!detail::holds(out.size(), queries.rows, out_stride)) return status::capacity;
    return detail::of(nnn_export_queries_i8(&queries, alpha, out.data(), out_stride));
}

/// An engine's answers for one query become debiased scores, in place.
inline status export_scores(const export_limits &limits, form f, span<const float> query, float alpha, span<float> values) noexcept {
    return detail::of(nnn_export_scores(&limits, static_cast<std::uint32_t>(f), query.data(), query.size(), alpha, values.data(),
                                        values.size()));
}

/* ======== Coarse index ======== */

/// An index of the caller's arrays: a centroid per list, where each list begins, the original row of each place.
struct coarse {
    matrix_f32 centroids;
    span<const std::uint32_t> offsets;
    span<const std::uint32_t> ids;
};

/// Mean and maximum of what biases are off.
using bias_errors = nnn_bias_errors;

/// Recommended bytes of scratch of coarse_train.
inline std::size_t coarse_train_scratch(std::size_t rows, std::size_t lists, std::size_t dim) noexcept {
    return nnn_coarse_train_scratch(rows, lists, dim);
}

/// Recommended bytes of scratch of coarse_neighbors for so many gallery rows, and of coarse_search for so many queries.
inline std::size_t coarse_scratch(std::size_t rows, std::size_t lists, std::size_t probes, std::size_t dim) noexcept {
    return nnn_coarse_scratch(rows, lists, probes, dim);
}

/// Centroids of a sample, by spherical k-means.
inline status coarse_train(const matrix_f32 &sample, std::size_t lists, std::size_t rounds, std::uint64_t seed, scratch work,
                           span<float> centroids) noexcept {
    if (!detail::holds(centroids.size(), lists, sample.dim)) return status::capacity;
    return detail::of(nnn_coarse_train(&sample, lists, rounds, seed, work.data(), work.size(), centroids.data()));
}

/// The list of each row of the range.
inline status coarse_assign(const matrix_f32 &m, const matrix_f32 &centroids, range rows, scratch work,
                            span<std::uint32_t> assigned) noexcept {
    const range r = detail::resolve(rows, m);
    if (assigned.size() < detail::existing(r, m)) return status::capacity;
    return detail::of(nnn_coarse_assign(&m, &centroids, r.first, r.count, work.data(), work.size(), assigned.data()));
}

/// From the list of each row to offsets.size() - 1 lists.
inline status coarse_lists(span<const std::uint32_t> assigned, span<std::uint32_t> offsets, span<std::uint32_t> ids) noexcept {
    if (offsets.size() == 0 || ids.size() < assigned.size()) return status::capacity;
    return detail::of(nnn_coarse_lists(assigned.data(), assigned.size(), offsets.size() - 1, offsets.data(), ids.data()));
}

/// Whether offsets and ids are those of an index over ids.size() rows: ok, or status::value.
inline status coarse_check(span<const std::uint32_t> offsets, span<const std::uint32_t> ids, scratch work) noexcept {
    if (offsets.size() == 0) return status::capacity;
    return detail::of(nnn_coarse_check(ids.size(), offsets.size() - 1, offsets.data(), ids.data(), work.data(), work.size()));
}

/// dst row i = src row ids[i].
inline status coarse_gather(const matrix_f32 &src, span<const std::uint32_t> ids, span<float> dst, std::size_t dst_stride) noexcept {
    if (!detail::holds_rows(dst.size(), ids.size(), src.dim, dst_stride)) return status::capacity;
    return detail::of(nnn_coarse_gather_f32(&src, ids.data(), ids.size(), dst.data(), dst_stride));
}
inline status coarse_gather(const matrix_i8 &src, span<const std::uint32_t> ids, span<std::int8_t> dst, std::size_t dst_stride,
                            span<float> scale) noexcept {
    const bool fits = detail::holds_rows(dst.size(), ids.size(), src.dim, dst_stride) && scale.size() >= ids.size();
    if (!fits) return status::capacity;
    return detail::of(nnn_coarse_gather_i8(&src, ids.data(), ids.size(), dst.data(), dst_stride, scale.data()));
}

/// Adds to the table rows of the range, k floats each, what their best lists of the bank (in list order) hold.
template <class Matrix>
status coarse_neighbors(const Matrix &gallery, const Matrix &bank, const coarse &index, std::size_t probes, std::size_t k, range rows,
                        scratch work, span<float> table, std::uint64_t &pairs) noexcept {
    const range r = detail::resolve(rows, gallery);
    const bool fits = index.offsets.size() > index.centroids.rows && detail::holds(table.size(), detail::existing(r, gallery), k);
    if (!fits) return status::capacity;
    return detail::of(detail::functions<Matrix>::coarse_neighbors(&gallery, &bank, &index.centroids, index.offsets.data(), probes, k,
                                                                  r.first, r.count, work.data(), work.size(), table.data(), &pairs));
}

/// The biases of rows of table_k floats; a row that has seen fewer than k has the mean of what it has seen, and is counted.
inline status coarse_bias(span<const float> table, std::size_t table_k, std::size_t k, float alpha, span<float> bias,
                          std::size_t &short_rows) noexcept {
    const std::size_t rows = table_k == 0 ? 0 : table.size() / table_k;
    if (bias.size() < rows) return status::capacity;
    return detail::of(nnn_coarse_bias(table.data(), rows, table_k, k, alpha, bias.data(), &short_rows));
}

/// As search, of the best lists of a gallery in list order. bias, allow and ids of hits are in terms of the original rows.
template <class Matrix>
status coarse_search(const Matrix &queries, const Matrix &gallery, const coarse &index, std::optional<span<const float>> bias,
                     std::optional<span<const std::uint64_t>> allow, std::size_t probes, std::size_t k, scratch work,
                     span<hit> hits, span<std::uint32_t> found, std::uint64_t &pairs) noexcept {
    const bool fits = index.offsets.size() > index.centroids.rows && index.ids.size() >= gallery.rows;
    if (!fits || !detail::search_fits(queries, gallery, bias, allow, k, hits, found)) return status::capacity;
    return detail::of(detail::functions<Matrix>::coarse_search(
        &queries, &gallery, &index.centroids, index.offsets.data(), index.ids.data(), bias ? bias->data() : nullptr,
        allow ? allow->data() : nullptr, probes, k, work.data(), work.size(), hits.data(), found.data(), &pairs));
}

/// How far biases are from the exact ones; different lengths are status::range.
inline status bias_error(span<const float> exact, span<const float> bias, bias_errors &errors) noexcept {
    if (exact.size() != bias.size()) return status::range;
    return detail::of(nnn_bias_error(exact.data(), bias.data(), exact.size(), &errors));
}

/// The share of the exact hits that are among the hits.
inline status hits_recall(span<const hit> exact, span<const std::uint32_t> exact_found, span<const hit> hits,
                          span<const std::uint32_t> found, std::size_t k, double &recall) noexcept {
    if (exact_found.size() != found.size()) return status::range;
    if (!detail::holds(exact.size(), found.size(), k) || !detail::holds(hits.size(), found.size(), k)) return status::capacity;
    return detail::of(
        nnn_hits_recall(exact.data(), exact_found.data(), hits.data(), found.data(), found.size(), k, &recall));
}

}  // namespace nnn

/// A status is an std::error_code.
template <>
struct std::is_error_code_enum<nnn::status> : std::true_type {};

#endif  // NNN_HPP
