// Every function of nnn.hpp against its namesake of nnn.h, and what the C++ layer adds: views, sizes, errors.
#include "nnn.hpp"

#include <algorithm>
#include "nnn.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif

#define EXPECT(...)                                                                  \
    do {                                                                             \
        if (!(__VA_ARGS__)) {                                                        \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #__VA_ARGS__);   \
            std::abort();                                                            \
        }                                                                            \
    } while (false)

using nnn::status;

// Views are what C takes, and cost what C costs.
static_assert(sizeof(nnn::matrix_f32) == sizeof(nnn_mat_f32) && std::is_trivially_copyable_v<nnn::matrix_f32>);
static_assert(sizeof(nnn::matrix_i8) == sizeof(nnn_mat_i8) && std::is_trivially_copyable_v<nnn::matrix_i8>);
static_assert(sizeof(nnn::span<float>) == 2 * sizeof(void *) && std::is_trivially_copyable_v<nnn::span<float>>);

// Only const is added: no other element type, no output over constants.
static_assert(std::is_constructible_v<nnn::span<const float>, const std::vector<float> &>);
static_assert(std::is_constructible_v<nnn::span<float>, std::vector<float> &>);
static_assert(!std::is_constructible_v<nnn::span<float>, const std::vector<float> &>);
static_assert(!std::is_constructible_v<nnn::span<float>, std::vector<double> &>);
static_assert(!std::is_constructible_v<nnn::span<const float>, std::vector<std::int8_t> &>);
static_assert(!std::is_constructible_v<nnn::scratch, const std::vector<float> &>);
static_assert(!std::is_constructible_v<nnn::scratch, std::vector<std::string> &>);

constexpr std::size_t dim = 5, rows = 70, banks = 9, asked = 3, k = 4;

static bool same(const std::vector<float> &a, const std::vector<float> &b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}
static bool same(const std::vector<nnn::hit> &a, const std::vector<nnn::hit> &b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(nnn::hit)) == 0;
}

static std::vector<float> values(std::size_t n, unsigned seed) {
    std::vector<float> all(n);
    for (auto &x : all) {
        seed = seed * 1664525u + 1013904223u;
        x = static_cast<float>(seed >> 8) / 8388608.0f - 1.0f;
    }
    return all;
}

