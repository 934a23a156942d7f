// libnnn in FAISS (1.7.3 and later): an IndexFlat with a bias per row, which is subtracted by id and may change at any time.
//
//   nnn_faiss::DebiasedFlat index(dim);
//   index.add(rows, x, bias);                        // or index.estimate = ..., then add(), also through an IndexIDMap
//   index.search(n, queries, 10, scores, labels);    // <query, row> - bias: score descending, then id ascending; -1 where there is none
//   index.set_bias(0, rows, new_bias);               // the next search knows; nothing is rebuilt
//
// A faiss::IndexHNSW(&index, M) on top ranks by the same scores and follows set_bias too, on the links that it made with the biases of
// its time: build it anew when they have changed much.
// IVF and compressed indexes keep no hold on the id: give them exported vectors (nnn_export_rows_f32).
//
// Copies by FAISS itself (clone_index, write_index) are plain IndexFlatIP: keep `bias` beside them, and put both together again by the
// second constructor. As in FAISS: searches may run at once, changes may not run beside them. Where FAISS adds or moves rows behind the
// biases' back (add_sa_codes), the next search throws; permute_entries (its own and IndexHNSW's) must not be used, it parts them unseen.
// A query with NaN or infinity makes the whole call throw.
#ifndef NNN_FAISS_HPP
#define NNN_FAISS_HPP

#include "nnn.h"

#include <faiss/IndexFlat.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/impl/FaissAssert.h>
#include <faiss/impl/IDSelector.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace nnn_faiss {

using idx_t = std::int64_t;

/// Throws what FAISS throws, with libnnn's message: what is wrong and what to do about it.
inline void check(nnn_status status) {
    if (status != NNN_OK) throw faiss::FaissException(std::string("libnnn: ") + nnn_status_str(status));
}

struct DebiasedFlat : faiss::IndexFlatIP {
    /// One per row, in the order of the rows.
    std::vector<float> bias;

    /// Writes the biases of n new rows at x; add() of rows without biases asks it. nnn_bias_f32 over the bank is one.
    std::function<void(idx_t n, const float *x, float *bias)> estimate;

    explicit DebiasedFlat(idx_t d) : IndexFlatIP(d) {}

    /// Rows that FAISS has loaded or copied, and their biases.
    DebiasedFlat(const faiss::IndexFlat &rows, const std::vector<float> &biases) : IndexFlatIP(rows.d) {
        FAISS_THROW_IF_NOT_MSG(rows.metric_type == faiss::METRIC_INNER_PRODUCT, "rows of an index by inner product");
        FAISS_THROW_IF_NOT_MSG(biases.size() == static_cast<size_t>(rows.ntotal), "one bias per row");
        if (rows.ntotal > 0) add(rows.ntotal, rows.get_xb(), biases.data());
    }

    /// Adds rows with their biases.
    void add(idx_t n, const float *x, const float *biases) {
        check_finite(n, biases);
        bias.insert(bias.end(), biases, biases + n);
        try {
            IndexFlatIP::add(n, x);
        } catch (...) {
            bias.resize(static_cast<size_t>(ntotal));
            throw;
        }
    }

    /// Adds rows with the biases of `estimate`. Throws without one: a row with bias 0 among debiased ones would win every query.
    void add(idx_t n, const float *x) override {
        FAISS_THROW_IF_NOT_MSG(estimate, "add(n, x, biases), or set `estimate`: these rows have no biases");
        std::vector<float> biases(static_cast<size_t>(n));
        estimate(n, x, biases.data());
        add(n, x, biases.data());
    }

    /// Replaces the biases of the rows first..first + n.
    void set_bias(idx_t first, idx_t n, const float *biases) {
        FAISS_THROW_IF_NOT_MSG(first >= 0 && n >= 0 && n <= ntotal && first <= ntotal - n, "biases of rows that are not there");
        check_finite(n, biases);
        std::copy(biases, biases + n, bias.begin() + first);
    }

    /// Removes rows; later ones move up, and their biases with them.
    size_t remove_ids(const faiss::IDSelector &sel) override {
        size_t kept = 0;
        for (size_t i = 0; i < bias.size(); i++)
            if (!sel.is_member(static_cast<idx_t>(i))) bias[kept++] = bias[i];
        bias.resize(kept);
        return IndexFlatIP::remove_ids(sel);
    }

    void reset() override {
        bias.clear();
        IndexFlatIP::reset();
    }

    void check_compatible_for_merge(const faiss::Index &other) const override {
        FAISS_THROW_IF_NOT_MSG(dynamic_cast<const DebiasedFlat *>(&other), "rows without biases");
        IndexFlatIP::check_compatible_for_merge(other);
    }

    void merge_from(faiss::Index &other, idx_t add_id = 0) override {
        check_compatible_for_merge(other);
        const std::vector<float> &more = static_cast<DebiasedFlat &>(other).bias;
        bias.insert(bias.end(), more.begin(), more.end());
        IndexFlatIP::merge_from(other, add_id);  // resets the other
    }

