// What the tests of the adapters share: rows with ties and an odd dim, and how faults are counted and told.
#ifndef FAULTS_HPP
#define FAULTS_HPP

#include "nnn.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>
#include <random>
#include <vector>

inline int faults = 0;

inline void expect(bool holds, const char *what) {
    if (holds) return;
    std::printf("fault: %s\n", what);
    faults++;
}

inline bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0; }

template <class F>
bool throws(F f) {
    try {
        f();
    } catch (const std::exception &) {
        return true;
    }
    return false;
}

constexpr std::size_t dim = 37;

struct data {
    std::size_t rows = 1000, asked = 130;  // more than two batches of queries
    std::vector<float> gallery, queries, bias;

    data() {
        std::mt19937 random(7);
        std::normal_distribution<float> normal;
        for (std::size_t i = 0; i < rows * dim; i++) gallery.push_back(normal(random));
        for (std::size_t i = 0; i < asked * dim; i++) queries.push_back(normal(random));
        nnn::check(nnn::normalize(gallery, dim));
        nnn::check(nnn::normalize(queries, dim));
        for (std::size_t i = 0; i < rows; i++) bias.push_back(0.4f + 0.1f * normal(random));
        for (std::size_t i = 0; i < rows; i += 10) {  // every tenth row and the next tie
            std::copy_n(gallery.begin() + static_cast<std::ptrdiff_t>(i * dim), dim, gallery.begin() + static_cast<std::ptrdiff_t>((i + 1) * dim));
            bias[i + 1] = bias[i];
        }
    }
};

struct answers {
    std::vector<nnn::hit> hits;
    std::vector<std::uint32_t> found;
};

// nnn_search: what an adapter has to answer.
inline answers search(const std::vector<float> &queries, const std::vector<float> &gallery, const std::vector<float> &bias,
                      const std::vector<std::uint64_t> *allow, std::size_t k) {
    const std::size_t asked = queries.size() / dim;
    answers out{std::vector<nnn::hit>(asked * k), std::vector<std::uint32_t>(asked)};
    std::optional<nnn::span<const std::uint64_t>> filter;
    if (allow) filter = nnn::span<const std::uint64_t>(*allow);
    nnn::check(nnn::search(nnn::matrix_f32(queries, dim), nnn::matrix_f32(gallery, dim), bias, filter, k, nnn::all, nnn::scratch(), out.hits,
                           out.found));
    return out;
}

#endif