// The same calls for float rows and codes; C's functions are passed along.
template <class Matrix, class Scores, class Bias, class Update, class Search>
static void heavy_calls(const Matrix &queries, const Matrix &gallery, const Matrix &bank, Scores c_scores, Bias c_bias, Update c_update,
                        Search c_search) {
    std::vector<std::byte> scratch(nnn::neighbors_scratch(k, dim));
    EXPECT(scratch.size() == nnn_neighbors_scratch(k, dim));

    std::vector<float> a(asked * rows), b(asked * rows);
    EXPECT(nnn::scores(queries, gallery, nnn::all, a, rows) == status::ok);
    EXPECT(c_scores(&queries, &gallery, 0, rows, b.data(), rows) == NNN_OK && same(a, b));
    EXPECT(nnn::scores(queries, gallery, nnn::all, nnn::span<float>(a.data(), a.size() - 1), rows) == status::capacity);
    EXPECT(nnn::scores(queries, gallery, nnn::all, a, rows + 1) == status::capacity);
    EXPECT(nnn::scores(queries, gallery, nnn::all, a, rows - 1) == status::stride);
    EXPECT(nnn::scores(queries, gallery, {rows, 1}, a, rows) == status::range);
    EXPECT(nnn::scores(queries, gallery, {rows + 1}, a, rows) == status::range);
    EXPECT(nnn::scores(queries, gallery, {rows}, {}, 0) == status::ok);

    std::vector<float> bias(rows), c_biases(rows);
    EXPECT(nnn::bias(gallery, bank, k, 0.75f, nnn::all, scratch, bias) == status::ok);
    EXPECT(c_bias(&gallery, &bank, k, 0.75f, 0, rows, scratch.data(), scratch.size(), c_biases.data()) == NNN_OK && same(bias, c_biases));
    std::vector<float> tail(rows - 60);
    EXPECT(nnn::bias(gallery, bank, k, 0.75f, {60}, scratch, tail) == status::ok);
    EXPECT(same(tail, {bias.begin() + 60, bias.end()}));
    EXPECT(nnn::bias(gallery, bank, k, 0.75f, {59}, scratch, tail) == status::capacity);
    EXPECT(nnn::bias(gallery, bank, banks + 1, 0.75f, nnn::all, scratch, bias) == status::k);
    EXPECT(nnn::bias(gallery, bank, k, 0.75f, nnn::all, {}, bias) == status::capacity);

    std::vector<float> one(rows * k), two(rows * k), c_table(rows * k);
    nnn::neighbors table(one, k), other(two, k);
    EXPECT(table.rows() == rows && table.k() == k);
    EXPECT(table.init() == status::ok && nnn_neighbors_init(c_table.data(), rows, k) == NNN_OK && same(one, c_table));
    Matrix first = bank, second = bank;
    first.rows = 4;
    second.rows = banks - 4;
    second.data += 4 * second.stride;
    if constexpr (std::is_same_v<Matrix, nnn::matrix_i8>) second.scale += 4;
    EXPECT(other.init() == status::ok);
    EXPECT(table.update(gallery, first, nnn::all, scratch) == status::ok);
    EXPECT(other.update(gallery, second, nnn::all, scratch) == status::ok);
    EXPECT(table.merge(other) == status::ok);
    EXPECT(c_update(&gallery, &bank, k, 0, rows, scratch.data(), scratch.size(), c_table.data()) == NNN_OK && same(one, c_table));
    std::vector<float> from_table(rows);
    EXPECT(table.bias(k, 0.75f, from_table) == status::ok && same(from_table, bias));
    EXPECT(table.bias(k + 1, 0.75f, from_table) == status::k);
    EXPECT(table.bias(k, 0.75f, tail) == status::capacity);
    EXPECT(table.merge(nnn::neighbors(two, k + 1)) == status::range);
    EXPECT(nnn::neighbors(tail, k).update(gallery, bank, nnn::all, scratch) == status::capacity);

    std::vector<nnn::hit> hits(asked * k), c_hits(asked * k);
    std::vector<std::uint32_t> found(asked), c_found(asked);
    const std::array<std::uint64_t, 2> allow{0xfedcba9876543210u, 0x15u};
    EXPECT(nnn::search_scratch(asked, k, dim) == nnn_search_scratch(asked, k, dim));
    EXPECT(nnn::search(queries, gallery, bias, allow, k, nnn::all, scratch, hits, found) == status::ok);
    EXPECT(c_search(&queries, &gallery, bias.data(), allow.data(), k, 0, rows, nullptr, 0, c_hits.data(), c_found.data()) == NNN_OK);
    EXPECT(same(hits, c_hits) && found == c_found);
    EXPECT(nnn::search(queries, gallery, std::nullopt, std::nullopt, k, nnn::all, {}, hits, found) == status::ok);
    EXPECT(c_search(&queries, &gallery, nullptr, nullptr, k, 0, rows, nullptr, 0, c_hits.data(), c_found.data()) == NNN_OK);
    EXPECT(same(hits, c_hits) && found == c_found);
    // A bias that was never filled is an error, not a plain search.
    EXPECT(nnn::search(queries, gallery, std::vector<float>{}, std::nullopt, k, nnn::all, {}, hits, found) == status::capacity);
    const nnn::span<const std::uint64_t> one_word(allow.data(), 1);
    EXPECT(nnn::search(queries, gallery, std::nullopt, one_word, k, nnn::all, {}, hits, found) == status::capacity);
    EXPECT(nnn::search(queries, gallery, std::nullopt, std::nullopt, k + 1, nnn::all, {}, hits, found) == status::capacity);
    EXPECT(nnn::search(queries, gallery, std::nullopt, std::nullopt, SIZE_MAX, nnn::all, {}, hits, found) == status::capacity);
    EXPECT(nnn::search(queries, gallery, std::nullopt, std::nullopt, k, nnn::all, {}, hits, {found.data(), 2}) == status::capacity);
    EXPECT(nnn::search(queries, gallery, std::nullopt, std::nullopt, 0, nnn::all, {}, hits, found) == status::k);

    // Two shards merged are one search.
    std::vector<nnn::hit> left(asked * k), right(asked * k);
    std::vector<std::uint32_t> left_found(asked), right_found(asked);
    EXPECT(nnn::search(queries, gallery, std::nullopt, std::nullopt, k, {0, 33}, scratch, left, left_found) == status::ok);
    EXPECT(nnn::search(queries, gallery, std::nullopt, std::nullopt, k, {33}, scratch, right, right_found) == status::ok);
    for (std::size_t q = 0; q < asked; q++)
        EXPECT(nnn::merge_hits({&left[q * k], k}, left_found[q], {&right[q * k], right_found[q]}, k) == status::ok);
    EXPECT(same(left, hits) && left_found == found);
    EXPECT(nnn::merge_hits({left.data(), k - 1}, left_found[0], {right.data(), 1}, k) == status::capacity);

    std::vector<nnn::hit> best(2);
    std::uint32_t count = 0;
    EXPECT(nnn::rerank({hits.data(), k}, bias, 2, best, count) == status::ok && count == 2);
    std::vector<nnn::hit> c_best(2);
    EXPECT(nnn_rerank(hits.data(), k, bias.data(), rows, 2, c_best.data(), &count) == NNN_OK && same(best, c_best));
    EXPECT(nnn::rerank({hits.data(), k}, bias, 3, best, count) == status::capacity);
    EXPECT(nnn::rerank({hits.data(), k}, {}, 2, best, count) == status::range);
}

