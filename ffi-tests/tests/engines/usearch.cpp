// nnn_usearch.h makes USearch compare by nnn_metric_f32, in searches and in bits, and changes biases.
#include "../../../examples/engines/nnn_usearch.h"
#include "faults.hpp"

namespace {

constexpr std::size_t k = 10;
const std::size_t rows_dim = dim;
data d;

void check(usearch_error_t error) {
    if (error) throw std::runtime_error(error);
}

std::vector<float> with(const float *x, float last) {
    std::vector<float> out(x, x + dim);
    out.push_back(last);
    return out;
}

}  // namespace

int main() {
    usearch_init_options_t options{};
    options.connectivity = 16;
    options.expansion_add = 200;
    options.expansion_search = 300;
    usearch_error_t error = nullptr;
    const usearch_index_t index = nnn_usearch_init(&rows_dim, options, &error);
    check(error);
    usearch_reserve(index, d.rows, &error);
    check(error);
    for (std::size_t i = 0; i < d.rows; i++) {
        usearch_add(index, i, with(&d.gallery[i * dim], d.bias[i]).data(), usearch_scalar_f32_k, &error);
        check(error);
    }
    const auto find = [&](std::size_t q, std::vector<usearch_key_t> &keys, std::vector<float> &distances) {
        keys.resize(k), distances.resize(k);
        const std::size_t found = usearch_search(index, with(&d.queries[q * dim], -1).data(), usearch_scalar_f32_k, k, keys.data(), distances.data(), &error);
        check(error);
        keys.resize(found), distances.resize(found);
    };

    const answers right = search(d.queries, d.gallery, d.bias, nullptr, k);
    std::vector<usearch_key_t> keys;
    std::vector<float> distances;
    std::size_t hits = 0;
    for (std::size_t q = 0; q < d.asked; q++) {
        find(q, keys, distances);
        for (std::size_t j = 0; j < keys.size(); j++)
            for (std::size_t i = q * k; i < (q + 1) * k; i++)
                if (right.hits[i].id == keys[j]) {
                    hits++;
                    expect(same_bits(-distances[j], right.hits[i].score), "a score is that of nnn_search, bit for bit");
                }
    }
    expect(static_cast<double>(hits) >= 0.98 * static_cast<double>(d.asked * k), "the exact hits are found");

    std::vector<float> work(dim + 1);
    find(0, keys, distances);
    const usearch_key_t best = keys.at(0);
    nnn_usearch_set_bias(index, best, 100.0f, work.data(), &error);
    check(error);
    find(0, keys, distances);
    expect(std::count(keys.begin(), keys.end(), best) == 0, "a bias that says never");
    nnn_usearch_set_bias(index, best, d.bias[best], work.data(), &error);
    check(error);
    find(0, keys, distances);
    expect(keys.at(0) == best, "the bias as it was");
    expect(usearch_size(index, &error) == d.rows, "as many rows as before");

    nnn_usearch_set_bias(index, 12345, 0, work.data(), &error);
    expect(error != nullptr, "a key that is not there");
    error = nullptr;
    const std::size_t other = dim + 1;
    nnn_usearch_metric(index, &other, &error);
    expect(error != nullptr, "an index without room for the bias");
    error = nullptr;
    usearch_free(index, &error);
    return faults != 0;
}
