// What the examples of engines share: real embeddings with biases, debiased search through exported vectors and by certified
// reranking, how right and how fast both are beside the engine's own plain search.
#ifndef ENGINES_HPP
#define ENGINES_HPP

#include "nnn.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace engines {

// What an index answers: inner product, squared distance or cosine, and a row.
struct answer {
    float value;
    std::uint32_t id;
};

constexpr std::size_t top = 10;

// Rows of a .npy file of float16 or float32, scaled to unit length.
inline std::vector<float> unit_rows(const std::string &path, std::size_t &dim) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
    if (bytes.size() < 10 || bytes.compare(0, 7, "\x93NUMPY\x01") != 0) throw std::runtime_error("no .npy file: " + path);
    const std::size_t start = 10 + byte(8) + 256 * byte(9);
    const std::string head = bytes.substr(10, start - 10);
    const bool half = head.find("'<f2'") != std::string::npos;
    std::size_t rows = 0;
    const std::size_t shape = head.find("'shape': (");
    if ((!half && head.find("'<f4'") == std::string::npos) || shape == std::string::npos ||
        std::sscanf(head.c_str() + shape, "'shape': (%zu, %zu)", &rows, &dim) != 2 ||
        bytes.size() < start + rows * dim * (half ? 2 : 4))
        throw std::runtime_error("no rows of little-endian float16 or float32: " + path);
    std::vector<float> out(rows * dim);
    for (std::size_t i = 0; i < out.size(); i++) {
        if (half) {  // widened by hand: the exponent moves, a power of two puts its bias right
            const std::size_t word = byte(start + 2 * i) + 256 * byte(start + 2 * i + 1);
            const auto bits = static_cast<std::uint32_t>((word & 0x8000) << 16 | (word & 0x7FFF) << 13);
            std::memcpy(&out[i], &bits, 4);
            out[i] *= 0x1p112f;
        } else {
            std::memcpy(&out[i], &bytes[start + 4 * i], 4);
        }
    }
    nnn::check(nnn::normalize(out, dim));
    return out;
}

// Gallery, queries, biases, and the exact debiased top 10 of every query.
class problem {
public:
    explicit problem(const std::string &folder) {
        gallery_ = unit_rows(folder + "/gallery.npy", dim);
        queries_ = unit_rows(folder + "/queries.npy", dim);
        const std::vector<float> bank = unit_rows(folder + "/bank.npy", dim);
        rows = gallery_.size() / dim;
        asked = queries_.size() / dim;
        bias.resize(rows);
        exact_.resize(asked * top);
        std::vector<char> scratch(nnn::neighbors_scratch(16, dim));
        std::vector<std::uint32_t> found(asked);
        nnn::check(nnn::bias(gallery(), nnn::matrix_f32(bank, dim), 16, 0.75f, nnn::all, scratch, bias));
        nnn::check(nnn::search(queries(), gallery(), bias, std::nullopt, top, nnn::all, scratch, exact_, found));
        nnn::check(nnn::find_export_limits(gallery(), bias, nnn::all, limits));
    }

    nnn::matrix_f32 gallery() const { return nnn::matrix_f32(gallery_, dim); }
    nnn::matrix_f32 queries() const { return nnn::matrix_f32(queries_, dim); }

    // The vectors of an index, and of what it is asked.
    std::vector<float> vectors(nnn::form form, std::size_t stride) const {
        std::vector<float> out(rows * stride);
        nnn::check(nnn::export_rows(gallery(), bias, limits, form, nnn::all, out, stride));
        return out;
    }
    std::vector<float> asked_vectors(nnn::form form, std::size_t stride) const {
        std::vector<float> out(asked * stride);
        nnn::check(nnn::export_queries(queries(), form, 1.0f, out, stride));
        return out;
    }

    // The share of the exact top 10 that was found.
    template <class Found>
    double recall(Found found) const {
        std::size_t right = 0;
        for (std::size_t q = 0; q < asked; q++) {
            const std::vector<std::uint32_t> ids = found(q);
            for (std::size_t i = 0; i < top; i++)
                right += static_cast<std::size_t>(std::count(ids.begin(), ids.end(), exact_[q * top + i].id));
        }
        return static_cast<double>(right) / static_cast<double>(asked * top);
    }

    const nnn::hit &exact(std::size_t query) const { return exact_[query * top]; }

    std::size_t dim = 0, rows = 0, asked = 0;
    std::vector<float> bias;
    nnn::export_limits limits{};

private:
    std::vector<float> gallery_, queries_;
    std::vector<nnn::hit> exact_;
};