// The certified calls give the bits of the plain ones.
static void certified_calls(const nnn::matrix_f32 &queries, const nnn::matrix_f32 &gallery, const nnn::matrix_f32 &bank) {
    struct codes_of {
        std::vector<std::int8_t> codes;
        std::vector<float> scale;
        std::vector<nnn::bound> bounds;
        nnn::matrix_f32 rows;
        codes_of(const nnn::matrix_f32 &m, const std::vector<float> &mean, nnn::side side)
            : codes(m.rows * dim), scale(m.rows), bounds(m.rows), rows(m) {
            std::vector<float> work(dim);
            EXPECT(nnn::encode(m, mean, side, 7, work, codes, dim, scale, bounds) == status::ok);
        }
        nnn::encoded view() const { return {rows, nnn::matrix_i8(codes, scale, dim), bounds}; }
    };
    std::vector<float> mean(dim), c_mean(dim), work(dim);
    EXPECT(nnn::mean(bank, mean) == status::ok && nnn_mean_f32(&bank, c_mean.data()) == NNN_OK && same(mean, c_mean));
    EXPECT(nnn::mean(bank, {mean.data(), dim - 1}) == status::capacity);
    codes_of q(queries, mean, nnn::side::query), g(gallery, mean, nnn::side::gallery), b(bank, mean, nnn::side::query);
    EXPECT(nnn::encode(bank, nnn::span<const float>(mean.data(), dim - 1), nnn::side::query, 7, work, b.codes, dim, b.scale, b.bounds) ==
           status::dim);
    EXPECT(nnn::encode(bank, std::nullopt, nnn::side::query, 7, {work.data(), dim - 1}, b.codes, dim, b.scale, b.bounds) ==
           status::capacity);
    EXPECT(nnn::encode(bank, std::nullopt, nnn::side::query, 7, work, b.codes, dim, b.scale, {b.bounds.data(), 1}) == status::capacity);
    EXPECT(nnn::encoded(bank, nnn::matrix_i8(b.codes, dim), {b.bounds.data(), 2}).codes.rows == 2);

    std::vector<std::byte> scratch(nnn::certified_scratch(k, dim));
    EXPECT(scratch.size() == nnn_certified_scratch(k, dim));
    nnn::certificate done{};
    std::vector<float> bias(rows), plain(rows), table(rows * k), plain_table(rows * k);
    EXPECT(nnn::bias_certified(g.view(), b.view(), k, 0.75f, nnn::all, scratch, bias, &done) == status::ok);
    EXPECT(done.rescored + done.exhausted > 0);
    EXPECT(nnn::bias(gallery, bank, k, 0.75f, nnn::all, scratch, plain) == status::ok && same(bias, plain));
    EXPECT(nnn::bias_certified(g.view(), b.view(), k, 0.75f, nnn::all, scratch, {bias.data(), rows - 1}) == status::capacity);
    nnn::neighbors one(table, k), two(plain_table, k);
    EXPECT(one.init() == status::ok && two.init() == status::ok);
    EXPECT(one.update_certified(g.view(), b.view(), nnn::all, scratch) == status::ok);
    EXPECT(two.update(gallery, bank, nnn::all, scratch) == status::ok && same(table, plain_table));
    EXPECT(nnn::neighbors(work, k).update_certified(g.view(), b.view(), nnn::all, scratch) == status::capacity);
    std::vector<nnn::hit> hits(asked * k), plain_hits(asked * k);
    std::vector<std::uint32_t> found(asked), plain_found(asked);
    EXPECT(nnn::search_certified(q.view(), g.view(), bias, std::nullopt, k, {3}, scratch, hits, found) == status::ok);
    EXPECT(nnn::search(queries, gallery, bias, std::nullopt, k, {3}, scratch, plain_hits, plain_found) == status::ok);
    EXPECT(same(hits, plain_hits) && found == plain_found);
    EXPECT(nnn::search_certified(q.view(), g.view(), std::vector<float>{}, std::nullopt, k, nnn::all, scratch, hits, found) ==
           status::capacity);
}

static void rows_of_values() {
    std::vector<float> data{3, 4, 0, 0, 5, 12}, unit(6);
    EXPECT(nnn::normalize(nnn::matrix_f32(data, 2), unit, 2) == status::ok && unit[1] == 0.8f);
    EXPECT(nnn::normalize(data, 2) == status::ok && same(data, unit));
    EXPECT(nnn::normalize(nnn::matrix_f32(data, 2), {unit.data(), 5}, 2) == status::capacity);
    EXPECT(nnn::normalize(nnn::matrix_f32(data, 2), unit, 3) == status::capacity);
    EXPECT(nnn::normalize(nnn::matrix_f32(data, 2), unit, 1) == status::stride);

    std::array<std::int8_t, 6> codes{};
    std::array<float, 3> scale{};
    const float wide[]{127, -63, 0, 0, 1, 0.5f};
    EXPECT(nnn::quantize(nnn::matrix_f32(wide, 2), codes, 2, scale) == status::ok);
    EXPECT(codes == std::array<std::int8_t, 6>{127, -63, 0, 0, 127, 64} && scale[0] == 1.0f && scale[1] == 1.0f);
    EXPECT(nnn::quantize(nnn::matrix_f32(wide, 2), codes, 2, {scale.data(), 2}) == status::capacity);
    EXPECT(nnn::quantize(nnn::matrix_f32(wide, 2), {codes.data(), 5}, 2, scale) == status::capacity);

    nnn::position where;
    EXPECT(nnn::find_nonfinite(nnn::matrix_f32(data, 2), where) == status::ok);
    data[3] = std::nanf("");
    EXPECT(nnn::find_nonfinite(nnn::matrix_f32(data, 2), where) == status::value && where.row == 1 && where.col == 1);

    float f = 0;
    std::int32_t i = 0;
    EXPECT(nnn::dot({wide, 2}, {wide, 2}, f) == status::ok && f == 127.0f * 127 + 63 * 63);
    EXPECT(nnn::dot(codes, codes, i) == status::ok && i == 2 * 127 * 127 + 63 * 63 + 64 * 64);
    float four[4];
    std::int32_t four_codes[4];
    EXPECT(nnn::dot4({wide, 2}, {wide, 2}, {wide, 2}, {wide, 2}, {wide, 2}, four) == status::ok && four[3] == f);
    EXPECT(nnn::dot4(codes, codes, codes, codes, codes, four_codes) == status::ok && four_codes[0] == i && four_codes[3] == i);
    EXPECT(nnn::dot4({wide, 2}, {wide, 2}, {wide, 2}, {wide, 2}, {wide, 3}, four) == status::dim);
    EXPECT(nnn::dot({wide, 2}, {wide, 3}, f) == status::dim && nnn::dot({codes.data(), 1}, {codes.data(), 2}, i) == status::dim);
}

