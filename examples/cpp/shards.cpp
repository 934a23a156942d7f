// Your threads, your memory: biases over row ranges on a thread pool, gallery shards searched in parallel and merged. The bits are
// those of one call.
//   cargo build --release -p nnn-capi
//   c++ -std=c++17 -I include examples/cpp/shards.cpp target/release/libnnn.a -pthread -o shards && ./shards
#include "nnn.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

constexpr std::size_t dim = 64, topics = 1500, bank_rows = 512, query_rows = 64, top = 5, k = 8, threads = 4, chunk = 128;

// Rows of `count` topics: 1 in column 0, which all queries share, weighs `common`, the topic's own direction the rest.
static std::vector<float> rows_about(std::size_t count, unsigned seed, float common) {
    std::mt19937 random(seed);
    std::vector<float> rows(count * dim);
    for (std::size_t i = 0; i < rows.size(); i++)
        rows[i] = i % dim == 0 ? common : 0.125f * (static_cast<float>(random() >> 8) / 8388608.0f - 1.0f) * 1.7f;
    nnn::check(nnn::normalize(rows, dim));
    return rows;
}

// Runs job(0), job(1), ... on all threads; each takes the next number when it is done.
template <class Job>
static void parallel(std::size_t jobs, Job job) {
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> pool;
    for (std::size_t t = 0; t < threads; t++) pool.emplace_back([&] { for (std::size_t j; (j = next++) < jobs;) job(j); });
    for (auto &thread : pool) thread.join();
}

static std::size_t won_by_hub(const std::vector<nnn::hit> &hits) {
    std::size_t won = 0;
    for (std::size_t q = 0; q < query_rows; q++) won += hits[q * top].id == topics;
    return won;
}

int main() {
    std::vector<float> g = rows_about(topics, 1, 0.3f);
    g.resize(g.size() + dim);  // and one row about nothing but what all queries share: a hub
    g[topics * dim] = 1.0f;
    const auto b = rows_about(bank_rows, 2, 1.5f), q = rows_about(query_rows, 1, 1.5f);  // query i is about gallery row i
    const nnn::matrix_f32 gallery(g, dim), bank(b, dim), queries(q, dim);

    std::vector<float> bias(gallery.rows);
    parallel((gallery.rows + chunk - 1) / chunk, [&](std::size_t job) {
        thread_local std::vector<std::byte> scratch(nnn::neighbors_scratch(k, dim));
        const std::size_t first = job * chunk, count = std::min(chunk, gallery.rows - first);
        nnn::check(nnn::bias(gallery, bank, k, 0.75f, {first, count}, scratch, nnn::span<float>(&bias[first], count)));
    });

    struct part { std::vector<nnn::hit> hits; std::vector<std::uint32_t> found; };
    std::vector<part> parts(threads, {std::vector<nnn::hit>(query_rows * top), std::vector<std::uint32_t>(query_rows)});
    const std::size_t shard = (gallery.rows + threads - 1) / threads;
    parallel(threads, [&](std::size_t s) {
        const nnn::range rows{s * shard, std::min(shard, gallery.rows - s * shard)};
        nnn::check(nnn::search(queries, gallery, bias, std::nullopt, top, rows, {}, parts[s].hits, parts[s].found));
    });
    part merged = parts[0];
    for (std::size_t s = 1; s < threads; s++)
        for (std::size_t i = 0; i < query_rows; i++)
            nnn::check(nnn::merge_hits({&merged.hits[i * top], top}, merged.found[i], {&parts[s].hits[i * top], parts[s].found[i]}, top));

    std::vector<std::byte> scratch(nnn::neighbors_scratch(k, dim));
    std::vector<float> bias_of_one_call(gallery.rows);
    nnn::check(nnn::bias(gallery, bank, k, 0.75f, nnn::all, scratch, bias_of_one_call));
    part one = parts[0], plain = parts[0];
    nnn::check(nnn::search(queries, gallery, bias, std::nullopt, top, nnn::all, scratch, one.hits, one.found));
    nnn::check(nnn::search(queries, gallery, std::nullopt, std::nullopt, top, nnn::all, scratch, plain.hits, plain.found));
    const bool same = std::memcmp(bias.data(), bias_of_one_call.data(), bias.size() * sizeof(float)) == 0 && merged.found == one.found &&
                      std::memcmp(merged.hits.data(), one.hits.data(), one.hits.size() * sizeof(nnn::hit)) == 0;
    std::printf("queries won by the hub: %zu of %zu plain, %zu debiased\n", won_by_hub(plain.hits), query_rows, won_by_hub(merged.hits));
    std::printf("%zu threads and one call: %s\n", threads, same ? "the same bits" : "DIFFERENT");
    return same && won_by_hub(plain.hits) == query_rows && won_by_hub(merged.hits) == 0 ? 0 : 1;
}