inline std::vector<std::uint32_t> ids_of(const std::vector<answer> &answers) {
    std::vector<std::uint32_t> ids;
    for (const answer &a : answers) ids.push_back(a.id);
    return ids;
}

// How much longer the first queries take one index than another: median of interleaved rounds.
template <class A, class B>
double times_as_long(std::size_t asked, A search, B plain) {
    const auto seconds = [asked](auto &run) {
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t q = 0; q < std::min<std::size_t>(asked, 200); q++) run(q);
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    std::vector<double> ratios;
    for (int round = 0; round < 5; round++) {
        const double base = seconds(plain);
        ratios.push_back(seconds(search) / base);
    }
    std::sort(ratios.begin(), ratios.end());
    return ratios[ratios.size() / 2];
}

// An Index is made of (what it compares by, vectors, their dim) and has search(vector, k), best first.
template <class Index>
void compare(const char *engine, const problem &p) {
    const auto plain_rows = p.gallery();
    const Index plain(nnn::form::inner_product, std::vector<float>(plain_rows.data, plain_rows.data + p.rows * p.dim), p.dim);
    const auto search_plain = [&](std::size_t q) { return ids_of(plain.search(p.queries().data + q * p.dim, top)); };
    std::printf("%s, %zu rows, %zu queries, dim %zu              recall@10 of exact debiased search, time / plain\n", engine, p.rows,
                p.asked, p.dim);
    std::printf("  plain index                                       %.4f  1.00\n", p.recall(search_plain));

    const auto exported = [&](const char *name, nnn::form form, nnn::form index_form) {
        const std::size_t stride = nnn::export_dim(p.dim, form, 4);
        const Index index(index_form, p.vectors(form, stride), stride);
        const std::vector<float> asked = p.asked_vectors(form, stride);
        const auto search = [&](std::size_t q) { return ids_of(index.search(asked.data() + q * stride, top)); };
        std::printf("  %-48s  %.4f  %.2f", name, p.recall(search), times_as_long(p.asked, search, search_plain));
        if (form == index_form) {
            double worst = 0;  // the scores, taken back from what the engine answers
            for (std::size_t q = 0; q < p.asked; q++) {
                const answer first = index.search(asked.data() + q * stride, 1).at(0);
                float score = first.value;
                nnn::check(nnn::export_scores(p.limits, form, {p.queries().data + q * p.dim, p.dim}, 1.0f, {&score, 1}));
                if (first.id == p.exact(q).id) worst = std::max(worst, std::abs(static_cast<double>(score) - static_cast<double>(p.exact(q).score)));
            }
            std::printf("  scores within %.0e\n", worst);
        } else {
            std::printf("  WRONG, and no error says so\n");
        }
    };
    exported("exported, inner product", nnn::form::inner_product, nnn::form::inner_product);
    exported("exported, L2", nnn::form::l2, nnn::form::l2);
    exported("exported, cosine", nnn::form::cosine, nnn::form::cosine);
    exported("inner-product form in a cosine index", nnn::form::inner_product, nnn::form::cosine);

    // The plain index' best, reranked; asked for more until the certificate holds.
    const float bias_min = *std::min_element(p.bias.begin(), p.bias.end());
    std::size_t proved_at_once = 0, candidates = 0, searches = 0;
    const auto rerank = [&](std::size_t q) {
        std::vector<nnn::hit> hits(top);
        std::uint32_t found = 0;
        for (std::size_t len = std::min<std::size_t>(64, p.rows), next = 0;; len = next) {
            std::vector<nnn::hit> list;
            for (const answer &a : plain.search(p.queries().data + q * p.dim, len)) list.push_back({a.value, a.id});
            nnn::check(nnn::rerank_certified(list, p.bias, bias_min, top, hits, found, next));
            if (next == 0 || list.size() < len) {
                proved_at_once += len == 64;
                candidates += len;
                searches++;
                break;
            }
        }
        std::vector<std::uint32_t> ids;
        for (std::uint32_t i = 0; i < found; i++) ids.push_back(hits[i].id);
        return ids;
    };
    const double recall = p.recall(rerank);
    std::printf("  plain index, certified reranking                  %.4f  %.2f  proved with 64 candidates: %.0f %%, with %.0f on average\n",
                recall, times_as_long(p.asked, rerank, search_plain), 100.0 * static_cast<double>(proved_at_once) / static_cast<double>(searches),
                static_cast<double>(candidates) / static_cast<double>(searches));
}

}  // namespace engines

#endif