static void views() {
    const std::vector<float> data(10);
    const auto shape = [](const auto &m, std::size_t n, std::size_t d, std::size_t s) { return m.rows == n && m.dim == d && m.stride == s; };
    EXPECT(shape(nnn::matrix_f32(data, 3), 3, 3, 3));                // the tenth is no row
    EXPECT(shape(nnn::matrix_f32(data, 2, 4), 3, 2, 4));             // the last row needs no padding
    EXPECT(shape(nnn::matrix_f32({data.data(), 9}, 2, 4), 2, 2, 4));
    EXPECT(shape(nnn::matrix_f32(data.data(), 5, 2), 5, 2, 2) && shape(nnn::matrix_f32(data.data(), 3, 2, 4), 3, 2, 4));
    EXPECT(nnn::matrix_f32(data, 11).rows == 0 && nnn::matrix_f32(data, 0).rows == 0 && nnn::matrix_f32(data, 4, 3).rows == 0);
    EXPECT(nnn::matrix_f32(nnn::span<const float>(), 3).rows == 0);
    const std::int8_t codes[12]{};
    EXPECT(shape(nnn::matrix_i8(codes, 3), 4, 3, 3) && nnn::matrix_i8(codes, 3).scale == nullptr);
    EXPECT(shape(nnn::matrix_i8(codes, data, 3), 4, 3, 3) && nnn::matrix_i8(codes, data, 3).scale == data.data());
    EXPECT(shape(nnn::matrix_i8(codes, {data.data(), 2}, 3), 2, 3, 3));  // rows without a scale are none
    EXPECT(shape(nnn::matrix_i8(codes, data.data(), 2, 3, 5), 2, 3, 5));
#if __cplusplus >= 202002L
    std::vector<float> owned(6, 1.0f);
    EXPECT(nnn::matrix_f32(std::span<const float>(owned), 2).rows == 3);
    EXPECT(nnn::normalize(std::span<float>(owned), 1) == status::ok);
#endif
}

static void errors() {
    const std::error_code e = status::value;
    EXPECT(e && e.value() == NNN_ERR_VALUE && e == status::value && e != status::ok && e.category() == nnn::category());
    EXPECT(e.message() == nnn_status_str(NNN_ERR_VALUE) && std::string(nnn::category().name()) == "nnn");
    EXPECT(std::string(nnn::message(status::k)) == nnn_status_str(NNN_ERR_K) && !std::error_code(status::ok));
    nnn::check(status::ok);
    bool thrown = false;
    try {
        nnn::check(nnn::neighbors({}, 0).init());
    } catch (const std::system_error &error) {
        thrown = error.code() == status::k;
    }
    EXPECT(thrown);
}

static void machine() {
    std::size_t count = 0;
    EXPECT(nnn_isa_available(nullptr, 0, &count) == NNN_OK);
    const auto list = nnn::isa_available();
    EXPECT(list.count == count && count >= 2 && *list.begin() == NNN_ISA_SCALAR);
    for (const nnn_isa isa : list) EXPECT(nnn::isa_select(isa) == status::ok && nnn::isa_active() == isa);
    EXPECT(nnn::isa_select(4711) == status::isa && nnn::isa_select(NNN_ISA_AUTO) == status::ok);
    EXPECT(std::string(nnn::isa_name(NNN_ISA_AVX2)) == "avx2");
}