    /// nnn_search_f32 over FAISS' own storage; OpenMP's threads share the queries.
    void search(idx_t n, const float *x, idx_t k, float *distances, idx_t *labels,
                const faiss::SearchParameters *params = nullptr) const override {
        FAISS_THROW_IF_NOT_MSG(k > 0 && n >= 0, "k > 0");
        check_biases();
        const std::vector<std::uint64_t> allow = allowed(params);
        const size_t dim = static_cast<size_t>(d), width = static_cast<size_t>(std::min<idx_t>(k, std::max<idx_t>(ntotal, 1)));
        const nnn_mat_f32 gallery{get_xb(), static_cast<size_t>(ntotal), dim, dim};
        // A share of the queries for each thread, in batches that make the most of a gallery row.
        const idx_t batch = std::clamp<idx_t>((n + threads() - 1) / threads(), 1, 64);
        nnn_status status = NNN_OK;
        std::exception_ptr thrown;
#pragma omp parallel for schedule(dynamic) if (n > batch)
        for (idx_t first = 0; first < n; first += batch) try {
            const size_t count = static_cast<size_t>(std::min(batch, n - first));
            const nnn_mat_f32 queries{x + static_cast<size_t>(first) * dim, count, dim, dim};
            std::vector<nnn_hit> hits(count * width);
            std::vector<std::uint32_t> found(count);
            std::vector<char> scratch(nnn_search_scratch(count, width, dim));
            const nnn_status result = nnn_search_f32(&queries, &gallery, bias.data(), allow.empty() ? nullptr : allow.data(), width, 0,
                                                     gallery.rows, scratch.data(), scratch.size(), hits.data(), found.data());
            if (result != NNN_OK) {
#pragma omp atomic write
                status = result;
                continue;
            }
            for (size_t q = 0; q < count; q++) {
                const size_t out = (static_cast<size_t>(first) + q) * static_cast<size_t>(k);
                for (size_t i = 0; i < static_cast<size_t>(k); i++) {
                    const bool is = i < found[q];
                    distances[out + i] = is ? hits[q * width + i].score : std::numeric_limits<float>::lowest();
                    labels[out + i] = is ? static_cast<idx_t>(hits[q * width + i].id) : -1;
                }
            }
        } catch (...) {  // memory: no exception may leave the threads
#pragma omp critical(nnn_faiss_thrown)
            thrown = std::current_exception();
        }
        if (thrown) std::rethrow_exception(thrown);
        check(status);
    }

    /// The rows whose debiased score is above the radius, by id. On one thread.
    void range_search(idx_t n, const float *x, float radius, faiss::RangeSearchResult *result,
                      const faiss::SearchParameters *params = nullptr) const override {
        check_biases();
        const std::vector<std::uint64_t> allow = allowed(params);
        const size_t dim = static_cast<size_t>(d), rows = static_cast<size_t>(ntotal);
        const nnn_mat_f32 gallery{get_xb(), rows, dim, dim};
        std::vector<std::pair<idx_t, float>> all;
        std::vector<float> scores(rows);
        for (size_t q = 0; q < static_cast<size_t>(n); q++) {
            const nnn_mat_f32 query{x + q * dim, 1, dim, dim};
            check(nnn_scores_f32(&query, &gallery, 0, rows, scores.data(), rows));
            const size_t before = all.size();
            for (size_t i = 0; i < rows; i++)
                if ((allow.empty() || (allow[i / 64] >> i % 64 & 1)) && scores[i] - bias[i] > radius)
                    all.emplace_back(static_cast<idx_t>(i), scores[i] - bias[i]);
            result->lims[q] = all.size() - before;
        }
        result->do_allocation();  // makes offsets of the counts
        for (size_t i = 0; i < all.size(); i++) std::tie(result->labels[i], result->distances[i]) = all[i];
    }

    /// What graphs over this storage compare by: a query with a row by the debiased score, two rows by their product less the mean of
    /// their biases. Building compares the one with the other, so they must be of the same size: without, most links are dropped.
    faiss::FlatCodesDistanceComputer *get_FlatCodesDistanceComputer() const override {
        check_biases();
        return new Computer(*this);
    }

private:
    struct Computer : faiss::FlatCodesDistanceComputer {
        const DebiasedFlat &index;
        const float *query = nullptr;

        explicit Computer(const DebiasedFlat &of) : FlatCodesDistanceComputer(of.codes.data(), of.code_size), index(of) {}
        void set_query(const float *x) override { query = x; }
        float distance_to_code(const std::uint8_t *code) override {
            return product(query, code) - index.bias[static_cast<size_t>(code - codes) / code_size];
        }
        float symmetric_dis(idx_t i, idx_t j) override {
            const std::uint8_t *row = codes + static_cast<size_t>(i) * code_size;
            const float half = (index.bias[static_cast<size_t>(i)] + index.bias[static_cast<size_t>(j)]) / 2;
            return product(reinterpret_cast<const float *>(row), codes + static_cast<size_t>(j) * code_size) - half;
        }
        float product(const float *a, const std::uint8_t *row) const {
            float out = 0;
            const nnn_status status = nnn_dot_f32(a, reinterpret_cast<const float *>(row), static_cast<size_t>(index.d), &out);
            return status == NNN_OK ? out : std::numeric_limits<float>::lowest();
        }
    };

    static idx_t threads() {
#ifdef _OPENMP
        return omp_get_max_threads();
#else
        return 1;
#endif
    }

    void check_biases() const {
        FAISS_THROW_IF_NOT_MSG(bias.size() == static_cast<size_t>(ntotal), "rows were added or biases removed by other means: `bias` needs one per row");
    }

    static void check_finite(idx_t n, const float *biases) {
        for (idx_t i = 0; i < n; i++) FAISS_THROW_IF_NOT_FMT(std::isfinite(biases[i]), "bias %zd is not finite", static_cast<size_t>(i));
    }

    /// One bit per row, none at all without a selector.
    std::vector<std::uint64_t> allowed(const faiss::SearchParameters *params) const {
        std::vector<std::uint64_t> allow;
        if (!params || !params->sel) return allow;
        allow.resize(static_cast<size_t>(ntotal + 63) / 64 + 1);
        for (size_t i = 0; i < static_cast<size_t>(ntotal); i++)
            allow[i / 64] |= static_cast<std::uint64_t>(params->sel->is_member(static_cast<idx_t>(i))) << i % 64;
        return allow;
    }
};

}  // namespace nnn_faiss

#endif