// The family, the gates and the evaluation give what their namesakes in C give.
template <class Matrix, class Sums, class Mean, class Ranks>
static void family_calls(const Matrix &queries, const Matrix &gallery, const Matrix &bank, Sums c_sums, Mean c_mean, Ranks c_ranks) {
    std::vector<std::byte> scratch(nnn::neighbors_scratch(1, dim));
    std::vector<nnn::log_sum> memory(rows), c_memory(rows), half(rows);
    std::vector<float> bias(rows), c_bias(rows), weights(banks, 0.5f);
    nnn::log_sums sums(memory, 20.0f), part(half, 20.0f);
    EXPECT(sums.init() == status::ok && part.init() == status::ok && nnn_logsum_init(c_memory.data(), rows) == NNN_OK);
    EXPECT(sums.update(gallery, bank, nnn::all, scratch, weights) == status::ok);
    EXPECT(c_sums(&gallery, &bank, weights.data(), 20.0f, 0, rows, scratch.data(), scratch.size(), c_memory.data()) == NNN_OK);
    EXPECT(sums.bias(bias) == status::ok && nnn_logsum_bias(c_memory.data(), rows, 20.0f, c_bias.data()) == NNN_OK);
    EXPECT(same(bias, c_bias));
    std::vector<double> logs(rows), c_logs(rows);
    EXPECT(sums.ln(logs) == status::ok && nnn_logsum_ln(c_memory.data(), rows, c_logs.data()) == NNN_OK && logs == c_logs);
    EXPECT(std::abs(logs[1] / 20.0 - bias[1]) < 1e-6 && sums.ln({logs.data(), rows - 1}) == status::capacity);
    EXPECT(part.merge(sums) == status::ok && part.bias(c_bias) == status::ok && same(bias, c_bias));
    EXPECT(sums.dual_bias(part, bias) == status::ok && same(bias, c_bias));  // twice the sums over twice the beta
    EXPECT(sums.bias({bias.data(), rows - 1}) == status::capacity && sums.dual_bias({{half.data(), 3}, 1}, bias) == status::range);
    EXPECT(sums.merge({{half.data(), 3}, 20}) == status::range);
    EXPECT(sums.update(gallery, bank, nnn::all, scratch, nnn::span<const float>(weights.data(), 2)) == status::capacity);
    EXPECT(nnn::log_sums({half.data(), 3}, 20).update(gallery, bank, nnn::all, scratch) == status::capacity);

    std::vector<nnn::exact_sum> columns(dim), shard(dim);
    std::vector<float> mean(dim), dn(rows), c_dn(rows);
    nnn::column_sums total(columns), other(shard);
    EXPECT(total.init() == status::ok && other.init() == status::ok && other.update(bank) == status::ok);
    EXPECT(total.merge(other) == status::ok && total.mean(banks, mean) == status::ok);
    EXPECT(nnn::mean_bias(gallery, mean, 0.5f, nnn::all, dn) == status::ok);
    EXPECT(c_mean(&gallery, mean.data(), 0.5f, 0, rows, c_dn.data()) == NNN_OK && same(dn, c_dn));
    EXPECT(nnn::column_sums({shard.data(), dim - 1}).update(bank) == status::dim);
    EXPECT(total.merge(nnn::column_sums({shard.data(), dim - 1})) == status::dim);
    EXPECT(total.mean(banks, {mean.data(), dim - 1}) == status::capacity);
    EXPECT(nnn::mean_bias(gallery, {mean.data(), dim - 1}, 0.5f, nnn::all, dn) == status::dim);
    EXPECT(nnn::mean_bias(gallery, mean, 0.5f, nnn::all, {dn.data(), rows - 1}) == status::capacity);

    std::vector<nnn::log_sum> work(rows > banks ? rows : banks);
    std::vector<float> potentials(rows + banks), sn(rows);
    const Matrix *none = nullptr;
    EXPECT(nnn::sinkhorn_bias(gallery, none, bank, 0.25f, 3, work, potentials, scratch, sn) == status::ok && sn[0] != sn[1]);
    EXPECT(nnn::sinkhorn_bias(gallery, none, bank, 0.25f, 3, work, potentials, scratch, {sn.data(), 1}) == status::capacity);
    EXPECT(nnn::sinkhorn_bias(gallery, none, bank, 0.25f, 3, {work.data(), 1}, potentials, scratch, sn) == status::capacity);

    // Gates that are open for all are a plain bias; for none, no bias.
    std::vector<nnn::hit> hits(asked * k), gated(asked * k), best(k), again(k);
    std::vector<std::uint32_t> found(asked), gated_found(asked), winners(asked);
    std::vector<std::uint64_t> set((rows + 63) / 64), nothing((rows + 63) / 64);
    EXPECT(nnn::search(queries, gallery, std::nullopt, std::nullopt, k, nnn::all, {}, hits, found) == status::ok);
    EXPECT(nnn::activation_set(hits, found, k, 1, rows, set) == status::ok);
    EXPECT(nnn::activation_set(hits, found, k, 1, rows, {set.data(), 0}) == status::capacity);
    for (std::size_t q = 0; q < asked; q++) winners[q] = hits[q * k].id;
    const nnn::gate open{bias.data(), set.data(), 20.0f}, closed{bias.data(), nothing.data(), 20.0f};
    EXPECT(nnn::search_gated(queries, gallery, {&closed, 1}, winners, std::nullopt, k, nnn::all, {}, gated, gated_found) == status::ok);
    EXPECT(same(gated, hits) && gated_found == found);
    EXPECT(nnn::search(queries, gallery, bias, std::nullopt, k, nnn::all, {}, hits, found) == status::ok);
    EXPECT(nnn::search_gated(queries, gallery, {&open, 1}, winners, std::nullopt, k, nnn::all, {}, gated, gated_found) == status::ok);
    EXPECT(same(gated, hits) && gated_found == found);
    EXPECT(nnn::search_gated(queries, gallery, {&open, 1}, {winners.data(), 1}, std::nullopt, k, nnn::all, {}, gated, gated_found) ==
           status::capacity);
    EXPECT(nnn::search_gated(queries, gallery, {}, winners, std::nullopt, k, nnn::all, {}, gated, gated_found) == status::range);
    std::uint32_t count = 0;
    EXPECT(nnn::rerank_gated({hits.data(), k}, {&closed, 1}, rows, k, best, count) == status::ok && count == k);
    EXPECT(nnn::rerank_gated({hits.data(), k}, {&closed, 1}, rows, k, {best.data(), 1}, count) == status::capacity);
    EXPECT(nnn::dual_softmax({hits.data(), k}, bias, 20.0f, asked, k, again, count) == status::ok && count == k);
    EXPECT(nnn::dual_softmax({hits.data(), k}, bias, 20.0f, asked, k, {again.data(), 1}, count) == status::capacity);

    // Evaluation.
    std::vector<std::size_t> offsets(asked + 1);
    std::vector<std::uint32_t> ids(asked), ranks(2 * asked), c(2 * asked), listed(asked), resamples(100);
    for (std::size_t q = 0; q < asked; q++) offsets[q + 1] = q + 1, ids[q] = hits[q * k + 1].id;
    const nnn::positives right{offsets, ids};
    std::vector<std::byte> rank_scratch(nnn::ranks_scratch(1));
    EXPECT(nnn::ranks(queries, gallery, bias, right, rank_scratch, ranks) == status::ok);
    EXPECT(c_ranks(&queries, &gallery, bias.data(), 1, offsets.data(), ids.data(), asked, rank_scratch.data(), rank_scratch.size(),
                   c.data()) == NNN_OK && ranks == c && ranks[asked] == 2);
    EXPECT(nnn::ranks(queries, gallery, {bias.data(), rows - 1}, right, rank_scratch, ranks) == status::range);
    EXPECT(nnn::ranks(queries, gallery, bias, right, rank_scratch, {ranks.data(), asked}) == status::capacity);
    EXPECT(nnn::best_ranks(hits, found, k, right, listed) == status::ok && listed[0] == 2);
    EXPECT(nnn::best_ranks(hits, found, k, {{offsets.data(), asked}, ids}, listed) == status::range);
    EXPECT(nnn::best_ranks(hits, found, k, right, {listed.data(), 1}) == status::capacity);
    double share = 0, median = 0;
    EXPECT(nnn::recall(listed, 1, share) == status::ok && share == 0 && nnn::recall(listed, 2, share) == status::ok && share == 1);
    EXPECT(nnn::median_rank(listed, median) == status::ok && median == 2);
    nnn::interval gain{};
    EXPECT(nnn::bootstrap(listed, listed, 1, 0.95, 1, resamples, gain) == status::ok && gain.gain == 0 && gain.low == 0);
    EXPECT(nnn::bootstrap(listed, {listed.data(), 1}, 1, 0.95, 1, resamples, gain) == status::range);
    nnn::choice chosen;
    EXPECT(nnn::choose(ranks, asked, 2, 0.95, 1, resamples, chosen) == status::ok && chosen.best == 0);
    EXPECT(nnn::choose({ranks.data(), asked + 1}, asked, 2, 0.95, 1, resamples, chosen) == status::range);
    std::vector<std::uint32_t> counts(rows);
    nnn::hubness_stats stats{};
    EXPECT(nnn::count_occurrences(hits, found, k, 1, counts) == status::ok);
    EXPECT(nnn::hubness(counts, stats) == status::ok && stats.maximum >= 1 && counts[stats.row] == stats.maximum);
    std::vector<std::int8_t> labels(rows, 1);
    labels[0] = -1;
    std::vector<float> biases(asked);
    nnn::fairness means{};
    EXPECT(nnn::attribute_bias(hits, found, k, 1, labels, biases, means) == status::ok && means.mean_abs == 1);
    EXPECT(nnn::attribute_bias(hits, found, k, 1, labels, {biases.data(), 1}, means) == status::capacity);
    const std::uint8_t groups[]{1, 2, 2, 2};
    std::uint32_t sample[4]{};
    std::size_t drawn = 0;
    EXPECT(nnn::balanced_sample(groups, 1, sample, drawn) == status::ok && drawn == 2);

    const std::size_t ks[]{1, 2};
    const float alphas[]{0.5f, 1.0f};
    std::vector<float> table(rows * 2), grid(4 * rows), one(rows);
    nnn::neighbors neighbors(table, 2);
    EXPECT(neighbors.init() == status::ok && neighbors.update(gallery, bank, nnn::all, scratch) == status::ok);
    EXPECT(neighbors.grid(ks, alphas, grid) == status::ok && neighbors.bias(2, 0.5f, one) == status::ok);
    EXPECT(std::equal(one.begin(), one.end(), grid.begin() + rows));
    EXPECT(neighbors.grid(ks, alphas, {grid.data(), 4 * rows - 1}) == status::capacity);
}

// Banks that change, certificates, exports.
template <class Matrix>
static void changing_calls(const Matrix &gallery, const Matrix &bank) {
    std::vector<char> scratch(8192);
    std::vector<nnn::hit> table(rows * 3), other(rows * 3);
    nnn::neighbor_ids ids(table, 3), merged(other, 3);
    const std::vector<std::uint64_t> live(4, ~std::uint64_t{1});
    EXPECT(ids.rows() == rows && ids.k() == 3 && ids.init() == status::ok && merged.init() == status::ok);
    EXPECT(ids.update(gallery, bank, std::nullopt, 0, nnn::all, scratch) == status::ok);
    EXPECT(ids.update(gallery, bank, nnn::span<const std::uint64_t>{}, 0, nnn::all, scratch) == status::capacity);
    EXPECT(merged.update(gallery, bank, live, 0, nnn::all, scratch) == status::ok);
    std::vector<std::uint32_t> short_rows(rows);
    std::size_t count = 99;
    EXPECT(ids.expire(2, live, banks, {short_rows.data(), rows - 1}, count) == status::capacity && count == 99);
    EXPECT(ids.expire(2, live, banks, short_rows, count) == status::ok && count == 0);
    std::vector<float> kept(rows), batch(rows);
    EXPECT(ids.bias(2, 0.5f, kept) == status::ok && merged.bias(2, 0.5f, batch) == status::ok && kept == batch);
    EXPECT(ids.bias(2, 0.5f, {kept.data(), rows - 1}) == status::capacity);
    EXPECT(ids.merge(nnn::neighbor_ids({other.data(), 3}, 3)) == status::range && ids.merge(merged) == status::ok);

    nnn::export_limits limits{}, half{};
    EXPECT(nnn::find_export_limits(gallery, kept, nnn::all, limits) == status::ok);
    EXPECT(nnn::find_export_limits(gallery, {kept.data(), 1}, nnn::all, limits) == status::capacity);
    EXPECT(nnn::find_export_limits(gallery, kept, {0, 2}, half) == status::ok);
    EXPECT(nnn::merge_export_limits(half, limits) == status::ok && half.norm2 == limits.norm2 && half.bias_max == limits.bias_max);
}

static void export_calls(const nnn::matrix_f32 &queries, const nnn::matrix_f32 &gallery, const nnn::matrix_i8 &codes) {
    const std::vector<float> bias(rows, 0.25f);
    nnn::export_limits limits{};
    EXPECT(nnn::find_export_limits(gallery, bias, nnn::all, limits) == status::ok);
    for (const nnn::form f : {nnn::form::inner_product, nnn::form::l2, nnn::form::cosine}) {
        const std::size_t stride = nnn::export_dim(dim, f, 4);
        std::vector<float> vectors(rows * stride), c_vectors(rows * stride), exported(queries.rows * stride);
        EXPECT(stride % 4 == 0 && nnn::export_dim(dim, f) > dim);
        EXPECT(nnn::export_rows(gallery, bias, limits, f, nnn::all, vectors, stride) == status::ok);
        EXPECT(nnn_export_rows_f32(&gallery, bias.data(), &limits, static_cast<std::uint32_t>(f), 0, rows, c_vectors.data(), stride) ==
               NNN_OK);
        EXPECT(vectors == c_vectors);
        EXPECT(nnn::export_rows(gallery, bias, limits, f, nnn::all, {vectors.data(), 1}, stride) == status::capacity);
        EXPECT(nnn::export_queries(queries, f, 1.0f, exported, stride) == status::ok);
        EXPECT(nnn::export_queries(queries, f, 1.0f, {exported.data(), 1}, stride) == status::capacity);
        float values[]{0.5f, 0.25f};
        EXPECT(nnn::export_scores(limits, f, {queries.data, dim}, 1.0f, values) == status::ok && values[0] != values[1]);
    }
    const std::size_t bytes = nnn::export_bytes(dim);
    std::vector<std::int8_t> records(rows * bytes);
    EXPECT(nnn::find_export_limits(codes, bias, nnn::all, limits) == status::ok);
    EXPECT(nnn::export_rows(codes, bias, limits, nnn::all, records, bytes) == status::ok);
    EXPECT(nnn::export_rows(codes, bias, limits, nnn::all, {records.data(), 1}, bytes) == status::capacity);
    EXPECT(nnn::export_queries(codes, 1.0f, records, bytes) == status::ok);
    EXPECT(nnn::export_queries(codes, 1.0f, {records.data(), 1}, bytes) == status::capacity);

    std::vector<nnn::hit> all(rows), best(2), c_best(2);
    std::uint32_t found = 0, reranked = 0;
    const nnn::matrix_f32 query(queries.data, 1, dim);
    nnn::check(nnn::search(query, gallery, std::nullopt, std::nullopt, rows, nnn::all, {}, all, {&found, 1}));
    std::size_t next = 99, c_next = 99;
    EXPECT(nnn::rerank_certified(all, bias, 0.25f, 2, best, reranked, next) == status::ok && next == 0);
    EXPECT(nnn::rerank_certified({all.data(), 1}, bias, 0.25f, 2, best, reranked, next) == status::ok && next == 4);
    EXPECT(nnn_rerank_certified(all.data(), 1, bias.data(), rows, 0.25f, 2, c_best.data(), &reranked, &c_next) == NNN_OK && c_next == next);
    EXPECT(nnn::rerank_certified(all, bias, 0.25f, 3, best, reranked, next) == status::capacity);
}

// With all lists probed the exact table and the exact hits; every size that is checked.
template <class Matrix, class Element, class Gather>
static void coarse_calls(const nnn::matrix_f32 &floats, const Matrix &queries, const Matrix &gallery, Gather gather) {
    constexpr std::size_t lists = 5;
    std::vector<std::byte> work(nnn::coarse_train_scratch(rows, lists, dim) + nnn::coarse_scratch(rows, lists, lists, dim));
    std::vector<float> centroids(lists * dim), table(asked * k), exact_table(asked * k), bias(rows, 0.25f), scale(rows);
    std::vector<std::uint32_t> assigned(rows), offsets(lists + 1), ids(rows), found(asked), exact_found(asked);
    std::vector<nnn::hit> hits(asked * k), exact(asked * k);
    std::vector<Element> listed(rows * dim);
    EXPECT(nnn::coarse_train(floats, lists, 4, 1, work, {centroids.data(), lists * dim - 1}) == status::capacity);
    EXPECT(nnn::coarse_train(floats, lists, 4, 1, work, centroids) == status::ok);
    const nnn::matrix_f32 c(centroids, dim);
    EXPECT(nnn::coarse_assign(floats, c, nnn::all, work, {assigned.data(), rows - 1}) == status::capacity);
    EXPECT(nnn::coarse_assign(floats, c, nnn::all, work, assigned) == status::ok);
    EXPECT(nnn::coarse_lists(assigned, {offsets.data(), 0}, ids) == status::capacity);
    EXPECT(nnn::coarse_lists(assigned, offsets, {ids.data(), rows - 1}) == status::capacity);
    EXPECT(nnn::coarse_lists(assigned, offsets, ids) == status::ok && nnn::coarse_check(offsets, ids, work) == status::ok);
    EXPECT(nnn::coarse_check({offsets.data(), lists}, ids, work) == status::value);
    const Matrix in_order = gather(ids, listed, scale);

    const nnn::coarse index{c, offsets, ids}, cut{c, {offsets.data(), lists}, ids}, few{c, offsets, {ids.data(), rows - 1}};
    std::uint64_t pairs = 0;
    std::size_t short_rows = 9;
    nnn::neighbors neighbors(table, k);
    EXPECT(neighbors.init() == status::ok);
    EXPECT(nnn::coarse_neighbors(queries, in_order, cut, lists, k, nnn::all, work, table, pairs) == status::capacity);
    EXPECT(nnn::coarse_neighbors(queries, in_order, index, lists, k, nnn::all, work, {table.data(), 1}, pairs) == status::capacity);
    EXPECT(nnn::coarse_neighbors(queries, in_order, index, lists, k, nnn::all, work, table, pairs) == status::ok);
    nnn::neighbors other(exact_table, k);
    EXPECT(other.init() == status::ok && other.update(queries, gallery, nnn::all, work) == status::ok);
    EXPECT(same(table, exact_table) && pairs == asked * rows);
    std::vector<float> own(asked), expected(asked);
    EXPECT(nnn::coarse_bias(table, k, k, 0.5f, own, short_rows) == status::ok && short_rows == 0);
    EXPECT(other.bias(k, 0.5f, expected) == status::ok && same(own, expected));
    EXPECT(nnn::coarse_bias(table, k, k, 0.5f, {own.data(), asked - 1}, short_rows) == status::capacity);
    nnn::bias_errors errors{9, 9};
    EXPECT(nnn::bias_error(expected, own, errors) == status::ok && errors.mean == 0 && errors.max == 0);
    EXPECT(nnn::bias_error(expected, {own.data(), 1}, errors) == status::range);

    EXPECT(nnn::search(queries, gallery, bias, std::nullopt, k, nnn::all, work, exact, exact_found) == status::ok);
    EXPECT(nnn::coarse_search(queries, in_order, few, bias, std::nullopt, lists, k, work, hits, found, pairs) == status::capacity);
    EXPECT(nnn::coarse_search(queries, in_order, index, bias, std::nullopt, lists, k, work, hits, found, pairs) == status::ok);
    EXPECT(same(hits, exact) && found == exact_found && pairs == asked * rows);
    double recall = 0;
    EXPECT(nnn::hits_recall(exact, exact_found, hits, found, k, recall) == status::ok && recall == 1);
    EXPECT(nnn::hits_recall(exact, exact_found, {hits.data(), 1}, found, k, recall) == status::capacity);
    EXPECT(nnn::hits_recall(exact, {exact_found.data(), 1}, hits, found, k, recall) == status::range);
}

int main() {
    // Stride above dim, so that it counts.
    const auto q = values(asked * 7, 1), g = values(rows * 6, 2), b = values(banks * dim, 3);
    const nnn::matrix_f32 queries(q, dim, 7), gallery(g, dim, 6), bank(b, dim);
    heavy_calls(queries, gallery, bank, nnn_scores_f32, nnn_bias_f32, nnn_neighbors_update_f32, nnn_search_f32);

    certified_calls(queries, gallery, bank);
    family_calls(queries, gallery, bank, nnn_logsum_update_f32, nnn_mean_bias_f32, nnn_ranks_f32);
    coarse_calls<nnn::matrix_f32, float>(gallery, queries, gallery, [&](const auto &ids, auto &listed, auto &) {
        EXPECT(nnn::coarse_gather(gallery, ids, {listed.data(), listed.size() - 1}, dim) == status::capacity);
        EXPECT(nnn::coarse_gather(gallery, ids, listed, dim) == status::ok);
        return nnn::matrix_f32(listed, dim);
    });

    std::vector<std::int8_t> qc(asked * dim), gc(rows * dim), bc(banks * dim);
    std::vector<float> qs(asked), gs(rows), bs(banks);
    nnn::check(nnn::quantize(queries, qc, dim, qs));
    nnn::check(nnn::quantize(gallery, gc, dim, gs));
    nnn::check(nnn::quantize(bank, bc, dim, bs));
    heavy_calls(nnn::matrix_i8(qc, qs, dim), nnn::matrix_i8(gc, gs, dim), nnn::matrix_i8(bc, bs, dim), nnn_scores_i8, nnn_bias_i8,
                nnn_neighbors_update_i8, nnn_search_i8);
    family_calls(nnn::matrix_i8(qc, qs, dim), nnn::matrix_i8(gc, gs, dim), nnn::matrix_i8(bc, bs, dim), nnn_logsum_update_i8,
                 nnn_mean_bias_i8, nnn_ranks_i8);
    const nnn::matrix_i8 gallery_codes(gc, gs, dim);
    coarse_calls<nnn::matrix_i8, std::int8_t>(gallery, nnn::matrix_i8(qc, qs, dim), gallery_codes,
                                              [&](const auto &ids, auto &listed, auto &scale) {
        EXPECT(nnn::coarse_gather(gallery_codes, ids, listed, dim, {scale.data(), rows - 1}) == status::capacity);
        EXPECT(nnn::coarse_gather(gallery_codes, ids, listed, dim, scale) == status::ok);
        return nnn::matrix_i8(listed, scale, dim);
    });

    changing_calls(gallery, bank);
    changing_calls(nnn::matrix_i8(gc, gs, dim), nnn::matrix_i8(bc, bs, dim));
    export_calls(queries, gallery, nnn::matrix_i8(gc, gs, dim));

    rows_of_values();
    views();
    errors();
    machine();
    return 0;
}
